//! What a Stripe account's own money does to the books.

use super::LedgerAccount::{Bank, PayoutInTransit, ProcessingFees, StripeBalance, StripeReserves, Unmatched};
use super::{Entry, LedgerAccount, Lines};
use crate::aggregate::Event;
use crate::money::Money;
use crate::treasury::{TreasuryEvent, TreasuryFact};

/// What an event of a treasury's stream does to the books; none where it moves nothing.
pub fn treasury_entry(event: &TreasuryEvent) -> Option<Entry> {
    let key = event.fact.natural_key();
    let lines = lines(&event.fact).balanced(&key);
    (!lines.is_empty()).then(|| Entry {
        key,
        effective_at: event.effective_at,
        description: event.name().to_owned(),
        lines,
    })
}

/// Rows 25, 30 and 32.
fn lines(fact: &TreasuryFact) -> Lines {
    match fact {
        TreasuryFact::PayoutRecorded(e) => moved((PayoutInTransit, &e.payout), (StripeBalance, ""), e.amount),
        TreasuryFact::PayoutPaid(e) => moved((Bank, ""), (PayoutInTransit, &e.payout), e.amount),
        TreasuryFact::PayoutFailed(e) => moved((StripeBalance, ""), (PayoutInTransit, &e.payout), e.amount),
        TreasuryFact::StripeFeeRecorded(e) => moved((ProcessingFees, ""), (StripeBalance, ""), e.amount),
        TreasuryFact::TopUpRecorded(e) => moved((StripeBalance, ""), (Bank, ""), e.amount),
        TreasuryFact::ReserveRecorded(e) => moved((StripeReserves, ""), (StripeBalance, ""), e.amount),
        TreasuryFact::UnmatchedRecorded(e) => {
            moved((StripeBalance, ""), (Unmatched, &e.transaction), e.amount)
        }
        TreasuryFact::TreasuryFactReversed(e) => lines(&e.original).negated(),
    }
}

fn moved(to: (LedgerAccount, &str), from: (LedgerAccount, &str), amount: Money) -> Lines {
    let mut lines = Lines::default();
    lines.debit(to.0, to.1, amount.currency.code(), amount.minor);
    lines.credit(from.0, from.1, amount.currency.code(), amount.minor);
    lines
}
