//! What may be asked of an account.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::policies::{EndTopUp, SetPolicy};
use super::transfers::{TransferIn, TransferOut};
use crate::Timestamp;
use crate::account::Fact;
use crate::credits::{Consumption, CreditsGranted, GrantSource, OnExpiry};
use crate::identity::SubscriptionId;
use crate::identity::{
    AccountId, AdjustmentId, DebitId, GrantId, GroupId, HoldId, ReversalId, TestClockId, UnitCode,
};
use crate::money::Money;
use crate::purchases::PurchaseCommand;
use crate::quantity::Units;
use crate::subscriptions::{InvoiceCommand, SubscriptionCommand, SubscriptionState};
use crate::trials::{TrialCommand, TrialState};

/// A request to an account. Ids of what it creates are the caller's to derive (from its idempotency key), so that a
/// retry names the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountCommand {
    /// Open the account.
    Open(OpenAccount),
    /// Give credits.
    Grant(GrantCredits),
    /// Bring a balance over from another system.
    Import(ImportBalance),
    /// Use credits.
    Debit(DebitCredits),
    /// Set credits aside.
    Hold(HoldCredits),
    /// Use held credits.
    Capture(CaptureHold),
    /// Give held credits back.
    Release(ReleaseHold),
    /// Something about a purchase that Tallybook drives.
    Purchase(PurchaseCommand),
    /// End a lot's validity now.
    Void(VoidGrant),
    /// Take a use back.
    Reverse(ReverseConsumption),
    /// Give or take credits by hand.
    Adjust(AdjustCredits),
    /// Say what the account is allowed, and when it asks for more.
    SetPolicy(SetPolicy),
    /// Say how a request for credits ended.
    EndTopUp(EndTopUp),
    /// Give credits to another account.
    TransferOut(TransferOut),
    /// Take credits from another account.
    TransferIn(TransferIn),
    /// Say that a Stripe customer is this account.
    LinkCustomer(String),
    /// Bring what Stripe says in line with what the stream says.
    Settle(Settlement),
    /// Do something with a subscription that Tallybook drives.
    Subscription(Box<SubscriptionCommand>),
    /// Do something with its trial.
    Trial(TrialCommand),
    /// Do something with an invoice that Tallybook issued.
    Invoice(InvoiceCommand),
    /// Write what is due (expiries, hold time-outs) and nothing else.
    WriteDue,
}

/// Open the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAccount {
    /// Its id within the tenant.
    pub account: AccountId,
    /// The caller's own id for it.
    pub external_id: Option<String>,
    /// The Stripe customer whose objects belong to it.
    pub stripe_customer: Option<String>,
    /// Where its calendar is: the tenant's time zone.
    pub time_zone: Tz,
    /// The test clock it lives by, for good; the server's if none.
    pub test_clock: Option<TestClockId>,
}

/// Give credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantCredits {
    /// The new lot.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many; positive.
    pub units: Units,
    /// Where from.
    pub source: GrantSource,
    /// What the customer gave for it.
    pub cost: Option<Money>,
    /// Lower is spent first.
    pub priority: i32,
    /// From when it can be spent; the instant of judgement if none.
    pub effective_at: Option<Timestamp>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// The caller's own note.
    pub reference: Option<String>,
    /// The features that may spend it; any if none is named.
    pub scope: BTreeSet<String>,
}

/// Bring a balance over from another system: both, or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportBalance {
    /// How the account is opened if it is new.
    pub open: OpenAccount,
    /// The balance, as one lot.
    pub grant: GrantCredits,
}

/// Use credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebitCredits {
    /// The new consumption.
    pub debit: DebitId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many; positive, or zero for a use of a feature that takes none.
    pub units: Units,
    /// What for.
    pub feature: Option<String>,
    /// How much of the feature: what counts to its limit. As much as the credits if none.
    pub quantity: Option<Units>,
    /// The caller's own note.
    pub reference: Option<String>,
}

/// Set credits aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldCredits {
    /// The new hold.
    pub hold: HoldId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many; positive.
    pub units: Units,
    /// For how long; positive.
    pub expires_in: chrono::Duration,
    /// What for.
    pub feature: Option<String>,
    /// The caller's own note.
    pub reference: Option<String>,
    /// What becomes of it when one of its lots ends.
    pub on_expiry: OnExpiry,
}

/// Use held credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureHold {
    /// Which hold.
    pub hold: HoldId,
    /// The new consumption.
    pub debit: DebitId,
    /// How many; all that is held if none.
    pub units: Option<Units>,
    /// Whether the rest goes back at once.
    pub is_final: bool,
    /// What if that is more than is held.
    pub beyond_hold: BeyondHold,
}

/// What becomes of a capture of more than is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BeyondHold {
    /// It is refused.
    #[default]
    Refuse,
    /// The excess is drawn as a debit would be (from what may be spent, then owed as far as the account may owe), or all of
    /// it is refused.
    Draw,
}

/// Give held credits back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseHold {
    /// Which hold.
    pub hold: HoldId,
}

/// End a lot's validity now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidGrant {
    /// Which lot.
    pub grant: GrantId,
    /// Why.
    pub reason: String,
}

/// Take a use back, whole or in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseConsumption {
    /// The new reversal.
    pub reversal: ReversalId,
    /// The use, as the stream has it.
    pub original: Consumption,
    /// How many; all that was not taken back yet if none.
    pub units: Option<Units>,
    /// Why.
    pub reason: Option<String>,
}

/// Give or take credits by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdjustCredits {
    /// The new adjustment.
    pub adjustment: AdjustmentId,
    /// The new lot, if credits are given.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many: given if positive, taken if negative.
    pub units: Units,
    /// Why.
    pub reason: String,
}

/// What Stripe's objects, taken together, say about an account: the whole truth about each group named, nothing about
/// the others. Settling the same again changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The account, opened by this if new.
    pub account: AccountId,
    /// The Stripe customer it is for, linked by this if new.
    pub customer: Option<String>,
    /// The tenant's time zone, where the account's calendar is if this opens it.
    pub time_zone: Tz,
    /// The groups settled.
    pub groups: Vec<GroupFacts>,
}

/// All that should stand about one payment, invoice or subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFacts {
    /// `pay:<payment>`, `inv:<invoice>` or `sub:<subscription>`.
    pub group: GroupId,
    /// The facts that should stand, each with its date. What stands and is not here is reversed.
    pub facts: Vec<DatedFact>,
    /// The lots that should stand.
    pub lots: Vec<LotTerms>,
    /// The subscription's state; none takes it away from this account.
    pub subscription: Option<(SubscriptionId, SubscriptionState)>,
    /// Its trial.
    pub trial: Option<TrialState>,
    /// When the newest of what is told here became true: the date of changes of state.
    pub as_of: Timestamp,
}

/// A fact and when it became true.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DatedFact {
    /// The fact.
    pub fact: Fact,
    /// The books' date.
    pub effective_at: Timestamp,
}

/// A lot as it should stand, and what claims units of it back beyond the refunds and disputes of its own payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotTerms {
    /// The grant.
    pub granted: CreditsGranted,
    /// From when it can be spent.
    pub effective_at: Timestamp,
}
