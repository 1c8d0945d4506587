//! A scenario is a set of deliveries and what must stand when all have come, in whatever order.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_domain::identity::NaturalKey;
use tallybook_stripe::replay::state::{Finished, Totals};
use tallybook_stripe::settlement::{Mode, Prices};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::{Tenant, prices};

use crate::objects::{customer, event, twin};

/// All orders of so many events are tried; of more, [`ORDERS`] by seed.
const PERMUTED_MAX: usize = 7;
const ORDERS: u64 = 2_000;

/// Deliveries, and what must stand.
#[derive(Clone)]
pub(crate) struct Scenario {
    known: Vec<Arc<Snapshot>>,
    told: Vec<Arc<Snapshot>>,
    prices: Prices,
    mode: Mode,
    ends: Vec<Expected>,
    always: Vec<Expected>,
}

/// Something that must hold of the state.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// An object's normalised field.
    Is(&'static str, &'static str, Value),
    /// All of the books' money: account code and commodity to balance. Nothing else moved.
    Books(&'static [(&'static str, &'static str, i64)]),
    /// Whole credits over all accounts.
    Credits(Credits),
    /// Objects whose settlement is not complete, and why. No others.
    Parked(&'static [(&'static str, &'static str)]),
    /// The facts of customer `cus_1` whose natural keys begin so.
    Stand(&'static str, &'static [&'static str]),
    /// The state has a line that begins so.
    Line(&'static str),
    /// The state has no line that begins so.
    NoLine(&'static str),
}

/// Whole credits; zero what is not named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credits {
    pub(crate) granted: i64,
    pub(crate) available: i64,
    pub(crate) frozen: i64,
    pub(crate) clawed_back: i64,
    pub(crate) expired: i64,
}

/// Of a customer that is known already, these deliveries.
pub(crate) fn told(events: impl IntoIterator<Item = Arc<Snapshot>>) -> Scenario {
    Scenario {
        known: vec![event("customer.created", 1, customer(json!({})))],
        told: events.into_iter().collect(),
        prices: Prices::none(),
        mode: Mode::Create,
        ends: Vec::new(),
        always: Vec::new(),
    }
}

impl Scenario {
    /// Nothing is known beforehand.
    pub(crate) fn of_strangers(mut self) -> Self {
        self.known.clear();
        self
    }

    /// The plans of [`prices`] are sold.
    pub(crate) fn with_plans(mut self) -> Self {
        self.prices = prices();
        self
    }

    pub(crate) fn ends(mut self, expected: impl IntoIterator<Item = Expected>) -> Self {
        self.ends.extend(expected);
        self
    }

    /// Whatever part of it has come, as long as something has.
    pub(crate) fn always(mut self, expected: impl IntoIterator<Item = Expected>) -> Self {
        self.always.extend(expected);
        self
    }

    /// Try it.
    pub(crate) fn holds(&self) {
        let whole = if self.told.len() <= PERMUTED_MAX {
            self.permuted()
        } else {
            self.shuffled()
        };
        self.is_settled_for_good(whole);
    }

    /// When it is judged and looked at: after the last delivery.
    fn at(&self) -> Timestamp {
        let newest = self.known.iter().chain(&self.told).map(|it| it.created).max();
        Timestamp::from_timestamp(newest.unwrap_or_default() + 1, 0).expect("in the calendar")
    }

    fn start(&self) -> Tenant {
        let mut tenant = Tenant::new(self.prices.clone(), self.mode);
        for snapshot in &self.known {
            tenant.deliver(snapshot, self.at());
        }
        tenant
    }

    /// Every order, each common beginning once. The state after any part of the set is the same in every order, too.
    fn permuted(&self) -> Tenant {
        let mut states = BTreeMap::new();
        self.continued(&self.start(), 0, &mut states);
        let whole = (1_u32 << self.told.len()) - 1;
        let mut tenant = self.start();
        for snapshot in &self.told {
            tenant.deliver(snapshot, self.at());
        }
        assert_eq!(tenant.state(self.at()).lines, states[&whole].lines);
        tenant
    }

    fn continued(&self, tenant: &Tenant, come: u32, states: &mut BTreeMap<u32, Finished>) {
        for (index, snapshot) in self.told.iter().enumerate() {
            let bit = 1 << index;
            if come & bit != 0 {
                continue;
            }
            let mut next = tenant.clone();
            next.deliver(snapshot, self.at());
            let events = next.event_count();
            assert!(!next.deliver(snapshot, self.at()), "a copy is known as one");
            assert_eq!(next.event_count(), events, "a copy changed something");
            let state = next.state(self.at());
            if let Some(known) = states.get(&(come | bit)) {
                assert_eq!(state.lines, known.lines, "another order of {:b}", come | bit);
            } else {
                for expected in &self.always {
                    expected.check(&next, &state);
                }
                states.insert(come | bit, state);
            }
            self.continued(&next, come | bit, states);
        }
    }

    fn shuffled(&self) -> Tenant {
        let mut whole: Option<(Tenant, Finished)> = None;
        for seed in 0..ORDERS {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut order = self.told.clone();
            let copies = self.told.iter().filter(|_| random.random_ratio(1, 5)).cloned();
            order.extend(copies.collect::<Vec<_>>());
            order.shuffle(&mut random);
            let mut tenant = self.start();
            for snapshot in &order {
                tenant.take(snapshot);
                if random.random_ratio(1, 3) {
                    tenant.settle(self.at());
                }
            }
            tenant.settle(self.at());
            let state = tenant.state(self.at());
            match &whole {
                Some((_, known)) => assert_eq!(state.lines, known.lines, "seed {seed}"),
                None => whole = Some((tenant, state)),
            }
        }
        whole.expect("at least one order").0
    }

    fn is_settled_for_good(&self, mut tenant: Tenant) {
        let state = tenant.state(self.at());
        for expected in self.ends.iter().chain(&self.always) {
            expected.check(&tenant, &state);
        }
        let events = tenant.event_count();
        tenant.settle_again(self.at());
        assert_eq!(tenant.event_count(), events, "settling again changed something");
        for snapshot in &self.told {
            tenant.deliver(&twin(snapshot), self.at());
        }
        assert_eq!(
            tenant.state(self.at()).lines,
            state.lines,
            "twins changed something"
        );
    }
}

impl Expected {
    fn check(&self, tenant: &Tenant, state: &Finished) {
        let lines = || format!("{:#?}", state.lines);
        match self {
            Self::Is(object, field, value) => {
                let winner = tenant
                    .winner(object)
                    .unwrap_or_else(|| panic!("{object} is not there"));
                assert_eq!(&winner[field], value, "{object} {field}");
            }
            Self::Books(expected) => {
                let expected: Vec<_> = expected
                    .iter()
                    .map(|(code, commodity, amount)| ((*code).to_owned(), (*commodity).to_owned(), *amount))
                    .collect();
                assert_eq!(money(&state.totals), expected, "{}", lines());
            }
            Self::Credits(expected) => {
                let credits = &state.totals.credits;
                let whole = |micros: i64| micros / 1_000_000;
                let found = Credits {
                    granted: whole(credits.granted),
                    available: whole(credits.available),
                    frozen: whole(credits.frozen),
                    clawed_back: whole(credits.clawed_back),
                    expired: whole(credits.expired),
                };
                assert_eq!(&found, expected, "{}", lines());
            }
            Self::Parked(expected) => {
                let parked: Vec<_> = tenant
                    .parked()
                    .iter()
                    .map(|(id, it)| (id.as_str(), it.reason))
                    .collect();
                assert_eq!(&parked, expected);
            }
            Self::Stand(prefix, expected) => {
                let groups = tenant
                    .account("cus_1")
                    .into_iter()
                    .flat_map(|it| it.groups().values());
                let keys = groups.flat_map(|group| group.facts.keys());
                let keys: Vec<_> = keys
                    .map(NaturalKey::as_str)
                    .filter(|key| key.starts_with(prefix))
                    .collect();
                assert_eq!(&keys, expected);
            }
            Self::Line(line) => {
                let is_there = state.lines.iter().any(|it| it.starts_with(line));
                assert!(is_there, "no {line} in {}", lines());
            }
            Self::NoLine(line) => {
                let is_there = state.lines.iter().any(|it| it.starts_with(line));
                assert!(!is_there, "{line} in {}", lines());
            }
        }
    }
}

/// The trial balance in money: account code, commodity, balance.
fn money(totals: &Totals) -> Vec<(String, String, i64)> {
    let mut balances = Vec::new();
    for (account, by_commodity) in &totals.balances {
        let code = account.split(' ').next().unwrap_or_default();
        for (commodity, amount) in by_commodity
            .iter()
            .filter(|(commodity, _)| *commodity != "CREDIT")
        {
            let amount = i64::try_from(*amount).expect("a few cents");
            balances.push((code.to_owned(), commodity.clone(), amount));
        }
    }
    balances
}
