//! Where a request goes: to be judged at once, to be looked up, to wait, or under the fence.

use super::{
    Request, Verdict, WARY_BATCHES, Writer,
    batch::{Batch, Entry, Judgement, Known},
    judge::{decide, evolve, is_proved_by_its_append},
    log::{Log, StepError},
    look::{Look, Looked, LookedUp, Stream},
    states::{Held, StreamName},
};
use crate::error::ExecuteError;

impl<L: Log> Writer<L> {
    /// A request that came in, or comes again.
    pub(super) fn admit(&mut self, request: Request) {
        if request.fenced || request.alone {
            self.exclusive.push(request);
            return;
        }
        let names = names(&request);
        let Some(request) = self.answer_recalled(request, &names) else {
            return;
        };
        if self.is_being_recorded(&request, &names) {
            self.hold_for_batch(request, &names);
        } else if self.wary > 0 || request.doubtful || self.held_up.is_any(&names) {
            self.hold_for_look(request, &names);
        } else if !self.is_at_hand(&request, &names) {
            self.park(request, &names);
        } else {
            self.judge_unlooked(request, &names);
        }
    }

    /// Those who waited for a batch to be settled.
    pub(super) fn admit_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.admit_in_order(waiting);
    }

    /// Those who were held up go on, in their order.
    fn admit_in_order(&mut self, held_up: Vec<Request>) {
        for request in &held_up {
            self.held_up.release(&names(request));
        }
        for request in held_up {
            self.admit(request);
        }
    }

    /// Hold a request up until the batches under way are settled.
    pub(super) fn hold_for_batch(&mut self, request: Request, names: &[StreamName]) {
        self.held_up.hold(names);
        self.waiting.push(request);
    }

    /// Hold a request up until it was looked up.
    fn hold_for_look(&mut self, request: Request, names: &[StreamName]) {
        self.held_up.hold(names);
        self.to_look.push(request);
    }

    /// Judge on what is remembered. What an append does not prove is looked up.
    fn judge_unlooked(&mut self, mut request: Request, names: &[StreamName]) {
        match decide(&self.states, names, &request.unit) {
            Ok(decided) if is_proved_by_its_append(&decided) => {
                match evolve(&mut self.states, names, &request.unit, decided) {
                    Ok(writes) => self.take_into_batch(request, names, Judgement::Write(writes)),
                    Err(_panicked) => self.park(request, names),
                }
            }
            Ok(_) | Err(_) => {
                request.doubtful = true;
                self.hold_for_look(request, names);
            }
        }
    }

    /// A look came back.
    pub(super) fn looked(&mut self, (mut log, looked): (L, Looked)) {
        let epoch = self.looking.take().map(|looking| looking.epoch);
        if let Err((_, StepError::Lost(reason))) = &looked {
            tracing::warn!(reason, "lost the connection that looks");
            log.lose();
        }
        self.looker = Some(log);
        match looked {
            Ok(look) if epoch == Some(self.epoch) => {
                look.requests()
                    .for_each(|request| self.held_up.release(&names(request)));
                self.take_look(look);
            }
            Ok(look) => self.admit_in_order(look.into_requests().collect()),
            Err((requests, error)) => {
                let released = requests.iter().map(names);
                released.for_each(|names| self.held_up.release(&names));
                self.give_up(requests, &error);
            }
        }
        // Who waited only for an earlier one of its stream need not be looked up any more.
        let behind = std::mem::take(&mut self.to_look);
        self.admit_in_order(behind);
    }

    /// Remember what was looked up, and judge on it.
    pub(super) fn take_look(&mut self, look: Look) {
        let (requests, mut streams) = look.into_parts();
        for stream in &mut streams {
            self.take_stream(stream);
        }
        self.counters.looked_up(requests.len());
        for looked_up in requests {
            self.judge_looked(looked_up, &streams);
        }
    }

    /// What was looked up takes the place of what is remembered, where it is newer. On a stream with events on their
    /// way, what is newer comes from another writer, and these events are about to be refused.
    fn take_stream(&mut self, stream: &mut Stream) {
        let state = stream.state.take();
        let is_of_head = stream.reached == stream.head || state.is_none();
        if stream.corrupt.is_some() || !is_of_head {
            return;
        }
        if let Some(held) = self.states.get(&stream.name) {
            let is_as_new = held.version > stream.head || (held.version == stream.head && state.is_none());
            if held.unsettled_in(self.settled) || is_as_new {
                return;
            }
            if held.version < stream.head {
                self.be_wary();
            }
        }
        let held = Held::settled(state, stream.head, stream.position, stream.snapshot);
        self.states.put(stream.name.clone(), held);
    }

    fn judge_looked(&mut self, looked_up: LookedUp, streams: &[Stream]) {
        let LookedUp {
            request,
            known,
            streams: places,
        } = looked_up;
        let names = names(&request);
        if known.iter().any(Option::is_some) {
            self.be_wary();
            answer_known(request, known);
            return;
        }
        // The same command may have come once more while this one was looked up, and be in the log since.
        let Some(request) = self.answer_recalled(request, &names) else {
            return;
        };
        let corrupt = places.iter().find_map(|&place| streams[place].corrupt.clone());
        if let Some(corruption) = corrupt {
            request.answer(Err(ExecuteError::Corrupt(corruption)));
            return;
        }
        let is_behind = |(name, &place): (&StreamName, &usize)| {
            let held = self.states.get(name);
            held.is_some_and(|held| held.version < streams[place].head)
        };
        if self.is_being_recorded(&request, &names) || names.iter().zip(&places).any(is_behind) {
            self.hold_for_batch(request, &names);
            return;
        }
        if !self.is_at_hand(&request, &names) {
            self.park(request, &names);
            return;
        }
        let judged = decide(&self.states, &names, &request.unit)
            .and_then(|decided| evolve(&mut self.states, &names, &request.unit, decided));
        let judgement = judged.map_or_else(Judgement::No, Judgement::Write);
        self.take_into_batch(request, &names, judgement);
    }

    /// A judged request goes to the batch that brings the last of what it rests on; if all of that is in the log
    /// already, it is answered.
    fn take_into_batch(&mut self, request: Request, names: &[StreamName], judgement: Judgement) {
        let mut rests_on = 0;
        for (index, name) in names.iter().enumerate() {
            let Some(held) = self.states.get_mut(name) else {
                continue;
            };
            if judgement.writes_on(index) {
                held.last_batch = self.forming.number;
            }
            rests_on = held.last_batch.max(rests_on);
        }
        let mut in_the_log = Batch::default();
        let batch = match &mut self.appending {
            _ if rests_on <= self.settled => &mut in_the_log,
            Some(appending) if appending.batch.number == rests_on => &mut appending.batch,
            _ => &mut self.forming,
        };
        let places = names.iter().enumerate().map(|(index, name)| {
            let held = self.states.get(name);
            let now = held.map_or(0, |held| held.version);
            batch.place(
                name,
                judgement.base(index).unwrap_or(now),
                held.map_or(0, |held| held.position),
            )
        });
        let streams = places.collect();
        batch.push(Entry {
            request,
            streams,
            judgement,
        });
        for name in names {
            self.states.used(name, self.settled);
        }
        if !in_the_log.entries.is_empty() {
            self.counters.answered_alone();
        }
        let again = self.answer(in_the_log, Vec::new());
        debug_assert!(again.is_empty(), "what rests on nothing new is answered");
    }

    /// What the log has under the request's key, as far as that is remembered, part by part.
    fn recall(&self, request: &Request, names: &[StreamName]) -> Vec<Option<Known>> {
        let key = &request.unit.envelope.key;
        let recalled = names.iter().map(|name| {
            let (hash, found) = self.keys.get(name, key)?;
            Some(Known {
                found,
                hash: hash.to_vec(),
            })
        });
        recalled.collect()
    }

    /// Answer a request whose key is remembered. If it is remembered for some of its streams only, the log knows what
    /// it recorded on the others. The request, if nothing is remembered.
    fn answer_recalled(&mut self, request: Request, names: &[StreamName]) -> Option<Request> {
        let recalled = self.recall(&request, names);
        if recalled.iter().all(Option::is_some) {
            answer_known(request, recalled);
        } else if recalled.iter().any(Option::is_some) {
            self.hold_for_look(request, names);
        } else {
            return Some(request);
        }
        None
    }

    /// Whether a batch under way is about to record the request's key.
    fn is_being_recorded(&self, request: &Request, names: &[StreamName]) -> bool {
        let key = &request.unit.envelope.key;
        let under_way = self.appending.as_ref().map(|appending| &appending.batch);
        names.iter().any(|name| {
            self.forming.records(name, key) || under_way.is_some_and(|batch| batch.records(name, key))
        })
    }

    fn is_at_hand(&self, request: &Request, names: &[StreamName]) -> bool {
        let parts = request.unit.parts.iter();
        parts.zip(names).all(|(part, name)| {
            let held = self.states.get(name);
            held.is_some_and(|held| held.serves(part.kind().as_ref()))
        })
    }

    /// A request whose states are not at hand is looked up, after the events that are on their way to its streams.
    fn park(&mut self, request: Request, names: &[StreamName]) {
        let parts = request.unit.parts.iter();
        let must_wait = parts.zip(names).any(|(part, name)| {
            self.states
                .get(name)
                .is_some_and(|held| held.unsettled_in(self.settled) && !held.serves(part.kind().as_ref()))
        });
        if must_wait {
            self.hold_for_batch(request, names);
        } else {
            self.hold_for_look(request, names);
        }
    }

    /// Look everything up for a while.
    pub(super) fn be_wary(&mut self) {
        self.wary = WARY_BATCHES;
    }
}

pub(super) fn names(request: &Request) -> Vec<StreamName> {
    let parts = request.unit.parts.iter();
    parts.map(|part| StreamName::of(part.as_ref())).collect()
}

/// The log knows the request's key.
pub(super) fn answer_known(request: Request, known: Vec<Option<Known>>) {
    let hash = request.unit.envelope.hash;
    if known.iter().flatten().any(|known| known.hash != hash) {
        request.answer(Err(ExecuteError::KeyReused));
        return;
    }
    let found = known.into_iter().map(|known| known.map(|known| known.found));
    let Request { unit, answer, .. } = request;
    drop(answer.send(Ok(Verdict::Known(unit, found.collect()))));
}
