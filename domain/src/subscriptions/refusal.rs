//! Why a subscription, a trial or an invoice says no.

use crate::Timestamp;
use crate::identity::{InvoiceId, SubscriptionId};
use crate::money::{Currency, Money};

use super::event::SubscriptionStatus;
use super::invoice_view::InvoiceStatus;

/// A typed no of a subscription, a trial or an invoice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionRefusal {
    /// Stripe drives it.
    #[error("{id} is managed by Stripe: change it there")]
    ManagedByStripe {
        /// The subscription or invoice.
        id: String,
    },
    /// The id is taken.
    #[error("subscription {0} exists already")]
    Exists(SubscriptionId),
    /// There is no such subscription.
    #[error("there is no subscription {0}")]
    NotFound(SubscriptionId),
    /// It is over.
    #[error("subscription {subscription} ended at {ended_at}")]
    Ended {
        /// Which.
        subscription: SubscriptionId,
        /// When.
        ended_at: Timestamp,
    },
    /// Its status does not allow it.
    #[error("subscription {subscription} is {}", status.as_str())]
    WrongStatus {
        /// Which.
        subscription: SubscriptionId,
        /// Where it stands.
        status: SubscriptionStatus,
    },
    /// There is no pause to end.
    #[error("subscription {0} is not paused")]
    NotPaused(SubscriptionId),
    /// It is paused for an invoice.
    #[error("invoice {invoice} must be paid first")]
    PaymentRequired {
        /// Which.
        invoice: InvoiceId,
    },
    /// There is no cancellation to revoke.
    #[error("subscription {0} is not to be cancelled")]
    NotCancelling(SubscriptionId),
    /// A pause must end after it begins.
    #[error("a pause must end after it begins")]
    PauseEndInvalid,
    /// Nothing is ordered.
    #[error("a subscription needs an item")]
    NoItems,
    /// Two items of one name.
    #[error("item {0} is named twice")]
    ItemTwice(String),
    /// Items of one subscription renew together.
    #[error("all items of a subscription must have the same interval")]
    IntervalsDiffer,
    /// One subscription, one currency.
    #[error("the subscription is in {expected}, a price is in {found}")]
    CurrencyMismatch {
        /// What it is in.
        expected: Currency,
        /// What was asked for.
        found: Currency,
    },
    /// The quantity is zero, or its price or credits can't be counted.
    #[error("the quantity must be positive, and its price and credits within what can be counted")]
    QuantityOutOfRange,
    /// Every unit of the item is assigned.
    #[error("all {quantity} of {item} are assigned: release one, or change the quantity")]
    SeatsExhausted {
        /// Which item.
        item: String,
        /// How many there are.
        quantity: u32,
        /// How many are assigned.
        assigned: usize,
    },
    /// More units of the item are assigned than there would be.
    #[error(
        "{assigned} of {item} are assigned, {quantity} would be left: release some, or change it at the period's end"
    )]
    SeatsInUse {
        /// Which item.
        item: String,
        /// How many there would be.
        quantity: u32,
        /// How many are assigned.
        assigned: usize,
    },
    /// The id has a seat of another item.
    #[error("{seat} has a seat of {item}")]
    SeatAssigned {
        /// Whose.
        seat: String,
        /// Of which item.
        item: String,
    },
    /// The id has no seat.
    #[error("{seat} has no seat")]
    SeatNotFound {
        /// Whose.
        seat: String,
    },
    /// It must be said which item, or there is none of that name.
    #[error("say which item: {}", items.join(", "))]
    ItemNotFound {
        /// Those there are.
        items: Vec<String>,
    },
    /// The coupon can't be redeemed any more.
    #[error("coupon {coupon} could be redeemed until {redeem_by}")]
    CouponExpired {
        /// Which.
        coupon: String,
        /// Until when it could.
        redeem_by: Timestamp,
    },
    /// A period must end in the calendar, within 292 years.
    #[error("a period must end in the calendar, within 292 years")]
    PeriodOutOfRange,
    /// The plan has no trial.
    #[error("plan {plan} has no trial")]
    TrialNotOffered {
        /// Which.
        plan: String,
    },
    /// The account had its trial.
    #[error("the account had its trial of {family}, from {started_at} to {ends_at}")]
    TrialUsed {
        /// Of which family of plans.
        family: String,
        /// The subscription it was the trial of.
        subscription: SubscriptionId,
        /// When it began.
        started_at: Timestamp,
        /// When it ended, or will.
        ends_at: Timestamp,
    },
    /// The trial needs a card.
    #[error("the trial starts only with a payment method on file")]
    PaymentMethodRequired,
    /// There is no such trial.
    #[error("there is no trial of subscription {0}")]
    TrialNotFound(SubscriptionId),
    /// The trial is over.
    #[error("the trial ended at {ended_at}")]
    TrialEnded {
        /// When.
        ended_at: Timestamp,
    },
    /// A trial can only be made longer, and must end in the calendar.
    #[error("the trial ends at {ends_at}; its new end must be later, and in the calendar")]
    TrialEndInvalid {
        /// When it ends now.
        ends_at: Timestamp,
    },
    /// There is no such invoice.
    #[error("there is no invoice {0}")]
    InvoiceNotFound(InvoiceId),
    /// The invoice is settled one way or the other.
    #[error("invoice {invoice} is {}", status.as_str())]
    InvoiceNotOpen {
        /// Which.
        invoice: InvoiceId,
        /// Where it stands.
        status: InvoiceStatus,
    },
    /// A payment must be of what is owed.
    #[error("{due} is owed")]
    AmountMismatch {
        /// What is owed.
        due: Money,
    },
    /// The credit note's id is taken.
    #[error("credit note {0} exists already")]
    CreditNoteExists(String),
    /// More than is left to credit.
    #[error("{creditable} can be credited")]
    CreditExceedsInvoice {
        /// What is left to credit.
        creditable: Money,
    },
}

