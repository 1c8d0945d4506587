//! Why an account says no.

use crate::Timestamp;
use crate::aggregate::Refusal;
use crate::entitlements::EntitlementRefusal;
use crate::identity::{DebitId, GrantId, HoldId, TestClockId, TopUpId};
use crate::purchases::PurchaseRefusal;
use crate::quantity::Units;
use crate::subscriptions::SubscriptionRefusal;

/// A typed no. None of these is worth retrying unchanged; what would help is in the fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountRefusal {
    /// There is no such account.
    #[error("there is no such account")]
    AccountNotFound,
    /// The id is taken.
    #[error("the account exists already")]
    AccountExists,
    /// The write would change nothing.
    #[error("nothing would change")]
    NoChange,
    /// The balance does not cover it.
    #[error("{required} credits are required, {available} are available")]
    InsufficientCredits {
        /// What was asked for.
        required: Units,
        /// What may be spent now; negative when more was used than is left after a clawback.
        available: Units,
        /// What is missing.
        shortfall: Units,
        /// The feature it was for: lots may be reserved for others.
        feature: Option<String>,
        /// The most that may be owed, where the account may owe something and that limit is reached.
        overdraft_limit: Option<Units>,
    },
    /// A feature may not be used, or a trial is over.
    #[error(transparent)]
    NotEntitled(#[from] EntitlementRefusal),
    /// A subscription, a trial or an invoice says no.
    #[error(transparent)]
    Subscription(#[from] SubscriptionRefusal),
    /// A quantity that must be positive is not.
    #[error("the quantity of credits must be positive")]
    NotPositive,
    /// The account would hold more than can be counted.
    #[error("the account's total would exceed the greatest quantity of credits")]
    TooManyCredits,
    /// A lot that ends before it begins.
    #[error("expires_at must be after effective_at")]
    ExpiresBeforeEffective {
        /// When it would begin.
        effective_at: Timestamp,
        /// When it would end.
        expires_at: Timestamp,
    },
    /// The lot's cost is negative.
    #[error("the cost must not be negative")]
    NegativeCost,
    /// The id of the lot is taken.
    #[error("grant {0} exists already")]
    GrantExists(GrantId),
    /// There is no such lot.
    #[error("there is no grant {0}")]
    GrantNotFound(GrantId),
    /// The lot's validity is over.
    #[error("grant {grant} ended at {ended_at}")]
    GrantEnded {
        /// Which.
        grant: GrantId,
        /// When.
        ended_at: Timestamp,
    },
    /// What Stripe drives is changed at Stripe.
    #[error("{0} is managed by Stripe: refund or change it there")]
    ManagedByStripe(String),
    /// More than is left of a use.
    #[error("{remaining} credits of debit {debit} are not reversed yet, {required} are to be")]
    ReversalExceedsDebit {
        /// Which use.
        debit: DebitId,
        /// What was asked for.
        required: Units,
        /// What can be reversed yet.
        remaining: Units,
    },
    /// What a use overdrew was made good since: it is not owed any more, and no lot of the use can take it back.
    #[error(
        "debit {debit} overdrew {required} credits that were repaid since, {owed} are still owed: give them back by an \
         adjustment"
    )]
    OverdraftSettled {
        /// Which use.
        debit: DebitId,
        /// What would have to be owed still.
        required: Units,
        /// What is.
        owed: Units,
    },
    /// There is no such hold.
    #[error("there is no hold {0}")]
    HoldNotFound(HoldId),
    /// The hold ended: captured, released or timed out.
    #[error("hold {hold} ended at {ended_at}")]
    HoldEnded {
        /// Which.
        hold: HoldId,
        /// When.
        ended_at: Timestamp,
    },
    /// More than the hold has left.
    #[error("the hold has {held} credits left, {required} are required")]
    CaptureExceedsHold {
        /// What was asked for.
        required: Units,
        /// What the hold has left.
        held: Units,
    },
    /// A hold must have an end in the calendar.
    #[error("a hold's time must be positive and end in the calendar")]
    InvalidHoldTime,
    /// Of a purchase.
    #[error(transparent)]
    Purchase(#[from] PurchaseRefusal),
    /// A policy that makes no sense.
    #[error("{rule}")]
    InvalidPolicy {
        /// Where.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// There is no such request for credits.
    #[error("there is no top-up {0}")]
    TopUpNotFound(TopUpId),
    /// The request ended: completed or failed.
    #[error("top-up {top_up} ended at {ended_at}")]
    TopUpEnded {
        /// Which.
        top_up: TopUpId,
        /// When.
        ended_at: Timestamp,
    },
    /// Credits can't be moved to where they are.
    #[error("an account cannot transfer credits to itself")]
    TransferToItself,
    /// The two accounts live by different clocks: a lot's end would be another instant on the other side.
    #[error("the accounts live by different test clocks")]
    TestClocksDiffer {
        /// The giver's; the server's if none.
        from: Option<TestClockId>,
        /// The receiver's.
        to: Option<TestClockId>,
    },
    /// The account moved on while the transfer was put together; the same again may succeed.
    #[error("the account's credits changed meanwhile")]
    TransferOutdated,
    /// Stripe's words contradict each other in a way that has no booking.
    #[error("{0}")]
    Unbookable(String),
}

impl Refusal for AccountRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::AccountNotFound => "account_not_found",
            Self::AccountExists => "account_exists",
            Self::NoChange => "no_change",
            Self::InsufficientCredits { .. } => "insufficient_credits",
            Self::NotEntitled(refusal) => refusal.code(),
            Self::Subscription(refusal) => refusal.code(),
            Self::NotPositive => "credits_not_positive",
            Self::TooManyCredits => "credits_out_of_range",
            Self::ExpiresBeforeEffective { .. } => "expires_before_effective",
            Self::NegativeCost => "cost_negative",
            Self::GrantExists(_) => "grant_exists",
            Self::GrantNotFound(_) => "grant_not_found",
            Self::GrantEnded { .. } => "grant_ended",
            Self::ManagedByStripe(_) => "managed_by_stripe",
            Self::ReversalExceedsDebit { .. } => "reversal_exceeds_debit",
            Self::OverdraftSettled { .. } => "overdraft_settled",
            Self::HoldNotFound(_) => "hold_not_found",
            Self::HoldEnded { .. } => "hold_ended",
            Self::CaptureExceedsHold { .. } => "capture_exceeds_hold",
            Self::InvalidHoldTime => "hold_time_invalid",
            Self::Purchase(refusal) => refusal.code(),
            Self::InvalidPolicy { .. } => "policy_invalid",
            Self::TopUpNotFound(_) => "top_up_not_found",
            Self::TopUpEnded { .. } => "top_up_ended",
            Self::TransferToItself => "transfer_to_itself",
            Self::TestClocksDiffer { .. } => "test_clocks_differ",
            Self::TransferOutdated => "transfer_outdated",
            Self::Unbookable(_) => "unbookable",
        }
    }
}
