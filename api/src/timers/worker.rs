//! What looks for accounts with something due, a few at once, until it is told to stop.
//!
//! **The locking rule.** A round is one transaction: it picks accounts whose instant has passed by their own clock (the
//! server's or a test clock's) and takes an advisory lock named after each, leaving out those that another process holds;
//! it has them write what is due; it ends the transaction and with it the locks. The locks only spare two processes the
//! same work. That each due thing is written once does not rest on them: the account judges on its stream, and what is
//! written is not due any more. The journal is called while the locks are held and waits for none of them.
//!
//! **What a round can't do.** Loop on one account: an account that was tried is left alone, longer each time, until the
//! read model shows another version of it. The read model may lag behind; then the command is known already and answered
//! from the log.
//!
//! After downtime the rounds follow one another without a pause until nothing is due; an account writes all that became
//! due meanwhile in one command, each thing dated its own instant.

use std::collections::HashMap;
use std::time::Duration;

use futures::{StreamExt, stream};
use tallybook_domain::Timestamp;
use tallybook_domain::account::AccountRefusal;
use tallybook_domain::identity::StreamId;
use tallybook_journal::ExecuteError;
use tokio::time::Instant;

use super::due::{Due, StepError, step_to, write_due};
use super::repo::{self, DueRow, Skipped};
use crate::AppState;

/// Accounts of a round.
const BATCH: i64 = 128;
/// Accounts written at once.
const CONCURRENCY: usize = 16;
/// How long an idle worker waits before it looks again.
const IDLE: Duration = Duration::from_millis(250);
/// How long a broken database is left alone, and how often test clocks are looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an account is left alone after a try, at first and at most: twice as long each time.
const LEFT_ALONE_FIRST: Duration = Duration::from_secs(1);
const LEFT_ALONE_MAX: Duration = Duration::from_mins(5);
/// Tries remembered.
const TRIES_MAX: usize = 10_000;

