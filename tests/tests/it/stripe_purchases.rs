//! A purchase begun at Tallybook, paid through Stripe Checkout: the session's metadata names it, and it is paid once.

use bytes::Bytes;
use serde_json::{Value, json};
use tallybook_tests::client::Client;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::server::Server;
use tallybook_tests::stripe_events::{event, payment_intent, refund, session};
use tallybook_tests::wait;
use tallybook_tests::webhook::{deliver, open_endpoint, settled_state};

const DUE: i64 = 2_000;

/// What Stripe tells of a session that names a purchase and was paid so many seconds into the story.
fn story(name: &str, account: &str, purchase: &str, amount: i64, paid_at: i64) -> [Bytes; 2] {
    let (intent, customer) = (format!("pi_{name}"), format!("cus_{account}"));
    let mut session = session(&format!("cs_{name}"), &intent, &customer, account, amount);
    session["metadata"] = json!({"purchase_id": purchase});
    let mut paid = payment_intent(&intent, &customer, amount, "900");
    paid["metadata"] = json!({});
    [
        event(
            &format!("evt_1{name}"),
            "checkout.session.completed",
            paid_at + 1,
            &session,
        ),
        event(
            &format!("evt_2{name}"),
            "payment_intent.succeeded",
            paid_at,
            &paid,
        ),
    ]
}

/// A purchase of ten credits for 20.00, begun and not paid.
async fn begin(client: &Client, account: &str) -> String {
    let body = json!({"id": account});
    client
        .post("/accounts", &format!("open {account}"), &body)
        .await
        .expect(201);
    let pack = json!({"name": "Ten", "credits": "10", "price": {"amount": DUE, "currency": "usd"}});
    client
        .put("/catalog/packs/ten", &format!("pack for {account}"), &pack)
        .await;
    let path = format!("/accounts/{account}/purchases");
    let begun = client
        .post(&path, &format!("begin {account}"), &json!({"pack": "ten"}))
        .await;
    begun.expect(201).json()["id"].as_str().expect("an id").to_owned()
}

async fn purchase(client: &Client, account: &str, purchase: &str) -> Value {
    let path = format!("/accounts/{account}/purchases/{purchase}");
    client.get(&path).await.expect(200).json()
}

async fn available(client: &Client, account: &str) -> Value {
    let path = format!("/accounts/{account}/balance");
    client.get(&path).await.expect(200).json()["available"].clone()
}

async fn settle(client: &Client, object: &str) {
    let body = json!({"object": object});
    client
        .post("/stripe/settle", "not needed", &body)
        .await
        .expect(200);
}

/// Why the deliveries about a payment intent wait; empty if they are settled.
async fn reasons(client: &Client, object: &str) -> Vec<(String, String)> {
    let deliveries = client
        .get("/stripe/deliveries?limit=200")
        .await
        .expect(200)
        .json();
    let of_object = deliveries["data"].as_array().expect("a list").iter();
    of_object
        .filter(|delivery| delivery["object"] == object && delivery["status"] != "settled")
        .map(|delivery| (delivery["status"].to_string(), delivery["reason"].to_string()))
        .collect()
}

