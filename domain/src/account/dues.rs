//! What happens to an account by the clock alone: no command carries it, the next one that comes writes it first.

use super::state::Account;
use crate::Timestamp;
use crate::identity::{GrantId, HoldId, InvoiceId, SubscriptionId, UnitCode};

/// Something that is due. At the same instant in this order: a lot ends before the hold that gives units back to it, so
/// that these expire with it; both before anything of a subscription, so that what a new period gives is not there when
/// the old one's lots end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    LotEnded(GrantId),
    HoldTimedOut(HoldId),
    Subscription(SubscriptionId, Step),
    RevenueEarned(InvoiceId, String),
    DebtRepayable(UnitCode),
}

/// A step of a subscription. At the same instant in this order: a trial is over before a cancellation ends what it
/// became, a cancellation comes before the pause that would let it go on, that before the renewal it had kept from
/// happening, and all of them before an old invoice is tried again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    TrialEnds,
    Ends,
    PauseEnds,
    PeriodEnds,
    RetryIsDue(InvoiceId),
}

impl Account {
    /// What may be due at `at` and is not written, with the instant it was due, in no order. Something that turns out to
    /// need nothing may be named again; it must cost little to name.
    pub(super) fn dues(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Due)> {
        let endings = self
            .credits
            .due_endings(at)
            .map(|(due, grant)| (*due, Due::LotEnded(grant.clone())));
        let holds = self
            .credits
            .due_holds(at)
            .map(|(due, hold)| (*due, Due::HoldTimedOut(hold.clone())));
        let repayments = self
            .credits
            .due_repayments(at)
            .map(|(due, unit)| (due, Due::DebtRepayable(unit)));
        let steps = super::subscriptions::steps(self).filter(move |(due, _)| *due <= at);
        let revenue = self
            .recognition
            .due(at)
            .map(|(due, invoice, line)| (*due, Due::RevenueEarned(invoice.clone(), line.clone())));
        endings.chain(holds).chain(steps).chain(repayments).chain(revenue)
    }
}
