//! Many callers, several processes, connections that are cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use tallybook_journal::{ExecuteError, Journal, Unit, testing};

use crate::wallet::{Ask, Wallet, ask, envelope, stream, wallet};

#[tokio::test]
async fn of_50_with_a_conflicting_and_a_duplicate_one_48_commit() {
    let journal = testing::fresh_journal().await;
    ask(&journal, "shared", "known", Ask::Grant(1))
        .await
        .expect("accepted");
    ask(&journal, "shared", "conflicting", Ask::Grant(1))
        .await
        .expect("accepted");
    let answers = join_all((0..50).map(|n| {
        let journal = journal.clone();
        async move {
            match n {
                17 => ask(&journal, "shared", "known", Ask::Grant(1)).await,
                31 => ask(&journal, "shared", "conflicting", Ask::Grant(2)).await,
                _ => ask(&journal, &format!("s{}", n % 7), &format!("k{n}"), Ask::Grant(1)).await,
            }
        }
    }))
    .await;
    let fresh = answers
        .iter()
        .filter(|answer| answer.as_ref().is_ok_and(|answer| !answer.replayed))
        .count();
    assert_eq!(fresh, 48);
    assert!(answers[17].as_ref().expect("known").replayed);
    assert!(matches!(answers[31], Err(ExecuteError::KeyReused)));
    let mut events = 0;
    for n in 0..7 {
        events += wallet(&journal, &format!("s{n}")).await.events;
    }
    assert_eq!(events, 48);
}