fn parked(reason: &str) -> Vec<(String, String)> {
    vec![("\"parked\"".to_owned(), format!("{reason:?}"))]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_names_a_purchase_pays_it_once_whatever_comes_first() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    for first in 0..2 {
        let account = format!("buyer-{first}");
        let id = begin(&client, &account).await;
        let name = format!("one{first}");
        let mut bodies = story(&name, &account, &id, DUE, 5);
        bodies.rotate_left(first);
        for body in bodies.iter().chain(&bodies) {
            deliver(&client, body).await.expect(200);
            settle(&client, &format!("{}{name}", ["cs_", "pi_"][first])).await;
        }
        settle(&client, &format!("pi_{name}")).await;
        let paid = purchase(&client, &account, &id).await;
        assert_eq!(
            (&paid["status"], &paid["payment"], &paid["channel"]),
            (&json!("paid"), &json!(format!("pi_{name}")), &json!("stripe"))
        );
        assert_eq!(
            available(&client, &account).await,
            "10",
            "the purchase's credits, once"
        );
        assert!(reasons(&client, &format!("pi_{name}")).await.is_empty());
        let list = client
            .get(&format!("/accounts/{account}/purchases"))
            .await
            .expect(200)
            .json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{list}");

        let verbs = [
            ("pay", json!({})),
            ("refund", json!({"amount": {"amount": 1, "currency": "usd"}})),
        ];
        let codes = ["purchase_paid", "managed_by_stripe"];
        for ((verb, body), code) in verbs.iter().zip(codes) {
            let path = format!("/accounts/{account}/purchases/{id}/{verb}");
            let refused = client
                .post(&path, &format!("{verb} {account}"), body)
                .await
                .expect(409);
            assert_eq!(refused.code(), code);
        }
        let given_back = refund(&format!("re_{name}"), &format!("pi_{name}"), DUE / 2, 60);
        deliver(
            &client,
            &event(&format!("evt_3{name}"), "refund.created", 60, &given_back),
        )
        .await
        .expect(200);
        settle(&client, &format!("pi_{name}")).await;
        assert_eq!(
            available(&client, &account).await,
            "5",
            "half the credits are claimed back"
        );
    }
    settled_state(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_pay_a_purchase_is_booked_and_told_and_grants_nothing() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    let id = begin(&client, "a").await;
    client
        .post("/accounts", "open b", &json!({"id": "b"}))
        .await
        .expect(201);

    for (name, account, amount, reason) in [
        ("mine", "a", DUE - 1, "amount_mismatch"),
        ("theirs", "b", DUE, "unknown_purchase"),
    ] {
        for body in story(name, account, &id, amount, 5) {
            deliver(&client, &body).await.expect(200);
        }
        settle(&client, &format!("pi_{name}")).await;
        assert_eq!(reasons(&client, &format!("pi_{name}")).await, parked(reason));
        assert_eq!(available(&client, account).await, "0", "{reason}");
    }
    assert_eq!(purchase(&client, "a", &id).await["status"], "pending");

    let path = format!("/accounts/a/purchases/{id}/pay");
    client
        .post(&path, "by hand", &json!({"method": "transfer"}))
        .await
        .expect(200);
    for body in story("late", "a", &id, DUE, 9) {
        deliver(&client, &body).await.expect(200);
    }
    settle(&client, "pi_late").await;
    assert_eq!(reasons(&client, "pi_late").await, parked("purchase_paid"));
    assert_eq!(
        available(&client, "a").await,
        "10",
        "granted by hand, and not again"
    );
    settled_state(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_22_two_sessions_paid_for_one_purchase_and_the_earlier_told_last_end_with_one_to_give_back() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    let id = begin(&client, "a").await;
    for (name, paid_at) in [("late", 50), ("early", 40)] {
        for body in story(name, "a", &id, DUE, paid_at) {
            deliver(&client, &body).await.expect(200);
        }
        settle(&client, &format!("pi_{name}")).await;
        assert_eq!(purchase(&client, "a", &id).await["payment"], format!("pi_{name}"));
        assert_eq!(available(&client, "a").await, "10");
    }
    // The first to come was settled as paying it; the inbox learns that it does not.
    let told = wait::until("the later payment to be parked", wait::PATIENCE, async || {
        Some(reasons(&client, "pi_late").await).filter(|reasons| *reasons == parked("purchase_paid"))
    });
    told.await;
    assert!(reasons(&client, "pi_early").await.is_empty());
    let balance = client.get("/ledger/trial-balance").await.expect(200).json();
    let unapplied = balance.to_string();
    assert!(
        unapplied.contains("2135"),
        "what is to be given back is on the books: {unapplied}"
    );

    let given_back = refund("re_late", "pi_late", DUE, 60);
    deliver(&client, &event("evt_3", "refund.created", 60, &given_back))
        .await
        .expect(200);
    settled_state(&database).await;
    assert_eq!(
        available(&client, "a").await,
        "10",
        "giving back the second claims nothing back"
    );
}
