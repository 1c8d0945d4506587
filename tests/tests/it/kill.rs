//! Killed with -9 in the middle of a load: what was acknowledged is there once, what was not can be retried.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tallybook_tests::client::Client;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::scale::scaled;
use tallybook_tests::server::Server;
use tallybook_tests::{binary, wait};
use tokio::sync::watch;

const CALLERS: usize = 16;
const ACCOUNTS: usize = 4;

/// A command, and the answer if one came.
struct Sent {
    path: String,
    key: String,
    body: Value,
    /// In millionths, signed as it moves the balance.
    units: i64,
    account: usize,
    answer: Option<Bytes>,
}

/// One caller's load on one of the accounts: grants and debits of many sizes.
fn load(caller: usize, count: usize) -> Vec<Sent> {
    (0..count)
        .map(|number| {
            let account = (caller + number) % ACCOUNTS;
            let units =
                i64::try_from(1_000_001 + (caller * 7919 + number * 104_729) % 3_000_000).expect("small");
            let credits = format!("{}.{:06}", units / 1_000_000, units % 1_000_000);
            let key = format!("caller {caller} number {number}");
            let (kind, body, units) = if number % 3 == 0 {
                ("grants", json!({"credits": credits, "source": "paid"}), units)
            } else {
                ("debits", json!({"credits": credits, "reference": key}), -units)
            };
            let path = format!("/accounts/acme-{account}/{kind}");
            Sent {
                path,
                key,
                body,
                units,
                account,
                answer: None,
            }
        })
        .collect()
}

/// Send in order until the server no longer answers. The last command is for a dead server in any case.
async fn send(
    client: Client,
    mut load: Vec<Sent>,
    acknowledged: Arc<AtomicUsize>,
    mut died: watch::Receiver<bool>,
) -> Vec<Sent> {
    let last = load.len() - 1;
    for (number, sent) in load.iter_mut().enumerate() {
        if number == last {
            died.wait_for(|died| *died).await.expect("the test goes on");
        }
        let Ok(answer) = client.try_post(&sent.path, &sent.key, &sent.body).await else {
            break;
        };
        sent.answer = Some(answer.expect(201).body);
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    load
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_command_is_there_once_after_kill_9() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    for account in 0..ACCOUNTS {
        client
            .post(
                "/accounts",
                &format!("open {account}"),
                &json!({"id": format!("acme-{account}")}),
            )
            .await
            .expect(201);
        // Enough for every debit in any order.
        let plenty = json!({"credits": "1000000", "source": "promotional"});
        client
            .post(&format!("/accounts/acme-{account}/grants"), "plenty", &plenty)
            .await
            .expect(201);
    }

    let each = scaled(40);
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let (killed, died) = watch::channel(false);
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            tokio::spawn(send(
                client.clone(),
                load(caller, each),
                Arc::clone(&acknowledged),
                died.clone(),
            ))
        })
        .collect();
    wait::until("a third of the load", wait::PATIENCE, async || {
        (acknowledged.load(Ordering::Relaxed) >= CALLERS * each / 3).then_some(())
    })
    .await;
    server.kill().await;
    killed.send_replace(true);
    let mut sent = Vec::new();
    for caller in callers {
        sent.extend(caller.await.expect("a caller ends"));
    }
    let unanswered = sent.iter().filter(|sent| sent.answer.is_none()).count();
    assert!(unanswered > 0, "the server died in the middle of the load");

    let server = Server::start(&database).await;
    let client = server.client(client.api_key());
    stream::iter(&sent)
        .for_each_concurrent(4 * CALLERS, |sent| retry(&client, &database, sent))
        .await;

    let mut expected = [1_000_000_000_000_i64; ACCOUNTS];
    for sent in &sent {
        expected[sent.account] += sent.units;
    }
    for (account, units) in expected.into_iter().enumerate() {
        let balance = client
            .get(&format!("/accounts/acme-{account}/balance"))
            .await
            .expect(200)
            .json();
        assert_eq!(millionths(&balance["available"]), units, "acme-{account}");
    }
    assert_eq!(
        database.events().await,
        i64::try_from(2 * ACCOUNTS + CALLERS * each).unwrap()
    );
    assert_eq!(database.streams_with_a_gap().await, 0);
    binary::run(["verify", "--database-url", &database.url()])
        .await
        .succeeded();
}

/// A retry of what was acknowledged gets the first body; of what was not, an answer.
async fn retry(client: &Client, database: &TestDatabase, sent: &Sent) {
    if sent.answer.is_some() {
        assert_eq!(
            database.commands_under(&sent.key).await,
            1,
            "{} was acknowledged",
            sent.key
        );
    }
    let answer = client.post(&sent.path, &sent.key, &sent.body).await.expect(201);
    if let Some(first) = &sent.answer {
        assert!(answer.is_replayed());
        assert_eq!(&answer.body, first, "{}", sent.key);
    }
    assert_eq!(database.commands_under(&sent.key).await, 1);
}

fn millionths(credits: &Value) -> i64 {
    let text = credits.as_str().expect("credits are text");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().expect("digits")
}
