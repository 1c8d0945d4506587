//! What can happen to credits.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::corrections::{ConsumptionReversed, CreditsAdjusted, GrantVoided};
use super::overdraft::DebtRepaid;
use super::rollover::{CreditsRolledOver, Rollover};
use super::transfer::{CreditsTransferredIn, CreditsTransferredOut};
use crate::Timestamp;
use crate::entitlements::Counted;
use crate::event_family::event_family;
use crate::identity::{DebitId, GrantId, GroupId, HoldId, PaymentId, UnitCode};
use crate::money::Money;
use crate::quantity::Units;

event_family! {
    /// The life of lots and holds.
    CreditsEvent {
        /// A lot came into being, or came back with corrected terms.
        CreditsGranted(CreditsGranted) = "CreditsGranted" v 1,
        /// A lot's grant was taken back because its terms were wrong; corrected ones may follow.
        GrantWithdrawn(GrantWithdrawn) = "GrantWithdrawn" v 1,
        /// A lot's validity ended early, by hand.
        GrantVoided(GrantVoided) = "GrantVoided" v 1,
        /// Credits were used.
        CreditsConsumed(CreditsConsumed) = "CreditsConsumed" v 1,
        /// A use was taken back, whole or in part: its units returned to the lots they came from.
        ConsumptionReversed(ConsumptionReversed) = "ConsumptionReversed" v 1,
        /// Credits were given or taken by hand, with a reason.
        CreditsAdjusted(CreditsAdjusted) = "CreditsAdjusted" v 1,
        /// Credits were set aside for a use to come.
        CreditsHeld(CreditsHeld) = "CreditsHeld" v 1,
        /// Held credits were used.
        HoldCaptured(HoldCaptured) = "HoldCaptured" v 1,
        /// Held credits returned to their lots.
        HoldReleased(HoldReleased) = "HoldReleased" v 1,
        /// What was left of a lot when its validity ended, or came back to it later, is gone.
        CreditsExpired(Expiry) = "CreditsExpired" v 1,
        /// Part of an expiry is undone, because a refund or dispute claims those units.
        ExpiryReversed(Expiry) = "ExpiryReversed" v 1,
        /// Units may not be spent while the funds that paid for them are withdrawn.
        CreditsFrozen(Freeze) = "CreditsFrozen" v 1,
        /// The funds came back, or were lost for good.
        CreditsUnfrozen(Freeze) = "CreditsUnfrozen" v 1,
        /// Units were clawed back, because what paid for them was returned.
        CreditsRevoked(Clawback) = "CreditsRevoked" v 1,
        /// A clawback fell: units returned.
        CreditsRestored(Clawback) = "CreditsRestored" v 1,
        /// More had been used than a corrected grant gives.
        OverdraftIncurred(Overdraft) = "OverdraftIncurred" v 1,
        /// Such a shortfall fell.
        OverdraftRepaid(Overdraft) = "OverdraftRepaid" v 1,
        /// Credits made good what had been used beyond what there was.
        DebtRepaid(DebtRepaid) = "DebtRepaid" v 1,
        /// What was left of a lot at its end goes on in a new one.
        CreditsRolledOver(CreditsRolledOver) = "CreditsRolledOver" v 1,
        /// Part of that is undone, because a correction dated before the end claims those units.
        RolloverReversed(CreditsRolledOver) = "RolloverReversed" v 1,
        /// Credits left for another account.
        CreditsTransferredOut(CreditsTransferredOut) = "CreditsTransferredOut" v 1,
        /// Credits came from another account.
        CreditsTransferredIn(CreditsTransferredIn) = "CreditsTransferredIn" v 1,
    }
}

/// Where a lot comes from; decides how its units and cost are booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum GrantSource {
    /// Bought.
    Paid,
    /// Part of a subscription's period.
    Plan,
    /// Given to win a customer.
    Promotional,
    /// Given for a trial.
    Trial,
    /// Given to make up for something.
    Goodwill,
    /// Brought over from another system.
    Migration,
}

impl GrantSource {
    /// Whether the lot is spent before others that are otherwise equal: what was given goes first.
    pub fn is_promotional(self) -> bool {
        matches!(self, Self::Promotional | Self::Trial | Self::Goodwill)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Plan => "plan",
            Self::Promotional => "promotional",
            Self::Trial => "trial",
            Self::Goodwill => "goodwill",
            Self::Migration => "migration",
        }
    }
}

/// A lot: so many units, valid from the event's `effective_at` until `expires_at`, that cost so much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsGranted {
    /// The lot.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many.
    pub units: Units,
    /// Where from.
    pub source: GrantSource,
    /// What the customer gave for it, net of tax; none for a gift.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Lower is spent first.
    #[serde(default)]
    pub priority: i32,
    /// The first instant at which it can't be spent any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The payment that bought it, if one did: its money is booked by `PurchasePaid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purchase: Option<PaymentId>,
    /// The invoice line whose deferred revenue a plan's credits take their cost from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoice_line: Option<String>,
    /// What it is settled with, when Stripe drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// The caller's own note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The features that may spend it; any, and uses that name none, if empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scope: BTreeSet<String>,
    /// What goes on when it ends; none: what is left expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<Rollover>,
}

