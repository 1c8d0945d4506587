//! Aggregates of every type through one writer: what the writer needs of a command, with the type erased.
//!
//! A state travels as `Arc<dyn Any>`. The writer keeps one reference and the answers of a batch hold others, so a state
//! is copied only when it must change while someone still looks at it.

use std::{any::Any, any::TypeId, sync::Arc};

use tallybook_domain::{Aggregate, Event, Timestamp, identity::StreamId};

use crate::{
    error::{AnyRefusal, Corruption},
    executed::Executed,
    recorded::Recorded,
};

/// An aggregate's state, or what stands for it.
pub(crate) type State = Arc<dyn Any + Send + Sync>;

/// What can be done with the states of one aggregate without knowing its type.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    aggregate: TypeId,
    shape: &'static str,
    blank: fn() -> State,
    fold: fn(State, &[Recorded]) -> Result<State, Corruption>,
    capture: fn(&State) -> String,
    restore: fn(&str) -> Option<State>,
    weigh: fn(&State) -> usize,
}

impl Kind {
    pub(crate) fn of<A: Aggregate>() -> Self {
        Self {
            aggregate: TypeId::of::<A>(),
            shape: A::SHAPE,
            blank: || Arc::new(A::default()),
            fold: |state, rows| {
                let mut state = state_of::<A>(state);
                let folded = Arc::make_mut(&mut state);
                for row in rows {
                    folded.evolve(&decode(row)?);
                }
                Ok(state)
            },
            capture: |state| {
                serde_json::to_string(ref_of::<A>(state)).expect("a state's serialization is total")
            },
            restore: |text| Some(Arc::new(serde_json::from_str::<A>(text).ok()?)),
            weigh: |state| {
                let mut written = Written(0);
                serde_json::to_writer(&mut written, ref_of::<A>(state))
                    .expect("a state's serialization is total");
                size_of::<A>() + HEAP_PER_BYTE_OF_TEXT * written.0
            },
        }
    }

    /// The fingerprint of the aggregate's state and rules.
    pub(crate) fn shape(&self) -> &'static str {
        self.shape
    }

    /// The state of an empty stream.
    pub(crate) fn blank(&self) -> State {
        (self.blank)()
    }

    /// Fold recorded events, which follow one another without a gap. May panic if the aggregate's code does.
    pub(crate) fn fold(&self, state: State, rows: &[Recorded]) -> Result<State, Corruption> {
        (self.fold)(state, rows)
    }

    /// The state as text.
    pub(crate) fn capture(&self, state: &State) -> String {
        (self.capture)(state)
    }

    /// The state from its text. `None` if it is not one.
    pub(crate) fn restore(&self, text: &str) -> Option<State> {
        (self.restore)(text)
    }

    /// What the state takes in memory, roughly, in bytes.
    pub(crate) fn weigh(&self, state: &State) -> usize {
        (self.weigh)(state)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.aggregate == other.aggregate
    }
}

/// What a state takes on the heap for each byte of its text, an estimate: with 2, a process full of accounts took 2.7 times
/// what they were said to weigh (`tallybook bench memory`).
const HEAP_PER_BYTE_OF_TEXT: usize = 6;

/// Counts what is written.
struct Written(usize);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The state of what is not judged on any.
pub(crate) fn nothing() -> State {
    Arc::new(())
}

/// A command's events, typed inside: `Vec<A::Event>`.
pub(crate) type Events = Arc<dyn Any + Send + Sync>;

/// An event about to be written.
#[derive(Clone)]
pub(crate) struct NewEvent {
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    pub(crate) payload: String,
}

/// What a command decided: its events, as the aggregate's type and as they are stored.
pub(crate) struct Decided {
    pub(crate) events: Events,
    pub(crate) rows: Vec<NewEvent>,
}

/// What became of one command.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) state: State,
    pub(crate) events: Events,
    pub(crate) version: u64,
    pub(crate) position: i64,
}

