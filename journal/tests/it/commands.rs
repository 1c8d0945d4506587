//! One process: what a command is answered, and what it leaves in the log.

use std::collections::BTreeMap;

use futures::future::join_all;
use sha2::{Digest, Sha256};
use tallybook_journal::{ExecuteError, Unit, testing};

use crate::wallet::{Ask, Happened, Insufficient, Wallet, ask, envelope, stream, wallet};

#[tokio::test]
async fn a_command_is_recorded_with_its_key_and_as_serde_wrote_it() {
    let journal = testing::fresh_journal().await;
    let executed = ask(&journal, "a", "k1", Ask::GrantTimes(3))
        .await
        .expect("accepted");
    assert_eq!(
        (executed.version, executed.replayed, executed.state.balance),
        (3, false, 3)
    );
    assert_eq!(executed.events, vec![Happened::Granted { amount: 1 }; 3]);
    let rows = journal
        .read_stream("wallet", &stream("a"), 0, 10)
        .await
        .expect("read");
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2].position, executed.position);
    assert_eq!(rows[0].payload, r#"{"type":"Granted","amount":1}"#);
    assert_eq!(
        (rows[0].event_type.as_str(), rows[0].event_version.as_str()),
        ("Granted", "1")
    );
    assert_eq!(
        rows[0].metadata().expect("strings"),
        BTreeMap::from([("request_id".into(), "req-k1".into())])
    );
    assert_eq!(
        (rows[0].command_key.as_deref(), rows[0].command_events),
        (Some("k1"), Some(3))
    );
    assert_eq!(
        rows[0].command_hash.as_deref(),
        Some(envelope("k1", "a GrantTimes(3)").hash.as_slice())
    );
    assert!(
        rows[1..]
            .iter()
            .all(|row| row.command_key.is_none() && row.command_hash.is_none())
    );
    assert_eq!(journal.head().await.expect("read"), executed.position);
    assert_eq!(*journal.appended().borrow(), executed.position);
}

#[tokio::test]
async fn a_known_key_gets_its_first_answer_whatever_happened_since() {
    let journal = testing::fresh_journal().await;
    let first = ask(&journal, "a", "k1", Ask::Grant(5)).await.expect("accepted");
    ask(&journal, "a", "k2", Ask::Spend(5)).await.expect("accepted");
    let again = ask(&journal, "a", "k1", Ask::Grant(5))
        .await
        .expect("answered again");
    assert!(again.replayed);
    assert_eq!((again.version, again.position), (first.version, first.position));
    assert_eq!((&again.state, &again.events), (&first.state, &first.events));
    // The debit that spent the last credit is answered again, not judged again.
    let spent = ask(&journal, "a", "k2", Ask::Spend(5))
        .await
        .expect("answered again");
    assert_eq!((spent.replayed, spent.state.balance), (true, 0));
    assert_eq!(wallet(&journal, "a").await.events, 2);
}

#[tokio::test]
async fn a_key_belongs_to_its_request_and_to_its_stream() {
    let journal = testing::fresh_journal().await;
    ask(&journal, "a", "k", Ask::Grant(5)).await.expect("accepted");
    let reused = ask(&journal, "a", "k", Ask::Grant(6)).await;
    assert!(matches!(reused, Err(ExecuteError::KeyReused)), "{reused:?}");
    assert!(
        !ask(&journal, "b", "k", Ask::Grant(6))
            .await
            .expect("another stream")
            .replayed
    );
}

#[tokio::test]
async fn a_refusal_leaves_no_trace_and_is_judged_anew() {
    let journal = testing::fresh_journal().await;
    let refused = ask(&journal, "a", "k", Ask::Spend(1)).await;
    assert!(
        matches!(refused, Err(ExecuteError::Refused(Insufficient { balance: 0 }))),
        "{refused:?}"
    );
    assert_eq!(journal.head().await.expect("read"), 0);
    ask(&journal, "a", "g", Ask::Grant(1)).await.expect("accepted");
    assert!(
        !ask(&journal, "a", "k", Ask::Spend(1))
            .await
            .expect("now there is enough")
            .replayed
    );
}

#[tokio::test]
async fn nothing_to_record_is_answered_and_not_written() {
    let journal = testing::fresh_journal().await;
    let granted = ask(&journal, "a", "k1", Ask::Grant(5)).await.expect("accepted");
    let nothing = ask(&journal, "a", "k2", Ask::Nothing).await.expect("answered");
    assert_eq!(
        (nothing.events.len(), nothing.version, nothing.position),
        (0, 1, granted.position)
    );
    assert_eq!(journal.head().await.expect("read"), granted.position);
}

