//! What the interface shows of an account: pure functions of the folded state, so that the same state gives the same
//! bytes.

use std::collections::BTreeMap;

use serde::Serialize;
use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::credits::{Balance, GrantSource, HeldSlice, Hold, HoldEnd, Lot, Slice};
use tallybook_domain::identity::UnitCode;

use super::plan_answers::{SubscriptionBody, TrialBody};
use super::wire::{Instant, MoneyBody, credits};

/// A balance of one kind of credit.
#[derive(Debug, Clone, Serialize)]
pub(super) struct BalanceBody {
    available: String,
    held: String,
    frozen: String,
    overdraft: String,
}

impl From<Balance> for BalanceBody {
    fn from(balance: Balance) -> Self {
        Self {
            available: credits(balance.available),
            held: credits(balance.held),
            frozen: credits(balance.frozen),
            overdraft: credits(balance.overdraft),
        }
    }
}

/// The balance of a kind at `at`, of an account into which what is due by then was folded.
pub(super) fn balance(account: &Account, unit: &UnitCode, at: Timestamp) -> BalanceBody {
    account.credits().balance(unit, at).into()
}

/// An account.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
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
    expired: String,
    revoked: String,
    overdrawn: String,
    cost: Option<MoneyBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purchase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
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
            expired: credits(lot.expired),
            revoked: credits(lot.revoked),
            overdrawn: credits(lot.overdrawn),
            cost: lot.terms.cost.map(MoneyBody),
            purchase: lot.terms.purchase.as_ref().map(ToString::to_string),
            reference: lot.terms.reference.clone(),
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
#[derive(Debug, Serialize)]
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

#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
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
}

impl From<&Hold> for HoldBody {
    fn from(hold: &Hold) -> Self {
        Self {
            id: hold.hold.to_string(),
            unit: hold.unit.to_string(),
            credits: credits(hold.units),
            captured: credits(hold.captured),
            held: credits(hold.held()),
            slices: hold.rest.iter().map(Into::into).collect(),
            status: match hold.ended {
                None => "open",
                Some((HoldEnd::Captured, _)) => "captured",
                Some((HoldEnd::Released, _)) => "released",
                Some((HoldEnd::TimedOut, _)) => "timed_out",
            },
            placed_at: Instant(hold.placed_at),
            expires_at: Instant(hold.expires_at),
            ended_at: hold.ended.map(|(_, at)| Instant(at)),
        }
    }
}
