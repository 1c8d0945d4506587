//! What is settled is what Stripe says it is, and the books come to what happened.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;
use tallybook_stripe::object::Object;
use tallybook_stripe::replay::state::{Finished, Totals};
use tallybook_stripe::strategies::{Stripe, Sums, Told, Version, life, lives};

use crate::{World, cases, disturbed, end, settled};

/// An account of the books by lower-case currency, zeros left out.
fn balance(totals: &Totals, code: &str) -> BTreeMap<String, i64> {
    let accounts = totals
        .balances
        .iter()
        .filter(|(account, _)| account.starts_with(&format!("{code} ")));
    accounts
        .flat_map(|(_, balance)| balance)
        .map(|(commodity, amount)| {
            (
                commodity.to_lowercase(),
                i64::try_from(*amount).expect("a few cents"),
            )
        })
        .collect()
}

fn without_zeros(sums: &BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let mut sums = sums.clone();
    sums.retain(|_, amount| *amount != 0);
    sums
}

/// Tax that payments owe, by lower-case currency: that of invoices aside.
fn tax_of_payments(state: &Finished) -> BTreeMap<String, i64> {
    let mut owed = BTreeMap::new();
    for line in &state.lines {
        if let ["ledger", key, "2210", commodity, _, net] = line.split(' ').collect::<Vec<_>>()[..]
            && !key.starts_with("inv")
            && !key.starts_with("cn:")
        {
            let net: i64 = net.parse().expect("a number of minor units");
            *owed.entry(commodity.to_lowercase()).or_default() -= net;
        }
    }
    without_zeros(&owed)
}

fn add(sums: &mut BTreeMap<String, i64>, more: BTreeMap<String, i64>) {
    for (currency, amount) in more {
        *sums.entry(currency).or_default() += amount;
    }
}

