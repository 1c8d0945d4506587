//! The name under which the books net what an event did.
//!
//! A correction carries the key of what it corrects, so that the two net to zero under it, however often a fact was
//! recorded, reversed and recorded again.

use crate::account::{AccountEvent, AccountFact, AccountLifeEvent, Fact};
use crate::credits::{Clawback, CreditsEvent, Expiry, Freeze, Overdraft};
use crate::identity::{GrantId, NaturalKey, TransferId};

/// The natural key of an event; none where an event never reaches the books (a change of state of the account, of a
/// subscription, a trial or a policy).
pub fn natural_key(event: &AccountEvent) -> Option<NaturalKey> {
    match &event.fact {
        AccountFact::Life(AccountLifeEvent::FactReversed(e)) => Some(e.original.natural_key()),
        AccountFact::Life(AccountLifeEvent::AccountOpened(_) | AccountLifeEvent::CustomerLinked(_))
        | AccountFact::PurchaseLife(_)
        | AccountFact::Subscriptions(_)
        | AccountFact::Trials(_)
        | AccountFact::Policies(_) => None,
        AccountFact::Credits(e) => Some(NaturalKey(of_credits(e))),
        AccountFact::Purchases(e) => Some(Fact::Purchases(e.clone()).natural_key()),
        AccountFact::Invoices(e) => Some(Fact::Invoices(e.clone()).natural_key()),
        AccountFact::Recognition(e) => Some(e.natural_key()),
    }
}

/// The document a natural key is about: the payment, refund, dispute, invoice, credit note, payout or balance transaction,
/// by Stripe's id, or ours where there is no Stripe; none for what has no document.
pub fn external_reference(natural_key: &str) -> Option<&str> {
    let (kind, rest) = natural_key.split_once(':')?;
    match kind {
        "pay" | "purchase" | "refund" | "refund-paid" | "refund-failed" | "refund-returned" | "dispute"
        | "dispute-closed" | "inv" | "inv-paid" | "inv-void" | "inv-write-off" | "cn" | "payout"
        | "payout-paid" | "payout-failed" | "fee" | "top-up" | "reserve" | "unmatched" => Some(rest),
        // `earned:<invoice>:<line>:<boundary>`, `dun:<invoice>:<attempt>`.
        "earned" | "dun" => rest.split(':').next(),
        _ => None,
    }
}

fn of_credits(event: &CreditsEvent) -> String {
    match event {
        CreditsEvent::CreditsGranted(e) => of_grant(&e.grant),
        CreditsEvent::GrantWithdrawn(e) => of_grant(&e.original.grant),
        CreditsEvent::CreditsConsumed(e) => format!("debit:{}", e.debit),
        CreditsEvent::HoldCaptured(e) => format!("debit:{}", e.debit),
        CreditsEvent::CreditsHeld(e) => format!("hold:{}", e.hold),
        CreditsEvent::HoldReleased(e) => format!("hold:{}", e.hold),
        CreditsEvent::CreditsExpired(e) | CreditsEvent::ExpiryReversed(e) => of_expiry(e),
        CreditsEvent::CreditsFrozen(e) | CreditsEvent::CreditsUnfrozen(e) => of_freeze(e),
        CreditsEvent::CreditsRevoked(e) | CreditsEvent::CreditsRestored(e) => of_clawback(e),
        CreditsEvent::OverdraftIncurred(e) | CreditsEvent::OverdraftRepaid(e) => of_overdraft(e),
        CreditsEvent::GrantVoided(e) => format!("void:{}", e.grant),
        CreditsEvent::ConsumptionReversed(e) => format!("debit:{}", e.debit),
        CreditsEvent::CreditsAdjusted(e) => format!("adjust:{}", e.adjustment),
        CreditsEvent::DebtRepaid(e) => match &e.feature {
            Some(feature) => format!("debt:{}/{feature}", e.unit),
            None => format!("debt:{}", e.unit),
        },
        CreditsEvent::CreditsRolledOver(e) | CreditsEvent::RolloverReversed(e) => {
            format!("rollover:{}", e.grant)
        }
        CreditsEvent::CreditsTransferredOut(e) => format!("transfer:{}", of_transfer(&e.transfer)),
        CreditsEvent::CreditsTransferredIn(e) => format!("transfer:{}", of_transfer(&e.transfer)),
    }
}

/// `grant:<id>`, where our own prefix would only say "grant" twice.
fn of_grant(grant: &GrantId) -> String {
    let id = grant.as_str();
    format!("grant:{}", id.strip_prefix("grant_").unwrap_or(id))
}

/// `transfer:<id>` likewise.
fn of_transfer(transfer: &TransferId) -> &str {
    let id = transfer.as_str();
    id.strip_prefix("transfer_").unwrap_or(id)
}

fn of_expiry(expiry: &Expiry) -> String {
    match &expiry.cause {
        Some(cause) => format!("expire:{}:{cause}", expiry.grant),
        None => format!("expire:{}", expiry.grant),
    }
}

fn of_overdraft(overdraft: &Overdraft) -> String {
    match &overdraft.cause {
        Some(cause) => format!("overdraft:{}:{cause}", overdraft.grant),
        None => format!("overdraft:{}", overdraft.grant),
    }
}

fn of_freeze(freeze: &Freeze) -> String {
    format!("freeze:{}:{}", freeze.grant, freeze.cause)
}

fn of_clawback(clawback: &Clawback) -> String {
    format!("revoke:{}:{}", clawback.grant, clawback.cause)
}
