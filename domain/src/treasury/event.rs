//! What can happen to a Stripe account's own money: each event is a fact under a natural key, recorded once.

use serde::{Deserialize, Serialize};

use crate::event_family::event_family;
use crate::identity::NaturalKey;
use crate::money::Money;
use crate::stamped::{Stamped, families};

event_family! {
    /// Money that belongs to no customer.
    TreasuryFact {
        /// Stripe sent money to the bank.
        PayoutRecorded(Payout) = "PayoutRecorded" v 1,
        /// It arrived.
        PayoutPaid(Payout) = "PayoutPaid" v 1,
        /// It failed or was canceled: the money is back at Stripe.
        PayoutFailed(Payout) = "PayoutFailed" v 1,
        /// Stripe took a fee, or gave one back.
        StripeFeeRecorded(BalanceTransaction) = "StripeFeeRecorded" v 1,
        /// Money came from the bank to Stripe.
        TopUpRecorded(BalanceTransaction) = "TopUpRecorded" v 1,
        /// Stripe set money aside as a reserve, or released it.
        ReserveRecorded(BalanceTransaction) = "ReserveRecorded" v 1,
        /// Money moved at Stripe for a reason that has no booking yet.
        UnmatchedRecorded(BalanceTransaction) = "UnmatchedRecorded" v 1,
        /// A fact was recorded with what turned out to be wrong terms, and is undone.
        TreasuryFactReversed(TreasuryFactReversed) = "TreasuryFactReversed" v 1,
    }
}

families!(TreasuryFact);

/// An event of a treasury's stream.
pub type TreasuryEvent = Stamped<TreasuryFact>;

/// A payout (`payout:<po>`), that it arrived (`payout-paid:<po>`) or that it failed (`payout-failed:<po>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    /// Stripe's payout id.
    pub payout: String,
    /// How much went to the bank; negative when Stripe took it from there.
    pub amount: Money,
}

/// A balance transaction that belongs to no customer (`fee:<txn>`, `top-up:<txn>`, `reserve:<txn>`,
/// `unmatched:<txn>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceTransaction {
    /// Stripe's balance transaction.
    pub transaction: String,
    /// How much was paid in fees, topped up, set aside or came in unexplained; negative for what went the other way.
    pub amount: Money,
}

/// The exact inverse of a recorded fact, dated as that fact was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreasuryFactReversed {
    /// The fact as it was recorded.
    pub original: Box<TreasuryFact>,
}

impl TreasuryFact {
    /// The name under which it can be recorded once; a reversal has that of its original.
    pub fn natural_key(&self) -> NaturalKey {
        NaturalKey(match self {
            Self::PayoutRecorded(e) => format!("payout:{}", e.payout),
            Self::PayoutPaid(e) => format!("payout-paid:{}", e.payout),
            Self::PayoutFailed(e) => format!("payout-failed:{}", e.payout),
            Self::StripeFeeRecorded(e) => format!("fee:{}", e.transaction),
            Self::TopUpRecorded(e) => format!("top-up:{}", e.transaction),
            Self::ReserveRecorded(e) => format!("reserve:{}", e.transaction),
            Self::UnmatchedRecorded(e) => format!("unmatched:{}", e.transaction),
            Self::TreasuryFactReversed(e) => return e.original.natural_key(),
        })
    }

    /// Stripe's object it is about: the payout or the balance transaction.
    pub fn object(&self) -> &str {
        match self {
            Self::PayoutRecorded(e) | Self::PayoutPaid(e) | Self::PayoutFailed(e) => &e.payout,
            Self::StripeFeeRecorded(e)
            | Self::TopUpRecorded(e)
            | Self::ReserveRecorded(e)
            | Self::UnmatchedRecorded(e) => &e.transaction,
            Self::TreasuryFactReversed(e) => e.original.object(),
        }
    }
}
