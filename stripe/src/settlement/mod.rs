//! From everything stored about an object and its kin to what should stand in the books: level-triggered settlement.
//!
//! Nothing here looks at one event and applies it. A [`Component`] is the *set* of all snapshots of objects that name one
//! another (a payment with its charges, refunds, disputes and sessions; an invoice with its credit notes). From it
//! [`derive()`] gives, for each payment, invoice and subscription, all facts that should stand, each with its date. Facts
//! and dates are functions of the set: order, number and timing of deliveries never appear. The account compares them
//! with what its stream says and records the difference, so settling twice changes nothing.
//!
//! A state implies the facts on its way: a failed refund seen alone yields the refund, its payment and the return of both.

mod assignment;
mod balance_transaction;
mod collected;
mod component;
mod credit_note;
mod dispute;
mod dunning;
mod history;
mod invoice;
mod money;
mod owner;
mod payers;
mod payment;
mod payout;
mod plan_credits;
mod prices;
mod proration;
mod purchase;
mod refund;
mod relief;
mod subscription;
mod treasury;
mod trial_credits;

#[cfg(test)]
mod tests;

use tallybook_domain::account::GroupFacts;

pub use assignment::{Place, candidate_groups, settlements};
pub use component::{Component, references};
pub use money::Unbookable;
pub use owner::{Mode, Owner, customer_owner, owner};
pub use payers::{judged_payments, naming_payments};
pub use payment::payment_groups;
pub use prices::Prices;
pub use treasury::{TreasuryDerived, treasury_facts};
pub use trial_credits::{TrialGrant, keep_trial, trial_grants};

use history::Histories;

/// What should stand about one payment, invoice or subscription, and what keeps part of it from standing yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// All of it that can stand.
    pub facts: GroupFacts,
    /// Why some of it has to wait.
    pub waiting: Option<Waiting>,
}

/// Why a fact or a lot waits though its object is known. Money that can be booked is booked meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Waiting {
    /// The catalog has no plan for the price at that time.
    #[error("the catalog maps no plan to price {price}")]
    UnmappedPrice {
        /// Stripe's price id.
        price: String,
    },
    /// `metadata.pack` names no pack of the catalog at that time.
    #[error("the catalog has no pack {pack}")]
    UnknownPack {
        /// The name given.
        pack: String,
    },
    /// `metadata.credits` is not a positive quantity of credits.
    #[error("metadata.credits {text:?} is not a positive quantity of credits: {reason}")]
    UnreadableCredits {
        /// The text given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `metadata.purchase_id` can be the id of no purchase.
    #[error("metadata.purchase_id {text:?} is no id of a purchase")]
    UnreadablePurchase {
        /// The text given.
        text: String,
    },
    /// A credit note whose invoice has not arrived.
    #[error("invoice {invoice} has not arrived")]
    AwaitingInvoice {
        /// The invoice.
        invoice: String,
    },
    /// A line for the rest of a period that nothing which has arrived is a whole of.
    #[error("no period of {subscription} that the change was in has arrived")]
    AwaitingPeriod {
        /// The subscription.
        subscription: String,
    },
    /// A charge gave back more than its refunds say. Its own word books nothing: which refund it was is not known.
    #[error("{charge} gave back {missing} more than the refunds that have arrived")]
    RefundMissing {
        /// The charge.
        charge: String,
        /// How much, in Stripe's integer.
        missing: i64,
    },
    /// The object's money has no booking.
    #[error(transparent)]
    Unbookable(#[from] Unbookable),
}

impl Waiting {
    /// The id of what would help, where one thing would.
    pub fn waits_for(&self) -> Option<&str> {
        match self {
            Self::UnmappedPrice { price: id }
            | Self::UnknownPack { pack: id }
            | Self::AwaitingInvoice { invoice: id }
            | Self::AwaitingPeriod { subscription: id } => Some(id),
            Self::UnreadableCredits { .. }
            | Self::UnreadablePurchase { .. }
            | Self::RefundMissing { .. }
            | Self::Unbookable(_) => None,
        }
    }

    /// A stable code for the inbox and for answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnmappedPrice { .. } => "unmapped_price",
            Self::UnknownPack { .. } => "unknown_pack",
            Self::UnreadableCredits { .. } => "credits_unreadable",
            Self::UnreadablePurchase { .. } => "purchase_unreadable",
            Self::AwaitingInvoice { .. } => "awaiting_invoice",
            Self::AwaitingPeriod { .. } => "awaiting_period",
            Self::RefundMissing { .. } => "refund_missing",
            Self::Unbookable(_) => "unbookable",
        }
    }
}

/// What should stand about each payment, invoice and subscription of a component, in the order of their group ids.
pub fn derive(component: &Component<'_>, prices: &Prices) -> Vec<Derived> {
    let histories = Histories::of(component);
    let mut all = Vec::new();
    all.extend(payment::derive(&histories, prices));
    all.extend(invoice::derive(&histories, prices));
    all.extend(subscription::derive(&histories, prices));
    all
}
