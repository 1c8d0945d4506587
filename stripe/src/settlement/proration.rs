//! What a proration line is a part of: the period it lies in, and the line that billed the time it credits. Both are looked up
//! among all that is stored of its subscription, so a part that comes late only waits for the whole.

use super::history::{Histories, History};
use crate::object::{Invoice, InvoiceLine};

/// A time in Unix seconds, half-open, not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Span {
    fn new(start: Option<i64>, end: Option<i64>) -> Option<Self> {
        let span = Self {
            start: start?,
            end: end?,
        };
        (span.start < span.end).then_some(span)
    }

    /// What a line bills.
    pub(super) fn of(line: &InvoiceLine) -> Option<Self> {
        Self::new(line.period_start, line.period_end)
    }

    /// How long it is.
    pub(super) fn length(self) -> i64 {
        self.end.saturating_sub(self.start)
    }

    fn covers(self, part: Self) -> bool {
        self.start <= part.start && part.end <= self.end
    }
}

/// Lines of finalised invoices.
fn lines<'h>(histories: &'h Histories<'_>) -> impl Iterator<Item = (&'h Invoice, &'h InvoiceLine)> {
    let finalised = |it: &&'h History<'_, Invoice>| {
        !it.is_deleted && !matches!(it.winner.status.as_str(), "draft" | "deleted")
    };
    let invoices = histories.invoices.values().filter(finalised);
    invoices.flat_map(|it| it.winner.lines.iter().map(|line| (it.winner, line)))
}

/// The whole period of its subscription that a line's time lies in: as a line billed it, else as the subscription said it.
/// Of several the shortest: where the cycle began anew, the old one was to be longer.
pub(super) fn period_of(histories: &Histories<'_>, line: &InvoiceLine) -> Option<Span> {
    let part = Span::of(line)?;
    let subscription = line.subscription.as_deref()?;
    let whole = |it: &Span| it.covers(part);
    let billed = lines(histories)
        .filter(|(_, it)| !it.proration && it.subscription.as_deref() == Some(subscription))
        .filter_map(|(_, it)| Span::of(it))
        .filter(whole);
    let told = histories.subscriptions.get(subscription).into_iter();
    let told = told
        .flat_map(|it| it.seen().flat_map(|seen| &seen.object.items))
        .filter_map(|item| Span::new(item.current_period_start, item.current_period_end))
        .filter(whole);
    let shortest = |it: &Span| (it.length(), it.start);
    billed.min_by_key(shortest).or_else(|| told.min_by_key(shortest))
}

/// The line that billed the time which a line credits: the one it names, else the last that billed as many of the item at
/// this price for a time around it.
pub(super) fn unused_of<'h>(
    histories: &'h Histories<'_>,
    credit: &InvoiceLine,
) -> Option<(&'h Invoice, &'h InvoiceLine)> {
    let part = Span::of(credit)?;
    let is_it = |it: &InvoiceLine| {
        if credit.credited_lines.is_empty() {
            it.subscription_item == credit.subscription_item
                && it.price == credit.price
                && it.quantity == credit.quantity
                && Span::of(it).is_some_and(|whole| whole.covers(part))
        } else {
            credit.credited_lines.contains(&it.id)
        }
    };
    lines(histories)
        .filter(|(_, it)| !it.credits_unused_time() && is_it(it))
        .max_by_key(|(invoice, it)| (it.period_start, &invoice.id, &it.id))
}