impl SubscriptionRefusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ManagedByStripe { .. } => "managed_by_stripe",
            Self::Exists(_) => "subscription_exists",
            Self::NotFound(_) => "subscription_not_found",
            Self::Ended { .. } => "subscription_ended",
            Self::WrongStatus { .. } => "subscription_status",
            Self::NotPaused(_) => "subscription_not_paused",
            Self::PaymentRequired { .. } => "payment_required",
            Self::NotCancelling(_) => "cancellation_not_scheduled",
            Self::PauseEndInvalid => "pause_end_invalid",
            Self::NoItems => "items_required",
            Self::ItemTwice(_) => "item_duplicate",
            Self::IntervalsDiffer => "intervals_differ",
            Self::CurrencyMismatch { .. } => "currency_mismatch",
            Self::QuantityOutOfRange => "quantity_out_of_range",
            Self::SeatsExhausted { .. } => "seats_exhausted",
            Self::SeatsInUse { .. } => "seats_in_use",
            Self::SeatAssigned { .. } => "seat_assigned",
            Self::SeatNotFound { .. } => "seat_not_found",
            Self::ItemNotFound { .. } => "subscription_item_not_found",
            Self::CouponExpired { .. } => "coupon_expired",
            Self::PeriodOutOfRange => "period_out_of_range",
            Self::TrialNotOffered { .. } => "trial_not_offered",
            Self::TrialUsed { .. } => "trial_used",
            Self::PaymentMethodRequired => "payment_method_required",
            Self::TrialNotFound(_) => "trial_not_found",
            Self::TrialEnded { .. } => "trial_ended",
            Self::TrialEndInvalid { .. } => "trial_end_invalid",
            Self::InvoiceNotFound(_) => "invoice_not_found",
            Self::InvoiceNotOpen { .. } => "invoice_not_open",
            Self::AmountMismatch { .. } => "amount_mismatch",
            Self::CreditNoteExists(_) => "credit_note_exists",
            Self::CreditExceedsInvoice { .. } => "credit_exceeds_invoice",
        }
    }
}
