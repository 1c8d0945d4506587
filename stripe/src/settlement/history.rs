//! The objects of a component by kind, each with its winner and everything that was seen of it.

use std::collections::BTreeMap;

use super::component::Component;
use crate::object::{
    BalanceTransaction, Charge, CheckoutSession, CreditNote, Dispute, Invoice, InvoicePayment, Object,
    PaymentIntent, Payout, Refund, Subscription,
};
use crate::snapshot::Snapshot;

/// One rendering of an object at one moment.
pub(super) struct Seen<'a, T> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) object: &'a T,
}

impl<T> Seen<'_, T> {
    /// When Stripe made the event, Unix seconds.
    pub(super) fn created(&self) -> i64 {
        self.snapshot.created
    }
}

/// An object: what it is, and all that was seen of it in the order (created, event id).
pub(super) struct History<'a, T> {
    pub(super) winner: &'a T,
    /// `created` of the event that showed the winner.
    pub(super) winner_created: i64,
    pub(super) is_deleted: bool,
    seen: Vec<Seen<'a, T>>,
}

impl<'a, T> History<'a, T> {
    /// The earliest snapshot that shows what `test` asks. By (created, event id): a date derived from it never moves but
    /// to earlier.
    pub(super) fn first(&self, test: impl Fn(&T) -> bool) -> Option<&Seen<'a, T>> {
        self.seen.iter().find(|seen| test(seen.object))
    }

    /// `created` of [`Self::first`], else of the winner.
    pub(super) fn first_at(&self, test: impl Fn(&T) -> bool) -> i64 {
        self.first(test).map_or(self.winner_created, Seen::created)
    }

    /// `created` of the earliest snapshot at all.
    pub(super) fn first_seen_at(&self) -> i64 {
        self.first_at(|_| true)
    }

    pub(super) fn newest_at(&self) -> i64 {
        self.seen.last().map_or(self.winner_created, Seen::created)
    }

    pub(super) fn seen(&self) -> impl Iterator<Item = &Seen<'a, T>> {
        self.seen.iter()
    }
}

/// Histories of one kind by object id.
pub(super) type ById<'a, T> = BTreeMap<&'a str, History<'a, T>>;

/// A component, sorted.
#[derive(Default)]
pub(super) struct Histories<'a> {
    pub(super) subscriptions: ById<'a, Subscription>,
    pub(super) invoices: ById<'a, Invoice>,
    pub(super) intents: ById<'a, PaymentIntent>,
    pub(super) charges: ById<'a, Charge>,
    pub(super) refunds: ById<'a, Refund>,
    pub(super) disputes: ById<'a, Dispute>,
    pub(super) sessions: ById<'a, CheckoutSession>,
    pub(super) credit_notes: ById<'a, CreditNote>,
    pub(super) invoice_payments: ById<'a, InvoicePayment>,
    pub(super) payouts: ById<'a, Payout>,
    pub(super) transactions: ById<'a, BalanceTransaction>,
}

impl<'a> Histories<'a> {
    pub(super) fn of(component: &'a Component<'a>) -> Self {
        let mut all = Self::default();
        for winner in component.winners() {
            let (snapshot, events) = (winner.snapshot, winner.history.as_slice());
            macro_rules! sort {
                ($($variant:ident => $field:ident),+ $(,)?) => {
                    match winner.object() {
                        $(Object::$variant(object) => {
                            let read = |object: &'a Object| match object {
                                Object::$variant(it) => Some(it),
                                _ => None,
                            };
                            all.$field.insert(&object.id, history(object, snapshot, events, read));
                        })+
                        Object::Customer(_) => {}
                    }
                };
            }
            sort! {
                Subscription => subscriptions,
                Invoice => invoices,
                PaymentIntent => intents,
                Charge => charges,
                Refund => refunds,
                Dispute => disputes,
                CheckoutSession => sessions,
                CreditNote => credit_notes,
                InvoicePayment => invoice_payments,
                Payout => payouts,
                BalanceTransaction => transactions,
            }
        }
        all
    }
}

fn history<'a, T>(
    winner: &'a T,
    snapshot: &'a Snapshot,
    events: &[&'a Snapshot],
    read: impl Fn(&'a Object) -> Option<&'a T>,
) -> History<'a, T> {
    let mut seen: Vec<Seen<'a, T>> = events
        .iter()
        .filter_map(|snapshot| {
            let object = read(snapshot.object.as_ref()?)?;
            Some(Seen { snapshot, object })
        })
        .collect();
    seen.sort_by(|a, b| {
        (a.snapshot.created, &a.snapshot.event_id).cmp(&(b.snapshot.created, &b.snapshot.event_id))
    });
    History {
        winner,
        winner_created: snapshot.created,
        is_deleted: snapshot.is_deletion(),
        seen,
    }
}
