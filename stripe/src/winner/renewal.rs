//! A subscription's period as its invoices tell it.
//!
//! A renewal moves the period, makes an invoice for the new one, and usually sends `customer.subscription.updated`; usually.
//! Where that event is late or never sent, the invoice has already said it: a line that is no proration and bills an item
//! for a time at or after the end of its known period means that the item renewed. This is a function of the two sets
//! (the subscription's winner, its invoices), so arrival does not appear in it either.

use crate::object::{Invoice, InvoiceLine, Subscription, SubscriptionItem};

/// `subscription`, which is the winner's object, with each item's period moved on to the newest its invoices bill.
/// Invoices of other subscriptions take no part; an ended subscription stays as it ended.
pub fn with_renewals<'a>(
    subscription: &Subscription,
    invoices: impl IntoIterator<Item = &'a Invoice>,
) -> Subscription {
    let mut renewed = subscription.clone();
    if matches!(subscription.status.as_str(), "canceled" | "incomplete_expired") {
        return renewed;
    }
    let renewals: Vec<&Invoice> = invoices
        .into_iter()
        .filter(|invoice| invoice.billing_reason.as_deref() == Some(RENEWAL))
        .collect();
    let mut newest = None;
    for item in &mut renewed.items {
        let billed = renewals.iter().filter_map(|invoice| {
            let lines = invoice
                .lines
                .iter()
                .filter(|line| line.subscription.as_ref() == Some(&subscription.id));
            let period = lines.filter_map(|line| later_period(item, line)).max()?;
            Some((period, invoice.created, &invoice.id))
        });
        if let Some(((start, end), created, invoice)) = billed.max() {
            item.current_period_start = Some(start);
            item.current_period_end = Some(end);
            newest = newest.max(Some((created, invoice)));
        }
    }
    if let Some((_, invoice)) = newest {
        renewed.current_period_start = renewed
            .items
            .iter()
            .filter_map(|item| item.current_period_start)
            .min();
        renewed.current_period_end = renewed
            .items
            .iter()
            .filter_map(|item| item.current_period_end)
            .max();
        renewed.latest_invoice = Some(invoice.clone());
    }
    renewed
}

/// `billing_reason` of the invoice that a period's end makes. Changes of plan make others, and always send an update.
const RENEWAL: &str = "subscription_cycle";

/// The period that `line` bills `item` for, if it is later than the one the item is known to be in.
fn later_period(item: &SubscriptionItem, line: &InvoiceLine) -> Option<(i64, i64)> {
    let (start, end) = (line.period_start?, line.period_end?);
    let bills_item = line.subscription_item.as_ref() == Some(&item.id) && !line.proration;
    (bills_item && start < end && start >= item.current_period_end?).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(status: &str) -> Subscription {
        Subscription {
            id: "sub_1".into(),
            status: status.into(),
            current_period_start: Some(0),
            current_period_end: Some(100),
            items: vec![SubscriptionItem {
                id: "si_1".into(),
                current_period_start: Some(0),
                current_period_end: Some(100),
                ..SubscriptionItem::default()
            }],
            ..Subscription::default()
        }
    }

    fn renewal(id: &str, start: i64) -> Invoice {
        let line = InvoiceLine {
            id: format!("il_{id}"),
            subscription: Some("sub_1".into()),
            subscription_item: Some("si_1".into()),
            period_start: Some(start),
            period_end: Some(start + 100),
            ..InvoiceLine::default()
        };
        Invoice {
            id: id.into(),
            created: Some(start),
            billing_reason: Some("subscription_cycle".into()),
            lines: vec![line],
            ..Invoice::default()
        }
    }

    fn period(subscription: &Subscription) -> (Option<i64>, Option<i64>) {
        (subscription.current_period_start, subscription.current_period_end)
    }

    #[test]
    fn a_renewal_nobody_announced_is_told_by_its_invoice_in_any_order() {
        let [first, second] = [renewal("in_1", 100), renewal("in_2", 200)];
        for invoices in [[&first, &second], [&second, &first]] {
            let settled = with_renewals(&subscription("active"), invoices);
            assert_eq!(period(&settled), (Some(200), Some(300)));
            assert_eq!(settled.latest_invoice.as_deref(), Some("in_2"));
        }
    }

    #[test]
    fn prorations_other_reasons_the_known_period_and_ended_ones_move_nothing() {
        let mut proration = renewal("in_1", 100);
        proration.lines[0].proration = true;
        let upgrade = Invoice {
            billing_reason: Some("subscription_update".into()),
            ..renewal("in_2", 100)
        };
        let in_arrears = renewal("in_3", 0);
        let active = subscription("active");
        assert_eq!(
            with_renewals(&active, [&proration, &upgrade, &in_arrears]),
            active
        );
        let canceled = subscription("canceled");
        assert_eq!(with_renewals(&canceled, [&renewal("in_4", 100)]), canceled);
    }
}
