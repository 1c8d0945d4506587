//! The simulated world of `tests/data`: all of it in any order gives the same books, and the books are right.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tallybook_domain::identity::AccountId;
use tallybook_domain::quantity::Units;

use super::Books;
use crate::event::{Delivery, parse};
use crate::object::{Object, ObjectKind};
use crate::settlement::{Component, Mode, Owner, owner, references};
use crate::snapshot::Snapshot;

const WORLD: &str = include_str!("../../../../tests/data/world-7.ndjson");

fn world() -> Vec<Snapshot> {
    let read = |line: &str| match parse(line.as_bytes()) {
        Ok(Delivery::Event(event)) => event.snapshot,
        other => panic!("{other:?}"),
    };
    WORLD.lines().map(read).collect()
}

/// Settle every component that `arrived` is part of, as the inbox would.
fn settle_touched(stored: &[Snapshot], arrived: &Snapshot, books: &mut BTreeMap<String, Books>) {
    let Some(object) = &arrived.object else { return };
    let component = match object {
        Object::Customer(_) => stored
            .iter()
            .filter(|it| {
                it.object
                    .as_ref()
                    .is_some_and(|it| it.kind() != ObjectKind::Customer)
            })
            .filter(|it| it.object.as_ref().and_then(Object::customer) == Some(object.id()))
            .cloned()
            .collect(),
        _ => closure(stored, object),
    };
    let roots: Vec<Vec<Snapshot>> = match object {
        Object::Customer(_) => component_roots(stored, &component),
        _ => vec![component],
    };
    for snapshots in roots {
        let component = Component::new(snapshots.clone());
        let of_customer: Vec<_> = stored
            .iter()
            .filter(|it| {
                it.kind() == Some(ObjectKind::Customer) && it.object_id.as_deref() == component.customer()
            })
            .cloned()
            .collect();
        if let Owner::Account(account) = owner(&component, &of_customer, Mode::Create) {
            books
                .entry(account.0.clone())
                .or_default()
                .settle(&account, &snapshots);
        }
    }
}

fn component_roots(stored: &[Snapshot], members: &[Snapshot]) -> Vec<Vec<Snapshot>> {
    let objects: BTreeMap<&str, &Object> = members
        .iter()
        .filter_map(|it| it.object.as_ref())
        .map(|it| (it.id(), it))
        .collect();
    objects.values().map(|object| closure(stored, object)).collect()
}

fn closure(stored: &[Snapshot], from: &Object) -> Vec<Snapshot> {
    let mut ids: Vec<String> = references(from).into_iter().map(str::to_owned).collect();
    loop {
        let before = ids.len();
        for object in stored.iter().filter_map(|it| it.object.as_ref()) {
            let named = references(object);
            if named.iter().any(|id| ids.iter().any(|known| known == id)) {
                ids.extend(named.into_iter().map(str::to_owned));
                ids.sort();
                ids.dedup();
            }
        }
        if ids.len() == before {
            break;
        }
    }
    let is_member = |it: &&Snapshot| {
        it.object
            .as_ref()
            .is_some_and(|it| ids.iter().any(|id| id == it.id()))
    };
    stored.iter().filter(is_member).cloned().collect()
}

fn run(order: &[Snapshot]) -> BTreeMap<String, Books> {
    let mut books = BTreeMap::new();
    let mut stored = Vec::new();
    for snapshot in order {
        stored.push(snapshot.clone());
        settle_touched(&stored, snapshot, &mut books);
    }
    books
}

fn total(books: &BTreeMap<String, Books>, code: &str) -> i64 {
    books
        .iter()
        .map(|(id, books)| books.balance(&AccountId::from(id.as_str()), code))
        .sum()
}

#[test]
fn the_world_settles_to_the_oracles_money_and_credits() {
    let books = run(&world());
    let credits = |count: i64| Units::from_credits(count).map(Units::micros).expect("fits");
    assert_eq!(-total(&books, "U900.paid"), credits(13_350), "granted");
    assert_eq!(total(&books, "U930"), credits(4_800), "clawed back");
    assert_eq!(total(&books, "U100"), credits(8_550), "available");
    assert_eq!(total(&books, "U110"), 0, "frozen");
    assert_eq!(total(&books, "U940"), 0, "debt");
    assert_eq!(total(&books, "1110"), 274_968, "at Stripe");
    for (id, books) in &books {
        assert_eq!(
            books.balance(&AccountId::from(id.as_str()), "2135"),
            0,
            "unapplied cash of {id}"
        );
    }
}

#[test]
fn any_order_of_arrival_gives_the_same_books() {
    let world = world();
    let nets = |books: &BTreeMap<String, Books>| -> Vec<_> {
        books
            .iter()
            .map(|(id, books)| (id.clone(), books.nets(&AccountId::from(id.as_str()))))
            .collect()
    };
    let plans = |books: &BTreeMap<String, Books>| -> Vec<_> {
        books
            .iter()
            .map(|(id, books)| {
                (
                    id.clone(),
                    books.account.subscriptions().clone(),
                    books.account.trials().clone(),
                )
            })
            .collect()
    };
    let in_order = run(&world);
    for seed in 0..3 {
        let mut shuffled = world.clone();
        shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let books = run(&shuffled);
        assert_eq!(nets(&books), nets(&in_order), "seed {seed}");
        assert_eq!(plans(&books), plans(&in_order), "seed {seed}");
    }
}
