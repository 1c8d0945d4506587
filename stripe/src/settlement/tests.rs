//! Settlement of hand-built sets.
#![expect(
    clippy::needless_pass_by_value,
    reason = "objects are built where they are passed"
)]

mod given_back;
mod invoices;
mod named_purchases;
mod owners;
mod payments;
mod plans;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tallybook_domain::account::{Account, AccountCommand, AccountRefusal, DatedFact, Settlement};
use tallybook_domain::aggregate::Aggregate;
use tallybook_domain::identity::AccountId;
use tallybook_domain::postings;

use super::{Component, Derived, Prices, derive};
use crate::event::{Delivery, from_value};
use crate::snapshot::Snapshot;

/// An event `evt_<n>` of second `created`.
fn event(n: u32, kind: &str, created: i64, object: Value) -> Snapshot {
    let body = json!({
        "id": format!("evt_{n}"), "object": "event", "type": kind, "created": created, "livemode": false,
        "api_version": "2026-08-26.dahlia", "data": {"object": object}, "request": {"id": format!("req_{n}")},
    });
    match from_value(body) {
        Ok(Delivery::Event(event)) => {
            assert_eq!(event.snapshot.unreadable, None, "evt_{n}");
            event.snapshot
        }
        other => panic!("evt_{n}: {other:?}"),
    }
}

fn settled(snapshots: &[Snapshot]) -> Vec<Derived> {
    derive(&Component::new(snapshots), &Prices::none())
}

/// The facts of the only group, by natural key, as (event name, date, JSON).
fn facts(snapshots: &[Snapshot]) -> BTreeMap<String, (i64, Value)> {
    let [derived] = settled(snapshots).try_into().expect("one group");
    by_key(&derived.facts.facts)
}

fn by_key(facts: &[DatedFact]) -> BTreeMap<String, (i64, Value)> {
    facts
        .iter()
        .map(|dated| {
            let json = serde_json::to_value(&dated.fact).expect("a fact is JSON");
            (dated.fact.natural_key().0, (dated.effective_at.timestamp(), json))
        })
        .collect()
}

/// An account on which settlements are executed, and its books.
#[derive(Default)]
struct Books {
    account: Account,
    events: Vec<<Account as Aggregate>::Event>,
}

impl Books {
    fn settle(&mut self, id: &AccountId, snapshots: &[Snapshot]) {
        let _ = self.run(AccountCommand::Settle(Settlement {
            account: id.clone(),
            customer: None,
            time_zone: chrono_tz::Tz::UTC,
            groups: settled(snapshots).into_iter().map(|it| it.facts).collect(),
        }));
    }

    fn run(&mut self, command: AccountCommand) -> Result<(), AccountRefusal> {
        let at = chrono::DateTime::from_timestamp(2_000_000_000, 0).expect("in the calendar");
        let events = self.account.decide(&command, at)?;
        for event in &events {
            self.account.evolve(event);
        }
        self.events.extend(events);
        Ok(())
    }

    /// Nets by (natural key, account, sub-ledger key, commodity, date), zeros dropped.
    fn nets(&self, id: &AccountId) -> BTreeMap<(String, String, String, String, i64), i64> {
        let mut nets = BTreeMap::new();
        for entry in self.events.iter().filter_map(|event| postings::entry(id, event)) {
            for line in &entry.lines {
                let key = (
                    entry.key.0.clone(),
                    line.account.code().to_owned(),
                    line.key.clone(),
                    line.commodity.clone(),
                    entry.effective_at.timestamp(),
                );
                *nets.entry(key).or_insert(0) += line.amount;
            }
        }
        nets.retain(|_, amount| *amount != 0);
        nets
    }

    fn balance(&self, id: &AccountId, code: &str) -> i64 {
        self.nets(id)
            .iter()
            .filter(|((_, account, ..), _)| account == code)
            .map(|(_, amount)| amount)
            .sum()
    }
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let longer = |order: Vec<usize>| {
        (0..count).map(move |place| {
            let mut order = order.clone();
            order.insert(place, count - 1);
            order
        })
    };
    orders(count - 1).into_iter().flat_map(longer).collect()
}

/// Deliver what is told of one payment one by one, in every order, each time settling what is known by then. The books, which
/// end the same.
fn in_every_order(id: &AccountId, begun: impl Fn() -> Books, told: &[Snapshot]) -> Books {
    let mut first: Option<Books> = None;
    for order in orders(told.len()) {
        let mut books = begun();
        let mut known = Vec::new();
        for n in &order {
            known.push(told[*n].clone());
            books.settle(id, &known);
        }
        match &first {
            None => first = Some(books),
            Some(first) => {
                assert_eq!(books.nets(id), first.nets(id), "{order:?}");
                assert_eq!(books.account.credits(), first.account.credits(), "{order:?}");
            }
        }
    }
    first.expect("an order")
}
