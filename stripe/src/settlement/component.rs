//! Which objects are settled together: those that name one another.

use std::collections::BTreeMap;

use crate::object::{Invoice, InvoicePayment, Object, ObjectKind};
use crate::snapshot::Snapshot;
use crate::winner::{Winner, winner, with_renewals};

/// All stored snapshots of some objects, by object.
#[derive(Debug, Clone, Default)]
pub struct Component<'a> {
    objects: BTreeMap<(ObjectKind, &'a str), Vec<&'a Snapshot>>,
}

impl<'a> Component<'a> {
    /// From snapshots in any order. Those without a readable object have no part in it.
    pub fn new(snapshots: impl IntoIterator<Item = &'a Snapshot>) -> Self {
        let mut objects: BTreeMap<(ObjectKind, &str), Vec<&Snapshot>> = BTreeMap::new();
        for snapshot in snapshots {
            if let Some(object) = &snapshot.object {
                let key = (object.kind(), object.id());
                objects.entry(key).or_default().push(snapshot);
            }
        }
        Self { objects }
    }

    /// Every object's state and how it came to it.
    pub fn winners(&self) -> impl Iterator<Item = Winner<'_>> {
        self.objects
            .iter()
            .filter_map(|((kind, _), snapshots)| winner(*kind, snapshots))
    }

    /// Every object as it is settled, with its winner: a subscription whose renewal only its invoice told is renewed.
    pub fn settled(&self) -> Vec<(Winner<'_>, Object)> {
        let winners: Vec<_> = self.winners().collect();
        let invoices: Vec<&Invoice> = winners.iter().filter_map(|it| as_invoice(it.object())).collect();
        let settled = |object: &Object| match object {
            Object::Subscription(it) => Object::Subscription(with_renewals(it, invoices.iter().copied())),
            other => other.clone(),
        };
        let objects: Vec<Object> = winners.iter().map(|it| settled(it.object())).collect();
        winners.into_iter().zip(objects).collect()
    }

    /// Whether nothing in it is any customer's: payouts, and balance transactions whose cause has not arrived.
    pub fn is_of_no_customer(&self) -> bool {
        let is_own = |kind: &ObjectKind| matches!(kind, ObjectKind::Payout | ObjectKind::BalanceTransaction);
        !self.objects.is_empty() && self.objects.keys().all(|(kind, _)| is_own(kind))
    }

    /// The snapshots of all objects.
    pub fn snapshots(&self) -> impl Iterator<Item = &'a Snapshot> {
        self.objects.values().flatten().copied()
    }
}

fn of_invoice_payment(payment: &InvoicePayment) -> impl Iterator<Item = &str> {
    let ids = [&payment.invoice, &payment.payment_intent, &payment.charge];
    ids.into_iter().filter_map(Option::as_deref)
}

fn as_invoice(object: &Object) -> Option<&Invoice> {
    match object {
        Object::Invoice(it) => Some(it),
        _ => None,
    }
}

/// The ids of the objects that a snapshot's object is settled with, its own among them: a payment's charges, refunds,
/// disputes and sessions; a subscription's invoices, which may be the only ones to tell its renewal, and their credit
/// notes and, where an invoice has to say whose they are, payments; what a balance transaction is of. Customers are no kin:
/// what a customer has is settled payment by payment.
pub fn references(object: &Object) -> Vec<&str> {
    let mut ids: Vec<&str> = vec![object.id()];
    match object {
        Object::PaymentIntent(it) => ids.extend(it.latest_charge.as_deref()),
        Object::Charge(it) => ids.extend(it.payment_intent.as_deref()),
        Object::Refund(it) => {
            ids.extend(it.charge.as_deref());
            ids.extend(it.payment_intent.as_deref());
        }
        Object::Dispute(it) => {
            ids.extend(it.charge.as_deref());
            ids.extend(it.payment_intent.as_deref());
        }
        Object::CheckoutSession(it) => {
            ids.extend(it.payment_intent.as_deref());
            ids.extend(it.receipt());
        }
        Object::CreditNote(it) => ids.extend(it.invoice.as_deref()),
        Object::InvoicePayment(it) => ids.extend(of_invoice_payment(it)),
        Object::Invoice(it) => {
            ids.extend(it.subscription.as_deref());
            ids.extend(it.lines.iter().filter_map(|line| line.subscription.as_deref()));
            // One without an id is of a version whose payments name their invoice.
            let listed = it.payments.iter().filter(|payment| !payment.id.is_empty());
            ids.extend(listed.flat_map(of_invoice_payment));
        }
        Object::BalanceTransaction(it) => ids.extend(it.source.as_deref()),
        Object::Customer(_) | Object::Subscription(_) | Object::Payout(_) => {}
    }
    ids
}
