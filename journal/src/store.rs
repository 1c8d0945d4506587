//! cqrs-es's `EventStore` on the journal: for what is built on that framework, over the same log.
//!
//! A commit goes through the writer with the version it was made on as its expected version. It is recorded under a key
//! of its own, so that a commit whose connection was lost is found in the log and not reported as a conflict with
//! itself. State is rebuilt from events alone: the framework's snapshot and aggregate stores apply every event twice.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::DateTime;
use cqrs_es::{
    Aggregate, AggregateError, DomainEvent, EventEnvelope, EventStore, persist::EventStoreAggregateContext,
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tallybook_domain::Timestamp;

use crate::{
    Journal,
    command::{CommandKey, Envelope, Unit},
    error::{AnyRefusal, Corruption, ExecuteError, ReadError},
    load,
    part::{Decided, Events, Kind, NewEvent, Part, State},
    recorded::Recorded,
};

/// Events fetched at a time.
const PAGE: u32 = 5_000;

/// The journal as cqrs-es sees it. One store serves every type of aggregate.
#[derive(Clone)]
pub struct JournalStore {
    journal: Journal,
    commits: Arc<Commits>,
}

/// Names for commits: random per store, counted within.
struct Commits {
    store: u64,
    count: AtomicU64,
}

impl JournalStore {
    /// A store over this journal.
    pub fn new(journal: Journal) -> Self {
        let store = rand::random();
        Self {
            journal,
            commits: Arc::new(Commits {
                store,
                count: AtomicU64::new(0),
            }),
        }
    }

    fn next_key(&self) -> CommandKey {
        let Commits { store, count } = &*self.commits;
        CommandKey::new(format!(
            "cqrs:{store:016x}:{}",
            count.fetch_add(1, Ordering::Relaxed)
        ))
    }

    async fn rows<E: std::error::Error>(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
    ) -> Result<Vec<Recorded>, AggregateError<E>> {
        let mut rows: Vec<Recorded> = Vec::new();
        loop {
            let reached = rows.last().map_or(0, |row| row.sequence);
            let page = self
                .journal
                .read_raw(aggregate_type, aggregate_id, reached, PAGE)
                .await
                .map_err(|error: ReadError| AggregateError::DatabaseConnectionError(Box::new(error)))?;
            load::refuse_gap(aggregate_id, reached, &page).map_err(unexpected)?;
            if page.is_empty() {
                return Ok(rows);
            }
            rows.extend(page);
        }
    }
}

impl<A: Aggregate> EventStore<A> for JournalStore {
    type AC = EventStoreAggregateContext<A>;

    async fn load_events(
        &self,
        aggregate_id: &str,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let rows = self.rows(A::TYPE, aggregate_id).await?;
        rows.into_iter()
            .map(|row| {
                Ok(EventEnvelope {
                    payload: from_json(&row.payload)?,
                    metadata: from_json(&row.metadata)?,
                    sequence: usize::try_from(row.sequence).map_err(unexpected)?,
                    aggregate_id: row.aggregate_id,
                })
            })
            .collect()
    }

    async fn load_aggregate(&self, aggregate_id: &str) -> Result<Self::AC, AggregateError<A::Error>> {
        let mut context = EventStoreAggregateContext {
            aggregate_id: aggregate_id.to_owned(),
            aggregate: A::default(),
            current_sequence: 0,
            current_snapshot: None,
        };
        for envelope in EventStore::<A>::load_events(self, aggregate_id).await? {
            context.aggregate.apply(envelope.payload);
            context.current_sequence = envelope.sequence;
        }
        Ok(context)
    }

    async fn commit(
        &self,
        events: Vec<A::Event>,
        context: Self::AC,
        metadata: HashMap<String, String>,
    ) -> Result<Vec<EventEnvelope<A>>, AggregateError<A::Error>> {
        let rows = events.iter().map(new_event).collect::<Result<Vec<_>, _>>()?;
        let mut digest = Sha256::new();
        for row in &rows {
            digest.update(&row.payload);
        }
        let envelope = Envelope {
            key: self.next_key(),
            hash: digest.finalize().into(),
            expected_version: Some(context.current_sequence as u64),
            at: DateTime::UNIX_EPOCH,
            metadata: metadata.clone().into_iter().collect(),
        };
        let mut unit = Unit::new(envelope);
        unit.parts.push(Box::new(AppendPart {
            aggregate_type: A::TYPE,
            aggregate_id: context.aggregate_id.clone(),
            rows,
        }));
        self.journal.execute_unit(unit).await.map_err(aggregate_error)?;
        let sequences = context.current_sequence + 1..;
        let envelopes = events
            .into_iter()
            .zip(sequences)
            .map(|(payload, sequence)| EventEnvelope {
                aggregate_id: context.aggregate_id.clone(),
                sequence,
                payload,
                metadata: metadata.clone(),
            });
        Ok(envelopes.collect())
    }
}

/// Events that were decided elsewhere: appended as they are, judged by the expected version alone.
struct AppendPart {
    aggregate_type: &'static str,
    aggregate_id: String,
    rows: Vec<NewEvent>,
}

impl Part for AppendPart {
    fn aggregate_type(&self) -> &str {
        self.aggregate_type
    }

    fn aggregate_id(&self) -> &str {
        &self.aggregate_id
    }

    fn kind(&self) -> Option<Kind> {
        None
    }

    fn decide(&self, _state: &State, _at: Timestamp) -> Result<Decided, AnyRefusal> {
        Ok(Decided {
            events: Arc::new(()),
            rows: self.rows.clone(),
        })
    }

    fn evolve(&self, state: State, _decided: &Decided) -> State {
        state
    }

    fn decode(&self, _rows: &[Recorded]) -> Result<Events, Corruption> {
        Ok(Arc::new(()))
    }
}

fn new_event<T: DomainEvent + Serialize, E: std::error::Error>(
    event: &T,
) -> Result<NewEvent, AggregateError<E>> {
    Ok(NewEvent {
        event_type: event.event_type(),
        event_version: event.event_version(),
        payload: serde_json::to_string(event).map_err(unexpected)?,
    })
}

fn from_json<T: DeserializeOwned, E: std::error::Error>(text: &str) -> Result<T, AggregateError<E>> {
    serde_json::from_str(text).map_err(|error| AggregateError::DeserializationError(Box::new(error)))
}

fn unexpected<E: std::error::Error>(
    error: impl std::error::Error + Send + Sync + 'static,
) -> AggregateError<E> {
    AggregateError::UnexpectedError(Box::new(error))
}

fn aggregate_error<E: std::error::Error>(error: ExecuteError<AnyRefusal>) -> AggregateError<E> {
    match error {
        ExecuteError::VersionConflict { .. } | ExecuteError::Contended => AggregateError::AggregateConflict,
        error if error.is_retryable() => AggregateError::DatabaseConnectionError(Box::new(error)),
        error => AggregateError::UnexpectedError(Box::new(error)),
    }
}
