//! The rows that moves become: lots and holds as they were told, and what was added to each lot, balance and hold. Summed up
//! account by account, over as many events as memory is given for, so that a row is written once.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use tallybook_domain::credits::{CreditsEvent, CreditsGranted, CreditsHeld, HoldEnd};
use tallybook_domain::identity::PaymentId;
use tallybook_domain::money::Currency;

use super::moves::{Moved, moves};
use crate::batch::AccountRecord;
use crate::projection::ApplyError;
use crate::storable;

/// What a lot is said to be.
pub(super) struct Terms {
    pub(super) sequence: i64,
    pub(super) unit: String,
    pub(super) source: &'static str,
    pub(super) priority: i32,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) expires_at: Option<DateTime<Utc>>,
    pub(super) payment_id: Option<String>,
    pub(super) invoice_line: Option<String>,
    pub(super) reference: Option<String>,
    pub(super) cost: Option<i64>,
    pub(super) currency: Option<Currency>,
}

/// What became of a lot.
#[derive(Default)]
pub(super) struct Lot {
    /// None where these events say nothing of it.
    pub(super) terms: Option<Terms>,
    pub(super) moved: Moved,
    pub(super) position: i64,
}

/// What a hold is said to be.
pub(super) struct HoldTerms {
    pub(super) sequence: i64,
    pub(super) unit: String,
    pub(super) units: i64,
    /// JSON.
    pub(super) slices: String,
    pub(super) placed_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
    pub(super) feature: Option<String>,
    pub(super) reference: Option<String>,
}

/// What became of a hold.
#[derive(Default)]
pub(super) struct Hold {
    /// None where it was placed before these events.
    pub(super) placed: Option<HoldTerms>,
    pub(super) captured: i64,
    pub(super) captured_at: Option<DateTime<Utc>>,
    pub(super) ended: Option<(HoldEnd, DateTime<Utc>)>,
    pub(super) position: i64,
}

/// What became of an account's credits.
pub(super) struct AccountChanges {
    pub(super) tenant: String,
    pub(super) account: String,
    pub(super) lots: BTreeMap<String, Lot>,
    /// By unit.
    pub(super) balances: BTreeMap<String, (Moved, i64)>,
    pub(super) holds: BTreeMap<String, Hold>,
}

/// What events change, by stream.
#[derive(Default)]
pub(super) struct Changes {
    accounts: HashMap<String, AccountChanges>,
    /// Bytes, roughly.
    weight: usize,
}

/// What an entry of these maps takes beside its texts, with its share of the map.
const WEIGHT_OF_ACCOUNT: usize = 512;
const WEIGHT_OF_LOT: usize = 640;
const WEIGHT_OF_BALANCE: usize = 384;
const WEIGHT_OF_HOLD: usize = 448;

impl Changes {
    /// Count an event in.
    pub(super) fn note(&mut self, record: AccountRecord<'_>, event: &CreditsEvent) -> Result<(), ApplyError> {
        let stream = &record.recorded.aggregate_id;
        if !self.accounts.contains_key(stream) {
            self.weight += WEIGHT_OF_ACCOUNT + 2 * stream.len();
            self.accounts.insert(stream.clone(), AccountChanges::of(record));
        }
        let account = self
            .accounts
            .get_mut(stream)
            .expect("the account was put there if it was missing");
        self.weight += account.note(record, event)?;
        Ok(())
    }

    /// Bytes in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// The accounts that changed, in the order of their keys: rows of tables and indexes are met as they lie.
    pub(super) fn accounts(&self) -> Vec<&AccountChanges> {
        let mut accounts: Vec<_> = self.accounts.values().collect();
        accounts.sort_unstable_by_key(|changed| (&changed.tenant, &changed.account));
        accounts
    }
}

/// The value of a text's entry, made if it is missing, and the bytes that took.
fn entry<'a, V: Default>(map: &'a mut BTreeMap<String, V>, key: &str, weight: usize) -> (&'a mut V, usize) {
    let key = storable::text(key);
    let mut added = 0;
    if !map.contains_key(key.as_ref()) {
        added = weight + key.len();
        map.insert(key.clone().into_owned(), V::default());
    }
    let value = map
        .get_mut(key.as_ref())
        .expect("the entry was put there if it was missing");
    (value, added)
}

