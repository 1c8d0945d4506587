//! The burn-down order: total, so that which lot is drawn never depends on insertion or page order.

use serde::{Deserialize, Serialize};

use super::lot::Lot;
use crate::Timestamp;
use crate::identity::{GrantId, UnitCode};

/// Lots of a kind are drawn by priority (lower first), then the sooner to end (no end last), then promotional before
/// bought, then the earlier granted, then the id's bytes. The derived order is the field order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct BurnOrder {
    pub(super) unit: UnitCode,
    priority: i32,
    ends: End,
    bought: bool,
    effective_at: Timestamp,
    pub(super) grant: GrantId,
}

/// A variant order that puts "never" last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum End {
    At(Timestamp),
    Never,
}

impl BurnOrder {
    pub(super) fn of(lot: &Lot) -> Self {
        Self {
            unit: lot.terms.unit.clone(),
            priority: lot.terms.priority,
            ends: lot.ends_at().map_or(End::Never, End::At),
            bought: !lot.terms.source.is_promotional(),
            effective_at: lot.effective_at,
            grant: lot.terms.grant.clone(),
        }
    }

    /// A place before every lot of the kind.
    pub(super) fn first_of(unit: &UnitCode) -> Self {
        Self {
            unit: unit.clone(),
            priority: i32::MIN,
            ends: End::At(Timestamp::MIN_UTC),
            bought: false,
            effective_at: Timestamp::MIN_UTC,
            grant: GrantId(String::new()),
        }
    }
}
