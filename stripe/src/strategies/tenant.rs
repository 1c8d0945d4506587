//! A tenant in memory: its inbox, its settlement and its accounts by the same rules as the real ones, without a database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use serde_json::Value;
use tallybook_domain::account::{Account, AccountCommand, AccountEvent, AccountRefusal, Settlement};
use tallybook_domain::identity::{AccountId, GroupId, PaymentId};
use tallybook_domain::purchases::Unapplied;
use tallybook_domain::treasury::{Treasury, TreasuryEvent, TreasuryRefusal};
use tallybook_domain::{Aggregate, Refusal as _, Timestamp};

use crate::object::{Object, ObjectKind};
use crate::replay::state::{Finished, State};
use crate::settlement::{
    Component, Derived, Mode, Owner, Place, Prices, TrialGrant, candidate_groups, customer_owner, derive,
    judged_payments, keep_trial, naming_payments, owner, references, settlements, treasury_facts,
    trial_grants,
};
use crate::snapshot::Snapshot;

/// What was delivered, what it settled to, and what the accounts recorded. Cheap to clone: tests try many continuations.
#[derive(Debug, Clone)]
pub struct Tenant {
    prices: Arc<Prices>,
    mode: Mode,
    /// Event id and content hash of everything taken.
    taken: BTreeSet<(String, String)>,
    by_object: BTreeMap<String, Vec<Arc<Snapshot>>>,
    kin: BTreeMap<String, BTreeSet<String>>,
    unsettled: BTreeSet<String>,
    accounts: BTreeMap<AccountId, Arc<Stream<Account>>>,
    treasury: Arc<Stream<Treasury>>,
    /// Accounts on which anything of a group may stand.
    places: BTreeMap<String, BTreeSet<String>>,
    /// The sessions of each customer.
    sessions: BTreeMap<String, Vec<Arc<Snapshot>>>,
    account_of_customer: BTreeMap<String, AccountId>,
    customer_of_object: BTreeMap<String, String>,
    trials: BTreeMap<AccountId, BTreeSet<TrialGrant>>,
    winners: BTreeMap<String, (ObjectKind, Value)>,
    parked: BTreeMap<String, Parked>,
}

/// An aggregate and the events that made it.
#[derive(Debug, Clone)]
struct Stream<A: Aggregate> {
    state: A,
    events: Vec<A::Event>,
}

/// Why an object's settlement is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// A stable code.
    pub reason: &'static str,
    /// The id of what would help, where one thing would.
    pub waits_for: Option<String>,
}

impl<A: Aggregate + Default> Default for Stream<A> {
    fn default() -> Self {
        Self {
            state: A::default(),
            events: Vec::new(),
        }
    }
}

impl<A: Aggregate> Stream<A> {
    /// What it recorded.
    fn execute(&mut self, command: &A::Command, at: Timestamp) -> Result<&[A::Event], A::Refusal> {
        let events = self.state.decide(command, at)?;
        for event in &events {
            self.state.evolve(event);
        }
        let stood = self.events.len();
        self.events.extend(events);
        Ok(&self.events[stood..])
    }
}

impl Tenant {
    /// A tenant that sells by these prices, and to which nothing was delivered.
    pub fn new(prices: Prices, mode: Mode) -> Self {
        Self {
            prices: Arc::new(prices),
            mode,
            taken: BTreeSet::new(),
            by_object: BTreeMap::new(),
            kin: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            accounts: BTreeMap::new(),
            treasury: Arc::default(),
            places: BTreeMap::new(),
            sessions: BTreeMap::new(),
            account_of_customer: BTreeMap::new(),
            customer_of_object: BTreeMap::new(),
            trials: BTreeMap::new(),
            winners: BTreeMap::new(),
            parked: BTreeMap::new(),
        }
    }

