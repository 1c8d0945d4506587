//! What must hold of every schedule, whatever went wrong in it.

use std::collections::BTreeMap;

use super::callers::{Answer, Attempt, Command, Done, stream};
use super::purse::{Coin, Purse, What};
use crate::recorded::Recorded;
use tallybook_domain::Aggregate;

/// Who wrote events that are of no command.
pub(super) const STRANGER: &str = "a stranger";

/// The log in the end, stream by stream.
pub(super) struct History {
    streams: Vec<Vec<Row>>,
}

struct Row {
    /// How many events were committed when this one was.
    moment: usize,
    recorded: Recorded,
    coin: Coin,
}

impl History {
    pub(super) fn new(rows: &[Recorded], streams: usize) -> Self {
        let mut history = Self {
            streams: (0..streams).map(|_| Vec::new()).collect(),
        };
        let names: Vec<_> = (0..streams).map(stream).collect();
        for (moment, recorded) in (1..).zip(rows) {
            let number = names
                .iter()
                .position(|name| name.as_str() == recorded.aggregate_id)
                .expect("a stream of this schedule");
            history.streams[number].push(Row {
                moment,
                recorded: recorded.clone(),
                coin: serde_json::from_str(&recorded.payload).expect("what was written can be read"),
            });
        }
        history
    }

    /// The version of a stream at a moment.
    fn version_at(&self, number: usize, moment: usize) -> u64 {
        let by_then = self.streams[number].iter().filter(|row| row.moment <= moment);
        u64::try_from(by_then.count()).expect("few events")
    }

    /// A stream's state at a version.
    fn purse_at(&self, number: usize, version: u64) -> Purse {
        let mut purse = Purse::default();
        let rows = self.streams[number].iter();
        rows.take(usize::try_from(version).expect("few events"))
            .for_each(|row| purse.evolve(&row.coin));
        purse
    }

    /// The first of the events that stand under a key on a stream.
    fn under<'a>(&'a self, number: usize, key: &str) -> Option<&'a Row> {
        let mut found = self.streams[number]
            .iter()
            .filter(|row| row.recorded.command_key.as_deref() == Some(key));
        let first = found.next();
        assert!(found.next().is_none(), "{key} stands twice on stream {number}");
        first
    }

    /// What was recorded under a command's key, whichever stream is asked: where it says so, and what was asked.
    fn recording(&self, command: &Command) -> Option<(usize, u8)> {
        let rows = command
            .parts
            .iter()
            .filter_map(|(number, _)| self.under(*number, &command.key));
        let mut found = rows.map(|row| {
            let hash = row
                .recorded
                .command_hash
                .as_ref()
                .expect("with a key stands a hash");
            (row.moment, hash[0])
        });
        found.next()
    }
}

/// No gap, no command by halves or twice, positions that rise.
pub(super) fn the_log_is_whole(history: &History, commands: &[Command]) {
    for (number, rows) in history.streams.iter().enumerate() {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut rest = rows.as_slice();
        for (sequence, row) in (1..).zip(rows) {
            assert_eq!(row.recorded.sequence, sequence, "a gap in stream {number}");
        }
        assert!(
            rows.windows(2)
                .all(|pair| pair[0].recorded.position < pair[1].recorded.position)
        );
        while let Some(first) = rest.first() {
            let by = first.coin.by();
            let count = if by == STRANGER {
                1
            } else {
                assert!(first.recorded.command_key.is_some(), "{by}: events of no command");
                *seen.entry(by).or_default() += 1;
                usize::try_from(first.recorded.command_events.expect("beside the key")).expect("a count")
            };
            let (own, others) = rest.split_at(count);
            assert!(own.iter().all(|row| row.coin.by() == by), "{by}: half of it");
            assert!(own[1..].iter().all(|row| row.recorded.command_key.is_none()));
            rest = others;
        }
        assert!(
            seen.values().all(|times| *times == 1),
            "a command twice on stream {number}: {seen:?}"
        );
    }
    for command in commands {
        the_unit_is_whole(history, command);
    }
}

/// On all the streams it writes to, or on none.
fn the_unit_is_whole(history: &History, command: &Command) {
    let writes = |what: &What| !matches!(what, What::Look | What::Put(0));
    let writing: Vec<_> = command.parts.iter().filter(|(_, what)| writes(what)).collect();
    let written = writing
        .iter()
        .filter(|(number, _)| history.under(*number, &command.key).is_some());
    let written = written.count();
    assert!(
        written == 0 || written == writing.len(),
        "{command:?} is there by halves"
    );
}

