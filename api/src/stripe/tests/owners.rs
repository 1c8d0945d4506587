use serde_json::json;
use std::collections::BTreeSet;
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::{CatalogCommand, Pack, Plan, TrialRule};
use tallybook_domain::claim::{Claim, ClaimCommand, ClaimKind};
use tallybook_domain::identity::UnitCode;
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::quantity::Units;
use tallybook_journal::{CommandKey, Envelope};

use super::{Bench, charge, customer, event, payment, refund};
use crate::stripe::repo::endpoints;

fn credits() -> serde_json::Value {
    json!({"credits": "100"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_arrives_later_moves_everything_to_the_account_it_names() {
    let bench = Bench::new().await;
    bench
        .deliver(&[
            customer("evt_1", 10, json!({})),
            payment("evt_2", credits()),
            charge("evt_3"),
        ])
        .await;
    assert_eq!(bench.available("cus_1").await, "100", "named after the customer");

    bench
        .deliver(&[
            customer("evt_4", 20, json!({"account_id": "acct_a"})),
            refund("evt_5", 500),
        ])
        .await;
    assert_eq!(bench.available("acct_a").await, "50");
    assert_eq!(bench.available("cus_1").await, "0");
    let left = bench.account("cus_1").await;
    assert!(
        left.groups().values().all(|group| group.facts.is_empty()),
        "nothing stands where it stood: {left:?}"
    );

    bench
        .deliver(&[customer("evt_6", 15, json!({"account_id": "acct_b"}))])
        .await;
    assert_eq!(
        bench.available("acct_b").await,
        "50",
        "an earlier link counts, however late it arrives"
    );
    assert_eq!(bench.available("acct_a").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_owner_waits_under_its_customer_and_is_drained_by_the_link() {
    let bench = Bench::new().await;
    let secrets = ["whsec_1".to_owned()];
    endpoints::put(
        bench.journal.pool(),
        super::TENANT,
        "main",
        "self",
        "linked",
        &secrets,
        None,
    )
    .await
    .expect("put");
    bench
        .deliver(&[
            refund("evt_5", 250),
            payment("evt_2", credits()),
            customer("evt_1", 10, json!({})),
        ])
        .await;
    assert_eq!(
        bench.fate("evt_2").await,
        (
            "parked".to_owned(),
            Some("no_owner".to_owned()),
            Some("cus_1".to_owned())
        )
    );
    assert_eq!(
        bench.fate("evt_5").await.2.as_deref(),
        Some("re_1"),
        "a refund alone does not say whose it is"
    );
    bench.deliver(&[charge("evt_3")]).await;
    assert_eq!(
        bench.fate("evt_5").await.2.as_deref(),
        Some("cus_1"),
        "its charge does"
    );

    let session = json!({"object": "checkout.session", "id": "cs_9", "mode": "setup", "status": "complete",
        "customer": "cus_1", "client_reference_id": "acct_a"});
    bench
        .deliver(&[event("evt_7", "checkout.session.completed", 200, session)])
        .await;
    assert_eq!(bench.available("acct_a").await, "75");
    assert_eq!(bench.fate("evt_2").await.0, "settled");
    assert_eq!(bench.fate("evt_5").await.0, "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_the_catalog_gets_later_drains_what_waits_for_it() {
    let bench = Bench::new().await;
    bench
        .deliver(&[
            customer("evt_1", 10, json!({})),
            payment("evt_2", json!({"pack": "small"})),
        ])
        .await;
    assert_eq!(bench.fate("evt_2").await.1.as_deref(), Some("unknown_pack"));
    let account = bench.account("cus_1").await;
    assert_eq!(account.groups().len(), 1, "the money is booked meanwhile");

    let pack = Pack {
        id: "small".to_owned(),
        name: "Small".to_owned(),
        prices: BTreeSet::new(),
        price: Money::new(1000, Currency::USD),
        unit: UnitCode::default(),
        credits: Units::from_credits(30).expect("fits"),
        expires_after: None,
        standalone_price: None,
        bundled: Vec::new(),
        priority: 0,
        unit_price: None,
        quantity: None,
    };
    let from = Timestamp::from_timestamp(0, 0);
    bench
        .publish(CatalogCommand::PublishPack {
            pack,
            effective_from: from,
        })
        .await;
    bench.inbox.follow_catalogs().await.expect("followed");
    bench.settle_all().await;
    assert_eq!(bench.available("cus_1").await, "30");
    assert_eq!(bench.fate("evt_2").await.0, "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_claimed_by_a_caller_is_the_callers_account_whatever_stripe_says() {
    let bench = Bench::new().await;
    bench
        .deliver(&[
            customer("evt_1", 10, json!({"account_id": "acct_a"})),
            payment("evt_2", credits()),
            charge("evt_3"),
        ])
        .await;
    assert_eq!(bench.available("acct_a").await, "100");

    let tenant = &bench.partition.tenant;
    let take = ClaimCommand::Take {
        owner: "acct_caller".into(),
    };
    bench
        .journal
        .execute::<Claim>(
            &ClaimKind::StripeCustomer.stream(tenant, "cus_1"),
            take,
            Envelope {
                key: CommandKey::new("claim"),
                hash: [0; 32],
                expected_version: None,
                at: super::now(),
                metadata: std::collections::BTreeMap::new(),
            },
        )
        .await
        .expect("it is free");
    bench
        .inbox
        .customer_claimed(tenant, "cus_1")
        .await
        .expect("queued");
    bench.settle_all().await;
    assert_eq!(bench.available("acct_caller").await, "100");
    assert_eq!(bench.available("acct_a").await, "0");

    bench.deliver(&[refund("evt_4", 500)]).await;
    assert_eq!(
        bench.available("acct_caller").await,
        "50",
        "what comes later goes there, too"
    );
}

fn trial(n: i64, start: i64) -> serde_json::Value {
    let line = json!({"id": format!("il_{n}"), "amount": 0, "period": {"start": start, "end": start + 100},
        "pricing": {"price_details": {"price": "price_1"}}, "parent": {"subscription_item_details":
            {"subscription": format!("sub_{n}"), "subscription_item": format!("si_{n}"), "proration": false}}});
    let invoice = json!({"object": "invoice", "id": format!("in_{n}"), "created": start, "customer": "cus_1",
        "currency": "usd", "status": "paid", "amount_due": 0, "amount_paid": 0, "total": 0, "subtotal": 0,
        "status_transitions": {"finalized_at": start, "paid_at": start}, "lines": {"data": [line]}});
    event(&format!("evt_in_{n}"), "invoice.paid", start, invoice)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_gets_the_credits_of_its_first_trial_whichever_arrives_first() {
    let plan = Plan {
        prices: BTreeSet::from(["price_1".to_owned()]),
        trial: Some(TrialRule {
            days: 14,
            credits: Units::from_credits(10).expect("fits"),
            ..TrialRule::default()
        }),
        ..Plan::new("pro", "Pro")
    };
    let [early, middle, late] = [trial(1, 1_000), trial(2, 2_000), trial(3, 3_000)];
    let orders = [
        [&early, &middle, &late],
        [&late, &middle, &early],
        [&middle, &early, &late],
    ];
    for order in orders {
        let bench = Bench::new().await;
        let from = Timestamp::from_timestamp(0, 0);
        bench
            .publish(CatalogCommand::PublishPlan {
                plan: Box::new(plan.clone()),
                effective_from: from,
            })
            .await;
        bench.deliver(&[customer("evt_1", 10, json!({}))]).await;
        bench.deliver(&order.map(Clone::clone)).await;
        let account = bench.account("cus_1").await;
        let standing: Vec<&str> = account
            .credits()
            .lots()
            .filter(|lot| lot.granted.is_positive())
            .map(|lot| lot.terms.grant.as_str())
            .collect();
        assert_eq!(standing, ["grant_si_1_1000"]);
    }
}