    /// Store a delivery. False if the same came before: then nothing is left to settle.
    pub fn take(&mut self, snapshot: &Arc<Snapshot>) -> bool {
        let key = (snapshot.event_id.clone(), snapshot.content_hash.clone());
        if !self.taken.insert(key) {
            return false;
        }
        let Some(object) = &snapshot.object else {
            return true;
        };
        let id = object.id().to_owned();
        for kin in references(object).into_iter().filter(|kin| *kin != id) {
            self.kin.entry(id.clone()).or_default().insert(kin.to_owned());
            self.kin.entry(kin.to_owned()).or_default().insert(id.clone());
        }
        if let Object::CheckoutSession(session) = object
            && let Some(customer) = &session.customer
        {
            let of_customer = self.sessions.entry(customer.clone()).or_default();
            of_customer.push(snapshot.clone());
        }
        self.by_object
            .entry(id.clone())
            .or_default()
            .push(snapshot.clone());
        self.unsettled.insert(id);
        true
    }

    /// Settle what is stored and not settled, judged at this instant.
    pub fn settle(&mut self, at: Timestamp) {
        while let Some(object) = self.unsettled.pop_first() {
            self.settle_object(&object, at);
        }
    }

    /// Settle everything again, as if all of it had just come.
    pub fn settle_again(&mut self, at: Timestamp) {
        self.unsettled.extend(self.by_object.keys().cloned());
        self.settle(at);
    }

    /// [`Tenant::take`] and [`Tenant::settle`].
    pub fn deliver(&mut self, snapshot: &Arc<Snapshot>, at: Timestamp) -> bool {
        let is_new = self.take(snapshot);
        self.settle(at);
        is_new
    }

    /// Ask something of an account, as a caller would. What becomes another by it is settled.
    pub fn execute(
        &mut self,
        account: &AccountId,
        command: &AccountCommand,
        at: Timestamp,
    ) -> Result<(), AccountRefusal> {
        self.record(account, command, &[], at)?;
        self.settle(at);
        Ok(())
    }

    /// Record a command of these groups, and settle again the payments of others of which it makes the inbox say what is not
    /// true any more.
    fn record(
        &mut self,
        account: &AccountId,
        command: &AccountCommand,
        own: &[GroupId],
        at: Timestamp,
    ) -> Result<(), AccountRefusal> {
        let stream = Arc::make_mut(self.accounts.entry(account.clone()).or_default());
        let events = stream.execute(command, at)?;
        let judged: BTreeSet<PaymentId> = judged_payments(events)
            .filter(|payment| !own.contains(&GroupId(format!("pay:{payment}"))))
            .cloned()
            .collect();
        for payment in judged {
            let extent = self.extent(payment.as_str());
            let says_unapplied = extent
                .iter()
                .filter_map(|id| self.parked.get(id))
                .any(|it| Unapplied::CODES.contains(&it.reason));
            if self.unapplied(account, &payment).is_some() != says_unapplied {
                self.unsettled.insert(payment.0);
            }
        }
        Ok(())
    }

    /// Why a payment that names a purchase pays nothing.
    fn unapplied(&self, account: &AccountId, payment: &PaymentId) -> Option<Unapplied> {
        self.accounts.get(account)?.state.unapplied(payment)
    }

