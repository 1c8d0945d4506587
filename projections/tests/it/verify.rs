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
            "sub_ledger_terms",
            "update books_v1.sub_ledger_terms set ends_at = starts_at",
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
        alter(&mut connection, change).await;
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

/// Change a read model.
async fn alter(connection: &mut PgConnection, change: &str) {
    let altered = sqlx::query(change).execute(connection).await.expect(change);
    assert!(altered.rows_affected() > 0, "{change}");
}

/// An amount that was recognised is altered: in the journal, it is named by its event; in the balances, by its line. And
/// what else balances make wrong is named by lot and kind of credit.
#[tokio::test]
async fn a_wrong_amount_in_the_books_is_told_by_what_it_makes_wrong() {
    let (journal, mut connection) = sealed(46).await;
    let recognised = event(&mut connection, "RevenueRecognized").await;
    let change = format!(
        "update books_v1.journal_entries
         set lines = jsonb_set(lines, '{{0,amount}}', to_jsonb((lines #>> '{{0,amount}}')::bigint + 1))
         where position = {recognised}"
    );
    alter(&mut connection, &change).await;
    let found = check(&journal).await;
    assert_eq!(
        found.first_wrong_position(),
        Some(recognised),
        "{:?}",
        found.findings
    );
    let entry = &found.findings[0];
    assert_eq!(entry.check, Check::Entries);
    assert!(
        entry.detail.contains("earned:"),
        "the fact is named: {}",
        entry.detail
    );

    for (account, broken) in [
        ("2120", Check::Deferred),
        ("2110", Check::LotCost),
        ("U910", Check::UnitsOfAccount),
    ] {
        let change = "update books_v1.ledger_balances set debit = debit + 1, credit = credit + 2
                      where ctid = (select min(ctid) from books_v1.ledger_balances
                                    where ledger_account = $1 and sub_key <> '')
                      returning account_id, sub_key";
        let (owner, key): (String, String) = sqlx::query_as(change)
            .bind(account)
            .fetch_one(&mut connection)
            .await
            .expect("it moved");
        let found = check(&journal).await.findings;
        // Units are told by kind of credit, money by lot or line.
        let subject = if account == "U910" { owner } else { key };
        let names = |check: Check, subject: &str| {
            let mut of = found.iter().filter(|finding| finding.check == check);
            of.any(|finding| finding.subject.contains(subject))
        };
        assert!(names(broken, &subject), "{account} {subject}: {found:?}");
        assert!(
            names(Check::LedgerBalances, ""),
            "{account} does not foot: {found:?}"
        );
    }
}

/// A use of a lot that was over, and a transfer of which one half is gone: who changes the log has to change every law.
#[tokio::test]
async fn a_use_out_of_validity_and_half_a_transfer_are_named() {
    let (database, journal) = journal_with_tenants().await;
    let engine = Engine::start(&journal, batches_of(1_000));
    let mut history = History::new("tampered", 47);
    history.run(&journal, 120).await;
    history.transfer(&journal).await;
    engine.catch_up(PATIENCE).await.expect("it catches up");
    engine.stop().await;
    assert_eq!(check(&journal).await.findings, []);
    let mut connection = testing::connect(&database).await;
    let arrived = "select position from events where event_type = 'CreditsTransferredIn'";
    let arrived = number(&mut connection, arrived).await;
    tamper(
        &mut connection,
        &format!("delete from events where position = {arrived}"),
    )
    .await;
    let found = check(&journal).await.findings;
    let open: Vec<&str> = found
        .iter()
        .filter(|finding| finding.check == Check::Clearing)
        .map(|finding| finding.subject.as_str())
        .collect();
    assert_eq!(
        open,
        ["acme 2115 transfer_1", "acme U120 transfer_1"],
        "{found:?}"
    );

    let used = event(&mut connection, "CreditsConsumed").await;
    let lot = format!("(select payload #>> '{{slices,0,grant}}' from events where position = {used})");
    tamper(
        &mut connection,
        &format!(
            "update events set payload = jsonb_set(payload::jsonb, '{{expires_at}}', '\"2026-03-01T22:31:00Z\"')::json
             where event_type = 'CreditsGranted' and payload ->> 'grant' = {lot}"
        ),
    )
    .await;
    let found = check(&journal).await.findings;
    assert!(
        found
            .iter()
            .any(|finding| finding.check == Check::Validity && finding.position == Some(used)),
        "{found:?}"
    );
}
