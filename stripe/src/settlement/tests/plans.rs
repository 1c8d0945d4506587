use std::collections::BTreeSet;

use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_domain::account::Fact;
use tallybook_domain::aggregate::Aggregate;
use tallybook_domain::catalog::{Catalog, CatalogCommand, Plan, TrialRule};
use tallybook_domain::credits::{CreditsGranted, GrantSource};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::quantity::Units;
use tallybook_domain::subscriptions::InvoicesEvent;

use super::event;
use crate::settlement::{Component, Derived, Prices, Waiting, derive};
use crate::snapshot::Snapshot;

fn credits(count: i64) -> Units {
    Units::from_credits(count).expect("fits")
}

fn prices(grants_on_zero_amount: bool) -> Prices {
    let plan = Plan {
        prices: BTreeSet::from(["price_1".to_owned()]),
        credits: credits(100),
        grants_on_zero_amount,
        credits_value: Some(Money::new(500, Currency::USD)),
        trial: Some(TrialRule {
            days: 14,
            credits: credits(10),
            ..TrialRule::default()
        }),
        ..Plan::new("pro", "Pro")
    };
    let mut catalog = Catalog::default();
    let publish = CatalogCommand::PublishPlan {
        plan: Box::new(plan),
        effective_from: Some(Timestamp::UNIX_EPOCH),
    };
    let events = catalog
        .decide(&publish, Timestamp::UNIX_EPOCH)
        .expect("published");
    for event in &events {
        catalog.evolve(event);
    }
    Prices::new(catalog, chrono_tz::UTC)
}

fn line(amount: i64, discount: i64, price: &str, proration: bool) -> Value {
    json!({"id": "il_1", "amount": amount, "quantity": 2, "period": {"start": 1000, "end": 2000},
        "discount_amounts": [{"amount": discount}], "pricing": {"price_details": {"price": price}},
        "parent": {"type": "subscription_item_details", "subscription_item_details":
            {"subscription": "sub_1", "subscription_item": "si_1", "proration": proration}}})
}

fn invoice(status: &str, line: Value) -> Snapshot {
    let total = line["amount"].as_i64().unwrap() - line["discount_amounts"][0]["amount"].as_i64().unwrap();
    event(
        1,
        "invoice.paid",
        1001,
        json!({"object": "invoice", "id": "in_1", "created": 1000, "customer": "cus_1",
        "currency": "usd", "status": status, "amount_due": total, "amount_paid": total, "amount_remaining": 0,
        "total": total, "subtotal": total, "attempt_count": 1, "lines": {"data": [line]},
        "status_transitions": {"finalized_at": 1001, "paid_at": 1001}}),
    )
}

fn settled(snapshot: Snapshot, prices: &Prices) -> Derived {
    let [derived] = derive(&Component::new([&snapshot]), prices)
        .try_into()
        .expect("one group");
    derived
}

fn only_lot(derived: &Derived) -> &CreditsGranted {
    assert_eq!(derived.waiting, None);
    &derived.facts.lots.first().expect("a lot").granted
}

#[test]
fn a_paid_period_gives_one_lot_that_ends_with_it_and_takes_its_share_of_the_price() {
    let derived = settled(
        invoice("paid", line(4000, 1000, "price_1", false)),
        &prices(false),
    );
    let lot = only_lot(&derived);
    assert_eq!(lot.grant.as_str(), "grant_si_1_1000");
    assert_eq!((lot.units, lot.source), (credits(200), GrantSource::Plan));
    assert_eq!(lot.expires_at.map(|at| at.timestamp()), Some(2000));
    assert_eq!(derived.facts.lots[0].effective_at.timestamp(), 1000);
    assert_eq!(
        lot.cost,
        Some(Money::new(750, Currency::USD)),
        "1000 of 4000, of the 3000 that were paid"
    );
    assert_eq!(lot.invoice_line.as_deref(), Some("il_1"));
}

#[test]
fn an_open_invoice_gives_nothing() {
    let derived = settled(invoice("open", line(4000, 0, "price_1", false)), &prices(true));
    assert!(derived.facts.lots.is_empty());
    assert_eq!(derived.waiting, None);
}

#[test]
fn the_rest_of_a_period_gives_nothing_before_the_period_is_known() {
    let derived = settled(invoice("paid", line(4000, 0, "price_1", true)), &prices(true));
    assert!(derived.facts.lots.is_empty());
    let waiting = derived.waiting.expect("it waits");
    assert_eq!(
        (waiting.code(), waiting.waits_for()),
        ("awaiting_period", Some("sub_1"))
    );
}

