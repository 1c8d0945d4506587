//! A batch: its requests, its streams, and what the log said about them.

use std::{any::TypeId, borrow::Cow, collections::HashMap, sync::Arc};

use super::{
    Cause, Found, Remainder, Request,
    cache::{Remembered, StateCache, StreamName},
    judge::Judgement,
};
use crate::{
    error::{Corruption, ExecuteError},
    load,
    part::{Decided, Part, State},
    recorded::Recorded,
    repo::events::{Pieces, Questions, Standing},
};

/// Requests that are judged and appended together.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) streams: Vec<Stream>,
}

/// A request in its batch.
pub(super) struct Entry {
    pub(super) request: Request,
    /// Its streams, part by part.
    pub(super) streams: Vec<usize>,
    /// What stands under its key, part by part.
    pub(super) known: Vec<Option<Known>>,
    pub(super) judgement: Judgement,
}

/// What the log has under a command key on a stream.
pub(super) struct Known {
    pub(super) found: Found,
    pub(super) hash: Vec<u8>,
}

/// A stream in its batch.
pub(super) struct Stream {
    pub(super) name: StreamName,
    /// The Rust type of its state. `None` while no command needs one.
    pub(super) judged_on: Option<TypeId>,
    /// The last sequence in the remembered state, while the log has more.
    missing_after: Option<i64>,
    /// The last sequence in the log when the batch began.
    pub(super) head: i64,
    /// The last sequence with the batch's own events.
    pub(super) next: i64,
    /// The position of the last event known to be in the log.
    pub(super) position: i64,
    /// The state at `next`. `None` if nobody needs it, or if it was lost on the way.
    pub(super) state: Option<State>,
    /// Why it cannot be judged on at all.
    pub(super) corrupt: Option<Corruption>,
}

impl Batch {
    pub(super) fn new(requests: Vec<Request>) -> Self {
        let mut by_name = HashMap::new();
        let mut streams: Vec<Stream> = Vec::new();
        let entries = requests
            .into_iter()
            .map(|request| {
                let of_request = request
                    .unit
                    .parts
                    .iter()
                    .map(|part| {
                        let name = StreamName {
                            aggregate_type: part.aggregate_type().into(),
                            aggregate_id: part.aggregate_id().into(),
                        };
                        let index = *by_name.entry(name.clone()).or_insert_with(|| {
                            streams.push(Stream::new(name));
                            streams.len() - 1
                        });
                        let stream = &mut streams[index];
                        stream.judged_on = stream.judged_on.or(part.judged_on());
                        index
                    })
                    .collect();
                Entry {
                    request,
                    streams: of_request,
                    known: Vec::new(),
                    judgement: Judgement::Deferred,
                }
            })
            .collect();
        Self { entries, streams }
    }

    /// What to ask about heads and keys: a row for each part of each request.
    pub(super) fn questions(&self) -> Questions {
        let mut questions = Questions::default();
        for entry in &self.entries {
            for part in &entry.request.unit.parts {
                questions.aggregate_types.push(part.aggregate_type().to_owned());
                questions.aggregate_ids.push(part.aggregate_id().to_owned());
                questions
                    .command_keys
                    .push(entry.request.unit.envelope.key.as_str().to_owned());
            }
        }
        questions
    }

    /// Take in the answers, in the order of the questions.
    pub(super) fn take_standings(&mut self, standings: Vec<Standing>) {
        let mut standings = standings.into_iter();
        for entry in &mut self.entries {
            entry.known.clear();
            for (&index, standing) in entry.streams.iter().zip(standings.by_ref()) {
                let stream = &mut self.streams[index];
                stream.head = standing.head;
                stream.next = standing.head;
                stream.position = standing.position;
                entry.known.push(known(standing));
            }
        }
    }

    /// Take remembered states where they are not beyond the log; the pieces of the log that are missing to the heads.
    pub(super) fn recall(&mut self, states: &mut StateCache) -> Pieces {
        let mut pieces = Pieces::default();
        let needed = self.streams_to_judge();
        for (stream, needed) in self.streams.iter_mut().zip(needed) {
            let (Some(judged_on), true) = (stream.judged_on, needed) else {
                continue;
            };
            let remembered = states
                .take(&stream.name)
                .filter(|remembered| remembered.judged_on == judged_on && remembered.version <= stream.head);
            let after = remembered.as_ref().map_or(0, |remembered| remembered.version);
            stream.state = remembered.map(|remembered| remembered.state);
            if after < stream.head {
                stream.missing_after = Some(after);
                pieces
                    .aggregate_types
                    .push(stream.name.aggregate_type.as_ref().to_owned());
                pieces
                    .aggregate_ids
                    .push(stream.name.aggregate_id.as_ref().to_owned());
                pieces.after.push(after);
                pieces.through.push(stream.head);
            }
        }
        pieces
    }

    /// Streams of requests whose keys are new.
    fn streams_to_judge(&self) -> Vec<bool> {
        let mut needed = vec![false; self.streams.len()];
        for entry in self
            .entries
            .iter()
            .filter(|entry| entry.known.iter().all(Option::is_none))
        {
            for &index in &entry.streams {
                needed[index] = true;
            }
        }
        needed
    }

