//! What a subscription needs beside its state to run by Tallybook's clock alone.

use serde::{Deserialize, Serialize};

use super::discount::Discounts;
use super::tax::TaxRate;
use super::terms::ContractItem;
use crate::Timestamp;
use crate::calendar::{Period, Schedule};
use crate::identity::InvoiceId;
use crate::money::Currency;

/// The contract behind a subscription that Tallybook drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// Where its periods begin. Meaningless until a trial is over.
    pub schedule: Schedule,
    /// The currency it is billed in; none as long as nothing it has costs anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// What runs, by name of the item.
    pub items: Vec<ContractItem>,
    /// Whether there is something to collect payments from.
    #[serde(default)]
    pub card_on_file: bool,
    /// How many invoices it has issued: the next one's number follows.
    #[serde(default)]
    pub invoices: u32,
    /// What the current period's lines fall short of the exact integral of price over time: minor units times the
    /// nanoseconds of the period, at most half a minor unit either way.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub residual: i64,
    /// What is to run from the next period on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Vec<ContractItem>>,
    /// Its pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Its invoices whose payment failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collecting: Vec<Collecting>,
    /// The tax on what it bills from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<TaxRate>,
    /// Its coupons.
    #[serde(default, skip_serializing_if = "Discounts::is_none")]
    pub discounts: Discounts,
    /// What was before the last change, as long as that change waits for its payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Box<Undo>>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_zero(residual: &i64) -> bool {
    *residual == 0
}

/// Why a subscription is paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PauseReason {
    /// Somebody asked for it.
    Requested,
    /// Its trial ended so.
    TrialEnded,
    /// Its invoice could not be collected.
    Uncollected,
}

/// A pause: nothing new is billed or granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: PauseReason,
}

/// An invoice whose payment failed, and where its dunning stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collecting {
    /// The invoice.
    pub invoice: InvoiceId,
    /// When its payment failed first: the retries' days count from here.
    pub failed_at: Timestamp,
    /// Scheduled retries that fell due so far.
    #[serde(default)]
    pub retries: u32,
    /// Whether the last of them still waits for its outcome.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaited: bool,
    /// Failed attempts nobody scheduled: they count towards nothing.
    #[serde(default)]
    pub unscheduled_failures: u32,
    /// When the next step is: a retry, or after the last one the end of its grace; none if nothing more is to come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    /// Whether the subscription was ended, paused or called unpaid for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// What a change replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The change's invoice: if it is never paid, all this comes back.
    pub invoice: InvoiceId,
    /// What ran.
    pub items: Vec<ContractItem>,
    /// Where the periods began.
    pub schedule: Schedule,
    /// The period it was in.
    pub period: Period,
    /// The residual of that period.
    #[serde(default)]
    pub residual: i64,
    /// Its discount.
    #[serde(default, skip_serializing_if = "Discounts::is_none")]
    pub discounts: Discounts,
}
