//! The check finds equality where it is, and what was done behind its back where it is not.

use sqlx::{Connection, PgConnection};
use tallybook_journal::{Journal, testing};
use tallybook_projections::{Check, Engine, Verified, verify};

use crate::engine::{PATIENCE, batches_of, journal_with_tenants};
use crate::history::History;
use crate::tables::number;

#[tokio::test]
async fn the_fold_and_the_read_models_agree_on_every_history() {
    for seed in 20..26 {
        let (_, journal) = journal_with_tenants().await;
        let engine = Engine::start(&journal, batches_of(50));
        History::new("equal", seed).run(&journal, 200).await;
        engine.catch_up(PATIENCE).await.expect("it catches up");
        let verified = verify(&journal, None).await.expect("it can be checked");
        assert_eq!(verified.findings, [], "seed {seed}");
        assert!(
            verified.events > 100 && verified.rows > 500 && verified.accounts >= 4,
            "{verified:?}"
        );
        assert_eq!(verified.position, journal.head().await.expect("readable"));
        engine.stop().await;
        journal.close().await;
    }
}

#[tokio::test]
async fn a_check_beside_writers_and_lagging_runners_is_of_one_moment() {
    let (_, journal) = journal_with_tenants().await;
    let engine = Engine::start(&journal, batches_of(3));
    let mut history = History::new("moment", 30);
    let checks = async {
        for _ in 0..5 {
            let verified = verify(&journal, None).await.expect("it can be checked");
            assert_eq!(verified.findings, []);
        }
    };
    tokio::join!(history.run(&journal, 200), checks);
    engine.catch_up(PATIENCE).await.expect("it catches up");
}

/// A sealed log with its read models, and a connection that may do what nobody may.
async fn sealed(seed: u64) -> (Journal, PgConnection) {
    let (database, journal) = journal_with_tenants().await;
    let engine = Engine::start(&journal, batches_of(1_000));
    History::new("tampered", seed).run(&journal, 120).await;
    engine.catch_up(PATIENCE).await.expect("it catches up");
    engine.stop().await;
    journal.seal().await.expect("it can be sealed");
    assert!(
        verify(&journal, None)
            .await
            .expect("it can be checked")
            .is_sound()
    );
    (journal, testing::connect(&database).await)
}

/// Change the log as only a superuser can.
async fn tamper(connection: &mut PgConnection, change: &str) {
    let mut transaction = connection.begin().await.expect("reachable");
    sqlx::query("set local session_replication_role = replica")
        .execute(&mut *transaction)
        .await
        .expect("a superuser");
    let changed = sqlx::query(change)
        .execute(&mut *transaction)
        .await
        .expect(change);
    assert!(changed.rows_affected() > 0, "{change}");
    transaction.commit().await.expect("committed");
}

async fn check(journal: &Journal) -> Verified {
    verify(journal, None).await.expect("it can be checked")
}

/// An event in the middle that is of a kind.
async fn event(connection: &mut PgConnection, kind: &str) -> i64 {
    let query =
        format!("select position from events where event_type = '{kind}' order by position offset 3 limit 1");
    number(connection, &query).await
}

#[tokio::test]
async fn one_changed_byte_is_named() {
    let (journal, mut connection) = sealed(40).await;
    let position = event(&mut connection, "CreditsGranted").await;
    let change = format!(
        "update events set payload = regexp_replace(payload::text, '\"units\":([0-9]*)[0-9]([,}}])', '\"units\":\\17\\2')::json
         where position = {position} and payload::text !~ '\"units\":[0-9]*7[,}}]'"
    );
    tamper(&mut connection, &change).await;
    let verified = check(&journal).await;
    assert_eq!(
        verified.first_wrong_position(),
        Some(position),
        "{:?}",
        verified.findings
    );
    let checks: Vec<Check> = verified.findings.iter().map(|finding| finding.check).collect();
    assert!(checks.contains(&Check::Seals), "the seals see it: {checks:?}");
    assert!(checks.contains(&Check::Entries), "so do the books: {checks:?}");
    assert!(
        checks.contains(&Check::ReadModel("lots")),
        "and the lots: {checks:?}"
    );
}