#[tokio::test]
async fn fifty_requests_with_one_new_key_are_one_event_and_fifty_equal_answers() {
    let database = testing::fresh_database().await;
    let journals = [
        testing::open(database.clone()).await,
        testing::open(database).await,
    ];
    let answers = join_all((0..50).map(|n| {
        let journal = journals[n % 2].clone();
        tokio::spawn(async move { ask(&journal, "a", "one", Ask::Grant(3)).await })
    }))
    .await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("no panic").expect("accepted"))
        .collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let first = &answers[0];
    for answer in &answers {
        assert_eq!((&answer.state, &answer.events), (&first.state, &first.events));
        assert_eq!((answer.version, answer.position), (first.version, first.position));
    }
    assert_eq!(wallet(&journals[0], "a").await.events, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_overdraw_one_balance() {
    let database = testing::fresh_database().await;
    let journals = [
        testing::open(database.clone()).await,
        testing::open(database).await,
    ];
    ask(&journals[0], "a", "grant", Ask::Grant(100))
        .await
        .expect("accepted");
    let answers = join_all((0..200).map(|n| {
        let journal = journals[n % 2].clone();
        tokio::spawn(async move { ask(&journal, "a", &format!("d{n}"), Ask::Spend(1)).await })
    }))
    .await;
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("no panic"))
        .collect();
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(ExecuteError::Refused(_))))
        .count();
    assert_eq!((accepted, refused), (100, 100));
    assert_eq!(wallet(&journals[0], "a").await.balance, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_granted_the_other_can_spend_at_once() {
    let database = testing::fresh_database().await;
    let [one, other] = [
        testing::open(database.clone()).await,
        testing::open(database).await,
    ];
    for n in 0..1_000 {
        ask(&one, "a", &format!("g{n}"), Ask::Grant(7))
            .await
            .expect("granted");
        let spent = ask(&other, "a", &format!("s{n}"), Ask::Spend(7)).await;
        assert!(spent.is_ok(), "a false refusal in round {n}: {spent:?}");
    }
    assert_eq!(wallet(&one, "a").await.balance, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_fight_for_hot_streams_all_get_through() {
    let database = testing::fresh_database().await;
    let mut journals = Vec::new();
    for _ in 0..3 {
        journals.push(testing::open(database.clone()).await);
    }
    let tasks = (0..24).map(|caller| {
        let journal = journals[caller % 3].clone();
        tokio::spawn(async move {
            for n in 0..50 {
                let name = format!("hot{}", (caller + n) % 2);
                ask(&journal, &name, &format!("c{caller}-{n}"), Ask::Grant(1))
                    .await
                    .expect("accepted");
            }
        })
    });
    for task in join_all(tasks).await {
        task.expect("no panic");
    }
    let total = wallet(&journals[0], "hot0").await.balance + wallet(&journals[0], "hot1").await.balance;
    assert_eq!(total, 24 * 50);
}

/// Asks until the log says yes: what a careful caller does on a retryable error.
async fn insist(journal: &Journal, name: &str, key: &str) {
    loop {
        match ask(journal, name, key, Ask::Grant(1)).await {
            Ok(_) => return,
            Err(error) => assert!(error.is_retryable(), "{error:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_lose_nothing_and_double_nothing() {
    let database = testing::fresh_database().await;
    let journals = [
        testing::open(database.clone()).await,
        testing::open(database.clone()).await,
    ];
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..16)
        .map(|caller: usize| {
            let (journal, answered) = (journals[caller % 2].clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                for n in 0..40 {
                    insist(&journal, &format!("s{}", n % 3), &format!("c{caller}-{n}")).await;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut cutter = testing::connect(&database).await;
    let mut cuts = 0_i64;
    while !callers.iter().all(tokio::task::JoinHandle::is_finished) {
        let cut: i64 = sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        )
        .fetch_one(&mut cutter)
        .await
        .expect("cut");
        cuts += cut;
        // The next cut when something got through since this one, however long that takes here.
        let before = answered.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(Duration::from_millis(30)).await;
            if answered.load(Ordering::Relaxed) > before
                || callers.iter().all(tokio::task::JoinHandle::is_finished)
            {
                break;
            }
        }
    }
    for caller in join_all(callers).await {
        caller.expect("no panic");
    }
    assert!(cuts > 0);
    let mut events = 0;
    let calm = testing::open(database).await;
    for n in 0..3 {
        events += wallet(&calm, &format!("s{n}")).await.events;
    }
    assert_eq!(events, 16 * 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn units_of_two_processes_on_shared_streams_are_never_torn() {
    let database = testing::fresh_database().await;
    let journals = [
        testing::open(database.clone()).await,
        testing::open(database).await,
    ];
    for n in 0..4 {
        ask(&journals[0], &format!("w{n}"), "grant", Ask::Grant(50))
            .await
            .expect("accepted");
    }
    let transfers = (0..300_usize).map(|n| {
        let journal = journals[n % 2].clone();
        tokio::spawn(async move {
            let key = format!("t{n}");
            let mut unit = Unit::new(envelope(&key, &key));
            unit.add::<Wallet>(&stream(&format!("w{}", n % 4)), Ask::Spend(1));
            unit.add::<Wallet>(
                &stream(&format!("w{}", (n / 4 + n + 1 + n / 4 % 3) % 4)),
                Ask::Grant(1),
            );
            journal.execute_unit(unit).await.map(drop)
        })
    });
    let mut accepted = 0;
    for transfer in join_all(transfers).await {
        match transfer.expect("no panic") {
            Ok(()) => accepted += 1,
            // Some of these name one stream twice; a few may find an empty wallet.
            Err(ExecuteError::MalformedUnit | ExecuteError::Refused(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(accepted > 100, "{accepted}");
    let (mut total, mut events) = (0, 0);
    for n in 0..4 {
        let wallet = wallet(&journals[0], &format!("w{n}")).await;
        // What a writer remembers after all the fighting is what the log says.
        for journal in &journals {
            let remembered = ask(journal, &format!("w{n}"), "look", Ask::Nothing)
                .await
                .expect("answered");
            assert_eq!(*remembered.state, wallet);
        }
        assert!(wallet.balance >= 0);
        total += wallet.balance;
        events += wallet.events;
    }
    assert_eq!((total, events), (200, 4 + 2 * accepted));
}
