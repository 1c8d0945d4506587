//! A server killed with -9 at each point between a delivery's arrival and its end, and one that is stopped between reading
//! the inbox and writing while another goes on: one effect, nothing left in between, the newer state.

use bytes::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tallybook_tests::client::Client;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::holds::{Holds, Point};
use tallybook_tests::server::{Place, Server};
use tallybook_tests::stripe_events::{BEGUN, customer, event, payment_intent};
use tallybook_tests::webhook::{deliver, deliveries, open_endpoint, settled_state};
use tallybook_tests::{binary, wait};

/// A payment of one customer, by number.
fn payment(number: usize) -> Bytes {
    let intent = payment_intent(&format!("pi_{number}"), "cus_1", 1_000, "100");
    event(
        &format!("evt_pi_{number}"),
        "payment_intent.succeeded",
        10,
        &intent,
    )
}

async fn know_the_customer(client: &Client, database: &TestDatabase) {
    open_endpoint(client).await;
    let known = event("evt_cus", "customer.created", 0, &customer("cus_1", "acme"));
    deliver(client, &known).await.expect(200);
    settled_state(database).await;
}

async fn available(client: &Client) -> Value {
    let balance = client.get("/accounts/acme/balance").await.expect(200);
    balance.json()["available"].clone()
}