/// The invoice of a change at 1600, in the period from 1000 to 2000.
fn changed(lines: [Value; 2]) -> Derived {
    let first = invoice("paid", line(4000, 0, "price_1", false));
    let mut rests = lines;
    for (number, rest) in rests.iter_mut().enumerate() {
        rest["id"] = json!(format!("il_rest_{number}"));
        rest["period"]["start"] = json!(1600);
    }
    let second = event(
        2,
        "invoice.paid",
        1600,
        json!({"object": "invoice", "id": "in_2", "created": 1600,
        "customer": "cus_1", "currency": "usd", "status": "paid", "amount_due": 0, "amount_paid": 0,
        "amount_remaining": 0, "total": 0, "subtotal": 0, "attempt_count": 0, "lines": {"data": rests},
        "status_transitions": {"finalized_at": 1600, "paid_at": 1600}}),
    );
    let all = derive(&Component::new([&first, &second]), &prices(false));
    let of_change = all.into_iter().find(|it| it.facts.group.as_str() == "inv:in_2");
    of_change.expect("a group of the change")
}

/// What the lines of an invoice take, by line.
fn taken(derived: &Derived) -> Vec<(String, Units)> {
    let facts = derived.facts.facts.iter();
    let lines = facts.filter_map(|dated| match &dated.fact {
        Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some(&issued.lines),
        _ => None,
    });
    let revokes = lines.flatten().filter_map(|line| line.revokes.as_ref());
    revokes.map(|it| (it.grant.to_string(), it.units)).collect()
}

#[test]
fn a_change_of_quantity_takes_for_the_old_and_gives_for_the_new() {
    let mut one = line(1600, 0, "price_1", true);
    one["quantity"] = json!(1);
    let derived = changed([line(-3200, 0, "price_1", true), one]);
    assert_eq!(taken(&derived), [("grant_si_1_1000".to_owned(), credits(80))]);
    let lot = only_lot(&derived);
    assert_eq!(
        (lot.grant.as_str(), lot.units),
        ("grant_in_2_il_rest_1", credits(40))
    );
    assert_eq!(lot.expires_at.map(|at| at.timestamp()), Some(2000));
}

#[test]
fn a_discount_on_the_rest_lowers_what_its_credits_cost_and_all_of_it_what_it_gives() {
    let half = changed([line(-3200, 0, "price_1", true), line(1600, 800, "price_1", true)]);
    assert_eq!(
        only_lot(&half).cost,
        Some(Money::new(200, Currency::USD)),
        "400 of 1600, of the 800 that were paid"
    );
    let free = changed([line(-3200, 0, "price_1", true), line(1600, 1600, "price_1", true)]);
    assert!(free.facts.lots.is_empty());
}

#[test]
fn time_of_another_price_takes_nothing() {
    assert!(
        taken(&changed([
            line(-3200, 0, "price_9", true),
            line(1600, 0, "price_1", true)
        ]))
        .is_empty()
    );
}

#[test]
fn a_line_without_a_price_is_the_trials() {
    let derived = settled(invoice("paid", line(0, 0, "price_1", false)), &prices(true));
    let lot = only_lot(&derived);
    assert_eq!(
        (lot.units, lot.source, lot.cost),
        (credits(10), GrantSource::Trial, None)
    );
}

#[test]
fn a_period_that_a_discount_made_free_counts_only_where_the_plan_says_so() {
    let free = || invoice("paid", line(4000, 4000, "price_1", false));
    assert!(settled(free(), &prices(false)).facts.lots.is_empty());
    let derived = settled(free(), &prices(true));
    assert_eq!(
        (only_lot(&derived).units, only_lot(&derived).cost),
        (credits(200), None)
    );
}

#[test]
fn an_unmapped_price_books_the_money_and_waits_unless_there_is_no_catalog() {
    let unmapped = || invoice("paid", line(4000, 0, "price_9", false));
    let derived = settled(unmapped(), &prices(false));
    assert_eq!(
        derived.waiting,
        Some(Waiting::UnmappedPrice {
            price: "price_9".to_owned()
        })
    );
    assert_eq!(derived.facts.facts.len(), 2, "issued and paid");
    assert_eq!(settled(unmapped(), &Prices::none()).waiting, None);
}

#[test]
fn amounts_beyond_all_money_are_refused_without_a_panic() {
    for amount in [i64::MAX, i64::MIN, 2_000_000_000_000_000] {
        let derived = settled(invoice("paid", line(amount, 0, "price_1", false)), &prices(false));
        assert!(
            matches!(derived.waiting, Some(Waiting::Unbookable(_))),
            "{amount}"
        );
        assert!(derived.facts.facts.is_empty());
    }
}