#[tokio::test]
async fn the_callers_expected_version_is_checked_in_the_same_transaction() {
    let journal = testing::fresh_journal().await;
    let expecting = |key: &str, version| tallybook_journal::Envelope {
        expected_version: Some(version),
        ..envelope(key, key)
    };
    let execute = async |key: &'static str, version| {
        journal
            .execute::<Wallet>(&stream("a"), Ask::Grant(1), expecting(key, version))
            .await
    };
    execute("k1", 0).await.expect("an empty stream has version 0");
    let stale = execute("k2", 0).await;
    assert!(
        matches!(
            stale,
            Err(ExecuteError::VersionConflict {
                expected: 0,
                current: 1
            })
        ),
        "{stale:?}"
    );
    assert!(
        execute("k1", 0).await.expect("known").replayed,
        "a known key is answered whatever is expected"
    );
    let rivals = join_all((0..20).map(|n| {
        let envelope = expecting(&format!("r{n}"), 1);
        let stream = stream("a");
        let journal = journal.clone();
        async move { journal.execute::<Wallet>(&stream, Ask::Grant(1), envelope).await }
    }))
    .await;
    assert_eq!(rivals.iter().filter(|rival| rival.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_unit_is_all_or_nothing() {
    let journal = testing::fresh_journal().await;
    ask(&journal, "giver", "g", Ask::Grant(5))
        .await
        .expect("accepted");
    let unit = |key: &str, amount| {
        let mut unit = Unit::new(envelope(key, key));
        let taker = unit.add::<Wallet>(&stream("taker"), Ask::Grant(amount));
        let giver = unit.add::<Wallet>(&stream("giver"), Ask::Spend(amount));
        (unit, taker, giver)
    };
    let Err(ExecuteError::Refused(refusal)) = journal.execute_unit(unit("u1", 6).0).await else {
        panic!("the giver has too little")
    };
    assert_eq!((refusal.index(), refusal.code()), (1, "insufficient"));
    assert_eq!(refusal.downcast_ref(), Some(&Insufficient { balance: 5 }));
    assert_eq!(wallet(&journal, "taker").await.events, 0);
    let (first, taker, giver) = unit("u2", 5);
    let done = journal.execute_unit(first).await.expect("accepted");
    assert_eq!(
        (
            done.outcome(taker).state.balance,
            done.outcome(giver).state.balance
        ),
        (5, 0)
    );
    ask(&journal, "taker", "later", Ask::Spend(1))
        .await
        .expect("accepted");
    let (again, taker, giver) = unit("u2", 5);
    let again = journal.execute_unit(again).await.expect("known");
    assert!(again.replayed());
    assert_eq!(
        (
            again.outcome(taker).state.balance,
            again.outcome(giver).state.balance
        ),
        (5, 0)
    );
    assert_eq!(again.position(), done.position());
    let mut twice = Unit::new(envelope("u3", "u3"));
    twice.add::<Wallet>(&stream("a"), Ask::Grant(1));
    twice.add::<Wallet>(&stream("a"), Ask::Grant(1));
    assert!(matches!(
        journal.execute_unit(twice).await,
        Err(ExecuteError::MalformedUnit)
    ));
}

fn incompressible(length: usize) -> String {
    let blocks = (0..=length / 64).map(|n| hex::encode(Sha256::digest(n.to_be_bytes())));
    let mut text: String = blocks.collect();
    text.truncate(length);
    text
}

#[tokio::test]
async fn a_bad_command_does_not_hurt_its_batch_mates() {
    let journal = testing::fresh_journal().await;
    let bad = |n: usize| match n {
        10 => Some(Ask::PanicDeciding),
        20 => Some(Ask::PanicFolding),
        30 => Some(Ask::Unstorable),
        40 => Some(Ask::Spend(1_000)),
        _ => None,
    };
    // All on five streams, so that the bad ones have mates before and behind them on the same stream.
    let asked = join_all((0..50).map(|n| {
        let journal = journal.clone();
        let name = format!("s{}", n % 5);
        // One key is longer than an index takes.
        let key = if n == 41 {
            incompressible(20_000)
        } else {
            format!("k{n}")
        };
        async move { ask(&journal, &name, &key, bad(n).unwrap_or(Ask::Grant(1))).await }
    }))
    .await;
    for (n, answer) in asked.iter().enumerate() {
        match n {
            10 | 20 => assert!(
                matches!(answer, Err(ExecuteError::Panicked(_))),
                "{n}: {answer:?}"
            ),
            30 | 41 => assert!(
                matches!(answer, Err(ExecuteError::Unstorable(_))),
                "{n}: {answer:?}"
            ),
            40 => assert!(matches!(answer, Err(ExecuteError::Refused(_))), "{n}: {answer:?}"),
            _ => assert!(answer.is_ok(), "{n}: {answer:?}"),
        }
    }
    for name in ["s0", "s1", "s2", "s3", "s4"] {
        let expected = match name {
            "s0" => 6,
            "s1" => 9,
            _ => 10,
        };
        assert_eq!(wallet(&journal, name).await.balance, expected, "{name}");
        // The writer's memory is the log's state, too.
        let seen = ask(&journal, name, "look", Ask::Nothing)
            .await
            .expect("answered")
            .state
            .balance;
        assert_eq!(seen, expected, "{name}");
    }
}

#[tokio::test]
async fn a_full_queue_is_a_retryable_refusal() {
    let database = testing::fresh_database().await;
    let config = tallybook_journal::JournalConfig {
        queue_max: 8,
        batch_max: 2,
        ..tallybook_journal::JournalConfig::new(database)
    };
    let journal = tallybook_journal::Journal::open(config).await.expect("open");
    let asked = join_all((0..200).map(|n| {
        let journal = journal.clone();
        async move { ask(&journal, "a", &format!("k{n}"), Ask::Grant(1)).await }
    }))
    .await;
    let accepted = asked.iter().filter(|answer| answer.is_ok()).count();
    let overloaded = asked
        .iter()
        .filter(|answer| matches!(answer, Err(ExecuteError::Overloaded)))
        .count();
    assert_eq!(accepted + overloaded, 200);
    assert!(overloaded > 0 && accepted > 0, "{accepted} accepted");
    assert_eq!(wallet(&journal, "a").await.events, accepted as u64);
}

#[tokio::test]
async fn closing_finishes_what_is_queued() {
    let database = testing::fresh_database().await;
    let journal = testing::open(database.clone()).await;
    let asked: Vec<_> = (0..20)
        .map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { ask(&journal, "a", &format!("k{n}"), Ask::Grant(1)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    journal.close().await;
    let mut accepted = 0;
    for answer in join_all(asked).await {
        match answer.expect("no panic") {
            Ok(_) => accepted += 1,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
    }
    assert_eq!(wallet(&testing::open(database).await, "a").await.events, accepted);
}