/// Send a delivery and do not wait for the answer.
fn send(client: &Client, body: Bytes) {
    let client = client.clone();
    tokio::spawn(async move { deliver(&client, &body).await });
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_a_delivery_has_one_effect_and_a_redelivery_none() {
    let database = TestDatabase::create().await;
    let mut server = Server::start(&database).await;
    let key = server.admin().api_key().to_owned();
    know_the_customer(&server.admin(), &database).await;
    let holds = Holds::install(&database).await;

    let before = database.events().await;
    deliver(&server.client(&key), &payment(0)).await.expect(200);
    settled_state(&database).await;
    let events_each = database.events().await - before;

    // At each point: whether what was under way when the process died reached the database after all.
    let deaths = [
        (Point::Storing, false),
        (Point::Storing, true),
        (Point::Appending, false),
        (Point::Appending, true),
        (Point::Marking, false),
        (Point::Committing, false),
    ];
    for (number, (point, arrives)) in (1..).zip(deaths) {
        let what = format!("killed at {point:?}, what was under way arrives: {arrives}");
        holds.hold(point, None).await;
        send(&server.client(&key), payment(number));
        holds.wait_until_held().await;
        server.kill().await;
        if !arrives {
            assert!(holds.end_held().await > 0, "{what}");
        }
        holds.release().await;

        server = Server::start(&database).await;
        let client = server.client(&key);
        let again = deliver(&client, &payment(number)).await.expect(200).json();
        let was_stored = point != Point::Storing || arrives;
        assert_eq!(again["duplicate"], was_stored, "{what}");
        settled_state(&database).await;
        let payments = i64::try_from(number).expect("few") + 1;
        assert_eq!(available(&client).await, (100 * payments).to_string(), "{what}");
        assert_eq!(database.events().await - before, payments * events_each, "{what}");
        for (status, count) in [("settled", payments + 1), ("parked", 0), ("failed", 0)] {
            assert_eq!(deliveries(&database, status).await, count, "{what}: {status}");
        }
        let third = deliver(&client, &payment(number)).await.expect(200).json();
        assert_eq!(
            (&third["delivery"], &third["duplicate"]),
            (&again["delivery"], &json!(true)),
            "{what}"
        );
    }
    let payments = i64::try_from(deaths.len()).expect("few") + 1;
    settled_state(&database).await;
    assert_eq!(
        database.events().await - before,
        payments * events_each,
        "redeliveries change nothing"
    );
    assert_eq!(database.streams_with_a_gap().await, 0);
    binary::run(["verify", "--database-url", &database.url()])
        .await
        .succeeded();
}

/// The application name of the server that is held.
const SLOW: &str = "slow";

fn subscription(number: u32, status: &str) -> Bytes {
    let object = json!({"id": "sub_1", "object": "subscription", "created": BEGUN, "livemode": false, "customer": "cus_1",
        "status": status, "cancel_at_period_end": false, "metadata": {}, "items": {"object": "list", "data": [{"id": "si_1",
        "quantity": 1, "price": {"id": "price_1"}, "current_period_start": BEGUN, "current_period_end": BEGUN + 2_592_000}]}});
    let id = format!("evt_sub_{number}");
    event(&id, "customer.subscription.updated", i64::from(number), &object)
}

/// End the session over which the slow server holds its settlement's locks, as a broken network would: the server itself
/// does not learn of it while it waits for the log.
async fn take_its_locks(database: &TestDatabase) {
    let sql = "select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
               where locktype = 'advisory' and classid = 1952541037 and application_name = $1 and granted";
    wait::until("its session to be found", wait::PATIENCE, async || {
        let ended = sqlx::query(sql).bind(SLOW).fetch_all(database.pool()).await;
        (!ended.expect("the database answers").is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stopped_between_reading_and_writing_does_not_undo_what_a_newer_delivery_said() {
    let database = TestDatabase::create().await;
    let slow = Server::start(Place::Url(format!("{}&application_name={SLOW}", database.url()))).await;
    know_the_customer(&slow.admin(), &database).await;
    let holds = Holds::install(&database).await;

    holds.hold(Point::Appending, Some(SLOW)).await;
    send(&slow.admin(), subscription(10, "past_due"));
    holds.wait_until_held().await;
    // Before the other goes on: settling the older alone would be the very command that is held, and known by its key.
    deliver(&slow.admin(), &subscription(20, "active"))
        .await
        .expect(200);
    take_its_locks(&database).await;

    let _other = Server::start(&database).await;
    let newer = settled_state(&database).await;
    assert_eq!(plans(&newer), json!({"active": 1}));

    holds.release().await;
    changes_nothing_by_going_on(&database, slow, &newer).await;
}

/// The subscriptions of a state by status.
fn plans(state: &Value) -> Value {
    state["totals"]["subscriptions"].clone()
}

/// The slow server learns that it lost its locks, ends what it had begun, and the state is what another made it.
async fn changes_nothing_by_going_on(database: &TestDatabase, slow: Server, newer: &Value) {
    wait::until(
        "the slow worker to learn that it lost its locks",
        wait::PATIENCE,
        async || slow.stderr().contains("was not settled").then_some(()),
    )
    .await;
    assert!(slow.stop().await.success(), "it ends what it had begun");
    let state = settled_state(database).await;
    assert_eq!(plans(&state), json!({"active": 1}));
    assert_eq!(state["hash"], newer["hash"]);
    for (status, count) in [("settled", 3), ("parked", 0), ("failed", 0)] {
        assert_eq!(deliveries(database, status).await, count, "{status}");
    }
    binary::run(["verify", "--database-url", &database.url()])
        .await
        .succeeded();
}

/// Nothing ends the session of a process that stands still but PostgreSQL's own limit, a minute after.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_frozen_worker_had_in_hand_is_taken_over_and_waking_it_changes_nothing() {
    let database = TestDatabase::create().await;
    let slow = Server::start(Place::Url(format!("{}&application_name={SLOW}", database.url()))).await;
    let key = slow.admin().api_key().to_owned();
    know_the_customer(&slow.admin(), &database).await;
    let holds = Holds::install(&database).await;

    holds.hold(Point::Appending, Some(SLOW)).await;
    send(&slow.admin(), subscription(10, "past_due"));
    holds.wait_until_held().await;
    let frozen = Pid::from_raw(slow.pid());
    kill(frozen, Signal::SIGSTOP).expect("it runs");
    holds.release().await;

    let other = Server::start(&database).await;
    deliver(&other.client(&key), &subscription(20, "active"))
        .await
        .expect(200);
    let newer = settled_state(&database).await;
    assert_eq!(plans(&newer), json!({"active": 1}));

    kill(frozen, Signal::SIGCONT).expect("it is there still");
    changes_nothing_by_going_on(&database, slow, &newer).await;
}
