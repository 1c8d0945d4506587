//! `tallybook verify` when somebody with every right changed the log behind its back.

use serde_json::{Value, json};
use tallybook_tests::binary::{self, Finished};
use tallybook_tests::database::TestDatabase;
use tallybook_tests::server::Server;
use tallybook_tests::wait;

const EVENTS: i64 = 30;

async fn verify(database: &TestDatabase, options: &[&str]) -> Finished {
    let url = database.url();
    let mut arguments = vec!["verify", "--json", "--database-url", &url];
    arguments.extend(options);
    binary::run(arguments).await
}

/// A database with events of three accounts that are all sealed, and no server on it any more.
async fn sealed() -> TestDatabase {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    for account in 0..3 {
        let id = format!("acme-{account}");
        client
            .post("/accounts", &id, &json!({"id": id}))
            .await
            .expect(201);
        let grant = json!({"credits": "100", "source": "paid", "cost": {"amount": 999, "currency": "usd"}});
        client
            .post(&format!("/accounts/{id}/grants"), "grant", &grant)
            .await
            .expect(201);
    }
    for number in 0..EVENTS - 6 {
        let path = format!("/accounts/acme-{}/debits", number % 3);
        client
            .post(&path, &format!("debit {number}"), &json!({"credits": "1"}))
            .await
            .expect(201);
    }
    wait::until("the sealer", wait::PATIENCE, async || {
        (database.number("select count(*) from event_digests").await == EVENTS).then_some(())
    })
    .await;
    assert!(server.stop().await.success());
    let whole = verify(&database, &[]).await.succeeded().json();
    assert_eq!(
        (&whole["ok"], &whole["events"], &whole["first_wrong_position"]),
        (&json!(true), &json!(EVENTS), &Value::Null)
    );
    assert_eq!(
        (&whole["sealed_events"], &whole["unsealed_events"]),
        (&json!(EVENTS), &json!(0))
    );
    database
}

/// The position of the `n`th event of the log.
async fn nth(database: &TestDatabase, n: i64) -> i64 {
    sqlx::query_scalar("select position from events order by position offset $1 limit 1")
        .bind(n - 1)
        .fetch_one(database.pool())
        .await
        .expect("that many events")
}

async fn names(database: &TestDatabase, position: i64, what: &str) {
    let finished = verify(database, &[]).await;
    assert_eq!(finished.code, Some(1), "{what}: {finished:?}");
    let report = finished.json();
    assert_eq!(report["ok"], false, "{what}");
    assert_eq!(report["first_wrong_position"], position, "{what}: {report}");
    let said = binary::run(["verify", "--database-url", &database.url()]).await;
    assert_eq!(said.code, Some(1));
    assert!(
        said.stdout.contains(&position.to_string()),
        "{what}: {}",
        said.stdout
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_byte_of_a_payload_is_found_where_it_is() {
    let database = sealed().await;
    let position = nth(&database, 17).await;
    // "1000000" becomes "1000001": a millionth of a credit more was spent.
    database
        .tamper(&format!(
            "update events set payload = regexp_replace(payload::text, '1000000', '1000001')::json where position = {position}"
        ))
        .await;
    names(&database, position, "a changed byte").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn white_space_and_metadata_count_too() {
    let database = sealed().await;
    let (changed, first) = (nth(&database, 20).await, nth(&database, 9).await);
    database
        .tamper(&format!(
            "update events set payload = (payload::text || ' ')::json where position = {changed}"
        ))
        .await;
    names(&database, changed, "a space after a payload").await;
    database
        .tamper(&format!(
            "update events set metadata = '{{}}' where position = {first}"
        ))
        .await;
    names(&database, first, "the first of two changes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_row_is_missed_where_it_was() {
    let database = sealed().await;
    let (middle, last) = (nth(&database, 12).await, nth(&database, EVENTS).await);
    database
        .tamper(&format!("delete from events where position = {last}"))
        .await;
    names(&database, last, "the last event").await;
    database
        .tamper(&format!("delete from events where position = {middle}"))
        .await;
    names(&database, middle, "an event in the middle").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_swapped_rows_are_found_at_the_first_of_them() {
    let database = sealed().await;
    // Two debits of the same account, the same but for their ids: only their places are wrong.
    let (one, other) = (nth(&database, 10).await, nth(&database, 13).await);
    database
        .tamper(&format!(
            "update events a set payload = b.payload, metadata = b.metadata, command_key = b.command_key || '-',
             command_hash = b.command_hash
             from events b where (a.position, b.position) in (({one}, {other}), ({other}, {one}))"
        ))
        .await;
    names(&database, one, "two swapped payloads").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_kept_elsewhere_shows_what_was_cut_off_with_its_seals() {
    let database = sealed().await;
    let head = verify(&database, &[]).await.json()["head"]
        .as_str()
        .expect("a head")
        .to_owned();
    verify(&database, &["--head", &head]).await.succeeded();
    let cut = nth(&database, EVENTS - 3).await;
    // With every trace: events, digests and seals.
    for table in ["events", "event_digests"] {
        database
            .tamper(&format!("delete from {table} where position >= {cut}"))
            .await;
    }
    database
        .tamper("delete from seals where seal = (select max(seal) from seals)")
        .await;
    let finished = verify(&database, &["--head", &head]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_eq!(finished.json()["ok"], false);
}

/// The triggers that the tests above switch off, as a superuser can.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_the_log_without_switching_its_triggers_off() {
    let database = sealed().await;
    for statement in [
        "update events set payload = '{}'",
        "delete from events",
        "truncate events",
    ] {
        let refused = sqlx::raw_sql(statement).execute(database.pool()).await;
        assert!(refused.is_err(), "{statement}");
    }
    verify(&database, &[]).await.succeeded();
}