impl Outcome {
    /// As the aggregate's own types.
    ///
    /// # Panics
    /// When the outcome belongs to another aggregate.
    pub(crate) fn typed<A: Aggregate>(&self, replayed: bool) -> Executed<A> {
        let events = self
            .events
            .downcast_ref::<Vec<A::Event>>()
            .expect("a slot is taken from the unit it was added to");
        Executed {
            state: state_of::<A>(Arc::clone(&self.state)),
            events: events.clone(),
            version: self.version,
            position: self.position,
            replayed,
        }
    }
}

/// One command on one stream.
pub(crate) trait Part: Send + Sync {
    /// The stream's type.
    fn aggregate_type(&self) -> &str;
    /// The stream's id.
    fn aggregate_id(&self) -> &str;
    /// The kind of the state it is judged on; `None` if it is not judged on any.
    fn kind(&self) -> Option<Kind>;
    /// Judge. May panic if the aggregate's code does.
    fn decide(&self, state: &State, at: Timestamp) -> Result<Decided, AnyRefusal>;
    /// Fold what was decided. May panic if the aggregate's code does.
    fn evolve(&self, state: State, decided: &Decided) -> State;
    /// The command's own events, read back.
    fn decode(&self, rows: &[Recorded]) -> Result<Events, Corruption>;
}

/// A command of a domain aggregate.
pub(crate) struct CommandPart<A: Aggregate> {
    stream: StreamId,
    command: A::Command,
}

impl<A: Aggregate> CommandPart<A> {
    pub(crate) fn new(stream: &StreamId, command: A::Command) -> Self {
        Self {
            stream: stream.clone(),
            command,
        }
    }
}

impl<A: Aggregate> Part for CommandPart<A> {
    fn aggregate_type(&self) -> &str {
        A::TYPE
    }

    fn aggregate_id(&self) -> &str {
        self.stream.as_str()
    }

    fn kind(&self) -> Option<Kind> {
        Some(Kind::of::<A>())
    }

    fn decide(&self, state: &State, at: Timestamp) -> Result<Decided, AnyRefusal> {
        let events = ref_of::<A>(state)
            .decide(&self.command, at)
            .map_err(|refusal| AnyRefusal::new(0, refusal))?;
        let rows = events.iter().map(encode).collect();
        Ok(Decided {
            events: Arc::new(events),
            rows,
        })
    }

    fn evolve(&self, state: State, decided: &Decided) -> State {
        let mut state = state_of::<A>(state);
        let folded = Arc::make_mut(&mut state);
        for event in decided
            .events
            .downcast_ref::<Vec<A::Event>>()
            .expect("decided by this very part")
        {
            folded.evolve(event);
        }
        state
    }

    fn decode(&self, rows: &[Recorded]) -> Result<Events, Corruption> {
        let events = rows
            .iter()
            .map(decode::<A::Event>)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Arc::new(events))
    }
}

fn decode<E: Event>(row: &Recorded) -> Result<E, Corruption> {
    let stream = || row.aggregate_id.clone();
    let version = row.version().ok_or_else(|| Corruption::Version {
        stream: stream(),
        sequence: row.sequence,
        version: row.event_version.clone(),
    })?;
    E::decode(&row.event_type, version, &row.payload).map_err(|source| Corruption::Undecodable {
        stream: stream(),
        sequence: row.sequence,
        source,
    })
}

fn encode<E: Event>(event: &E) -> NewEvent {
    NewEvent {
        event_type: event.name().to_owned(),
        event_version: event.version().to_string(),
        payload: serde_json::to_string(event).expect("an event's serialization is total"),
    }
}

fn ref_of<A: Aggregate>(state: &State) -> &A {
    state
        .downcast_ref::<A>()
        .expect("states are kept by the type they are judged as")
}

/// A state as its aggregate's.
///
/// # Panics
/// When it is another aggregate's.
pub(crate) fn state_of<A: Aggregate>(state: State) -> Arc<A> {
    state
        .downcast::<A>()
        .expect("states are kept by the type they are judged as")
}
