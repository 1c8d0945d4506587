//! What the interface shows of an account: pure functions of the folded state, so that the same state gives the same
//! bytes.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::credits::{
    Balance, EndedHold, GrantSource, HeldSlice, Hold, HoldEnd, Lot, OnExpiry, Slice,
};
use tallybook_domain::identity::{HoldId, UnitCode};
use tallybook_domain::quantity::Units;

use super::accounts::policy::PolicyBody;
use super::plan_answers::{SubscriptionBody, TrialBody};
use super::wire::{Instant, MoneyBody, credits};

/// A balance of one kind of credit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct BalanceBody {
    /// In all lots valid now, whatever their scope.
    available: String,
    held: String,
    frozen: String,
    overdraft: String,
    /// Where lots are reserved for features: what uses without a feature may take, and what those for each.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    scopes: Option<ScopesBody>,
}

impl From<Balance> for BalanceBody {
    fn from(balance: Balance) -> Self {
        Self {
            available: credits(balance.available),
            held: credits(balance.held),
            frozen: credits(balance.frozen),
            overdraft: credits(balance.overdraft),
            scopes: None,
        }
    }
}

/// What may be taken, by what for; all that is owed is subtracted from each.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct ScopesBody {
    unscoped: String,
    features: BTreeMap<String, String>,
}

/// The balance of a kind at `at`, of an account into which what is due by then was folded.
pub(super) fn balance(account: &Account, unit: &UnitCode, at: Timestamp) -> BalanceBody {
    let account = account.credits();
    let by_feature = account.spendable_by_feature(unit, at);
    BalanceBody {
        scopes: (!by_feature.is_empty()).then(|| ScopesBody {
            unscoped: credits(account.spendable(unit, None, at)),
            features: by_feature
                .into_iter()
                .map(|(feature, units)| (feature, credits(units)))
                .collect(),
        }),
        ..account.balance(unit, at).into()
    }
}

/// An account.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AccountBody {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    stripe_customers: Vec<String>,
    status: &'static str,
    /// Of the default kind of credit.
    balance: BalanceBody,
    /// Of every kind the account ever had, by its code.
    balances: BTreeMap<String, BalanceBody>,
    /// What is allowed beyond the balance, for each kind that a policy was set for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<PolicyBody>,
    trial: Option<TrialBody>,
    subscriptions: Vec<SubscriptionBody>,
    version: u64,
}

impl AccountBody {
    /// An account at `at`, into which what is due by then was folded. `None` if it was never opened.
    pub(super) fn of(account: &Account, version: u64, at: Timestamp) -> Option<Self> {
        let kinds = account.credits().kinds();
        Some(Self {
            id: account.id()?.to_string(),
            external_id: account.external_id().map(ToOwned::to_owned),
            stripe_customers: account.customers().map(ToOwned::to_owned).collect(),
            status: "open",
            balance: balance(account, &UnitCode::default(), at),
            balances: kinds
                .iter()
                .map(|unit| (unit.to_string(), balance(account, unit, at)))
                .collect(),
            trial: TrialBody::latest(account),
            policies: PolicyBody::all(account),
            subscriptions: account
                .subscriptions()
                .keys()
                .filter_map(|id| SubscriptionBody::of(account, id, at))
                .collect(),
            version,
        })
    }
}

/// A lot: its terms, and where its units are.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LotBody {
    id: String,
    unit: String,
    source: GrantSource,
    priority: i32,
    effective_at: Instant,
    expires_at: Option<Instant>,
    /// `pending` before its validity, `open` within, `closed` when nothing can be spent from it any more.
    status: &'static str,
    granted: String,
    available: String,
    held: String,
    frozen: String,
    consumed: String,
    removed: String,
    expired: String,
    revoked: String,
    overdrawn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<String>,
    cost: Option<MoneyBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// The only features that may spend it; none where any may.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    features: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voided_at: Option<Instant>,
}

impl LotBody {
    pub(super) fn of(lot: &Lot, at: Timestamp) -> Self {
        Self {
            id: lot.terms.grant.to_string(),
            unit: lot.terms.unit.to_string(),
            source: lot.terms.source,
            priority: lot.terms.priority,
            effective_at: Instant(lot.effective_at),
            expires_at: lot.terms.expires_at.map(Instant),
            status: lot_status(lot, at),
            granted: credits(lot.granted),
            available: credits(lot.available),
            held: credits(lot.held),
            frozen: credits(lot.frozen),
            consumed: credits(lot.consumed),
            removed: credits(lot.removed),
            expired: credits(lot.expired),
            revoked: credits(lot.revoked),
            overdrawn: credits(lot.overdrawn),
            moved: (!lot.moved.is_zero()).then(|| credits(lot.moved)),
            cost: lot.terms.cost.map(MoneyBody),
            purchase: lot.terms.purchase.as_ref().map(ToString::to_string),
            reference: lot.terms.reference.clone(),
            features: lot.terms.scope.clone(),
            voided_at: lot.voided_at.map(Instant),
        }
    }
}

