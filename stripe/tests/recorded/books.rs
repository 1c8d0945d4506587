//! The simulated world settled in memory: its books, and the same world as other versions would have told it.

use std::sync::Arc;

use tallybook_domain::Timestamp;
use tallybook_domain::quantity::Units;
use tallybook_stripe::event;
use tallybook_stripe::json::parse_strict;
use tallybook_stripe::replay::Recorded;
use tallybook_stripe::replay::state::Finished;
use tallybook_stripe::settlement::{Mode, Prices};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::{Tenant, Version};

use crate::{data, recorded, snapshot};

fn world() -> Vec<Recorded> {
    recorded(&data("world-7.ndjson"))
}

fn settled(snapshots: impl IntoIterator<Item = Snapshot>) -> Finished {
    let mut tenant = Tenant::new(Prices::none(), Mode::Create);
    let mut newest = 0;
    for snapshot in snapshots {
        newest = newest.max(snapshot.created);
        tenant.take(&Arc::new(snapshot));
    }
    let end = Timestamp::from_timestamp(newest, 0).expect("in the calendar");
    tenant.settle(end);
    assert!(tenant.parked().is_empty(), "{:?}", tenant.parked());
    tenant.state(end)
}

#[test]
fn the_world_settles_to_the_oracles_money_and_credits() {
    let state = settled(world().into_iter().map(|it| snapshot(it.delivery)));
    let micros = |count: i64| {
        Units::from_credits(count)
            .map(Units::micros)
            .expect("a few credits")
    };
    let credits = state.totals.credits;
    assert_eq!(
        (credits.granted, credits.clawed_back),
        (micros(13_350), micros(4_800))
    );
    assert_eq!(
        (credits.available, credits.frozen, credits.debt),
        (micros(8_550), 0, 0)
    );
    assert_eq!(
        state.totals.balances["1110 assets:stripe-balance"]["USD"],
        274_968
    );
    assert!(state.totals.unapplied.is_empty(), "{:?}", state.totals.unapplied);
}

fn rendered(recorded: &Recorded, version: Version) -> Snapshot {
    let text = std::str::from_utf8(&recorded.body).expect("a recorded body is text");
    let body = parse_strict(text).expect("a recorded body is JSON");
    snapshot(event::from_value(version.render(&body)).expect("it reads in every version"))
}

#[test]
fn told_before_basil_or_half_and_half_it_ends_in_the_same_hash() {
    let world = world();
    let new = settled(world.iter().map(|it| snapshot(it.delivery.clone())));
    let old = settled(world.iter().map(|it| rendered(it, Version::Acacia)));
    assert_eq!(old.lines, new.lines);
    for turn in 0..2 {
        let half = world.iter().enumerate().map(|(index, it)| {
            let version = if index % 2 == turn {
                Version::Acacia
            } else {
                Version::Dahlia
            };
            rendered(it, version)
        });
        assert_eq!(settled(half).hash, new.hash);
    }
    let both = world
        .iter()
        .flat_map(|it| [Version::Acacia, Version::Dahlia].map(|version| rendered(it, version)));
    assert_eq!(settled(both).hash, new.hash);
}

/// The old rendering is another text: what is compared above is not the same thing twice.
#[test]
fn the_old_rendering_has_the_old_shape() {
    let bodies = world();
    let invoices: Vec<_> = bodies
        .iter()
        .map(|it| parse_strict(std::str::from_utf8(&it.body).expect("text")).expect("JSON"))
        .filter(|body| body["type"] == "invoice.paid" || body["type"] == "customer.subscription.updated")
        .map(|body| Version::Acacia.render(&body)["data"]["object"].clone())
        .collect();
    assert!(invoices.len() > 50);
    for object in invoices {
        assert!(object["parent"].is_null() && object["lines"]["data"][0]["pricing"].is_null());
        let names_its_period = object["current_period_end"].is_i64();
        let names_its_subscription = object["subscription"].is_string();
        assert!(
            names_its_period || names_its_subscription || object["billing_reason"] == "manual",
            "{object}"
        );
    }
}
