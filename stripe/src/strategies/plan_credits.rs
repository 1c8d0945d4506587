//! What plans gave and took back of credits, reckoned from the lines of paid invoices.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::catalog::PLANS;
use super::plans::PERIOD;

/// Credits in a trial.
const OF_TRIAL: i64 = 10;

/// Every line that an invoice billed, and which of the invoices were paid.
#[derive(Debug, Clone, Default)]
pub(super) struct PlanCredits {
    lines: Vec<Line>,
    paid: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    invoice: String,
    id: String,
    item: String,
    price: String,
    quantity: i64,
    start: i64,
    end: i64,
    kind: Kind,
    /// The line that billed the time it credits, if it says so.
    credited: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The period of a trial.
    Trial,
    /// A whole period.
    Period,
    /// The rest of one.
    Rest,
    /// The rest of one that is not used.
    Unused,
    /// The rest of one that is too short to cost anything.
    Nothing,
}

impl PlanCredits {
    pub(super) fn given(&self) -> i64 {
        let paid = || self.lines.iter().filter(|line| self.is_paid(line));
        let trial = paid().any(|line| line.kind == Kind::Trial);
        let trial = if trial { OF_TRIAL * 1_000_000 } else { 0 };
        trial + paid().filter(|line| line.gives()).map(Line::units).sum::<i64>()
    }

    /// Of a lot never more than all.
    pub(super) fn taken(&self) -> i64 {
        let unused = self.lines.iter().filter(|line| line.kind == Kind::Unused);
        let mut taken: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for line in unused.filter(|line| self.is_paid(line)) {
            let of = (line.price.as_str(), line.quantity);
            let billed = match &line.credited {
                Some(id) => self.lines.iter().find(|it| it.id == *id),
                None => self.billing(&line.item, of, (line.start, line.end)),
            };
            if let Some(lot) = billed.filter(|lot| lot.gives() && self.is_paid(lot)) {
                taken.entry(&lot.id).or_insert((lot.units(), 0)).1 += line.units();
            }
        }
        taken.into_values().map(|(given, taken)| taken.min(given)).sum()
    }

    fn is_paid(&self, line: &Line) -> bool {
        self.paid.contains(&line.invoice)
    }

    /// The last line that billed so many of an item at this price for a time around this one.
    fn billing(&self, item: &str, of: (&str, i64), (start, end): (i64, i64)) -> Option<&Line> {
        let is_it = |line: &&Line| {
            let is_around = line.start <= start && end <= line.end;
            line.kind != Kind::Unused
                && line.item == item
                && (line.price.as_str(), line.quantity) == of
                && is_around
        };
        let lines = self.lines.iter().filter(is_it);
        lines.max_by_key(|line| (line.start, &line.invoice, &line.id))
    }

    /// `proration_details` that name it, as a line that credits the rest of its time does.
    pub(super) fn credited(&self, item: &str, of: (&str, i64), rest: (i64, i64)) -> Value {
        let billed = self.billing(item, of, rest);
        billed.map_or(
            Value::Null,
            |line| json!({"credited_items": {"invoice": line.invoice, "invoice_line_items": [line.id]}}),
        )
    }

    /// An invoice billed these lines.
    pub(super) fn billed(&mut self, invoice: &str, lines: &[Value]) {
        self.lines
            .extend(lines.iter().map(|line| Line::of(invoice, line)));
    }

    /// An invoice was paid.
    pub(super) fn paid(&mut self, invoice: &str) {
        self.paid.insert(invoice.to_owned());
    }
}

impl Line {
    fn of(invoice: &str, line: &Value) -> Self {
        let int = |value: &Value| value.as_i64().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let details = &line["parent"]["subscription_item_details"];
        let is_rest = details["proration"] == true;
        let named = &details["proration_details"]["credited_items"]["invoice_line_items"][0];
        let credited = named.as_str().map(str::to_owned);
        let kind = match int(&line["amount"]) {
            0 if !is_rest => Kind::Trial,
            _ if credited.is_some() => Kind::Unused,
            0 => Kind::Nothing,
            ..0 => Kind::Unused,
            _ if is_rest => Kind::Rest,
            _ => Kind::Period,
        };
        Self {
            invoice: invoice.to_owned(),
            id: text(&line["id"]),
            item: text(&details["subscription_item"]),
            price: text(&line["pricing"]["price_details"]["price"]),
            quantity: int(&line["quantity"]),
            start: int(&line["period"]["start"]),
            end: int(&line["period"]["end"]),
            kind,
            credited,
        }
    }

    fn gives(&self) -> bool {
        matches!(self.kind, Kind::Period | Kind::Rest)
    }

    /// Millionths of a credit that it is about.
    fn units(&self) -> i64 {
        let plan = PLANS.iter().find(|plan| plan.0 == self.price);
        let whole = plan.map_or(0, |plan| plan.1) / 100 * self.quantity * 1_000_000;
        if self.kind == Kind::Period {
            whole
        } else {
            whole * (self.end - self.start) / PERIOD
        }
    }
}