/// Whether a lot still matters to a balance.
pub(super) fn is_live(lot: &Lot) -> bool {
    !(lot.available.is_zero() && lot.held.is_zero() && lot.frozen.is_zero())
}

fn lot_status(lot: &Lot, at: Timestamp) -> &'static str {
    if !is_live(lot) {
        "closed"
    } else if at < lot.effective_at {
        "pending"
    } else {
        "open"
    }
}

/// A part of a use, from one lot.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SliceBody {
    grant: String,
    credits: String,
    cost: Option<MoneyBody>,
}

impl From<&Slice> for SliceBody {
    fn from(slice: &Slice) -> Self {
        Self {
            grant: slice.grant.to_string(),
            credits: credits(slice.units),
            cost: slice.cost.map(MoneyBody),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct HeldSliceBody {
    grant: String,
    credits: String,
}

impl From<&HeldSlice> for HeldSliceBody {
    fn from(slice: &HeldSlice) -> Self {
        Self {
            grant: slice.grant.to_string(),
            credits: credits(slice.units),
        }
    }
}

/// A hold and what is left of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HoldBody {
    id: String,
    unit: String,
    credits: String,
    captured: String,
    held: String,
    slices: Vec<HeldSliceBody>,
    status: &'static str,
    placed_at: Instant,
    expires_at: Instant,
    ended_at: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<String>,
    #[serde(skip_serializing_if = "OnExpiry::is_keep")]
    on_expiry: OnExpiry,
}

/// A hold, open or ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum AnyHold<'a> {
    Open(&'a Hold),
    Ended(&'a HoldId, &'a EndedHold),
}

impl<'a> AnyHold<'a> {
    /// The hold of that id.
    pub(super) fn find(account: &'a Account, hold: &'a HoldId) -> Option<Self> {
        let account = account.credits();
        let ended = || account.ended_hold(hold).map(|ended| Self::Ended(hold, ended));
        account.hold(hold).map(Self::Open).or_else(ended)
    }

    /// All of an account, by id.
    pub(super) fn all(account: &'a Account) -> BTreeMap<&'a str, Self> {
        let account = account.credits();
        let open = account.holds().map(|hold| (hold.hold.as_str(), Self::Open(hold)));
        let ended = account
            .ended_holds()
            .map(|(id, hold)| (id.as_str(), Self::Ended(id, hold)));
        open.chain(ended).collect()
    }

    pub(super) fn unit(self) -> &'a UnitCode {
        match self {
            Self::Open(hold) => &hold.unit,
            Self::Ended(_, hold) => &hold.unit,
        }
    }
}

impl From<AnyHold<'_>> for HoldBody {
    fn from(hold: AnyHold<'_>) -> Self {
        match hold {
            AnyHold::Open(hold) => Self {
                id: hold.hold.to_string(),
                unit: hold.unit.to_string(),
                credits: credits(hold.units),
                captured: credits(hold.captured),
                held: credits(hold.held()),
                slices: hold.rest.iter().map(Into::into).collect(),
                status: "open",
                placed_at: Instant(hold.placed_at),
                expires_at: Instant(hold.expires_at),
                ended_at: None,
                feature: hold.feature.clone(),
                on_expiry: hold.on_expiry,
            },
            AnyHold::Ended(id, hold) => Self {
                id: id.to_string(),
                unit: hold.unit.to_string(),
                credits: credits(hold.units),
                captured: credits(hold.captured),
                held: credits(Units::ZERO),
                slices: Vec::new(),
                status: match hold.how {
                    HoldEnd::Captured => "captured",
                    HoldEnd::Released => "released",
                    HoldEnd::TimedOut => "timed_out",
                },
                placed_at: Instant(hold.placed_at),
                expires_at: Instant(hold.expires_at),
                ended_at: Some(Instant(hold.ended_at)),
                feature: None,
                on_expiry: OnExpiry::Keep,
            },
        }
    }
}
