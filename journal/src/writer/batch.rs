//! A batch: requests whose events are appended together, and their rows.
//!
//! A batch grows while the one before it is at the database. Beside what writes, it holds what writes nothing but rests
//! on events of the batch: such an answer is true only once these are in the log.

use std::collections::{HashMap, HashSet};

use super::{
    Found, Request,
    states::{BatchNumber, StreamName},
};
use crate::{
    command::{CommandKey, Envelope},
    error::{AnyRefusal, ExecuteError},
    part::{Decided, Kind, State},
    repo::events::{NewRows, Questions, Standing},
};

#[derive(Default)]
pub(super) struct Batch {
    pub(super) number: BatchNumber,
    pub(super) entries: Vec<Entry>,
    pub(super) streams: Vec<Stream>,
    pub(super) rows: NewRows,
    places: HashMap<StreamName, usize>,
    keys: HashSet<(StreamName, CommandKey)>,
}

/// A request in its batch.
pub(super) struct Entry {
    pub(super) request: Request,
    /// Its streams, part by part.
    pub(super) streams: Vec<usize>,
    pub(super) judgement: Judgement,
}

/// What was found about a request, true once the batch is in the log.
pub(super) enum Judgement {
    /// Its events, part by part; none, if it has nothing to record.
    Write(Vec<PartWrite>),
    /// It is not done.
    No(ExecuteError<AnyRefusal>),
    /// The log knew its key after all.
    Known(Vec<Option<Known>>),
    /// To be judged again: another writer appended to one of its streams.
    Moved,
}

impl Judgement {
    /// Whether the part writes events on its stream.
    pub(super) fn writes_on(&self, part: usize) -> bool {
        matches!(self, Self::Write(writes) if !writes[part].decided.rows.is_empty())
    }

    /// The last sequence of the part's stream before it, if it is written.
    pub(super) fn base(&self, part: usize) -> Option<i64> {
        match self {
            Self::Write(writes) => Some(writes[part].after),
            _ => None,
        }
    }
}

/// What a unit writes on one stream.
pub(super) struct PartWrite {
    pub(super) decided: Decided,
    pub(super) state: State,
    /// The kind of the state; `None` if it was not judged on any.
    pub(super) kind: Option<Kind>,
    /// The stream's last sequence before.
    pub(super) after: i64,
}

impl PartWrite {
    /// The stream's last sequence with it.
    pub(super) fn last_sequence(&self) -> i64 {
        self.after + rows_count(&self.decided)
    }
}

fn rows_count(decided: &Decided) -> i64 {
    i64::try_from(decided.rows.len()).expect("events fit in memory, so their number fits in i64")
}

/// What the log has under a command key on a stream.
pub(super) struct Known {
    pub(super) found: Found,
    pub(super) hash: Vec<u8>,
}

/// A stream in its batch.
pub(super) struct Stream {
    pub(super) name: StreamName,
    /// The last sequence before the batch.
    pub(super) base: i64,
    /// The position of the last event before the batch, and of the last event so far while it is answered.
    pub(super) position: i64,
}

impl Batch {
    pub(super) fn new(number: BatchNumber) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    /// Where a stream stands in the batch; one that is new to it stood at `base`, its last event at `position`.
    pub(super) fn place(&mut self, name: &StreamName, base: i64, position: i64) -> usize {
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        let place = self.streams.len();
        self.places.insert(name.clone(), place);
        self.streams.push(Stream {
            name: name.clone(),
            base,
            position,
        });
        place
    }

    /// The batch before brought a stream to this position.
    pub(super) fn learn(&mut self, name: &StreamName, position: i64) {
        if let Some(&place) = self.places.get(name) {
            let stream = &mut self.streams[place];
            stream.position = stream.position.max(position);
        }
    }

    /// Whether the batch is about to record this key on this stream.
    pub(super) fn records(&self, stream: &StreamName, key: &CommandKey) -> bool {
        !self.keys.is_empty() && self.keys.contains(&(stream.clone(), key.clone()))
    }

    /// Add a judged request with its rows. Each command's first event on a stream carries its key.
    pub(super) fn push(&mut self, entry: Entry) {
        if let Judgement::Write(writes) = &entry.judgement {
            let envelope = &entry.request.unit.envelope;
            let metadata = serde_json::to_string(&envelope.metadata).expect("a map of strings serializes");
            for (write, &place) in writes.iter().zip(&entry.streams) {
                if write.decided.rows.is_empty() {
                    continue;
                }
                let name = &self.streams[place].name;
                self.keys.insert((name.clone(), envelope.key.clone()));
                self.rows.push(name, write, envelope, &metadata);
            }
        }
        self.entries.push(entry);
    }

