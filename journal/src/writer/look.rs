//! Looking: what the log says about requests, as of one moment after they came in.
//!
//! One statement reads, of one moment, the heads of their streams, what stands under their keys, and where states are
//! missing the newest snapshots; a second one reads what the log has beyond these or beyond the remembered states, up
//! to exactly those heads. Long streams without a snapshot take more of the second, so that no answer is large.
//!
//! **What would break.** Loading a stream beyond the head that the first statement saw: a command recorded in between
//! would be folded into the state while its key was not yet seen, and a retry would be judged a second time.

use std::collections::HashMap;

use super::{
    Request,
    batch::{Known, known},
    log::{Log, StepError},
    states::{BatchNumber, States, StreamName},
};
use crate::{
    error::Corruption,
    load,
    part::{Kind, State},
    recorded::Recorded,
    repo::events::{Pieces, Questions, Standing},
};

/// Events fetched at a time.
pub(super) const PIECES_MAX: i64 = 5_000;

/// Requests to look up, and what is remembered of their streams.
pub(super) struct Look {
    requests: Vec<LookedUp>,
    streams: Vec<Stream>,
}

/// What a look came to. When it failed, the requests come back as they are.
pub(super) type Looked = Result<Look, (Vec<Request>, StepError)>;

/// A request that was looked up.
pub(super) struct LookedUp {
    pub(super) request: Request,
    /// What stands under its key, part by part.
    pub(super) known: Vec<Option<Known>>,
    /// Its streams, part by part.
    pub(super) streams: Vec<usize>,
}

/// A stream that was looked up.
pub(super) struct Stream {
    pub(super) name: StreamName,
    /// What it is folded as: what the first of its requests is judged on.
    kind: Option<Kind>,
    /// The state at `reached`, of that kind.
    pub(super) state: Option<(Kind, State)>,
    /// The last sequence in the state.
    pub(super) reached: i64,
    /// The last sequence in the log, and its position.
    pub(super) head: i64,
    pub(super) position: i64,
    /// The version of its newest snapshot, as far as known.
    pub(super) snapshot: i64,
    /// Why it cannot be judged on at all.
    pub(super) corrupt: Option<Corruption>,
}

impl Look {
    /// What is remembered is folded on; a copy of its state goes along. `settled` is the last batch in the log.
    pub(super) fn new(requests: Vec<Request>, states: &States, settled: BatchNumber) -> Self {
        let mut places = HashMap::new();
        let mut streams: Vec<Stream> = Vec::new();
        let requests = requests.into_iter().map(|request| {
            let of_request = request.unit.parts.iter().map(|part| {
                let name = StreamName::of(part.as_ref());
                let place = *places.entry(name.clone()).or_insert_with(|| {
                    streams.push(Stream::new(name));
                    streams.len() - 1
                });
                let stream = &mut streams[place];
                if stream.kind.is_none()
                    && let Some(kind) = part.kind()
                {
                    stream.fold_as(kind, states, settled);
                }
                place
            });
            let of_request = of_request.collect();
            LookedUp {
                request,
                known: Vec::new(),
                streams: of_request,
            }
        });
        let requests = requests.collect();
        Self { requests, streams }
    }

    /// Ask the log.
    pub(super) async fn ask(mut self, log: &mut impl Log) -> Looked {
        match self.ask_all(log).await {
            Ok(()) => Ok(self),
            Err(error) => Err((self.into_requests().collect(), error)),
        }
    }

    async fn ask_all(&mut self, log: &mut impl Log) -> Result<(), StepError> {
        let standings = log.standings(&self.questions()).await?;
        self.take_standings(standings);
        loop {
            let pieces = self.missing();
            if pieces.after.is_empty() {
                return Ok(());
            }
            let rows = log.pieces(&pieces).await?;
            let fetched = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            self.fold(&rows, fetched < PIECES_MAX);
        }
    }

    /// The requests, and the streams they were looked up on.
    pub(super) fn into_parts(self) -> (Vec<LookedUp>, Vec<Stream>) {
        (self.requests, self.streams)
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().map(|looked_up| &looked_up.request)
    }

    pub(super) fn into_requests(self) -> impl Iterator<Item = Request> {
        self.requests.into_iter().map(|looked_up| looked_up.request)
    }

