//! From events to the books: each event yields at most one balanced journal entry.
//!
//! Row numbers in the modules are those of this table (Dr / Cr; sub-ledger key in brackets). Each event's lines are
//! written out by example in `tests/golden/POSTINGS.txt`.
//!
//! | row | what | money | units |
//! |---|---|---|---|
//! | 0 | cash received | 1110 (outside Stripe: 1010) / 2135\[account\] | |
//! | 1 | credits bought | 2135 gross / 2110\[grant\] net, 2210 tax | U100 / U900 |
//! | 3, 17 | invoice issued; paid | 1210\[invoice\] / 2120\[line\], 2210; 2135 (off Stripe: 1010) / 1210 | |
//! | 4, 4c, 31 | gift; concession, credits of a plan that no line billed; opening balance | none; 4140 / 2110; 3010 / 2110 | U100 / U900 |
//! | 4d | taken by hand | 2110\[grant\] slice / 4140 | U930 / U100 |
//! | 5 | hold; release the inverse | | U110 / U100 |
//! | 6 | use of credits; of held ones | 2110\[grant\] slice / 4010 | U910 / U100; U910 / U110 |
//! | 7 | use taken back | 4010 / 2110\[grant\] slice | U100 / U910 |
//! | 8 | use beyond what there is | | U910 / U940 |
//! | 9, 10 | expiry | 2110\[grant\] rest / 4040 | U920 / U100 |
//! | 11, 12 | refund, and the clawback of what is unused | 4110, 2210 / 2140\[refund\]; 2110 / 4110 | U930 / U100, U940 |
//! | 13 | refund paid; returned the inverse | 2140\[refund\] / 1110 (outside Stripe: 1010) | |
//! | 14, 15 | disputed funds withdrawn; reinstated the inverse | 1130\[dispute\], 5020 / 1110 | U110 / U100, U940 |
//! | 16 | dispute lost, and the clawback of what is unused | 4120, 2210 / 1130\[dispute\]; 2110 / 4120 | U930 / U100, U940 |
//! | 17b | credits of a plan | 2120\[line\] / 2110\[grant\] | U100 / U900 |
//! | 18 | service rendered | 2120\[line\] / 4020 | |
//! | 20 | customer's balance applied; credited | 2130\[account\] / 1210; 2120, 2210 / 2130 | |
//! | 21, 22 | credit note, void, write-off; its earned part | 2120\[line\], 2210 / 1210, 2130, 4110, 1010; 4130 (write-off: 5030) / 2120\[line\] | |
//! | 25 | payout recorded; paid; failed | 1120\[payout\] / 1110; 1010 / 1120; 1110 / 1120 | |
//! | 29 | to another account: out; in | 2110\[grant\] / 2115\[transfer\]; 2115 / 2110 | U120 / U100; U100 / U120 |
//! | 29 | rolled over | 2110\[ended\] / 2110\[next\] | U100 / U100 |
//! | 30 | Stripe's fee; top-up; reserve | 5010 / 1110; 1110 / 1010; 1140 / 1110 | |
//! | 32 | what an event's parts leave unaccounted for; a movement at Stripe of an unknown kind | against 1190\[natural key\]; 1110 / 1190\[transaction\] | |
//! | 33 | that use repaid | 2110\[grant\] slice / 4010 | U940 / U100; U910\[grant\] / U910 |
//! | 34 | a fact reversed | the inverse, under the same key | the inverse |

mod chart;
mod credits;
mod deferral;
mod invoices;
mod lines;
mod natural_key;
mod purchases;
mod recognition;
mod sub_ledger;
mod treasury;

pub use chart::{Clears, LedgerAccount};
pub use deferral::{DeferralCause, deferral_cause};
pub use natural_key::{external_reference, natural_key};
pub use sub_ledger::{SubLedgerTerms, sub_ledger_terms};
pub use treasury::treasury_entry;

use lines::Lines;

use serde::{Deserialize, Serialize};

use crate::account::{AccountEvent, AccountFact, AccountLifeEvent, Fact};
use crate::aggregate::{Event, Timestamp};
use crate::identity::{AccountId, NaturalKey};

/// One line of an entry. Debits are positive, credits negative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The control account.
    pub account: LedgerAccount,
    /// The sub-ledger key (customer, grant, invoice, dispute, ..); empty where the account has none.
    pub key: String,
    /// `USD`, `EUR`, .. in minor units; `CREDIT` or another kind of credit in millionths.
    pub commodity: String,
    /// Signed: debit positive.
    pub amount: i64,
}

/// A journal entry: its lines sum to zero in every commodity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The natural key of the fact it books; corrections carry the same key, so that they net.
    pub key: NaturalKey,
    /// When it is true; the accounting date is this in the tenant's time zone.
    pub effective_at: Timestamp,
    /// The event's name.
    pub description: String,
    /// At least two.
    pub lines: Vec<Line>,
}

/// What an event of this account's stream does to the books; none where it moves neither money nor units.
pub fn entry(account: &AccountId, event: &AccountEvent) -> Option<Entry> {
    let key = natural_key(event)?;
    let lines = lines_of(account, &event.fact)?.balanced(&key);
    (!lines.is_empty()).then(|| Entry {
        key,
        effective_at: event.effective_at,
        description: event.name().to_owned(),
        lines,
    })
}

fn lines_of(account: &AccountId, fact: &AccountFact) -> Option<Lines> {
    match fact {
        AccountFact::Life(event) => match event {
            AccountLifeEvent::FactReversed(e) => match &e.original {
                Fact::Purchases(original) => purchases::lines(account, original).map(Lines::negated),
                Fact::Invoices(original) => invoices::lines(account, original).map(Lines::negated),
            },
            // Who an account is moves nothing.
            AccountLifeEvent::AccountOpened(_) | AccountLifeEvent::CustomerLinked(_) => None,
        },
        AccountFact::Credits(event) => Some(credits::lines(event)),
        AccountFact::Purchases(event) => purchases::lines(account, event),
        AccountFact::Invoices(event) => invoices::lines(account, event),
        AccountFact::Recognition(event) => Some(recognition::lines(event)),
        // A plan's state moves nothing: its invoices and grants do, by events of their own.
        // Nor does a purchase before it is paid.
        // What is allowed, and what is asked for, moves nothing either.
        AccountFact::Subscriptions(_)
        | AccountFact::Trials(_)
        | AccountFact::PurchaseLife(_)
        | AccountFact::Policies(_) => None,
    }
}
