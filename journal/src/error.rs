//! What can go wrong, one enum an operation. Retryable or not is in the type.

use std::any::Any;

use tallybook_domain::{DecodeError, Refusal};

/// A command was not executed, or it is not known whether it was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecuteError<R> {
    /// The aggregate said no. Nothing was written.
    #[error("{0}")]
    Refused(R),
    /// The key is known for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The stream is not at the version the caller expects.
    #[error("version {expected} was expected, the stream has version {current}")]
    VersionConflict {
        /// What the caller said.
        expected: u64,
        /// What the log says.
        current: u64,
    },
    /// The queue is full. Nothing was written.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The database cannot be reached or did not answer. Whether the command was recorded is not known: a retry with
    /// the same key finds out.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// Another process moved the stream five times in a row. Nothing was written.
    #[error("the stream is contended")]
    Contended,
    /// The log holds something that this release must not judge by.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The aggregate's code panicked, a defect. Nothing was written.
    #[error("judging the command panicked: {0}")]
    Panicked(String),
    /// The database cannot store it (a NUL in a text, say). Nothing was written.
    #[error("the log cannot store the command: {0}")]
    Unstorable(String),
    /// A unit names one stream twice, or no stream: a defect of the caller. Nothing was written.
    #[error("a unit needs one command for each of its streams")]
    MalformedUnit,
}

impl<R> ExecuteError<R> {
    /// Whether the same command with the same key may succeed later, and cannot do harm.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Unavailable(_) | Self::Contended)
    }

    /// The same error about another type of refusal.
    pub fn map_refusal<S>(self, map: impl FnOnce(R) -> S) -> ExecuteError<S> {
        match self {
            Self::Refused(refusal) => ExecuteError::Refused(map(refusal)),
            Self::KeyReused => ExecuteError::KeyReused,
            Self::VersionConflict { expected, current } => {
                ExecuteError::VersionConflict { expected, current }
            }
            Self::Overloaded => ExecuteError::Overloaded,
            Self::Unavailable(reason) => ExecuteError::Unavailable(reason),
            Self::Contended => ExecuteError::Contended,
            Self::Corrupt(corruption) => ExecuteError::Corrupt(corruption),
            Self::Panicked(message) => ExecuteError::Panicked(message),
            Self::Unstorable(reason) => ExecuteError::Unstorable(reason),
            Self::MalformedUnit => ExecuteError::MalformedUnit,
        }
    }
}

/// The refusal of one command of a unit, whichever aggregate it came from.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct AnyRefusal {
    index: usize,
    code: &'static str,
    message: String,
    refusal: Box<dyn Any + Send + Sync>,
}

impl AnyRefusal {
    pub(crate) fn new<R: Refusal>(index: usize, refusal: R) -> Self {
        Self {
            index,
            code: refusal.code(),
            message: refusal.to_string(),
            refusal: Box::new(refusal),
        }
    }

    pub(crate) fn at(self, index: usize) -> Self {
        Self { index, ..self }
    }

    /// Which command of the unit was refused, counted from 0 in the order of adding.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The refusal itself, if it is an `R`.
    pub fn downcast_ref<R: Refusal>(&self) -> Option<&R> {
        self.refusal.downcast_ref()
    }

    /// The refusal itself, if it is an `R`; else this again.
    pub fn downcast<R: Refusal>(self) -> Result<R, Self> {
        let Self {
            index,
            code,
            message,
            refusal,
        } = self;
        match refusal.downcast::<R>() {
            Ok(refusal) => Ok(*refusal),
            Err(refusal) => Err(Self {
                index,
                code,
                message,
                refusal,
            }),
        }
    }
}

/// A stream that must not be judged by: a person has to look.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Corruption {
    /// Events are missing in the middle of the stream.
    #[error("stream {stream} has a gap: event {expected} is missing, {found} follows")]
    Gap {
        /// The stream.
        stream: String,
        /// The sequence that should be next.
        expected: i64,
        /// The sequence found.
        found: i64,
    },
    /// An event's version is not an integer.
    #[error("stream {stream}, event {sequence}: version {version:?} is not an integer")]
    Version {
        /// The stream.
        stream: String,
        /// The event's sequence.
        sequence: i64,
        /// What stands in event_version.
        version: String,
    },
    /// An event this release cannot read.
    #[error("stream {stream}, event {sequence}: {source}")]
    Undecodable {
        /// The stream.
        stream: String,
        /// The event's sequence.
        sequence: i64,
        /// Why.
        source: DecodeError,
    },
    /// Folding an event panicked, a defect.
    #[error("stream {stream} cannot be folded: {message}")]
    Unfoldable {
        /// The stream.
        stream: String,
        /// The panic's message.
        message: String,
    },
}

/// A stream could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The log holds something that this release must not judge by.
    #[error(transparent)]
    Corrupt(#[from] Corruption),
    /// The database did not answer. Retryable.
    #[error(transparent)]
    Unavailable(#[from] ReadError),
}

/// The log could not be read: the database did not answer. Retryable.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot be read: {0}")]
pub struct ReadError(#[from] pub(crate) sqlx::Error);

/// The journal could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database cannot be reached.
    #[error("cannot connect to the database: {0}")]
    Connect(#[source] sqlx::Error),
    /// The database has no events table: it was never migrated.
    #[error("the database has no event log; run the migrations first")]
    NotMigrated,
}

/// The migrations did not run.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database cannot be reached.
    #[error("cannot connect to the database: {0}")]
    Connect(#[source] sqlx::Error),
    /// A migration failed, or the database was migrated by another release.
    #[error(transparent)]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
