//! The log behind its seals, and what is done to it behind our back.

use sqlx::PgConnection;
use tallybook_journal::{Fault, Journal, SealHead, testing};

use crate::wallet::{Ask, ask};

/// A sealed log of 2,500 events, three seals, and a connection that may do anything.
async fn sealed() -> (Journal, PgConnection) {
    let database = testing::fresh_database().await;
    let journal = testing::open(database.clone()).await;
    for n in 0..25 {
        ask(
            &journal,
            &format!("s{}", n % 3),
            &format!("k{n}"),
            Ask::GrantTimes(100),
        )
        .await
        .expect("accepted");
    }
    let sealed = journal.seal().await.expect("sealed");
    assert_eq!((sealed.events, sealed.through), (2_500, 2_500));
    let mut intruder = testing::connect(&database).await;
    run(&mut intruder, "set session_replication_role = replica").await;
    (journal, intruder)
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sql)
        .execute(connection)
        .await
        .expect("the intruder may");
}

async fn fault(journal: &Journal) -> Option<Fault> {
    journal.verify_log(None).await.expect("read").fault
}

#[tokio::test]
async fn an_untouched_log_is_as_it_was_sealed_and_its_tail_is_counted() {
    let (journal, _intruder) = sealed().await;
    ask(&journal, "s0", "later", Ask::GrantTimes(7))
        .await
        .expect("accepted");
    let verified = journal.verify_log(None).await.expect("read");
    assert_eq!(
        (verified.events, verified.sealed_through, verified.unsealed),
        (2_500, 2_500, 7)
    );
    assert_eq!(verified.fault, None);
    let sealed = journal.seal().await.expect("sealed");
    assert_eq!((sealed.events, sealed.head.map(|head| head.seal)), (7, Some(4)));
    assert_eq!(journal.seal().await.expect("sealed").events, 0);
    let verified = journal.verify_log(verified.head).await.expect("read");
    assert_eq!(
        (verified.events, verified.unsealed, verified.fault),
        (2_507, 0, None)
    );
}

#[tokio::test]
async fn a_changed_byte_is_named() {
    let (journal, mut intruder) = sealed().await;
    run(
        &mut intruder,
        r#"update events set payload = '{"type":"Granted","amount":2}' where position = 1234"#,
    )
    .await;
    assert_eq!(fault(&journal).await, Some(Fault::Differs(1_234)));
}

#[tokio::test]
async fn every_column_is_under_the_seal() {
    let (journal, mut intruder) = sealed().await;
    run(
        &mut intruder,
        "create table spare as select * from events where position = 1102",
    )
    .await;
    for change in [
        "aggregate_type = 'purse'",
        "aggregate_id = 'acme/other'",
        "sequence = 9999",
        "event_type = 'Spent'",
        "event_version = '2'",
        "payload = '{\"type\": \"Granted\",\"amount\":1}'",
        "metadata = '{}'",
        "recorded_at = recorded_at + interval '1 microsecond'",
        "command_key = 'other', command_hash = sha256('x'), command_events = 1",
    ] {
        run(
            &mut intruder,
            &format!("update events set {change} where position = 1102"),
        )
        .await;
        assert_eq!(fault(&journal).await, Some(Fault::Differs(1_102)), "{change}");
        run(&mut intruder, "delete from events where position = 1102").await;
        assert_eq!(fault(&journal).await, Some(Fault::Missing(1_102)), "{change}");
        run(
            &mut intruder,
            "insert into events overriding system value select * from spare",
        )
        .await;
        assert_eq!(fault(&journal).await, None, "restored after {change}");
    }
}

#[tokio::test]
async fn a_missing_a_swapped_and_an_inserted_row_are_named() {
    let (journal, mut intruder) = sealed().await;
    run(
        &mut intruder,
        "update events set position = 3001 - position + 2000 where position in (2000, 1001)",
    )
    .await;
    run(
        &mut intruder,
        "update events set position = position - 2000 where position > 2500",
    )
    .await;
    assert_eq!(fault(&journal).await, Some(Fault::Differs(1_001)));
    let (journal, mut intruder) = sealed().await;
    run(&mut intruder, "delete from events where position = 1500").await;
    assert_eq!(fault(&journal).await, Some(Fault::Missing(1_500)));
    run(&mut intruder, "delete from event_digests where position = 1500").await;
    let whole_block = Fault::Seal {
        seal: 2,
        first_position: 1_001,
        last_position: 2_000,
    };
    assert_eq!(fault(&journal).await, Some(whole_block));
    let (journal, mut intruder) = sealed().await;
    run(&mut intruder, "delete from event_digests where position = 700").await;
    assert_eq!(fault(&journal).await, Some(Fault::Inserted(700)));
}

#[tokio::test]
async fn a_head_kept_elsewhere_shows_what_the_log_alone_cannot() {
    let (journal, mut intruder) = sealed().await;
    let kept = journal
        .verify_log(None)
        .await
        .expect("read")
        .head
        .expect("sealed");
    assert_eq!(kept.to_string().parse::<SealHead>(), Ok(kept));
    run(
        &mut intruder,
        "delete from events where position > 2000; delete from event_digests where position > 2000",
    )
    .await;
    run(&mut intruder, "delete from seals where seal = 3").await;
    assert_eq!(
        fault(&journal).await,
        None,
        "a log that was cut off with its seals is whole in itself"
    );
    let verified = journal.verify_log(Some(kept)).await.expect("read");
    assert_eq!(verified.fault, Some(Fault::Head(kept)));
    run(&mut intruder, "delete from seals where seal = 1").await;
    assert_eq!(fault(&journal).await, Some(Fault::Chain(2)));
}

#[tokio::test]
async fn two_sealers_make_one_chain() {
    let database = testing::fresh_database().await;
    let [one, other] = [
        testing::open(database.clone()).await,
        testing::open(database).await,
    ];
    for n in 0..60 {
        ask(&one, "a", &format!("k{n}"), Ask::GrantTimes(30))
            .await
            .expect("accepted");
        let (a, b) = tokio::join!(one.seal(), other.seal());
        assert_eq!(a.expect("sealed").events + b.expect("sealed").events, 30);
    }
    let verified = one.verify_log(None).await.expect("read");
    assert_eq!(
        (verified.events, verified.unsealed, verified.fault),
        (1_800, 0, None)
    );
}