    fn questions(&self) -> Questions {
        let mut questions = Questions::default();
        let mut asked = vec![false; self.streams.len()];
        for looked_up in &self.requests {
            let unit = &looked_up.request.unit;
            for (part, &place) in unit.parts.iter().zip(&looked_up.streams) {
                let stream = &self.streams[place];
                let begins = stream.state.is_none() && !std::mem::replace(&mut asked[place], true);
                let shape = stream.kind.filter(|_| begins).map(|kind| kind.shape());
                questions.ask(part.as_ref(), &unit.envelope.key, shape);
            }
        }
        questions
    }

    /// Take in the answers, in the order of the questions.
    fn take_standings(&mut self, standings: Vec<Standing>) {
        let mut standings = standings.into_iter();
        for looked_up in &mut self.requests {
            for (&place, standing) in looked_up.streams.iter().zip(standings.by_ref()) {
                looked_up.known.push(known(&standing));
                self.streams[place].begin(standing);
            }
        }
    }

    /// The pieces of the log that states lack up to the heads.
    fn missing(&self) -> Pieces {
        let mut pieces = Pieces {
            limit: PIECES_MAX,
            ..Pieces::default()
        };
        for stream in self.streams.iter().filter(|stream| stream.lacks_events()) {
            pieces
                .aggregate_types
                .push(stream.name.aggregate_type.as_ref().to_owned());
            pieces
                .aggregate_ids
                .push(stream.name.aggregate_id.as_ref().to_owned());
            pieces.after.push(stream.reached);
            pieces.through.push(stream.head);
        }
        pieces
    }

    /// Fold loaded pieces into the states: rows come stream by stream, in the order they were asked for. A stream that
    /// cannot be folded is marked, the others go on. `all` tells that nothing asked for was left out.
    fn fold(&mut self, mut rows: &[Recorded], all: bool) {
        for stream in self.streams.iter_mut().filter(|stream| stream.lacks_events()) {
            let is_of_stream = |row: &&Recorded| {
                row.aggregate_id == *stream.name.aggregate_id
                    && row.aggregate_type == *stream.name.aggregate_type
            };
            let (chain, rest) = rows.split_at(rows.iter().take_while(is_of_stream).count());
            rows = rest;
            if chain.is_empty() && !all {
                return;
            }
            stream.fold(chain, all || !rows.is_empty());
        }
    }
}

impl Stream {
    fn new(name: StreamName) -> Self {
        Self {
            name,
            kind: None,
            state: None,
            reached: 0,
            head: 0,
            position: 0,
            snapshot: 0,
            corrupt: None,
        }
    }

    /// Fold it as `kind`, on what is remembered. A state with events on their way is as new as the log or is about to
    /// be forgotten: it is left alone.
    fn fold_as(&mut self, kind: Kind, states: &States, settled: BatchNumber) {
        let held = states.get(&self.name).filter(|held| held.serves(Some(&kind)));
        match held {
            Some(held) if held.unsettled_in(settled) => {}
            Some(held) => {
                self.kind = Some(kind);
                self.state.clone_from(&held.state);
                self.reached = held.version;
                self.snapshot = held.snapshot;
            }
            None => self.kind = Some(kind),
        }
    }

    /// Where the stream stands. A state that is not remembered begins on the newest snapshot that can be used, or on
    /// nothing.
    fn begin(&mut self, standing: Standing) {
        self.head = standing.head;
        self.position = standing.position;
        let Some(kind) = self.kind.filter(|_| self.state.is_none()) else {
            return;
        };
        let snapshot = standing.snapshot_version.zip(standing.snapshot_state);
        let restored = snapshot
            .filter(|(version, _)| *version <= standing.head)
            .and_then(|(version, state)| Some((version, kind.restore(&state)?)));
        let (version, state) = restored.unwrap_or_else(|| (0, kind.blank()));
        self.state = Some((kind, state));
        self.reached = version;
        self.snapshot = version;
    }

    fn lacks_events(&self) -> bool {
        self.state.is_some() && self.corrupt.is_none() && self.reached < self.head
    }

    /// `ended` tells that the chain goes as far as the log does.
    fn fold(&mut self, chain: &[Recorded], ended: bool) {
        let (kind, state) = self.state.take().expect("begun before anything is folded");
        let id = &self.name.aggregate_id;
        let gapless = load::refuse_gap(id, self.reached, chain).and_then(|()| {
            if ended {
                load::refuse_end_before(id, self.head, self.reached, chain)
            } else {
                Ok(())
            }
        });
        match gapless.and_then(|()| load::fold(kind, id, state, chain)) {
            Ok(state) => {
                self.state = Some((kind, state));
                self.reached = chain.last().map_or(self.reached, |row| row.sequence);
            }
            Err(corruption) => self.corrupt = Some(corruption),
        }
    }
}