    /// An account; none if nothing ever stood on it.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(&AccountId::from(id)).map(|it| &it.state)
    }

    /// Every account's events.
    pub fn streams(&self) -> impl Iterator<Item = (&AccountId, &[AccountEvent])> {
        self.accounts.iter().map(|(id, it)| (id, it.events.as_slice()))
    }

    /// The events of the money that belongs to no customer.
    pub fn treasury(&self) -> &[TreasuryEvent] {
        &self.treasury.events
    }

    /// How many events all streams have.
    pub fn event_count(&self) -> usize {
        self.treasury.events.len() + self.accounts.values().map(|it| it.events.len()).sum::<usize>()
    }

    /// Objects whose settlement is not complete, and why.
    pub fn parked(&self) -> &BTreeMap<String, Parked> {
        &self.parked
    }

    /// An object's normalised winner fields.
    pub fn winner(&self, id: &str) -> Option<&Value> {
        self.winners.get(id).map(|(_, fields)| fields)
    }

    /// The canonical state at an instant, as the replayer hashes it.
    pub fn state(&self, as_of: Timestamp) -> Finished {
        let mut state = State::default();
        for (id, (kind, fields)) in &self.winners {
            state.add_object(&(id.clone(), kind.name().to_owned(), fields.clone()));
        }
        for (id, stream) in &self.accounts {
            state.add_account(id, &stream.events, as_of, Tz::UTC);
        }
        state.add_treasury(&self.treasury.events, as_of, Tz::UTC);
        state.finish()
    }

    /// The ids of everything that can be reached from an object.
    fn extent(&self, object: &str) -> BTreeSet<String> {
        let mut reached = BTreeSet::from([object.to_owned()]);
        let mut ahead = vec![object.to_owned()];
        while let Some(id) = ahead.pop() {
            for kin in self.kin.get(&id).into_iter().flatten() {
                if reached.insert(kin.clone()) {
                    ahead.push(kin.clone());
                }
            }
        }
        reached
    }

    fn about_customer(&self, customer: &str) -> Vec<Arc<Snapshot>> {
        let own = self.by_object.get(customer).into_iter().flatten();
        let sessions = self.sessions.get(customer).into_iter().flatten();
        own.chain(sessions).cloned().collect()
    }

    fn settle_object(&mut self, object: &str, at: Timestamp) {
        let ids = self.extent(object);
        let read: Vec<Arc<Snapshot>> = ids
            .iter()
            .filter_map(|id| self.by_object.get(id))
            .flatten()
            .cloned()
            .collect();
        let component = Component::new(read.iter().map(AsRef::as_ref));
        for object in component.settled().into_iter().map(|(_, object)| object) {
            let fields = Value::Object(object.normalised());
            self.winners
                .insert(object.id().to_owned(), (object.kind(), fields));
        }
        self.unsettled.retain(|id| !ids.contains(id));
        for id in &ids {
            self.parked.remove(id);
        }
        let treasury = treasury_facts(&component);
        for settled in &treasury {
            match Arc::make_mut(&mut self.treasury).execute(&settled.facts, at) {
                Ok(_) | Err(TreasuryRefusal::NoChange) => {}
                Err(refusal) => self.park(&ids, refusal.code(), None),
            }
        }
        if !component.is_of_no_customer() {
            self.settle_accounts(&ids, &component, at);
        }
        let is_parked = ids.iter().any(|id| self.parked.contains_key(id));
        if let Some(waiting) = treasury
            .iter()
            .find_map(|it| it.waiting.as_ref())
            .filter(|_| !is_parked)
        {
            self.park(&ids, waiting.code(), waiting.waits_for());
        }
    }

    fn settle_accounts(&mut self, ids: &BTreeSet<String>, component: &Component<'_>, at: Timestamp) {
        let customer = component.customer();
        let evidence = customer.map_or_else(Vec::new, |customer| self.about_customer(customer));
        let evidence: Vec<&Snapshot> = evidence.iter().map(AsRef::as_ref).collect();
        let of_customer = customer.and_then(|customer| customer_owner(customer, &evidence, self.mode));
        let owner = owner(component, &evidence, self.mode);
        let mut derived = derive(component, &self.prices);
        self.once_per_account(ids, &owner, &mut derived);

        let names: Vec<String> = ids.iter().cloned().collect();
        let candidates = candidate_groups(&names, &derived);
        let places = self.places_of(&candidates);
        let link =
            customer.filter(|_| matches!(&owner, Owner::Account(it) if Some(it) == of_customer.as_ref()));
        for settlement in settlements(&owner, link, component, &derived, &places, Tz::UTC) {
            self.settle_account(ids, settlement, at);
        }
        for id in ids.iter().filter(|id| self.by_object.contains_key(*id)) {
            if let Some(customer) = customer {
                self.customer_of_object.insert(id.clone(), customer.to_owned());
            }
        }
        if let (Some(customer), Some(account)) = (customer, of_customer) {
            let before = self
                .account_of_customer
                .insert(customer.to_owned(), account.clone());
            if before != Some(account) {
                self.settle_customer_again(customer, ids);
            }
        }
        self.park_what_waits(ids, &owner, &derived);
    }

    fn places_of(&self, groups: &[String]) -> Vec<Place> {
        let of_group = |group: &String| {
            let accounts = self.places.get(group).into_iter().flatten();
            accounts
                .map(|account| Place {
                    group_id: group.clone(),
                    account: account.clone(),
                })
                .collect::<Vec<_>>()
        };
        groups.iter().flat_map(of_group).collect()
    }

    fn settle_account(&mut self, ids: &BTreeSet<String>, settlement: Settlement, at: Timestamp) {
        let account = settlement.account.clone();
        for group in &settlement.groups {
            let accounts = self.places.entry(group.group.0.clone()).or_default();
            accounts.insert(account.0.clone());
        }
        let own: Vec<GroupId> = settlement.groups.iter().map(|it| it.group.clone()).collect();
        match self.record(&account, &AccountCommand::Settle(settlement), &own, at) {
            Ok(()) | Err(AccountRefusal::NoChange) => {}
            Err(refusal) => self.park(ids, refusal.code(), None),
        }
    }

    fn settle_customer_again(&mut self, customer: &str, except: &BTreeSet<String>) {
        let others = self
            .customer_of_object
            .iter()
            .filter(|(id, of)| of.as_str() == customer && !except.contains(*id))
            .map(|(id, _)| id.clone());
        self.unsettled.extend(others);
    }

    /// Trial credits stand once an account: those of its first trial. What that changes of others is settled again.
    fn once_per_account(&mut self, ids: &BTreeSet<String>, owner: &Owner, derived: &mut [Derived]) {
        let own = trial_grants(derived);
        let owner = match owner {
            Owner::Account(account) => Some(account.clone()),
            Owner::Unknown { .. } => None,
        };
        let is_own = |grant: &TrialGrant| ids.contains(&grant.object_id);
        let mut accounts: BTreeSet<AccountId> = self
            .trials
            .iter()
            .filter(|(_, grants)| grants.iter().any(is_own))
            .map(|(account, _)| account.clone())
            .collect();
        accounts.extend(owner.clone().filter(|_| !own.is_empty()));
        let before: Vec<_> = accounts.iter().map(|account| self.first_trial(account)).collect();
        for account in &accounts {
            self.trials
                .entry(account.clone())
                .or_default()
                .retain(|grant| !is_own(grant));
        }
        if let Some(owner) = owner.as_ref().filter(|_| !own.is_empty()) {
            self.trials.entry(owner.clone()).or_default().extend(own);
        }
        let after: Vec<_> = accounts.iter().map(|account| self.first_trial(account)).collect();
        let first = owner.as_ref().and_then(|owner| self.first_trial(owner));
        keep_trial(derived, first.as_ref());
        let changed = before
            .into_iter()
            .zip(after)
            .filter(|(before, after)| before != after);
        let others = changed
            .flat_map(|(before, after)| [before, after])
            .flatten()
            .filter(|grant| !is_own(grant));
        self.unsettled.extend(others.map(|grant| grant.object_id));
    }

    fn first_trial(&self, account: &AccountId) -> Option<TrialGrant> {
        self.trials.get(account)?.first().cloned()
    }

    fn park_what_waits(&mut self, ids: &BTreeSet<String>, owner: &Owner, derived: &[Derived]) {
        match owner {
            Owner::Unknown { waits_for } => self.park(ids, "no_owner", Some(waits_for)),
            Owner::Account(account) => {
                let mut naming = naming_payments(derived);
                if let Some(waiting) = derived.iter().find_map(|it| it.waiting.as_ref()) {
                    self.park(ids, waiting.code(), waiting.waits_for());
                } else if let Some(unapplied) = naming.find_map(|payment| self.unapplied(account, payment)) {
                    self.park(ids, unapplied.code(), None);
                }
            }
        }
    }

    fn park(&mut self, ids: &BTreeSet<String>, reason: &'static str, waits_for: Option<&str>) {
        for id in ids.iter().filter(|id| self.by_object.contains_key(*id)) {
            let parked = Parked {
                reason,
                waits_for: waits_for.map(str::to_owned),
            };
            self.parked.insert(id.clone(), parked);
        }
    }
}
