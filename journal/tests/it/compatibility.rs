//! Stock postgres-es and Tallybook on one table.

use std::collections::HashMap;

use cqrs_es::{AggregateError, CqrsFramework, EventStore, persist::PersistedEventStore};
use futures::future::join_all;
use postgres_es::PostgresEventRepository;
use tallybook_domain::cqrs::{Cqrs, CqrsEvent, Services};
use tallybook_journal::{Journal, JournalStore, testing};

use crate::wallet::{Ask, Happened, Wallet, ask, wallet};

type Stock = PersistedEventStore<PostgresEventRepository, Cqrs<Wallet>>;

fn stock(journal: &Journal) -> Stock {
    PersistedEventStore::new_event_store(PostgresEventRepository::new(journal.pool().clone()))
}

fn granted(amount: i64) -> Vec<CqrsEvent<Happened>> {
    vec![CqrsEvent(Happened::Granted { amount })]
}

/// Append through any cqrs-es store; on a conflict load again and try again.
async fn append<S>(store: &S, id: &str, amount: i64)
where
    S: EventStore<Cqrs<Wallet>>,
{
    loop {
        let context = store.load_aggregate(id).await.expect("loads");
        let metadata = HashMap::from([("actor".to_owned(), "test".to_owned())]);
        match store.commit(granted(amount), context, metadata).await {
            Ok(committed) => return assert_eq!(committed.len(), 1),
            Err(AggregateError::AggregateConflict) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn stock_and_tallybook_write_and_read_the_same_streams_in_turn() {
    let journal = testing::fresh_journal().await;
    let (stock, ours) = (stock(&journal), JournalStore::new(journal.clone()));
    for turn in 1..=10_i64 {
        append(&stock, "acme/a", turn).await;
        ask(&journal, "a", &format!("k{turn}"), Ask::Spend(turn))
            .await
            .expect("what stock granted can be spent");
        append(&ours, "acme/a", 1).await;
    }
    assert_eq!(wallet(&journal, "a").await.balance, 10);
    let by_stock: Vec<_> = stock
        .load_events("acme/a")
        .await
        .expect("stock reads what we wrote");
    let by_us: Vec<_> = EventStore::<Cqrs<Wallet>>::load_events(&ours, "acme/a")
        .await
        .expect("we read what stock wrote");
    assert_eq!(by_stock.len(), 30);
    for (stock, ours) in by_stock.iter().zip(&by_us) {
        assert_eq!(
            (stock.sequence, &stock.payload, &stock.metadata),
            (ours.sequence, &ours.payload, &ours.metadata)
        );
    }
}

#[tokio::test]
async fn the_framework_runs_on_the_journal() {
    let journal = testing::fresh_journal().await;
    let framework = CqrsFramework::<Cqrs<Wallet>, _>::new(
        JournalStore::new(journal.clone()),
        vec![],
        Services::at(chrono::DateTime::UNIX_EPOCH),
    );
    framework
        .execute("acme/a", Ask::GrantTimes(3))
        .await
        .expect("accepted");
    framework
        .execute("acme/a", Ask::Spend(2))
        .await
        .expect("accepted");
    let refused = framework.execute("acme/a", Ask::Spend(2)).await;
    assert!(
        matches!(refused, Err(AggregateError::UserError(_))),
        "{refused:?}"
    );
    let wallet = wallet(&journal, "a").await;
    assert_eq!((wallet.balance, wallet.events), (1, 4));
}

#[tokio::test]
async fn of_two_commits_on_one_version_one_wins() {
    let journal = testing::fresh_journal().await;
    let ours = JournalStore::new(journal.clone());
    let first = EventStore::<Cqrs<Wallet>>::load_aggregate(&ours, "acme/a")
        .await
        .expect("loads");
    let second = EventStore::<Cqrs<Wallet>>::load_aggregate(&ours, "acme/a")
        .await
        .expect("loads");
    ours.commit(granted(1), first, HashMap::new())
        .await
        .expect("the first");
    let lost = ours.commit(granted(1), second, HashMap::new()).await;
    assert!(matches!(lost, Err(AggregateError::AggregateConflict)), "{lost:?}");
    assert_eq!(wallet(&journal, "a").await.events, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_misses_nothing_of_16_writers_of_both_kinds() {
    let journal = testing::fresh_journal().await;
    let writers: Vec<_> = (0..16_usize)
        .map(|writer| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let stock = stock(&journal);
                for n in 0..25 {
                    let shared = format!("s{}", (writer + n) % 4);
                    if writer % 2 == 0 {
                        append(&stock, &format!("acme/{shared}"), 1).await;
                    } else {
                        ask(&journal, &shared, &format!("w{writer}-{n}"), Ask::Grant(1))
                            .await
                            .expect("accepted");
                    }
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    let mut position = 0;
    loop {
        let finished = writers.iter().all(tokio::task::JoinHandle::is_finished);
        let rows = journal.read_log(position, 50).await.expect("read");
        position = rows.last().map_or(position, |row| row.position);
        let caught_up = rows.is_empty();
        seen.extend(rows);
        if finished && caught_up {
            break;
        }
    }
    for writer in join_all(writers).await {
        writer.expect("no panic");
    }
    assert_eq!(seen.len(), 16 * 25);
    for stream in 0..4 {
        let id = format!("acme/s{stream}");
        let sequences: Vec<_> = seen
            .iter()
            .filter(|row| row.aggregate_id == id)
            .map(|row| row.sequence)
            .collect();
        let gapless: Vec<_> = (1..=i64::try_from(sequences.len()).expect("few")).collect();
        assert_eq!(sequences, gapless, "positions follow the stream's own order");
    }
}
