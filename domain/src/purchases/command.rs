//! What may be asked of a purchase that Tallybook drives.

use crate::aggregate::Timestamp;
use crate::catalog::Pack;
use crate::identity::PaymentId;
use crate::money::Money;

/// A request about one purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PurchaseCommand {
    /// Begin it.
    Start(StartPurchase),
    /// Record that it was paid outside Stripe, and give what was bought.
    Pay(PayPurchase),
    /// Record that money was given back outside Stripe.
    Refund(RefundPurchase),
    /// Record that a try to pay failed.
    Fail(StopPurchase),
    /// Give it up before it is paid.
    Cancel(StopPurchase),
}

/// Begin a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartPurchase {
    /// Its id.
    pub purchase: PaymentId,
    /// The pack's id.
    pub pack: String,
    /// The pack's terms in force; none if the catalog has no such pack.
    pub terms: Option<Box<Pack>>,
    /// How many of it.
    pub quantity: u64,
    /// The tax on top of the price, as the caller reckons it.
    pub tax: Option<Money>,
    /// The caller's own note.
    pub reference: Option<String>,
}

/// A payment made outside Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayPurchase {
    /// Which purchase.
    pub purchase: PaymentId,
    /// What was paid; what is due if none.
    pub amount: Option<Money>,
    /// When; the instant of judgement if none.
    pub paid_at: Option<Timestamp>,
    /// How.
    pub method: Option<String>,
    /// The caller's own note.
    pub reference: Option<String>,
}

/// Money given back outside Stripe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundPurchase {
    /// Which purchase.
    pub purchase: PaymentId,
    /// The new refund.
    pub refund: String,
    /// How much, tax included.
    pub amount: Money,
    /// Why, as the caller says.
    pub reason: Option<String>,
    /// The caller's own note.
    pub reference: Option<String>,
}

/// The end of a purchase, or of a try to pay it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopPurchase {
    /// Which purchase.
    pub purchase: PaymentId,
    /// Why.
    pub reason: Option<String>,
}