#[tokio::test]
async fn a_deleted_row_is_named_whether_sealed_or_last() {
    let (journal, mut connection) = sealed(41).await;
    let position = event(&mut connection, "CreditsConsumed").await;
    tamper(
        &mut connection,
        &format!("delete from events where position = {position}"),
    )
    .await;
    let verified = check(&journal).await;
    assert_eq!(
        verified.first_wrong_position(),
        Some(position),
        "{:?}",
        verified.findings
    );
    assert!(
        verified
            .findings
            .iter()
            .any(|finding| finding.check == Check::Gapless)
    );

    // The end of the log, which leaves no gap.
    let (journal, mut connection) = sealed(42).await;
    let last = number(&mut connection, "select max(position) from events").await;
    tamper(
        &mut connection,
        &format!("delete from events where position = {last}"),
    )
    .await;
    let verified = check(&journal).await;
    assert_eq!(
        verified.first_wrong_position(),
        Some(last),
        "{:?}",
        verified.findings
    );
    assert!(
        verified
            .findings
            .iter()
            .any(|finding| finding.check == Check::EventIndex)
    );
}

#[tokio::test]
async fn two_swapped_events_are_named_by_the_first() {
    let (journal, mut connection) = sealed(43).await;
    let first = event(&mut connection, "CreditsGranted").await;
    let second = number(
        &mut connection,
        &format!(
            "select min(position) from events where position > {first} and event_type = 'CreditsGranted'"
        ),
    )
    .await;
    let swap = format!(
        "update events set payload = other.payload from events other
         where events.position in ({first}, {second}) and other.position in ({first}, {second})
           and other.position <> events.position"
    );
    tamper(&mut connection, &swap).await;
    let verified = check(&journal).await;
    assert_eq!(
        verified.first_wrong_position(),
        Some(first),
        "{:?}",
        verified.findings
    );
}

#[tokio::test]
async fn an_altered_row_of_any_read_model_is_found() {
    let (journal, mut connection) = sealed(44).await;
    let changes = [
        (
            "accounts",
            "update accounts_v1.accounts set version = version + 1",
        ),
        (
            "subscriptions",
            "update accounts_v1.subscriptions set status = 'canceled'",
        ),
        (
            "lots",
            "update credits_v1.lots set consumed = consumed + 1 where ctid = (select min(ctid) from credits_v1.lots)",
        ),
        (
            "balances",
            "delete from credits_v1.balances where ctid = (select min(ctid) from credits_v1.balances)",
        ),
        ("holds", "update credits_v1.holds set captured = captured + 1"),
        (
            "payments",
            "update payments_v1.payments set refunded = refunded + 1",
        ),
        (
            "ledger_balances",
            "update books_v1.ledger_balances set debit = debit + 1, credit = credit + 1",
        ),
        (
            "ledger_totals",
            "update books_v1.ledger_totals set debit = debit + 1",
        ),
        (
            "entry_numbers",
            "update books_v1.entry_numbers set last = last + 1",
        ),
        (
            "journal_entries",
            "update books_v1.journal_entries set lines = jsonb_set(lines, '{0,amount}', '1') where entry_no = 5",
        ),
        (
            "timers",
            "update timers_v1.timers set due_at = due_at + interval '1 second'",
        ),
        (
            "event_index",
            "delete from event_index_v1.event_index where position = (select min(position) + 3 from events)",
        ),
    ];
    for (table, change) in changes {
        sqlx::query("begin")
            .execute(&mut connection)
            .await
            .expect("reachable");
        let altered = sqlx::query(change).execute(&mut connection).await.expect(change);
        assert!(altered.rows_affected() > 0, "{change}");
        sqlx::query("commit")
            .execute(&mut connection)
            .await
            .expect("committed");
        let verified = check(&journal).await;
        assert!(
            verified
                .findings
                .iter()
                .any(|finding| finding.check.as_str() == table),
            "{table}: {:?}",
            verified.findings
        );
        assert!(verified.log.fault.is_none());
    }
}
