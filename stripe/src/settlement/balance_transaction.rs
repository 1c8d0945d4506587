//! Balance transactions: what Stripe took for itself, and what moved at Stripe for no customer.
//!
//! The gross of payments, refunds, disputes and payouts is booked by the facts of those; here only the fee is left of them.

use std::collections::BTreeMap;

use tallybook_domain::money::Money;
use tallybook_domain::treasury::{BalanceTransaction as TransactionFact, DatedTreasuryFact, TreasuryFact};

use super::history::{ById, Histories, History, Seen};
use super::money::{Purse, Unbookable, instant};
use crate::object::BalanceTransaction;
use crate::snapshot::Snapshot;

/// A balance transaction, and when it was true.
pub(super) struct Known<'h> {
    transaction: &'h BalanceTransaction,
    seen_at: i64,
}

/// Every balance transaction that is stored itself or expanded in what it is of, by id: the newest word about each.
pub(super) fn known<'h>(histories: &'h Histories<'_>) -> BTreeMap<&'h str, Known<'h>> {
    let mut words: Vec<(&Snapshot, &BalanceTransaction)> = Vec::new();
    words.extend(expanded(&histories.charges, |it| it.booking.as_ref()));
    words.extend(expanded(&histories.refunds, |it| it.booking.as_ref()));
    words.extend(expanded(&histories.payouts, |it| it.booking.as_ref()));
    words.extend(expanded(&histories.transactions, Some));
    words.sort_by_key(|(snapshot, _)| (snapshot.created, &snapshot.event_id));
    let mut all: BTreeMap<&str, Known<'_>> = BTreeMap::new();
    for (snapshot, transaction) in words {
        let known = all.entry(&transaction.id).or_insert(Known {
            transaction,
            seen_at: snapshot.created,
        });
        known.transaction = transaction;
    }
    all
}

fn expanded<'h, T>(
    objects: &'h ById<'_, T>,
    booking: impl Fn(&'h T) -> Option<&'h BalanceTransaction>,
) -> impl Iterator<Item = (&'h Snapshot, &'h BalanceTransaction)> {
    let seen = objects.values().flat_map(History::seen);
    seen.filter_map(move |Seen { snapshot, object }| Some((*snapshot, booking(object)?)))
}

/// Rows 2, 30 and 32.
pub(super) fn facts(known: &Known<'_>) -> Result<Vec<DatedTreasuryFact>, Unbookable> {
    let said = known.transaction;
    let purse = Purse::of(&said.currency)?;
    let effective_at = instant(said.created.unwrap_or(known.seen_at))?;
    let (amount, fee) = (purse.minor(said.amount)?, purse.minor(said.fee)?);
    let fact = |kind: fn(TransactionFact) -> TreasuryFact, minor: i64| {
        let transaction = TransactionFact {
            transaction: said.id.clone(),
            amount: Money::new(minor, purse.currency()),
        };
        let dated = DatedTreasuryFact {
            fact: kind(transaction),
            effective_at,
        };
        (minor != 0).then_some(dated)
    };
    let taken = |minor| fact(TreasuryFact::StripeFeeRecorded, minor);
    let facts = match movement(said) {
        Movement::BookedElsewhere if said.is_converted => return Err(Unbookable::Converted),
        Movement::BookedElsewhere => [None, taken(fee)],
        Movement::OfDispute => [None, None],
        Movement::Fee => [None, taken(fee - amount)],
        Movement::TopUp => [fact(TreasuryFact::TopUpRecorded, amount), taken(fee)],
        Movement::Reserve => [fact(TreasuryFact::ReserveRecorded, -amount), taken(fee)],
        Movement::Unknown => [fact(TreasuryFact::UnmatchedRecorded, amount), taken(fee)],
    };
    Ok(facts.into_iter().flatten().collect())
}

enum Movement {
    /// Of a payment, a refund or a payout, whose own facts book the gross.
    BookedElsewhere,
    /// Of a dispute, whose own facts book the fee, too.
    OfDispute,
    /// A fee of Stripe's, or one that it gave back.
    Fee,
    /// From the bank.
    TopUp,
    /// To the reserve, or back.
    Reserve,
    /// Anything else.
    Unknown,
}

/// Stripe: "Balance transaction types".
fn movement(transaction: &BalanceTransaction) -> Movement {
    let is_of = |prefix: &str| {
        let source = transaction.source.as_deref();
        source.is_some_and(|source| source.starts_with(prefix))
    };
    match transaction.r#type.as_str() {
        "charge"
        | "payment"
        | "refund"
        | "payment_refund"
        | "refund_failure"
        | "payment_failure_refund"
        | "payment_reversal"
        | "payout"
        | "payout_cancel"
        | "payout_failure" => Movement::BookedElsewhere,
        "stripe_fee" | "stripe_fx_fee" | "tax_fee" | "network_cost" => Movement::Fee,
        "topup" | "topup_reversal" => Movement::TopUp,
        "reserve_transaction" | "reserved_funds" | "reserve_hold" | "reserve_release" => Movement::Reserve,
        "adjustment" if is_of("du_") || is_of("dp_") => Movement::OfDispute,
        _ => Movement::Unknown,
    }
}
