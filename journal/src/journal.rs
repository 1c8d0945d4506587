//! The journal: what the crates above see.

use std::sync::Arc;

use futures::{Stream, TryStreamExt};
use sqlx::{ConnectOptions, Connection, PgPool, postgres::PgConnectOptions};
use tallybook_domain::{
    Aggregate,
    identity::{StreamId, TenantId},
};
use tokio::{
    sync::{Mutex, Notify, mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    command::{Envelope, Unit},
    config::JournalConfig,
    error::{AnyRefusal, ExecuteError, LoadError, MigrateError, OpenError, ReadError},
    executed::{Executed, ExecutedUnit, Loaded},
    figures::{WriterCounters, WriterFigures},
    load,
    pace::{Pace, TooManyWait},
    recorded::Recorded,
    repo,
    session::{self, Role},
    writer::{Request, Surroundings, Verdict, Writer, WriterConnection, keep_snapshots},
};

/// The event log. A clone is cheap and speaks to the same writer; when the last one is dropped, the writer ends after
/// what is queued.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

struct Inner {
    queue: mpsc::Sender<Request>,
    readers: PgPool,
    pool: PgPool,
    appended: watch::Receiver<i64>,
    closing: Arc<Notify>,
    counters: Arc<WriterCounters>,
    pace: Pace,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Snapshots that may wait to be stored.
const SNAPSHOTS_MAX: usize = 64;

/// Run the workspace's migrations. Two processes may do so at once; one waits for the other.
pub async fn migrate(database: &PgConnectOptions) -> Result<(), MigrateError> {
    let mut connection = database.connect().await.map_err(MigrateError::Connect)?;
    sqlx::migrate!("../migrations").run(&mut connection).await?;
    drop(connection.close().await);
    Ok(())
}

impl Journal {
    /// Connect, and start the writer. The database must have been migrated ([`migrate`]).
    pub async fn open(config: JournalConfig) -> Result<Self, OpenError> {
        let pool = session::open_pool(&config).await.map_err(OpenError::Connect)?;
        let mut connection = pool.acquire().await.map_err(OpenError::Connect)?;
        if !repo::session::is_migrated(&mut connection)
            .await
            .map_err(OpenError::Connect)?
        {
            return Err(OpenError::NotMigrated);
        }
        let role = Role::of_login(&mut connection)
            .await
            .map_err(OpenError::Connect)?;
        let readers = session::open_readers(&config, role)
            .await
            .map_err(OpenError::Connect)?;
        let head = repo::events::head(&readers).await.map_err(OpenError::Connect)?;
        let (queue, receiver) = mpsc::channel(config.queue_max);
        let (appended_sender, appended) = watch::channel(head);
        let closing = Arc::new(Notify::new());
        let counters = Arc::new(WriterCounters::default());
        let config = Arc::new(config);
        let (snapshots, due) = mpsc::channel(SNAPSHOTS_MAX);
        tokio::spawn(keep_snapshots(pool.clone(), due));
        let session = || WriterConnection::new(Arc::clone(&config), role);
        let pace = Pace::new(config.queue_max, config.held_back_max);
        let writer = Writer::new(
            Arc::clone(&config),
            [session(), session()],
            receiver,
            Surroundings {
                appended: appended_sender,
                snapshots,
                counters: Arc::clone(&counters),
            },
        );
        let writer = Mutex::new(Some(tokio::spawn(writer.run(Arc::clone(&closing)))));
        drop(connection);
        Ok(Self {
            inner: Arc::new(Inner {
                queue,
                readers,
                pool,
                appended,
                closing,
                counters,
                pace,
                writer,
            }),
        })
    }

    /// Judge a command on a stream's state and record its events with its key, in one transaction.
    ///
    /// A known key is answered from the log: the same state and events, `replayed`. A refusal leaves no trace.
    pub async fn execute<A: Aggregate>(
        &self,
        stream: &StreamId,
        command: A::Command,
        envelope: Envelope,
    ) -> Result<Executed<A>, ExecuteError<A::Refusal>> {
        let mut unit = Unit::new(envelope);
        let slot = unit.add::<A>(stream, command);
        match self.execute_unit(unit).await {
            Ok(executed) => Ok(executed.outcome(slot)),
            Err(error) => Err(error.map_refusal(|refusal: AnyRefusal| {
                refusal
                    .downcast::<A::Refusal>()
                    .expect("the only part of the unit refused")
            })),
        }
    }

    /// Several commands on several streams: all recorded or none. The key is recorded on every stream that gets events,
    /// and must come back with the same streams.
    pub async fn execute_unit(&self, unit: Unit) -> Result<ExecutedUnit, ExecuteError<AnyRefusal>> {
        if !unit.is_well_formed() {
            return Err(ExecuteError::MalformedUnit);
        }
        let too_many = |TooManyWait| ExecuteError::Overloaded;
        self.inner.pace.pass().await.map_err(too_many)?;
        let (answer, answered) = oneshot::channel();
        self.inner
            .queue
            .try_send(Request::new(unit, answer))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => ExecuteError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => {
                    ExecuteError::Unavailable("the journal is closed".to_owned())
                }
            })?;
        let gone = |_| ExecuteError::Unavailable("the writer ended before it answered".to_owned());
        match answered.await.map_err(gone)?? {
            Verdict::Written(outcomes) => Ok(ExecutedUnit {
                outcomes,
                replayed: false,
            }),
            Verdict::Known(unit, found) => {
                let mut outcomes = Vec::with_capacity(found.len());
                for (part, found) in unit.parts.iter().zip(found) {
                    let outcome = load::replay(&self.inner.readers, part.as_ref(), found).await;
                    outcomes.push(outcome.map_err(|error| match error {
                        LoadError::Corrupt(corruption) => ExecuteError::Corrupt(corruption),
                        LoadError::Unavailable(error) => ExecuteError::Unavailable(error.to_string()),
                    })?);
                }
                Ok(ExecutedUnit {
                    outcomes,
                    replayed: true,
                })
            }
        }
    }

    /// A stream's state now, folded from the log.
    pub async fn load<A: Aggregate>(&self, stream: &StreamId) -> Result<Loaded<A>, LoadError> {
        load::load(&self.inner.readers, stream).await
    }

    /// Up to `limit` events of a stream after the one with `after_sequence`, in order.
    pub async fn read_stream(
        &self,
        aggregate_type: &str,
        stream: &StreamId,
        after_sequence: u64,
        limit: u32,
    ) -> Result<Vec<Recorded>, ReadError> {
        let after = i64::try_from(after_sequence).unwrap_or(i64::MAX);
        self.read_raw(aggregate_type, stream.as_str(), after, limit).await
    }

    /// A stream's events, also of one that is not Tallybook's.
    pub(crate) async fn read_raw(
        &self,
        aggregate_type: &str,
        aggregate_id: &str,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Recorded>, ReadError> {
        let readers = &self.inner.readers;
        Ok(repo::events::stream(
            readers,
            aggregate_type,
            aggregate_id,
            after,
            i64::MAX,
            limit.into(),
        )
        .await?)
    }

    /// The first event of a stream, of one of these types, whose payload has this text in that member: what a caller
    /// names by its id but a state does not keep. Reads the stream, so it is for what is asked for seldom.
    pub async fn find_in_stream(
        &self,
        aggregate_type: &str,
        stream: &StreamId,
        event_types: &[&str],
        member: &str,
        text: &str,
    ) -> Result<Option<Recorded>, ReadError> {
        let readers = &self.inner.readers;
        let event_types: Vec<String> = event_types.iter().map(|name| (*name).to_owned()).collect();
        Ok(repo::events::first_with(
            readers,
            aggregate_type,
            stream.as_str(),
            &event_types,
            member,
            text,
        )
        .await?)
    }

    /// Up to `limit` events of the whole log after `after_position`, in order of position. What is visible is always a
    /// prefix of the log: to follow it, ask again after the last position seen.
    pub async fn read_log(&self, after_position: i64, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        Ok(repo::events::log(&self.inner.readers, after_position, limit.into()).await?)
    }

    /// All events of a tenant's streams of a type, as of one moment: stream by stream, each in order. One is held at a time.
    pub fn read_tenant<'a>(
        &'a self,
        aggregate_type: &'a str,
        tenant: &'a TenantId,
    ) -> impl Stream<Item = Result<Recorded, ReadError>> + Send + 'a {
        repo::events::of_tenant(&self.inner.readers, aggregate_type, tenant.as_str()).map_err(ReadError::from)
    }

    /// The position of the last event, 0 for an empty log.
    pub async fn head(&self) -> Result<i64, ReadError> {
        Ok(repo::events::head(&self.inner.readers).await?)
    }

    /// Wakes whenever this process appended, with the position of its last event. Other processes' appends do not
    /// show: who follows the log looks from time to time as well.
    pub fn appended(&self) -> watch::Receiver<i64> {
        self.inner.appended.clone()
    }

    /// Let new commands of this process wait before they queue, or go on: for whoever follows the log, when it lags. Each
    /// waits for a bounded time ([`JournalConfig::held_back_max`]) and as many as the queue holds; more are refused as
    /// overload.
    pub fn hold_back(&self, hold: bool) {
        self.inner.pace.hold_back(hold);
    }

    /// What the writer did since it started.
    pub fn writer_figures(&self) -> WriterFigures {
        let queue = &self.inner.queue;
        self.inner
            .counters
            .figures(queue.max_capacity() - queue.capacity(), self.inner.pace.waited())
    }

    /// Connections of the login's own, for the tables of the crates above.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// Connections that only read.
    pub fn readers(&self) -> &PgPool {
        &self.inner.readers
    }

    /// Finish what is queued, then end the writer and all connections. Later commands are refused as unavailable.
    pub async fn close(&self) {
        self.inner.pace.hold_back(false);
        self.inner.closing.notify_one();
        let writer = self.inner.writer.lock().await.take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer ended badly");
        }
        self.inner.readers.close().await;
        self.inner.pool.close().await;
    }
}