    /// What to ask about heads and keys: a row for each part of each request.
    pub(super) fn questions(&self) -> Questions {
        let mut questions = Questions::default();
        for entry in &self.entries {
            for part in &entry.request.unit.parts {
                questions.ask(part.as_ref(), &entry.request.unit.envelope.key, None);
            }
        }
        questions
    }

    /// Mark what rests on a head that moved, and everything tied to that by a unit: a unit that is not written takes
    /// its events off its other streams too, and what was judged after it there was judged on them. What the log knows
    /// by its key is as good as moved: its streams were judged on as if it were new.
    ///
    /// The rows that are left are the batch's rows afterwards.
    pub(super) fn drop_moved(&mut self, standings: Vec<Standing>) {
        let mut moved = vec![false; self.streams.len()];
        let mut standings = standings.into_iter();
        for entry in &mut self.entries {
            let mut known = Vec::with_capacity(entry.streams.len());
            for (&place, standing) in entry.streams.iter().zip(standings.by_ref()) {
                let stream = &mut self.streams[place];
                moved[place] |= standing.head != stream.base;
                stream.position = standing.position;
                known.push(self::known(&standing));
            }
            if known.iter().any(Option::is_some) {
                if let Judgement::Write(_) = entry.judgement {
                    for &place in &entry.streams {
                        moved[place] = true;
                    }
                }
                entry.judgement = Judgement::Known(known);
            }
        }
        self.spread(&mut moved);
        self.keep_written_rows();
    }

    /// Whether a request of the batch writes on each stream.
    pub(super) fn written(&self) -> Vec<bool> {
        let mut written = vec![false; self.streams.len()];
        for entry in &self.entries {
            for (part, &place) in entry.streams.iter().enumerate() {
                written[place] |= entry.judgement.writes_on(part);
            }
        }
        written
    }

    pub(super) fn into_requests(self) -> impl Iterator<Item = Request> {
        self.entries.into_iter().map(|entry| entry.request)
    }

    fn spread(&mut self, moved: &mut [bool]) {
        let mut spreading = true;
        while spreading {
            spreading = false;
            for entry in &mut self.entries {
                let rests_on_moved = entry.streams.iter().any(|&place| moved[place]);
                if !rests_on_moved || !matches!(entry.judgement, Judgement::Write(_) | Judgement::No(_)) {
                    continue;
                }
                if let Judgement::Write(_) = entry.judgement {
                    for &place in &entry.streams {
                        moved[place] = true;
                    }
                }
                entry.judgement = Judgement::Moved;
                spreading = true;
            }
        }
    }

    fn keep_written_rows(&mut self) {
        self.rows = NewRows::default();
        let entries = std::mem::take(&mut self.entries);
        for entry in entries {
            self.push(entry);
        }
    }
}

/// What the log has under a key, told from a row of the answers.
pub(super) fn known(standing: &Standing) -> Option<Known> {
    let first_sequence = standing.first_sequence?;
    let events = i64::from(standing.command_events.unwrap_or(1));
    Some(Known {
        found: Found {
            first_sequence,
            last_sequence: first_sequence + events - 1,
        },
        hash: standing.command_hash.clone().unwrap_or_default(),
    })
}

impl NewRows {
    fn push(&mut self, stream: &StreamName, write: &PartWrite, envelope: &Envelope, metadata: &str) {
        let count =
            i32::try_from(write.decided.rows.len()).expect("a command writes fewer events than i32 holds");
        for (event, sequence) in write.decided.rows.iter().zip(write.after + 1..) {
            let first = sequence == write.after + 1;
            self.aggregate_types
                .push(stream.aggregate_type.as_ref().to_owned());
            self.aggregate_ids.push(stream.aggregate_id.as_ref().to_owned());
            self.sequences.push(sequence);
            self.event_types.push(event.event_type.clone());
            self.event_versions.push(event.event_version.clone());
            self.payloads.push(event.payload.clone());
            self.metadata.push(metadata.to_owned());
            self.command_keys
                .push(first.then(|| envelope.key.as_str().to_owned()));
            self.command_hashes.push(first.then(|| envelope.hash.to_vec()));
            self.command_events.push(first.then_some(count));
        }
    }
}