/// Every answer was true, and stays true.
pub(super) fn the_answers_are_true(history: &History, commands: &[Command], attempts: &[Attempt]) {
    for attempt in attempts {
        let command = &commands[attempt.command];
        let recording = history.recording(command);
        what_was_recorded_is_known(attempt, recording);
        match &attempt.answer {
            Answer::Done { parts, replayed } => {
                it_was_done(history, command, attempt, parts, *replayed);
            }
            Answer::Refused { part, purse } => {
                it_was_refused(history, attempt, command.parts[*part], purse);
            }
            Answer::KeyReused => {
                let (moment, variant) = recording.expect("a key that was used stands somewhere");
                assert!(
                    moment <= attempt.ended && variant != attempt.variant,
                    "{attempt:?}"
                );
            }
            Answer::VersionConflict { current } => {
                assert_ne!(Some(*current), attempt.expected);
                is_of_its_time(history, command.parts[0].0, *current, attempt);
            }
            Answer::Panicked => {
                let panics = |what: &What| matches!(what, What::PanicDeciding | What::PanicFolding);
                assert!(
                    command.parts.iter().any(|(_, what)| panics(what)),
                    "{attempt:?} panicked"
                );
            }
            Answer::Unstorable => {
                let is_unstorable = |what: &What| matches!(what, What::Unstorable);
                assert!(
                    command.parts.iter().any(|(_, what)| is_unstorable(what)),
                    "{command:?} was hurt by a batch mate: {attempt:?}"
                );
            }
            Answer::NotNow | Answer::InDoubt => {}
        }
    }
    for (number, command) in commands.iter().enumerate() {
        let of_command: Vec<_> = attempts
            .iter()
            .filter(|attempt| attempt.command == number)
            .collect();
        what_is_recorded_was_asked_for(history, command, &of_command);
    }
}

/// Who asks after it was recorded hears of nothing else.
fn what_was_recorded_is_known(attempt: &Attempt, recording: Option<(usize, u8)>) {
    let Some((moment, variant)) = recording else {
        return;
    };
    if moment > attempt.begun {
        return;
    }
    let is_known = match &attempt.answer {
        Answer::Done { replayed, .. } => *replayed && variant == attempt.variant,
        Answer::KeyReused => variant != attempt.variant,
        Answer::NotNow | Answer::InDoubt => true,
        _ => false,
    };
    assert!(is_known, "recorded at {moment}, and then: {attempt:?}");
}

/// What stands in the log was acknowledged to someone, or left someone in doubt.
fn what_is_recorded_was_asked_for(history: &History, command: &Command, attempts: &[&Attempt]) {
    let Some((_, variant)) = history.recording(command) else {
        return;
    };
    let accounts_for = |attempt: &&&Attempt| {
        attempt.variant == variant
            && match &attempt.answer {
                Answer::Done { replayed, .. } => !replayed,
                answer => matches!(answer, Answer::InDoubt),
            }
    };
    let first = attempts.iter().filter(accounts_for);
    let told: Vec<_> = attempts
        .iter()
        .filter(|attempt| matches!(attempt.answer, Answer::Done { replayed: true, .. }))
        .collect();
    // An answer that was lost on the way to the writer is found again by the same attempt, and comes as a replay.
    assert!(
        first.count() > 0 || !told.is_empty(),
        "{command:?} is recorded, and nobody was told: {attempts:?}"
    );
}

fn it_was_done(
    history: &History,
    command: &Command,
    attempt: &Attempt,
    parts: &[Option<Done>],
    replayed: bool,
) {
    for ((number, _), part) in command.parts.iter().zip(parts) {
        let row = history.under(*number, &command.key);
        let Some(done) = part else {
            assert!(replayed && row.is_none(), "{attempt:?}");
            continue;
        };
        assert_eq!(
            done.purse,
            history.purse_at(*number, done.version),
            "the state of {attempt:?}"
        );
        let last = done
            .version
            .checked_sub(1)
            .map(|last| &history.streams[*number][usize::try_from(last).expect("few events")]);
        let position = last.map_or(0, |row| row.recorded.position);
        assert_eq!(done.position, position, "the position of {attempt:?}");
        if done.events.is_empty() {
            is_of_its_time(history, *number, done.version, attempt);
            continue;
        }
        let row = row.expect("what was acknowledged is there");
        let first = usize::try_from(row.recorded.sequence).expect("few events") - 1;
        let own = &history.streams[*number][first..first + done.events.len()];
        assert!(
            own.iter().map(|row| &row.coin).eq(&done.events),
            "the events of {attempt:?}"
        );
        assert_eq!(
            own.last().map(|row| row.moment),
            last.map(|row| row.moment),
            "{attempt:?}"
        );
        assert!(
            own.iter().all(|row| row.coin.by() == command.by(attempt.variant)),
            "{attempt:?}"
        );
        assert!(
            row.moment <= attempt.ended,
            "answered before it was there: {attempt:?}"
        );
        assert!(replayed || row.moment > attempt.begun, "{attempt:?}");
    }
    if let (Some(expected), false, (number, _)) = (attempt.expected, replayed, command.parts[0])
        && let Some(row) = history.under(number, &command.key)
    {
        assert_eq!(expected + 1, row.recorded.sequence.unsigned_abs(), "{attempt:?}");
    }
}

/// A refusal rests on what was committed when it was given, and not on what had passed when it was asked for.
fn it_was_refused(history: &History, attempt: &Attempt, (number, what): (usize, What), purse: &Purse) {
    assert!(
        matches!(what, What::Take(coins) if coins > purse.balance),
        "{attempt:?}"
    );
    is_of_its_time(history, number, purse.events, attempt);
    assert_eq!(*purse, history.purse_at(number, purse.events), "{attempt:?}");
}

/// The version is one that the stream had between question and answer.
fn is_of_its_time(history: &History, number: usize, version: u64, attempt: &Attempt) {
    let (earliest, latest) = (
        history.version_at(number, attempt.begun),
        history.version_at(number, attempt.ended),
    );
    assert!(
        (earliest..=latest).contains(&version),
        "judged on version {version}, when the stream had {earliest} to {latest}: {attempt:?}"
    );
}
