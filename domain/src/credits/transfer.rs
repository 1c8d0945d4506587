//! Credits that go from one account to another: the same units, priority, source, end and cost, in new lots.
//!
//! The two events stand on two streams and are appended as one unit. What is refunded later of a purchase whose units
//! were moved is claimed from the account that bought them: they count as used there, so it becomes that account's debt.
//! A rule for rollover stays behind: what was moved expires at its end.

use serde::{Deserialize, Serialize};

use super::event::{CreditsEvent, CreditsGranted, Slice};
use super::spend;
use super::state::Credits;
use crate::Timestamp;
use crate::account::AccountRefusal;
use crate::identity::{AccountId, GrantId, TransferId, UnitCode};
use crate::money::Money;
use crate::quantity::Units;

/// Credits that left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsTransferredOut {
    /// The transfer.
    pub transfer: TransferId,
    /// The account they go to.
    pub to: AccountId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// From which lots, in burn-down order.
    pub slices: Vec<Slice>,
    /// The caller's own note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Credits that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsTransferredIn {
    /// The transfer.
    pub transfer: TransferId,
    /// The account they come from.
    pub from: AccountId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// The lots they are now in, valid from this event's `effective_at`.
    pub grants: Vec<ReceivedLot>,
    /// The caller's own note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A lot that came from another account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedLot {
    /// The lot there that its units were drawn from.
    pub from_grant: GrantId,
    /// The lot here.
    pub granted: CreditsGranted,
}

/// What is drawn for a transfer: as for a use, but never beyond what there is.
pub(crate) fn drawn(
    credits: &Credits,
    unit: &UnitCode,
    units: Units,
    at: Timestamp,
) -> Result<Vec<Slice>, AccountRefusal> {
    spend::take(credits, unit, spend::Purpose::Unbound, units, at)
}

impl CreditsTransferredOut {
    /// The lots the other account gets for it. Ids follow from the transfer and the order of its slices.
    pub(crate) fn received(&self, credits: &Credits) -> Vec<ReceivedLot> {
        let name = self
            .transfer
            .as_str()
            .strip_prefix("transfer_")
            .unwrap_or(self.transfer.as_str());
        let slices = self.slices.iter().enumerate();
        slices
            .filter_map(|(index, slice)| {
                let terms = &credits.lot(&slice.grant)?.terms;
                let granted = CreditsGranted {
                    grant: GrantId(format!("grant_{name}.{}", index + 1)),
                    units: slice.units,
                    cost: slice.cost.filter(|cost: &Money| cost.minor != 0),
                    purchase: None,
                    invoice_line: None,
                    group: None,
                    rollover: None,
                    reference: self.reference.clone(),
                    ..terms.clone()
                };
                let from_grant = slice.grant.clone();
                Some(ReceivedLot { from_grant, granted })
            })
            .collect()
    }
}

impl CreditsEvent {
    /// Whether it brings a lot into being in this account.
    pub fn new_lots(&self) -> Vec<&CreditsGranted> {
        match self {
            Self::CreditsGranted(granted) => vec![granted],
            Self::CreditsRolledOver(rolled) => vec![&rolled.to],
            Self::CreditsTransferredIn(transfer) => {
                transfer.grants.iter().map(|received| &received.granted).collect()
            }
            _ => Vec::new(),
        }
    }
}
