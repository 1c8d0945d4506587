//! What can happen to payments: each event is a fact under a natural key, recorded once.

use serde::{Deserialize, Serialize};

use crate::event_family::event_family;
use crate::identity::{GrantId, PaymentId, UnitCode};
use crate::money::Money;
use crate::purchases::Channel;
use crate::quantity::Units;

event_family! {
    /// The life of a payment: cash, what it bought, what was given back.
    PurchasesEvent {
        /// Money arrived, whatever for: the only way a payment's cash enters the books.
        CashReceived(CashReceived) = "CashReceived" v 1,
        /// The payment bought credits.
        PurchasePaid(PurchasePaid) = "PurchasePaid" v 1,
        /// A refund was accepted.
        RefundRecorded(Refund) = "RefundRecorded" v 1,
        /// The refund's money left.
        RefundPaid(RefundMoney) = "RefundPaid" v 1,
        /// The refund failed or was canceled: it is not owed any more.
        RefundReversed(Refund) = "RefundReversed" v 1,
        /// The failed refund's money came back.
        RefundReturned(RefundMoney) = "RefundReturned" v 1,
        /// The cardholder's bank disputes the payment. No money moves by this.
        DisputeOpened(DisputeOpened) = "DisputeOpened" v 1,
        /// Stripe took the disputed funds, and its fee.
        DisputeFundsWithdrawn(DisputeFunds) = "DisputeFundsWithdrawn" v 1,
        /// Stripe gave them back.
        DisputeFundsReinstated(DisputeFunds) = "DisputeFundsReinstated" v 1,
        /// The dispute ended; if lost, withdrawn funds are gone.
        DisputeClosed(DisputeClosed) = "DisputeClosed" v 1,
    }
}

/// Cash in, once per payment (`pay:<payment>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CashReceived {
    /// The payment.
    pub payment: PaymentId,
    /// Gross, before Stripe's fee.
    pub amount: Money,
    /// Which way it came.
    #[serde(default, skip_serializing_if = "Channel::is_stripe")]
    pub channel: Channel,
    /// The purchase begun at Tallybook that its payer says it is for; whether it pays that one is judged by the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase: Option<PaymentId>,
}

/// A credit pack was paid (`purchase:<purchase>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchasePaid {
    /// The payment.
    pub payment: PaymentId,
    /// The lot it bought.
    pub grant: GrantId,
    /// What was paid, tax included.
    pub gross: Money,
    /// The tax in it, minor units of the same currency.
    #[serde(default)]
    pub tax: i64,
    /// What it bought.
    pub units: Units,
    /// Of which kind.
    pub unit: UnitCode,
    /// The catalog's pack, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// The purchase it pays, where that was begun at Tallybook and paid through Stripe; else it has the payment's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase: Option<PaymentId>,
    /// The other kinds of credits it bought for the one price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundled: Vec<PaidCredits>,
}

/// A further lot that a payment bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidCredits {
    /// The lot.
    pub grant: GrantId,
    /// Of which kind.
    pub unit: UnitCode,
    /// How many.
    pub units: Units,
    /// Its share of what was paid without tax, minor units of the same currency.
    pub net: i64,
}

impl PurchasePaid {
    /// The lots it bought.
    pub fn lots(&self) -> impl Iterator<Item = &GrantId> {
        std::iter::once(&self.grant).chain(self.bundled.iter().map(|lot| &lot.grant))
    }

    /// The purchase it pays: one begun at Tallybook, or what the payment itself is.
    pub fn paid_purchase(&self) -> &PaymentId {
        self.purchase.as_ref().unwrap_or(&self.payment)
    }
}

/// A refund (`refund:<re>`), or that it failed (`refund-failed:<re>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Its id: Stripe's, or ours.
    pub refund: String,
    /// The payment it gives back.
    pub payment: PaymentId,
    /// How much, tax included.
    pub amount: Money,
    /// The tax in it, by cumulative share over the payment's refunds: never more tax than was charged.
    #[serde(default)]
    pub tax: i64,
    /// Whether it gives back cash that paid for nothing here: then no revenue is given up by it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unapplied: bool,
    /// Why, as the caller says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_zero(minor: &i64) -> bool {
    *minor == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A refund's money, out (`refund-paid:<re>`) or back (`refund-returned:<re>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundMoney {
    /// Stripe's refund id.
    pub refund: String,
    /// The payment it gives back.
    pub payment: PaymentId,
    /// How much.
    pub amount: Money,
    /// Which way it went.
    #[serde(default, skip_serializing_if = "Channel::is_stripe")]
    pub channel: Channel,
}

/// A dispute began (`dispute:<dispute>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeOpened {
    /// Stripe's dispute id.
    pub dispute: String,
    /// The payment disputed.
    pub payment: PaymentId,
    /// The amount disputed.
    pub amount: Money,
}

/// One balance transaction of a dispute (`dispute:<txn>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeFunds {
    /// Stripe's dispute id.
    pub dispute: String,
    /// The payment disputed.
    pub payment: PaymentId,
    /// Stripe's balance transaction.
    pub transaction: String,
    /// How much was withdrawn or reinstated, positive either way.
    pub amount: Money,
    /// Stripe's fee taken with a withdrawal, or given back with a reinstatement: minor units of the same currency.
    #[serde(default)]
    pub fee: i64,
}

/// How a dispute ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeOutcome {
    /// For the merchant.
    Won,
    /// For the cardholder: what stays withdrawn is gone.
    Lost,
    /// An inquiry that never became a dispute, or was prevented.
    Dropped,
}

/// A dispute ended (`dispute-closed:<dispute>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeClosed {
    /// Stripe's dispute id.
    pub dispute: String,
    /// The payment disputed.
    pub payment: PaymentId,
    /// How.
    pub outcome: DisputeOutcome,
    /// What stays withdrawn (withdrawn less reinstated) and is lost by it; zero unless lost.
    pub lost: Money,
    /// The tax in what is lost, by cumulative share after the payment's refunds: never more tax than was charged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax: i64,
    /// Whether the payment had paid for nothing here: then what is lost is the customer's unapplied cash.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unapplied: bool,
}