    /// Fold loaded pieces into the states: rows come stream by stream, in the batch's order of streams. A stream that
    /// cannot be folded is marked, the others go on.
    pub(super) fn fold(&mut self, mut rows: &[Recorded]) {
        let mut chains = Vec::with_capacity(self.streams.len());
        for stream in &self.streams {
            let of_stream = |row: &&Recorded| {
                stream.missing_after.is_some()
                    && row.aggregate_id == *stream.name.aggregate_id
                    && row.aggregate_type == *stream.name.aggregate_type
            };
            let (chain, rest) = rows.split_at(rows.iter().take_while(of_stream).count());
            chains.push(chain);
            rows = rest;
        }
        for entry in &self.entries {
            for (part, &index) in entry.request.unit.parts.iter().zip(&entry.streams) {
                let stream = &mut self.streams[index];
                if part.judged_on().is_some() && part.judged_on() == stream.judged_on {
                    stream.complete(part.as_ref(), chains[index]);
                }
            }
        }
    }

    /// Give every state that stands for what is committed back to memory.
    pub(super) fn remember(&mut self, states: &mut StateCache) {
        for stream in &mut self.streams {
            if let (Some(judged_on), Some(state)) = (stream.judged_on, stream.state.take()) {
                states.put(
                    stream.name.clone(),
                    Remembered {
                        judged_on,
                        state,
                        version: stream.next,
                    },
                );
            }
        }
    }

    /// The connection was lost: everything remembered for the batch is dropped, and the retry starts under the fence.
    pub(super) fn lost(self, reason: &str) -> Remainder {
        let again = self
            .requests()
            .filter_map(|request| request.again(Cause::Lost(reason.to_owned())))
            .collect();
        Remainder {
            again,
            appended: None,
        }
    }

    /// Another writer came between all of it.
    pub(super) fn moved(self) -> Remainder {
        Remainder {
            again: self
                .requests()
                .filter_map(|request| request.again(Cause::Moved))
                .collect(),
            appended: None,
        }
    }

    /// The database said no; it may say yes later.
    pub(super) fn denied(self, reason: &str) -> Remainder {
        for request in self.requests() {
            request.answer(Err(ExecuteError::Unavailable(reason.to_owned())));
        }
        Remainder::default()
    }

    /// Something in the batch cannot be stored. Each is tried without the others; the one that cannot be stored alone
    /// is given back, and its batch mates are not hurt.
    pub(super) fn unstorable(self, reason: &str) -> Remainder {
        let single = self.entries.len() == 1;
        let mut again = Vec::new();
        for mut request in self.requests() {
            if single {
                request.answer(Err(ExecuteError::Unstorable(reason.to_owned())));
            } else {
                request.alone = true;
                again.push(request);
            }
        }
        Remainder {
            again,
            appended: None,
        }
    }

    fn requests(self) -> impl Iterator<Item = Request> {
        self.entries.into_iter().map(|entry| entry.request)
    }
}

impl Stream {
    fn new(name: StreamName) -> Self {
        Self {
            name,
            judged_on: None,
            missing_after: None,
            head: 0,
            next: 0,
            position: 0,
            state: None,
            corrupt: None,
        }
    }

    /// Bring the state to the head, once a batch: by what was loaded, or as an empty stream's.
    fn complete(&mut self, part: &dyn Part, chain: &[Recorded]) {
        let Some(after) = self.missing_after.take() else {
            if self.state.is_none() && self.head == 0 {
                self.state = Some(part.blank());
            }
            return;
        };
        let state = self.state.take().unwrap_or_else(|| part.blank());
        let id = &self.name.aggregate_id;
        let folded = load::refuse_gap(id, after, chain)
            .and_then(|()| load::refuse_end_before(id, self.head, after, chain))
            .and_then(|()| load::fold(part, state, chain));
        match folded {
            Ok(state) => self.state = Some(state),
            Err(corruption) => self.corrupt = Some(corruption),
        }
    }

    /// The state to judge a part on. `None` if it is not at hand: it was lost, or is of another Rust type.
    pub(super) fn state_for(&self, part: &dyn Part) -> Option<Cow<'_, State>> {
        match part.judged_on() {
            None => Some(Cow::Owned(nothing())),
            judged_on if judged_on == self.judged_on => self.state.as_ref().map(Cow::Borrowed),
            Some(_) => None,
        }
    }

    /// Fold what a part decided; the state after it. What was not judged on the state leaves it behind, to be loaded
    /// by the next batch.
    pub(super) fn evolve(&mut self, part: &dyn Part, decided: &Decided) -> State {
        if part.judged_on().is_none() {
            self.state = None;
            return nothing();
        }
        let state = self.state.take().expect("it was judged on this state");
        let state = part.evolve(state, decided);
        self.state = Some(Arc::clone(&state));
        state
    }
}

/// The state of what is not judged on any.
fn nothing() -> State {
    Arc::new(())
}

fn known(standing: Standing) -> Option<Known> {
    let first_sequence = standing.first_sequence?;
    let events = i64::from(standing.command_events.unwrap_or(1));
    Some(Known {
        found: Found {
            first_sequence,
            last_sequence: first_sequence + events - 1,
        },
        hash: standing.command_hash.unwrap_or_default(),
    })
}