impl AccountChanges {
    fn of(record: AccountRecord<'_>) -> Self {
        Self {
            tenant: record.tenant.to_owned(),
            account: record.account.to_owned(),
            lots: BTreeMap::new(),
            balances: BTreeMap::new(),
            holds: BTreeMap::new(),
        }
    }

    /// Count an event in. The bytes that took.
    fn note(&mut self, record: AccountRecord<'_>, event: &CreditsEvent) -> Result<usize, ApplyError> {
        let mut weight = 0;
        for granted in event.new_lots() {
            weight += self.note_terms(record, granted);
        }
        match event {
            CreditsEvent::CreditsHeld(held) => weight += self.note_hold(record, held)?,
            CreditsEvent::HoldCaptured(captured) => {
                let units = captured
                    .slices
                    .iter()
                    .map(|slice| slice.units.micros())
                    .sum::<i64>();
                let (hold, added) = self.hold(record, captured.hold.as_str());
                hold.captured += units;
                hold.captured_at = Some(storable::instant(record.event.effective_at));
                weight += added;
            }
            CreditsEvent::HoldReleased(released) => {
                let (hold, added) = self.hold(record, released.hold.as_str());
                hold.ended = Some((released.reason, storable::instant(record.event.effective_at)));
                weight += added;
            }
            _ => {}
        }
        for (grant, unit, moved) in moves(event) {
            if let Some(grant) = grant {
                let (lot, added) = entry(&mut self.lots, grant.as_str(), WEIGHT_OF_LOT);
                lot.moved += moved;
                lot.position = record.position();
                weight += added;
            }
            let (balance, added) = entry(&mut self.balances, unit.as_str(), WEIGHT_OF_BALANCE);
            balance.0 += moved;
            balance.1 = record.position();
            weight += added;
        }
        Ok(weight)
    }

    fn note_terms(&mut self, record: AccountRecord<'_>, granted: &CreditsGranted) -> usize {
        let (lot, added) = entry(&mut self.lots, granted.grant.as_str(), WEIGHT_OF_LOT);
        let owned = |text: &str| storable::text(text).into_owned();
        lot.terms = Some(Terms {
            sequence: lot
                .terms
                .as_ref()
                .map_or(record.sequence(), |terms| terms.sequence),
            unit: granted.unit.as_str().to_owned(),
            source: granted.source.as_str(),
            priority: granted.priority,
            effective_at: storable::instant(record.event.effective_at),
            expires_at: granted.expires_at.map(storable::instant),
            payment_id: granted.purchase.as_ref().map(PaymentId::as_str).map(owned),
            invoice_line: granted.invoice_line.as_deref().map(owned),
            reference: granted.reference.as_deref().map(owned),
            cost: granted.cost.map(|cost| cost.minor),
            currency: granted.cost.map(|cost| cost.currency),
        });
        lot.position = record.position();
        let texts = [granted.invoice_line.as_deref(), granted.reference.as_deref()];
        added + texts.iter().flatten().map(|text| text.len()).sum::<usize>()
    }

    /// A hold placed again begins anew, as in the fold.
    fn note_hold(&mut self, record: AccountRecord<'_>, event: &CreditsHeld) -> Result<usize, ApplyError> {
        let (hold, added) = entry(&mut self.holds, event.hold.as_str(), WEIGHT_OF_HOLD);
        let owned = |text: &str| storable::text(text).into_owned();
        let slices = storable::rows(&event.slices)?;
        let added = added + slices.len();
        *hold = Hold {
            placed: Some(HoldTerms {
                sequence: record.sequence(),
                unit: event.unit.as_str().to_owned(),
                units: event.units.micros(),
                slices,
                placed_at: storable::instant(record.event.effective_at),
                expires_at: storable::instant(event.expires_at),
                feature: event.feature.as_deref().map(owned),
                reference: event.reference.as_deref().map(owned),
            }),
            position: record.position(),
            ..Hold::default()
        };
        Ok(added)
    }

    fn hold(&mut self, record: AccountRecord<'_>, hold: &str) -> (&mut Hold, usize) {
        let (hold, added) = entry(&mut self.holds, hold, WEIGHT_OF_HOLD);
        hold.position = record.position();
        (hold, added)
    }
}
