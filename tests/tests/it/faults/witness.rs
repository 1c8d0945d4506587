//! What must be true afterwards, whatever happened.

use std::collections::HashMap;

use chrono::{Days, SecondsFormat, Utc};
use futures::{StreamExt, stream};
use serde_json::Value;
use tallybook_tests::binary;
use tallybook_tests::client::Client;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::wait::{self, PATIENCE};

use super::load::{Sent, acknowledgement};
use super::scene::{ACCOUNTS, PLENTY, account_id};

/// How many ask again at once.
const CALLERS: usize = 16;

/// Of what was acknowledged, so many are asked for again over HTTP; all of it is looked up in the log.
const ASKED_AGAIN: usize = 150;

/// What the log has under a command's key.
struct Recorded {
    /// On so many streams.
    streams: usize,
    /// The position of its last event.
    position: i64,
}

/// Hear all callers: each acknowledgement stands in the log once, at the place it named; what was not acknowledged is
/// there whole or not at all, and asking again settles it; the balances are the sums of what was asked.
pub(super) async fn hear(database: &TestDatabase, engines: &[Client; 2], sent: &[Sent]) {
    let before = recorded(database).await;
    let (mut lost, mut kept) = (0, 0);
    for sent in sent {
        let streams = before.get(&sent.key).map_or(0, |recorded| recorded.streams);
        if let Some(acknowledged) = &sent.acknowledged {
            assert_eq!(streams, sent.moves.len(), "{} was acknowledged", sent.key);
            assert_eq!(before[&sent.key].position, acknowledged.position, "{}", sent.key);
        } else {
            assert!(
                streams == 0 || streams == sent.moves.len(),
                "half of {}",
                sent.key
            );
            if streams == 0 { lost += 1 } else { kept += 1 }
        }
    }
    let acknowledged = sent.iter().filter(|sent| sent.acknowledged.is_some()).count();
    println!("{acknowledged} acknowledged; of those without an answer {kept} are recorded, {lost} are not");

    let every = acknowledged.div_ceil(ASKED_AGAIN).max(1);
    let asked_again = sent
        .iter()
        .enumerate()
        .filter(|(number, sent)| sent.acknowledged.is_none() || number % every == 0);
    stream::iter(asked_again)
        .for_each_concurrent(CALLERS, |(number, sent)| ask_again(engines, number, sent))
        .await;

    let after = recorded(database).await;
    for sent in sent {
        let streams = after.get(&sent.key).map_or(0, |recorded| recorded.streams);
        assert_eq!(streams, sent.moves.len(), "{} is recorded once", sent.key);
    }
    the_log_is_whole(database).await;
    the_balances_are_the_sums(engines, sent).await;
}

/// Whatever one engine says, the other says, and it is what the caller was told first.
async fn ask_again(engines: &[Client; 2], number: usize, sent: &Sent) {
    let one = insist(&engines[number % 2], sent).await;
    let other = insist(&engines[(number + 1) % 2], sent).await;
    assert_eq!(one, other, "{}: two engines, two answers", sent.key);
    if let Some(first) = &sent.acknowledged {
        assert_eq!(one, (first.body.clone(), first.position), "{}", sent.key);
    }
}

async fn insist(client: &Client, sent: &Sent) -> (bytes::Bytes, i64) {
    wait::until("an acknowledgement", PATIENCE, async || {
        let answer = sent.send(client).await?;
        acknowledgement(answer).map(|acknowledged| (acknowledged.body, acknowledged.position))
    })
    .await
}

/// Every command in the log, by its key.
async fn recorded(database: &TestDatabase) -> HashMap<String, Recorded> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select first.command_key, count(*), max(last.position)
         from events first
         join events last on last.aggregate_type = first.aggregate_type and last.aggregate_id = first.aggregate_id
              and last.sequence = first.sequence + first.command_events - 1
         where first.command_key is not null
         group by first.command_key",
    )
    .fetch_all(database.pool())
    .await
    .expect("the log can be read");
    rows.into_iter()
        .map(|(key, streams, position)| {
            let streams = usize::try_from(streams).expect("a count");
            (key, Recorded { streams, position })
        })
        .collect()
}

/// No stream has a gap, every event belongs to a command that has all of its own, and no stream's clock goes back.
async fn the_log_is_whole(database: &TestDatabase) {
    assert_eq!(database.streams_with_a_gap().await, 0);
    let torn = database
        .number(
            "select count(*) from events first
             where first.command_key is not null and first.command_events <> (
                 select count(*) from events
                 where aggregate_type = first.aggregate_type and aggregate_id = first.aggregate_id
                   and sequence >= first.sequence and sequence < first.sequence + first.command_events
                   and (sequence = first.sequence or command_key is null))",
        )
        .await;
    assert_eq!(torn, 0, "commands that lack events");
    let strays = database
        .number("select count(*) - coalesce(sum(command_events), 0)::bigint from events")
        .await;
    assert_eq!(strays, 0, "events of no command");
    let backwards = database
        .number(
            "select count(*) from (
                 select (payload ->> 'at')::timestamptz as at, lag((payload ->> 'at')::timestamptz) over stream as before
                 from events window stream as (partition by aggregate_type, aggregate_id order by sequence)
             ) instants where at < before",
        )
        .await;
    assert_eq!(backwards, 0, "events judged before those they follow");
}

/// As of some days ahead: what an engine with a fast clock granted is not valid yet.
async fn the_balances_are_the_sums(engines: &[Client; 2], sent: &[Sent]) {
    let ahead = (Utc::now() + Days::new(3)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut expected = [PLENTY * 1_000_000; ACCOUNTS];
    for (account, units) in sent.iter().flat_map(|sent| &sent.moves) {
        expected[*account] += units;
    }
    for (account, units) in expected.into_iter().enumerate() {
        for engine in engines {
            let path = format!("/accounts/{}/balance?as_of={ahead}", account_id(account));
            let balance = engine.get(&path).await.expect(200).json();
            assert_eq!(millionths(&balance["available"]), units, "{path}");
        }
    }
}

fn millionths(credits: &Value) -> i64 {
    let text = credits.as_str().expect("credits are text");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<6}").parse().expect("digits")
}

/// The newest seal, to be kept where no fault reaches it.
pub(super) async fn sealed_head(database: &TestDatabase) -> String {
    wait::until("a seal", PATIENCE, async || {
        let report = binary::run(["verify", "--json", "--database-url", &database.url()])
            .await
            .json();
        report["head"].as_str().map(ToOwned::to_owned)
    })
    .await
}

/// What is derived is what a fold from zero gives, the books balance, and the seals vouch for every event: those from
/// before the fault, too.
pub(super) async fn verify(database: &TestDatabase, head: &str) {
    let url = database.url();
    let report = binary::run(["verify", "--json", "--head", head, "--database-url", &url])
        .await
        .succeeded()
        .json();
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(
        report["unsealed_events"], 0,
        "engines that end seal the rest: {report}"
    );
    assert_eq!(report["events"], database.events().await, "{report}");
}