/// Write what becomes due, and drive test clocks whose advance was cut short, until [`AppState::stop`] is requested.
pub(crate) async fn work(state: AppState) {
    let mut stop = state.stop.clone();
    let mut tries = Tries::default();
    let mut clocks_at: Option<Instant> = None;
    while !stop.is_requested() {
        if clocks_at.is_none_or(|at| at.elapsed() >= PAUSE) {
            if let Err(error) = state.test_clocks.resume().await {
                tracing::warn!(%error, "a test clock cannot be advanced at the moment");
            }
            clocks_at = Some(Instant::now());
        }
        let pause = match round(&state, &mut tries).await {
            Ok(0) => IDLE,
            Ok(_) => continue,
            Err(error) => {
                tracing::warn!(%error, "what is due cannot be looked up");
                PAUSE
            }
        };
        tokio::select! {
            () = stop.requested() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What came of one account.
enum Outcome {
    /// So many events.
    Written(usize),
    /// Nothing was due, or another was faster.
    Nothing,
    Failed(String),
}

/// Have some accounts write what is due. How many were tried.
async fn round(state: &AppState, tries: &mut Tries) -> Result<usize, sqlx::Error> {
    let now = state.present.of_server();
    let mut transaction = state.pool.begin().await?;
    let rows = repo::take_due(&mut transaction, now, &tries.skipped(Instant::now()), BATCH).await?;
    let oldest = rows.iter().map(|row| lag(row, now)).max().unwrap_or_default();
    let outcomes: Vec<(DueRow, Outcome)> = stream::iter(rows)
        .map(|row| async move {
            let outcome = write(state, &row, now).await;
            (row, outcome)
        })
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    transaction.commit().await?;
    let (mut events, mut nothing, mut failed) = (0, 0, 0);
    for (row, outcome) in &outcomes {
        match outcome {
            Outcome::Written(count) => events += count,
            Outcome::Nothing => nothing += 1,
            Outcome::Failed(error) => {
                failed += 1;
                tracing::warn!(tenant = row.tenant, account = row.account, due_at = %row.due_at, error,
                    "what is due on an account cannot be written");
            }
        }
        tries.note(row, Instant::now());
    }
    if !outcomes.is_empty() {
        tracing::info!(
            timers.accounts = outcomes.len(),
            timers.events = events,
            timers.nothing_due = nothing,
            timers.failed = failed,
            timers.lag_ms = oldest,
            "wrote what was due"
        );
    }
    Ok(outcomes.len())
}

/// How long something has been due, in milliseconds.
fn lag(row: &DueRow, server_now: Timestamp) -> i64 {
    let now = row.clock_now.unwrap_or(server_now);
    (now - row.due_at).num_milliseconds()
}

async fn write(state: &AppState, row: &DueRow, now: Timestamp) -> Outcome {
    let stream = StreamId::account(&row.tenant.as_str().into(), &row.account.as_str().into());
    let written = if let Some(clock_now) = row.clock_now {
        // On a test clock each thing is judged at its own instant, however late it is looked at.
        step_to(&state.journal, &stream, clock_now).await
    } else {
        let due = Due {
            stream,
            at: row.due_at,
            version: row.version.unsigned_abs(),
        };
        match write_due(&state.journal, &due, now).await {
            Ok(executed) if executed.replayed => return Outcome::Nothing,
            Ok(executed) => return Outcome::Written(executed.events.len()),
            Err(error) => Err(StepError::from(error)),
        }
    };
    match written {
        Ok(()) => Outcome::Written(0),
        Err(StepError::Execute(ExecuteError::Refused(AccountRefusal::NoChange))) => Outcome::Nothing,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// What was tried at which version, and until when it is left alone.
#[derive(Default)]
struct Tries(HashMap<(String, String), Try>);

struct Try {
    version: i64,
    left_alone: Duration,
    until: Instant,
}

impl Tries {
    fn note(&mut self, row: &DueRow, now: Instant) {
        if self.0.len() >= TRIES_MAX {
            self.0.retain(|_, tried| tried.until > now);
        }
        let key = (row.tenant.clone(), row.account.clone());
        let before = self.0.get(&key).filter(|tried| tried.version == row.version);
        let left_alone = before.map_or(LEFT_ALONE_FIRST, |tried| {
            (tried.left_alone * 2).min(LEFT_ALONE_MAX)
        });
        let tried = Try {
            version: row.version,
            left_alone,
            until: now + left_alone,
        };
        self.0.insert(key, tried);
    }

    /// What is to be left alone now.
    fn skipped(&self, now: Instant) -> Skipped {
        let mut skipped = Skipped::default();
        for ((tenant, account), tried) in &self.0 {
            if tried.until > now {
                skipped.tenants.push(tenant.clone());
                skipped.accounts.push(account.clone());
                skipped.versions.push(tried.version);
            }
        }
        skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(version: i64) -> DueRow {
        DueRow {
            tenant: "t".to_owned(),
            account: "a".to_owned(),
            due_at: Timestamp::UNIX_EPOCH,
            version,
            clock_now: None,
        }
    }

    #[test]
    fn an_account_that_writes_nothing_is_asked_less_and_less_often() {
        let mut tries = Tries::default();
        let mut now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..12 {
            tries.note(&row(7), now);
            assert_eq!(tries.skipped(now).versions, [7]);
            let mut pause = Duration::ZERO;
            while !tries.skipped(now + pause).versions.is_empty() {
                pause += Duration::from_secs(1);
            }
            pauses.push(pause);
            now += pause;
        }
        assert_eq!(pauses[..3], [1, 2, 4].map(Duration::from_secs));
        assert_eq!(pauses.last(), Some(&LEFT_ALONE_MAX));
        tries.note(&row(8), now);
        let anew = tries.skipped(now + LEFT_ALONE_FIRST);
        assert!(anew.versions.is_empty(), "another version begins anew");
    }
}