fn total(sums: impl Iterator<Item = Sums>) -> Sums {
    let mut all = Sums::default();
    for one in sums {
        add(&mut all.at_stripe, one.at_stripe);
        add(&mut all.at_bank, one.at_bank);
        add(&mut all.fees, one.fees);
        add(&mut all.reserved, one.reserved);
        add(&mut all.customer_balance, one.customer_balance);
        add(&mut all.receivable, one.receivable);
        add(&mut all.tax, one.tax);
        all.granted += one.granted;
        all.clawed_back += one.clawed_back;
    }
    all
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_object_ends_as_stripe_has_it_and_the_books_show_what_happened(
        life in life(1..25),
        seed in any::<u64>(),
    ) {
        let world = World::lived(&[life]);
        let events = world.delivered(|_| Version::Dahlia);
        for tenant in [settled(&events, end(&events)), disturbed(&events, end(&events), seed)] {
            for object in world.customers[0].objects() {
                let object = Object::read(&object).expect("it reads").expect("of a kind that is settled");
                let is_told = events.iter().any(|it| it.object_id.as_deref() == Some(object.id()));
                let expected = is_told.then(|| Value::Object(object.normalised()));
                prop_assert_eq!(tenant.winner(object.id()), expected.as_ref(), "{}", object.id());
            }
            prop_assert!(tenant.parked().is_empty(), "{:?}", tenant.parked());
            let state = tenant.state(end(&events));
            let totals = &state.totals;
            let sums = total(world.customers.iter().map(Stripe::sums));
            for (code, expected) in [
                ("1010", &sums.at_bank),
                ("1110", &sums.at_stripe),
                ("1140", &sums.reserved),
                ("1210", &sums.receivable),
                ("2130", &sums.customer_balance),
                ("5010", &sums.fees),
            ] {
                prop_assert_eq!(balance(totals, code), without_zeros(expected), "{}", code);
            }
            prop_assert_eq!(tax_of_payments(&state), without_zeros(&sums.tax), "tax");
            prop_assert_eq!(totals.credits.granted, sums.granted, "granted");
            prop_assert_eq!(totals.credits.clawed_back, sums.clawed_back, "clawed back");
            for code in ["1120", "1190", "2135", "2140"] {
                prop_assert_eq!(balance(totals, code), BTreeMap::new(), "{} is clear", code);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(6))]

    #[test]
    fn customers_do_not_meet(lives in lives(5, 1..15)) {
        let world = World::lived(&lives);
        let events = world.delivered(|_| Version::Dahlia);
        let tenant = settled(&events, end(&events));
        let accounts: Vec<&str> = tenant.streams().map(|(id, _)| id.as_str()).collect();
        for customer in &world.customers {
            prop_assert!(accounts.contains(&customer.account().as_str()), "{} of {accounts:?}", customer.account());
        }
        let sums = total(world.customers.iter().map(Stripe::sums));
        prop_assert_eq!(balance(&tenant.state(end(&events)).totals, "1110"), without_zeros(&sums.at_stripe));
    }
}

/// A generator that never disputes proves nothing about disputes.
#[test]
fn lives_tell_of_everything() {
    let mut runner = TestRunner::deterministic();
    let (mut types, mut statuses, mut ties) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut read = BTreeSet::new();
    for _ in 0..400 {
        let life = life(20..40).new_tree(&mut runner).expect("a life").current();
        let world = World::lived(&[life]);
        let told = world.told();
        let is_tie =
            |two: &[&Told]| two[0].created() == two[1].created() && two[0].object_id() == two[1].object_id();
        ties += told.windows(2).filter(|two| is_tie(two)).count();
        let text = |value: Option<&Value>| Some(value?.as_str()?.to_owned());
        for told in &told {
            types.extend(told.rendered(Version::Dahlia).and_then(|it| text(it.get("type"))));
            let kind = text(told.object().get("object")).unwrap_or_default();
            let status = text(told.object().get("status"));
            statuses.extend(status.map(|status| format!("{kind} {status}")));
            if told.is_read() {
                read.insert(kind);
            }
        }
    }
    assert_eq!(types.iter().map(String::as_str).collect::<Vec<_>>(), EVENT_TYPES);
    assert_eq!(statuses.iter().map(String::as_str).collect::<Vec<_>>(), STATUSES);
    assert_eq!(read.iter().map(String::as_str).collect::<Vec<_>>(), READ);
    assert!(ties > 1_000, "{ties} ties in a second");
}

const EVENT_TYPES: &[&str] = &[
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.failed",
    "charge.pending",
    "charge.refund.updated",
    "charge.refunded",
    "charge.succeeded",
    "charge.updated",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "credit_note.created",
    "credit_note.voided",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.subscription.updated",
    "customer.updated",
    "invoice.created",
    "invoice.deleted",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.updated",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.canceled",
    "payment_intent.created",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.succeeded",
    "payout.created",
    "payout.failed",
    "payout.paid",
    "payout.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
];

/// Kinds of object that somebody asks about.
const READ: &[&str] = &[
    "balance_transaction",
    "charge",
    "checkout.session",
    "credit_note",
    "customer",
    "dispute",
    "invoice",
    "payment_intent",
    "payout",
    "subscription",
];

const STATUSES: &[&str] = &[
    "balance_transaction available",
    "balance_transaction pending",
    "charge failed",
    "charge pending",
    "charge succeeded",
    "checkout.session complete",
    "checkout.session expired",
    "credit_note issued",
    "credit_note void",
    "dispute appeal_under_review",
    "dispute lost",
    "dispute needs_response",
    "dispute under_review",
    "dispute warning_closed",
    "dispute warning_needs_response",
    "dispute warning_under_review",
    "dispute won",
    "invoice draft",
    "invoice open",
    "invoice paid",
    "invoice uncollectible",
    "invoice void",
    "invoice_payment paid",
    "payment_intent canceled",
    "payment_intent processing",
    "payment_intent requires_payment_method",
    "payment_intent succeeded",
    "payout failed",
    "payout paid",
    "payout pending",
    "refund canceled",
    "refund failed",
    "refund pending",
    "refund succeeded",
    "subscription active",
    "subscription canceled",
    "subscription incomplete",
    "subscription incomplete_expired",
    "subscription past_due",
    "subscription paused",
    "subscription trialing",
    "subscription unpaid",
];
