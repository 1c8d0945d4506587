//! What Stripe says while callers use what was bought.

use std::sync::Arc;

use serde_json::json;
use tallybook_domain::Refusal as _;
use tallybook_domain::Timestamp;
use tallybook_domain::account::{AccountCommand, AccountRefusal, DebitCredits, SetPolicy};
use tallybook_domain::catalog::Pack;
use tallybook_domain::credits::{OverdraftMode, OverdraftTerms, Repayment};
use tallybook_domain::identity::{AccountId, DebitId, UnitCode};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::purchases::{PurchaseCommand, RefundPurchase, StartPurchase};
use tallybook_domain::quantity::Units;
use tallybook_stripe::settlement::{Mode, Prices};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::Tenant;

use crate::objects::{customer, event, paid_intent, refund};

fn at() -> Timestamp {
    Timestamp::from_timestamp(1_000, 0).expect("in the calendar")
}

fn known() -> Tenant {
    let mut tenant = Tenant::new(Prices::none(), Mode::Create);
    tenant.deliver(&event("customer.created", 1, customer(json!({}))), at());
    tenant
}

fn paid() -> Arc<Snapshot> {
    event("payment_intent.succeeded", 12, paid_intent())
}

fn whole_refund() -> Arc<Snapshot> {
    event("refund.created", 30, refund("re_1", 30, 1000, json!({})))
}

fn spend(tenant: &mut Tenant, debit: &str, credits: i64) -> Result<(), AccountRefusal> {
    let command = AccountCommand::Debit(DebitCredits {
        debit: DebitId(debit.to_owned()),
        unit: UnitCode::default(),
        units: Units::from_credits(credits).expect("a few credits"),
        feature: None,
        quantity: None,
        reference: None,
    });
    tenant.execute(&AccountId::from("cus_1"), &command, at())
}

/// Whole credits that may be spent; negative what is owed.
fn spendable(tenant: &Tenant) -> i64 {
    let account = tenant.account("cus_1").expect("it was opened");
    let balance = account.credits().balance(&UnitCode::default(), at());
    balance.spendable().micros() / 1_000_000
}

#[test]
fn s01_one_event_fifty_times_is_one_effect() {
    let mut tenant = known();
    assert!(tenant.deliver(&paid(), at()));
    let (events, hash) = (tenant.event_count(), tenant.state(at()).hash);
    for _ in 1..50 {
        assert!(!tenant.deliver(&paid(), at()));
    }
    assert_eq!((tenant.event_count(), tenant.state(at()).hash), (events, hash));
}

#[test]
fn s22_a_refund_of_stripes_is_told_by_stripe_alone() {
    let refund_by_hand = AccountCommand::Purchase(PurchaseCommand::Refund(RefundPurchase {
        purchase: "pi_1".into(),
        refund: "re_1".to_owned(),
        amount: Money::new(1000, Currency::USD),
        reason: None,
        reference: None,
    }));
    let account = AccountId::from("cus_1");
    for by_hand_first in [true, false] {
        let mut tenant = known();
        tenant.deliver(&paid(), at());
        let mut expected = tenant.clone();
        expected.deliver(&whole_refund(), at());
        if !by_hand_first {
            tenant.deliver(&whole_refund(), at());
        }
        let refusal = tenant
            .execute(&account, &refund_by_hand, at())
            .expect_err("Stripe drives it");
        assert_eq!(refusal.code(), "managed_by_stripe");
        tenant.deliver(&whole_refund(), at());
        assert_eq!(tenant.state(at()).lines, expected.state(at()).lines, "one refund");
    }
}

#[test]
fn s37_what_was_spent_before_a_late_clawback_is_owed_and_nothing_more_can_be_spent() {
    let mut tenant = known();
    tenant.deliver(&paid(), at());
    spend(&mut tenant, "d_1", 80).expect("there are 100");
    tenant.deliver(&whole_refund(), at());
    assert_eq!(
        spendable(&tenant),
        -80,
        "recorded as it is, not clamped to nothing"
    );
    let refusal = spend(&mut tenant, "d_2", 1).expect_err("less than nothing is left");
    assert_eq!(refusal.code(), "insufficient_credits");
    let settled = tenant.event_count();
    tenant.settle_again(at());
    assert_eq!(tenant.event_count(), settled);
}

#[test]
fn s38_grant_spend_and_clawback_come_to_the_same_in_every_order() {
    let steps: [fn(&mut Tenant); 3] = [
        |tenant| assert!(tenant.deliver(&paid(), at())),
        |tenant| spend(tenant, "d_1", 80).expect("it may be overdrawn"),
        |tenant| assert!(tenant.deliver(&whole_refund(), at())),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut tenant = known();
        let policy = AccountCommand::SetPolicy(SetPolicy {
            unit: UnitCode::default(),
            overdraft: OverdraftTerms {
                mode: OverdraftMode::Allow,
                limit: None,
                repay: Repayment::First,
            },
            top_up: None,
        });
        tenant
            .execute(&AccountId::from("cus_1"), &policy, at())
            .expect("a lawful policy");
        for step in order {
            steps[step](&mut tenant);
        }
        assert_eq!(spendable(&tenant), -80, "{order:?}");
        let totals = tenant.state(at()).totals;
        assert_eq!(totals.credits.granted, 100_000_000, "{order:?}");
        assert!(
            !totals.balances.contains_key("1110 assets:stripe-balance"),
            "{order:?}"
        );
    }
}

/// 10.00 that name a purchase begun here, paid in this second.
fn naming(id: &str, second: i64) -> Arc<Snapshot> {
    let named = json!({"id": id, "created": second, "amount": 1000, "amount_received": 1000, "status": "succeeded",
        "metadata": {"purchase_id": "pur_1"}});
    event("payment_intent.succeeded", second, crate::objects::intent(named))
}

fn begin_purchase(tenant: &mut Tenant) {
    let pack: Pack = serde_json::from_value(json!({"id": "hundred", "name": "A hundred",
        "price": {"minor": 1000, "currency": "usd"}, "credits": 100_000_000}))
    .expect("a pack");
    let start = AccountCommand::Purchase(PurchaseCommand::Start(StartPurchase {
        purchase: "pur_1".into(),
        pack: "hundred".to_owned(),
        terms: Some(Box::new(pack)),
        quantity: 1,
        tax: None,
        reference: None,
    }));
    tenant
        .execute(&AccountId::from("cus_1"), &start, at())
        .expect("the account is open");
}

/// Which objects are parked, and why.
fn parked(tenant: &Tenant) -> Vec<(&str, &str)> {
    let parked = tenant.parked().iter();
    parked.map(|(id, it)| (id.as_str(), it.reason)).collect()
}

#[test]
fn of_two_payments_that_name_a_purchase_the_earlier_pays_and_the_other_waits() {
    for order in [[0, 1], [1, 0]] {
        let payments = [naming("pi_1", 12), naming("pi_2", 13)];
        let mut tenant = known();
        begin_purchase(&mut tenant);
        for number in order {
            tenant.deliver(&payments[number], at());
        }
        assert_eq!(parked(&tenant), [("pi_2", "purchase_paid")], "{order:?}");
        assert_eq!(spendable(&tenant), 100);
    }
}

#[test]
fn a_payment_that_comes_before_the_purchase_it_names_waits_for_it_and_no_longer() {
    let mut tenant = known();
    tenant.deliver(&naming("pi_1", 12), at());
    assert_eq!(parked(&tenant), [("pi_1", "unknown_purchase")]);
    begin_purchase(&mut tenant);
    assert_eq!(parked(&tenant), []);
    assert_eq!(spendable(&tenant), 100);
}