impl CreditsGranted {
    /// Whether a use for that feature may draw it. A use that names no feature draws lots without a scope only.
    pub fn may_be_spent_on(&self, feature: Option<&str>) -> bool {
        self.scope.is_empty() || feature.is_some_and(|feature| self.scope.contains(feature))
    }
}

/// The exact inverse of an earlier `CreditsGranted`, dated as that one was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantWithdrawn {
    /// The grant as it was recorded.
    pub original: CreditsGranted,
}

/// A part of a consumption, from one lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The lot drawn from.
    pub grant: GrantId,
    /// How much of it.
    pub units: Units,
    /// The share of the lot's cost that is released by it; none for a lot without cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

/// A part of a hold, from one lot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSlice {
    /// The lot reserved from.
    pub grant: GrantId,
    /// How much of it.
    pub units: Units,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
pub(super) fn is_none(units: &Units) -> bool {
    units.is_zero()
}

/// A use of credits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsConsumed {
    /// The consumption.
    pub debit: DebitId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// From which lots, in the order drawn.
    pub slices: Vec<Slice>,
    /// How many of them no lot covers, and so are owed. With the slices they make up `units`.
    #[serde(default, skip_serializing_if = "is_none")]
    pub overdrawn: Units,
    /// What it was used for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// How much of the feature, if that is not the same as the credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Units>,
    /// Which limits it counts against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Counted>,
    /// The caller's own note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// What becomes of a hold when a lot it reserves from ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnExpiry {
    /// What is held outlives its lot until the hold ends.
    #[default]
    Keep,
    /// The hold ends with the first of its lots.
    Release,
}

impl OnExpiry {
    /// Whether it is the default.
    pub fn is_keep(&self) -> bool {
        *self == Self::Keep
    }
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsHeld {
    /// The reservation.
    pub hold: HoldId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// From which lots.
    pub slices: Vec<HeldSlice>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Which limits it counts against, until it is released.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Counted>,
    /// The caller's own note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What becomes of it when one of its lots ends.
    #[serde(default, skip_serializing_if = "OnExpiry::is_keep")]
    pub on_expiry: OnExpiry,
}

/// A use of held credits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldCaptured {
    /// The reservation drawn on.
    pub hold: HoldId,
    /// The consumption it became.
    pub debit: DebitId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// From which lots, of what was held.
    pub slices: Vec<Slice>,
    /// From which lots beyond what was held, of what was available.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beyond: Vec<Slice>,
    /// How many no lot covers, and so are owed. With the slices of both kinds they make up `units`.
    #[serde(default, skip_serializing_if = "is_none")]
    pub overdrawn: Units,
    /// What the hold was for, if something of it is owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// What it counts against beyond what the hold did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Counted>,
    /// Its part of what the hold counted against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_up: Vec<Counted>,
}

/// Why a hold's rest went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldEnd {
    /// The caller released it.
    Released,
    /// Its time was over.
    TimedOut,
    /// A final capture left a rest.
    Captured,
}

impl HoldEnd {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::TimedOut => "timed_out",
            Self::Captured => "captured",
        }
    }
}

/// The end of a hold: what was not captured returns to the lots it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldReleased {
    /// The reservation.
    pub hold: HoldId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many returned.
    pub units: Units,
    /// To which lots.
    pub slices: Vec<HeldSlice>,
    /// Why.
    pub reason: HoldEnd,
}

/// Units that expired, or whose expiry is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// The lot.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many.
    pub units: Units,
    /// The share of the lot's cost that becomes (or no longer is) breakage. May be off by a minor unit, either sign,
    /// when a canonical split moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// What made it happen, if not the end of the lot's validity: a hold's end, a refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

/// Units frozen or unfrozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The lot.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// The natural key of the fact that moved the target.
    pub cause: String,
    /// How many.
    pub units: Units,
    /// How many of them were used up already, and so are owed.
    pub overdrawn: Units,
}

/// Units clawed back or restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clawback {
    /// The lot.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// The natural key of the fact that moved the target; for a proration `/` and the line that bears it follow.
    pub cause: String,
    /// What kind of fact that is: decides which contra account the cost meets.
    pub contra: Contra,
    /// How many.
    pub units: Units,
    /// How many of them were used up already, and so are owed.
    pub overdrawn: Units,
    /// The share of the lot's cost that the unused units carry. May be off by a minor unit, either sign, when a
    /// canonical split moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

impl Clawback {
    /// The invoice line that a proration's cost goes back to.
    pub fn invoice_line(&self) -> Option<&str> {
        self.cause.split_once('/').map(|(_, line)| line)
    }
}

/// The contra-revenue a clawback relieves: what the customer got back for unused units never was revenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contra {
    /// 4110.
    Refund,
    /// 4120.
    Dispute,
    /// Plan credits whose line was credited: 2120 of that line.
    Proration,
}

/// More used than granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdraft {
    /// The lot.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many.
    pub units: Units,
    /// What made it fall, if not another correction: what came back from a hold or a use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}
