//! Every stream, folded purely.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;
use tallybook_domain::Aggregate;
use tallybook_domain::account::{Account, AccountEvent, AccountFact, Fact};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::purchases::PurchaseLifeEvent;

use super::ledger::{Ledger, Owner, check_entry};
use super::{Check, Finding, invariants, rows};
use crate::batch::{Content, Record};
use crate::models::{accounting_date, posting, recurring, terms};

/// An account and what the fold itself does not keep.
#[derive(Default)]
pub(super) struct Folded {
    pub(super) state: Account,
    pub(super) opened_at: DateTime<Utc>,
    pub(super) opened_position: i64,
    pub(super) version: i64,
    pub(super) position: i64,
    /// Events its last command has yet to follow with: until then an invariant may be broken in passing.
    pending: i32,
    uses: HashSet<String>,
}

impl Folded {
    /// Whether the fold stands between two commands.
    pub(super) fn is_settled(&self) -> bool {
        self.pending <= 0
    }
}

/// The state of everything at a position.
pub(super) struct Fold {
    pub(super) accounts: BTreeMap<Owner, Folded>,
    pub(super) ledger: Ledger,
    pub(super) entry_numbers: BTreeMap<String, i64>,
    /// What events said about sub-ledger keys: whose, and the row's key.
    pub(super) terms: Vec<((Owner, String), Value)>,
    /// What they said subscriptions bring in a month, likewise.
    pub(super) recurring: Vec<((Owner, String), Value)>,
    pub(super) findings: Vec<Finding>,
    pub(super) events: u64,
    zones: HashMap<String, Tz>,
    /// The last sequence of every stream, by type and id.
    sequences: HashMap<(String, String), i64>,
}

impl Fold {
    pub(super) fn new(zones: &[(String, String)]) -> Self {
        let zones = zones
            .iter()
            .filter_map(|(tenant, name)| Some((tenant.clone(), name.parse().ok()?)))
            .collect();
        Self {
            accounts: BTreeMap::new(),
            ledger: Ledger::default(),
            entry_numbers: BTreeMap::new(),
            terms: Vec::new(),
            recurring: Vec::new(),
            findings: Vec::new(),
            events: 0,
            zones,
            sequences: HashMap::new(),
        }
    }

    /// Fold an event in. What its row in the journal has to say, if it makes an entry.
    pub(super) fn take(&mut self, record: &Record) -> Option<Value> {
        self.events += 1;
        self.follow(record);
        if let Content::Unreadable(reason) = &record.content {
            self.found(Check::Readable, record, reason.clone());
        }
        if let Content::Account(event) = &record.content {
            self.fold(record, event);
        }
        self.describe(record);
        self.post(record)
    }

    fn describe(&mut self, record: &Record) {
        let Some(owner) = owner(record) else { return };
        if let Some((subscription, effective_at, items)) = recurring(record) {
            let key = format!("{} {subscription}", record.position());
            self.recurring
                .push(((owner.clone(), key), rows::recurring(effective_at, &items)));
        }
        for said in terms(record) {
            let key = format!("{} {} {}", said.account.code(), record.position(), said.key);
            self.terms.push(((owner.clone(), key), rows::terms(&said)));
        }
    }

    /// I4: streams count without gaps.
    fn follow(&mut self, record: &Record) {
        let recorded = &record.recorded;
        let stream = (recorded.aggregate_type.clone(), recorded.aggregate_id.clone());
        let last = self.sequences.entry(stream).or_default();
        let expected = *last + 1;
        *last = recorded.sequence;
        if recorded.sequence != expected {
            let detail = format!("its sequence is {}, {expected} was expected", recorded.sequence);
            self.found(Check::Gapless, record, detail);
        }
    }

    fn fold(&mut self, record: &Record, event: &AccountEvent) {
        let Some(owner) = owner(record) else { return };
        let folded = self.accounts.entry(owner).or_default();
        let twice = told_twice(folded, event);
        let invalid = invariants::used_out_of_validity(&folded.state, event);
        if folded.version == 0 {
            folded.opened_at = event.effective_at;
            folded.opened_position = record.position();
        }
        folded.state.evolve(event);
        folded.version = record.recorded.sequence;
        folded.position = record.position();
        folded.pending = record.recorded.command_events.unwrap_or(folded.pending) - 1;
        if let Some(name) = twice {
            self.found(Check::Once, record, format!("{name} is recorded a second time"));
        }
        if let Some(detail) = invalid {
            self.found(Check::Validity, record, detail);
        }
    }

    fn post(&mut self, record: &Record) -> Option<Value> {
        // An unreadable event was noted above and makes no entry anywhere.
        let (entry, is_reversal) = posting(record).ok()??;
        let owner = owner(record)?;
        check_entry(record.position(), &entry, &mut self.findings);
        let zone = self.zones.get(&owner.0).copied().unwrap_or(Tz::UTC);
        let date = accounting_date(entry.effective_at, zone);
        self.ledger.post(&owner, date, &entry);
        let number = self.entry_numbers.entry(owner.0).or_default();
        *number += 1;
        Some(rows::entry(record, &entry, is_reversal, *number, date))
    }

    fn found(&mut self, check: Check, record: &Record, detail: String) {
        self.findings.push(Finding {
            check,
            position: Some(record.position()),
            subject: record.recorded.aggregate_id.clone(),
            detail,
        });
    }
}

fn owner(record: &Record) -> Option<Owner> {
    let stream = record.stream.as_ref()?;
    Some((stream.tenant().to_string(), stream.name().to_owned()))
}

/// I12: what is recorded although it stands already: a fact by natural key, a use or a hold by id.
fn told_twice(folded: &mut Folded, event: &AccountEvent) -> Option<String> {
    let fact = match &event.fact {
        AccountFact::Purchases(event) => Fact::Purchases(event.clone()),
        AccountFact::Invoices(event) => Fact::Invoices(event.clone()),
        AccountFact::Credits(event) => {
            let id = match event {
                CreditsEvent::CreditsConsumed(e) => format!("debit {}", e.debit),
                CreditsEvent::HoldCaptured(e) => format!("debit {}", e.debit),
                CreditsEvent::CreditsHeld(e) => format!("hold {}", e.hold),
                CreditsEvent::ConsumptionReversed(e) => format!("reversal {}", e.reversal),
                CreditsEvent::CreditsAdjusted(e) => format!("adjustment {}", e.adjustment),
                CreditsEvent::CreditsTransferredOut(e) => format!("transfer {}", e.transfer),
                CreditsEvent::CreditsTransferredIn(e) => format!("transfer {}", e.transfer),
                _ => return None,
            };
            return (!folded.uses.insert(id.clone())).then_some(id);
        }
        AccountFact::PurchaseLife(PurchaseLifeEvent::PurchaseStarted(started)) => {
            let known = folded.state.purchase(&started.purchase)?;
            return Some(format!("purchase {}", known.terms.purchase));
        }
        AccountFact::Life(_)
        | AccountFact::PurchaseLife(_)
        | AccountFact::Recognition(_)
        | AccountFact::Subscriptions(_)
        | AccountFact::Trials(_)
        | AccountFact::Policies(_) => return None,
    };
    let standing = folded.state.groups().get(&fact.group())?;
    let key = fact.natural_key();
    standing.facts.contains_key(&key).then(|| key.to_string())
}
