//! The same stream over HTTP: signed, shuffled, over 8 connections at once, through deaths and two servers.

use bytes::Bytes;
use serde_json::{Value, json};
use tallybook_tests::binary;
use tallybook_tests::client::Client;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::deliveries::{bodies, disturbed, signature};
use tallybook_tests::server::Server;
use tallybook_tests::wait;
use tallybook_tests::webhook::{ENDPOINT, Feed, SECRET, deliver, deliveries, open_endpoint, settled_state};

use crate::replaying::{WORLD, world};

/// Bodies with a fifth of them twice, in an order of this seed.
fn world_disturbed(seed: u64) -> Vec<Bytes> {
    disturbed(&bodies(WORLD), seed, 0.2)
}

/// The state is the one that the replay in order ends in, and nothing is left over.
async fn is_the_world(state: &Value, database: &TestDatabase) {
    for (status, count) in [("settled", 809), ("stored", 0), ("parked", 0), ("failed", 0)] {
        assert_eq!(deliveries(database, status).await, count, "{status}");
    }
    let replayed = &world().await["runs"][0];
    assert_eq!(state["totals"], replayed["totals"]);
    assert_eq!(state["hash"], replayed["hash"]);
    assert_eq!(database.streams_with_a_gap().await, 0);
    binary::run(["verify", "--database-url", &database.url()])
        .await
        .succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn shuffled_over_8_connections_it_ends_where_the_replay_ends() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    let bodies = world_disturbed(11);
    let sent = bodies.len();
    Feed::new(bodies, vec![client.clone()]).deliver().await;
    let state = settled_state(&database).await;
    let received = database
        .number("select sum(received)::bigint from stripe_deliveries")
        .await;
    assert_eq!(usize::try_from(received), Ok(sent), "each copy is counted");
    is_the_world(&state, &database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_restarted_in_the_middle_it_ends_where_the_replay_ends() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    let bodies = world_disturbed(12);
    let sent = bodies.len();
    let feed = Feed::new(bodies, vec![client.clone()]);
    // The deaths are in the middle, however fast the one side is and however slow the other.
    feed.hold_back(sent / 4);
    let delivering = tokio::spawn(feed.clone().deliver());
    let mut server = Some(server);
    for share in [3, 2] {
        wait::until("a part of the deliveries", wait::PATIENCE, async || {
            (feed.left() < sent * (share - 1) / share).then_some(())
        })
        .await;
        server.take().expect("runs").kill().await;
        let reborn = Server::start(&database).await;
        feed.redirect(vec![reborn.client(client.api_key())]);
        server = Some(reborn);
    }
    assert!(feed.left() > 0, "the deaths were in the middle");
    feed.hold_back(0);
    delivering.await.expect("every delivery is taken in the end");
    is_the_world(&settled_state(&database).await, &database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_two_servers_at_once_it_ends_where_the_replay_ends() {
    let database = TestDatabase::create().await;
    let first = Server::start(&database).await;
    let second = Server::start(&database).await;
    let client = first.admin();
    open_endpoint(&client).await;
    let servers = vec![client.clone(), second.client(client.api_key())];
    Feed::new(world_disturbed(13), servers).deliver().await;
    is_the_world(&settled_state(&database).await, &database).await;
}

async fn stored(database: &TestDatabase) -> i64 {
    database.number("select count(*) from stripe_deliveries").await
}

async fn signed_with(client: &Client, header: &str, body: &Bytes) -> (u16, String) {
    let answer = client
        .try_deliver(ENDPOINT, header, body.clone())
        .await
        .expect("an answer");
    (answer.status, answer.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_by_stripe_now_is_not_stored() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    for secrets in [
        json!([]),
        json!([""]),
        json!(["   "]),
        json!(["whsec_"]),
        json!([SECRET, ""]),
    ] {
        let answer = client
            .put("/stripe/endpoints/main", "blank", &json!({"secrets": secrets}))
            .await;
        assert_eq!(answer.status, 422, "{secrets}: {answer:?}");
    }
    open_endpoint(&client).await;
    let body = &bodies(WORLD)[5];
    let good = signature(SECRET, body);
    let (_, digest) = good.split_once(",v1=").expect("t and v1");
    let mut longer = body.to_vec();
    longer.push(b' ');
    for (what, header, sent) in [
        ("no header", "", body.clone()),
        ("another secret", &signature("whsec_other", body), body.clone()),
        ("another body", &good, Bytes::from(longer)),
        (
            "an old timestamp",
            &format!("t=1788253204,v1={digest}"),
            body.clone(),
        ),
        ("the old scheme alone", &good.replace("v1=", "v0="), body.clone()),
    ] {
        let (status, code) = signed_with(&client, header, &sent).await;
        assert_eq!(status, 400, "{what}: {code}");
    }
    let unknown = client
        .try_deliver("other", &good, body.clone())
        .await
        .expect("an answer");
    assert_eq!(unknown.status, 404);
    assert_eq!(stored(&database).await, 0, "nothing unproved is stored");

    deliver(&client, body).await.expect(200);
    assert_eq!(stored(&database).await, 1);
    // While a secret is rolled, both are good.
    let both = json!({"secrets": ["whsec_the_next_one", SECRET]});
    client
        .put("/stripe/endpoints/main", "roll", &both)
        .await
        .expect(200);
    for secret in ["whsec_the_next_one", SECRET] {
        assert_eq!(signed_with(&client, &signature(secret, body), body).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_body_without_an_id_is_refused_and_not_stored() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    let whole: Value = serde_json::from_slice(&bodies(WORLD)[5]).expect("JSON");
    for missing in ["id", "created", "type", "data"] {
        let mut event = whole.clone();
        event.as_object_mut().expect("an object").remove(missing);
        let answer = deliver(&client, &Bytes::from(event.to_string())).await;
        assert_eq!(answer.status, 400, "without {missing}: {answer:?}");
    }
    for garbage in ["", "[]", "null", "{\"id\":", "\u{0}"] {
        assert_eq!(
            deliver(&client, &Bytes::from(garbage)).await.status,
            400,
            "{garbage:?}"
        );
    }
    assert_eq!((stored(&database).await, database.events().await), (0, 0));
}
