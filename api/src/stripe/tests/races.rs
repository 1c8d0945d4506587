use futures::future::join_all;
use serde_json::{Value, json};
use tallybook_domain::account::Account;
use tallybook_domain::identity::NaturalKey;
use tallybook_journal::testing;

use super::{Bench, TENANT, charge, customer, event, now, payment, refund, version};
use crate::clock::Clock;
use crate::stripe::Inbox;
use crate::test_clocks::Present;

/// A payment, everything that can happen to it, and a second customer-less object that joins late.
fn story() -> Vec<Value> {
    let dispute = json!({"object": "dispute", "id": "du_1", "created": 140, "amount": 500, "currency": "usd",
        "status": "needs_response", "charge": "ch_1", "balance_transactions": [{"id": "txn_2", "amount": -500,
        "fee": 1500, "net": -2000, "currency": "usd", "created": 141, "reporting_category": "dispute"}]});
    vec![
        customer("evt_1", 10, json!({"account_id": "acct_a"})),
        payment("evt_2", json!({"credits": "100"})),
        charge("evt_3"),
        refund("evt_4", 250),
        event("evt_5", "charge.dispute.created", 140, dispute),
    ]
}

/// Each delivery notes the pair both ways. If each began with its own way, the two would wait for one another.
#[tokio::test(flavor = "multi_thread")]
async fn objects_that_name_each_other_are_stored_at_the_same_moment() {
    let bench = Bench::new().await;
    let pool = bench.journal.pool();
    for round in 0..12 {
        let (intent, charge) = (format!("pi_{round}"), format!("ch_{round}"));
        let of_intent = json!({"object": "payment_intent", "id": intent, "status": "succeeded", "amount": 1,
            "currency": "usd", "created": 100, "latest_charge": charge});
        let of_charge = json!({"object": "charge", "id": charge, "status": "succeeded", "amount": 1,
            "currency": "usd", "created": 100, "payment_intent": intent});
        // Holds both up in the middle, so that they go on at the same moment.
        let mut between = pool.begin().await.expect("a transaction");
        sqlx::query("insert into stripe_kin values ($1, $2, false, $3, $4)")
            .bind(TENANT)
            .bind(&bench.partition.stripe_account)
            .bind(&intent)
            .bind(&charge)
            .execute(&mut *between)
            .await
            .expect("it is the first");
        let release = async {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            between.rollback().await.expect("rolled back");
        };
        let charge = event(&format!("evt_{charge}"), "charge.succeeded", 120, of_charge);
        let intent = event(
            &format!("evt_{intent}"),
            "payment_intent.succeeded",
            120,
            of_intent,
        );
        tokio::join!(bench.take(&charge), bench.take(&intent), release);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_and_many_copies_give_each_fact_once() {
    for round in 0..6_usize {
        let bench = Bench::new().await;
        let second = testing::open((*bench.journal.pool().connect_options()).clone()).await;
        let inboxes = [
            bench.inbox.clone(),
            Inbox::new(second.clone(), Present::new(Clock::manual(now()), second.clone())),
        ];
        let mut events = story();
        let turn = round % events.len();
        events.rotate_left(turn);
        let deliveries = (0..4).flat_map(|copy| events.iter().map(move |event| (copy, event)));
        let work = deliveries.map(|(copy, event)| {
            let inbox = &inboxes[copy % 2];
            let partition = &bench.partition;
            async move {
                inbox
                    .take(partition, event.to_string().as_bytes())
                    .await
                    .expect("it is stored");
                let object = event["data"]["object"]["id"].as_str().expect("an id");
                inbox.settle(partition, object).await.expect("it settles");
            }
        });
        join_all(work).await;
        bench.settle_all().await;

        assert_eq!(
            bench.available("acct_a").await,
            "25",
            "100, a quarter refunded, half disputed"
        );
        let account = bench.account("acct_a").await;
        let facts: Vec<&str> = account
            .groups()
            .values()
            .flat_map(|group| group.facts.keys())
            .map(NaturalKey::as_str)
            .collect();
        assert_eq!(
            facts,
            [
                "dispute:du_1",
                "dispute:txn_2",
                "pay:pi_1",
                "purchase:pi_1",
                "refund-paid:re_1",
                "refund:re_1"
            ]
        );
        let counts = bench
            .inbox
            .counts(&bench.partition.tenant)
            .await
            .expect("counted");
        assert_eq!((counts.received, counts.settled), (20, 5), "round {round}");
        second.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_between_the_account_and_the_inbox_settles_again_without_a_second_fact() {
    let bench = Bench::new().await;
    bench.deliver(&story()).await;
    let before = version::<Account>(&bench, "acct_a").await;
    // What a process leaves that died after the account was written and before the inbox was.
    sqlx::raw_sql(
        "update stripe_deliveries set status = 'stored'; truncate stripe_objects, stripe_customers",
    )
    .execute(bench.journal.pool())
    .await
    .expect("undone");
    bench.settle_all().await;
    assert_eq!(version::<Account>(&bench, "acct_a").await, before);
    assert_eq!(bench.fate("evt_4").await.0, "settled");
    let shown = bench
        .inbox
        .object(&TENANT.into(), "re_1")
        .await
        .expect("read")
        .expect("settled");
    assert_eq!(shown.account.as_deref(), Some("acct_a"));
}

/// What such a settlement wrote may rest on less than another had read, which found nothing to write and went by.
#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_lost_its_locks_is_done_again_though_another_called_it_settled() {
    let bench = Bench::new().await;
    bench
        .deliver(&[customer("evt_1", 10, json!({"account_id": "acct_a"}))])
        .await;
    bench.take(&payment("evt_2", json!({"credits": "100"}))).await;
    let run = async |sql: &'static str| {
        let done = sqlx::raw_sql(sql).execute(bench.journal.pool()).await;
        done.expect(sql);
    };
    // The session that holds the locks ends when the account is written and the deliveries are to be marked.
    run("create function end_session() returns trigger language plpgsql as $$
             begin
                 perform pg_terminate_backend(pg_backend_pid());
                 return new;
             end $$;
         create trigger lose_locks before update on stripe_deliveries for each row when (new.status = 'settled')
             execute function end_session()")
    .await;
    let lost = bench.inbox.settle(&bench.partition, "pi_1").await;
    lost.expect_err("its session is over");
    run("drop trigger lose_locks on stripe_deliveries").await;
    run("update stripe_deliveries set status = 'settled'").await;
    let shown = async || {
        let object = bench.inbox.object(&TENANT.into(), "pi_1").await;
        object.expect("read")
    };
    assert!(shown().await.is_none(), "nothing of it reached the inbox");

    bench.settle_all().await;
    let object = shown().await.expect("it is settled again");
    assert_eq!(object.account.as_deref(), Some("acct_a"));
    assert_eq!(bench.available("acct_a").await, "100", "given once");
}
