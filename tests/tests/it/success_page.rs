//! The success page and the webhook race: whoever comes first, the customer gets what was paid for, once.

use bytes::Bytes;
use futures::future::{join, join_all};
use serde_json::json;
use tallybook_tests::client::{Answer, Client};
use tallybook_tests::database::TestDatabase;
use tallybook_tests::server::Server;
use tallybook_tests::stripe_events::{charge, event, payment_intent, session};
use tallybook_tests::webhook::{deliver, open_endpoint, settled_state};

const AMOUNT: i64 = 5_000;

/// Everything Stripe tells about one paid session of `account`: session, intent, charge.
fn story(name: &str, account: &str) -> [Bytes; 3] {
    let (intent, customer) = (format!("pi_{name}"), format!("cus_{name}"));
    let session = session(&format!("cs_{name}"), &intent, &customer, account, AMOUNT);
    let paid = payment_intent(&intent, &customer, AMOUNT, "500");
    let charged = charge(&intent, &customer, AMOUNT, 0, "500");
    [
        event(&format!("evt_1{name}"), "checkout.session.completed", 3, &session),
        event(&format!("evt_2{name}"), "payment_intent.succeeded", 2, &paid),
        event(&format!("evt_3{name}"), "charge.succeeded", 2, &charged),
    ]
}

async fn settle(client: &Client, object: &str) -> Answer {
    client
        .post("/stripe/settle", "not needed", &json!({"object": object}))
        .await
}

/// (credits available, grants ever made).
async fn credits(client: &Client, account: &str) -> (String, usize) {
    let balance = client
        .get(&format!("/accounts/{account}/balance"))
        .await
        .expect(200)
        .json();
    let events = client
        .get(&format!("/accounts/{account}/events"))
        .await
        .expect(200)
        .json();
    let events = events["data"].as_array().expect("events");
    let grants = events
        .iter()
        .filter(|event| event["type"] == "CreditsGranted")
        .count();
    (balance["available"].as_str().expect("text").to_owned(), grants)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_settles_what_arrived_and_the_rest_changes_nothing_twice() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;

    let unknown = settle(&client, "cs_unheard_of").await.expect(404);
    assert_eq!(unknown.code(), "object_not_found");

    for first in 0..3 {
        let (name, account) = (format!("part{first}"), format!("buyer-{first}"));
        let mut bodies = story(&name, &account).to_vec();
        bodies.rotate_left(first);
        // One of the three, and the page asks at once; then the others, and the page once more.
        deliver(&client, &bodies[0]).await.expect(200);
        let asked = ["cs_", "pi_", "ch_"][first];
        settle(&client, &format!("{asked}{name}")).await.expect(200);
        for body in &bodies[1..] {
            deliver(&client, body).await.expect(200);
        }
        let answer = settle(&client, &format!("cs_{name}")).await.expect(200).json();
        assert_eq!(answer["account"], account, "{answer}");
        assert_eq!(credits(&client, &account).await, ("500".to_owned(), 1), "{name}");
        for body in &bodies {
            deliver(&client, body).await.expect(200);
        }
        settle(&client, &format!("pi_{name}")).await.expect(200);
        assert_eq!(
            credits(&client, &account).await,
            ("500".to_owned(), 1),
            "copies of {name}"
        );
    }
    settled_state(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_webhook_at_the_same_moment_give_one_grant() {
    let database = TestDatabase::create().await;
    let first = Server::start(&database).await;
    let second = Server::start(&database).await;
    let client = first.admin();
    let other = second.client(client.api_key());
    open_endpoint(&client).await;
    for round in 0..12 {
        let (name, account) = (format!("race{round}"), format!("racer-{round}"));
        let bodies = story(&name, &account);
        let order = [round % 3, (round + 1) % 3, (round + 2) % 3];
        let webhooks = join_all(order.into_iter().enumerate().map(|(turn, index)| {
            let to = [&client, &other][(round + turn) % 2];
            deliver(to, &bodies[index])
        }));
        let pages = join_all((0..6).map(|number| {
            let (client, object) = ([&client, &other][number % 2], format!("cs_{name}"));
            async move { settle(client, &object).await }
        }));
        let (deliveries, pages) = join(webhooks, pages).await;
        assert!(
            deliveries.iter().all(|answer| answer.status == 200),
            "{deliveries:?}"
        );
        // Asked before anything was stored there is nothing to settle; never anything else.
        assert!(
            pages.iter().all(|answer| [200, 404].contains(&answer.status)),
            "{pages:?}"
        );
        settle(&other, &format!("cs_{name}")).await.expect(200);
        assert_eq!(credits(&client, &account).await, ("500".to_owned(), 1), "{name}");
    }
    let state = settled_state(&database).await;
    assert_eq!(state["totals"]["credits"]["granted"], "6000");
    assert_eq!(state["totals"]["balanced"], true);
    assert_eq!(database.streams_with_a_gap().await, 0);
}
