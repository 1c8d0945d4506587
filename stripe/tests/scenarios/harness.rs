//! A scenario is a set of deliveries and what must stand when all have come, in whatever order.

use std::sync::Arc;

use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_domain::identity::NaturalKey;
use tallybook_stripe::replay::state::{Finished, Totals};
use tallybook_stripe::settlement::{Mode, Prices};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::{Tenant, prices};

use super::objects::{customer, event};

/// Deliveries, and what must stand.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(super) known: Vec<Arc<Snapshot>>,
    pub(super) told: Vec<Arc<Snapshot>>,
    pub(super) has_plans: bool,
    pub(super) mode: Mode,
    pub(super) ends: Vec<Expected>,
    pub(super) always: Vec<Expected>,
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
        has_plans: false,
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
        self.has_plans = true;
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

    /// When it is judged and looked at: after the last delivery.
    pub(super) fn at(&self) -> Timestamp {
        let newest = self.known.iter().chain(&self.told).map(|it| it.created).max();
        Timestamp::from_timestamp(newest.unwrap_or_default() + 1, 0).expect("in the calendar")
    }

    /// A tenant that knows what is known beforehand.
    pub(super) fn start(&self) -> Tenant {
        let mut tenant = Tenant::new(if self.has_plans { prices() } else { Prices::none() }, self.mode);
        for snapshot in &self.known {
            tenant.deliver(snapshot, self.at());
        }
        tenant
    }
}

impl Expected {
    pub(super) fn check(&self, tenant: &Tenant, state: &Finished) {
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
