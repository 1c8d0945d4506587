//! What may be asked of a subscription that Tallybook drives, and of its invoices.

use std::collections::BTreeSet;

use super::tax::TaxRate;
use super::terms::ItemOrder;
use crate::Timestamp;
use crate::catalog::Coupon;
use crate::identity::{InvoiceId, SubscriptionId};
use crate::money::Money;
use crate::trials::TrialTerms;

/// When a change or a cancellation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// From the instant of judgement.
    Now,
    /// From the end of the current period, or of the trial.
    PeriodEnd,
}

/// A request to a subscription.
#[expect(
    clippy::large_enum_variant,
    reason = "an account's command holds it boxed as a whole"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionCommand {
    /// Start one.
    Start(StartSubscription),
    /// Let other items run: plan, quantity, add-ons.
    Change(ChangeSubscription),
    /// End it.
    Cancel {
        /// Which.
        subscription: SubscriptionId,
        /// When.
        when: When,
    },
    /// Let it go on after all.
    Uncancel(SubscriptionId),
    /// Pause it.
    Pause {
        /// Which.
        subscription: SubscriptionId,
        /// When it goes on by itself.
        until: Option<Timestamp>,
    },
    /// Let it go on after a pause.
    Resume(SubscriptionId),
    /// Assign a unit of one of its items.
    AssignSeat(AssignSeat),
    /// Take it back.
    ReleaseSeat {
        /// Of which subscription.
        subscription: SubscriptionId,
        /// Whom it is assigned to.
        seat: String,
    },
    /// Discount the periods to come by a coupon, in place of any other; none: by none.
    Redeem {
        /// Which.
        subscription: SubscriptionId,
        /// The coupon, as the catalog has it.
        coupon: Option<Coupon>,
    },
    /// Tax what is billed from now on at a rate; none: not.
    SetTax {
        /// Which.
        subscription: SubscriptionId,
        /// The rate.
        tax: Option<TaxRate>,
    },
    /// Say whether there is something to collect its payments from.
    SetPaymentMethod {
        /// Which.
        subscription: SubscriptionId,
        /// Whether there is.
        on_file: bool,
    },
}

impl SubscriptionCommand {
    /// Which.
    pub fn subscription(&self) -> &SubscriptionId {
        match self {
            Self::Start(command) => &command.subscription,
            Self::Change(command) => &command.subscription,
            Self::AssignSeat(command) => &command.subscription,
            Self::Uncancel(subscription)
            | Self::Resume(subscription)
            | Self::Cancel { subscription, .. }
            | Self::Pause { subscription, .. }
            | Self::ReleaseSeat { subscription, .. }
            | Self::Redeem { subscription, .. }
            | Self::SetTax { subscription, .. }
            | Self::SetPaymentMethod { subscription, .. } => subscription,
        }
    }
}

/// Start a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartSubscription {
    /// The new subscription.
    pub subscription: SubscriptionId,
    /// What it is of: one interval, one currency.
    pub items: Vec<ItemOrder>,
    /// The trial it begins with.
    pub trial: Option<TrialOrder>,
    /// Whether there is something to collect its payments from.
    pub card_on_file: bool,
    /// What discounts its periods, from the first.
    pub coupon: Option<Coupon>,
    /// The tax on what it bills.
    pub tax: Option<TaxRate>,
}

/// A trial to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialOrder {
    /// Its terms.
    pub terms: TrialTerms,
    /// Opaque hashes (of a card, an e-mail address) that are to have one trial, taken as claims beside this.
    pub fingerprints: BTreeSet<String>,
    /// Why it is given although the account had one.
    pub override_reason: Option<String>,
}

/// Assign a unit of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignSeat {
    /// Of which subscription.
    pub subscription: SubscriptionId,
    /// Of which item; the only one there is if none.
    pub item: Option<String>,
    /// To whom: an id of the caller's.
    pub seat: String,
}

/// Let other items run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSubscription {
    /// Which.
    pub subscription: SubscriptionId,
    /// All that is to run from then on. It takes the place of a change scheduled before.
    pub items: Vec<ItemOrder>,
    /// When.
    pub when: When,
}

/// A request to an invoice that Tallybook issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvoiceCommand {
    /// It was paid.
    Pay(PayInvoice),
    /// An attempt to pay it failed.
    RecordPaymentFailure(InvoiceId),
    /// Nothing is owed any more. Of a change that waits for its payment: the change is taken back.
    Void(InvoiceId),
    /// It is given up.
    WriteOff(InvoiceId),
    /// Part of it, or all, is credited.
    Credit(CreditInvoice),
}

impl InvoiceCommand {
    /// Which.
    pub fn invoice(&self) -> &InvoiceId {
        match self {
            Self::Pay(command) => &command.invoice,
            Self::Credit(command) => &command.invoice,
            Self::RecordPaymentFailure(invoice) | Self::Void(invoice) | Self::WriteOff(invoice) => invoice,
        }
    }
}

/// An invoice was paid, all that was owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayInvoice {
    /// Which.
    pub invoice: InvoiceId,
    /// How much; must be what is owed.
    pub amount: Option<Money>,
    /// Whether the money came through Stripe, whose own facts bring it into the books; else it is at the bank.
    pub through_stripe: bool,
}

/// A credit note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditInvoice {
    /// Which.
    pub invoice: InvoiceId,
    /// The new credit note.
    pub credit_note: String,
    /// How much of it, tax included; all that was not credited yet if neither this nor lines.
    pub amount: Option<Money>,
    /// From which lines; in proportion to what is left of them if none.
    pub lines: Vec<CreditedLine>,
    /// Where what was paid already goes.
    pub to: CreditTo,
}

/// So much of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditedLine {
    /// The line.
    pub line: String,
    /// Minor units of the invoice's currency, tax included.
    pub amount: i64,
}

/// Where the credited part of a paid invoice goes. What is still owed is lowered first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditTo {
    /// The customer's balance, which the next invoice draws on.
    Balance,
    /// Back to the customer, outside Stripe.
    Refund,
}
