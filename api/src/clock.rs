//! Where "now" comes from: one place, so that a test can say what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{SubsecRound, Utc};
use tallybook_domain::Timestamp;

/// Decimal places of a second that are kept: PostgreSQL's microseconds. A finer instant would read back differently
/// from the log than from a projection.
const SUBSECOND_DIGITS: u16 = 6;

/// The clock that commands are judged by.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that stands still until it is set: microseconds since 1970.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that shows `now` until it is set.
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.timestamp_micros())))
    }

    /// The present, to the microsecond.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Utc::now().trunc_subsecs(SUBSECOND_DIGITS),
            Self::Manual(micros) => Timestamp::from_timestamp_micros(micros.load(Ordering::SeqCst))
                .expect("a manual clock is only set to instants"),
        }
    }

    /// Set a manual clock; the machine's goes on as it does.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(micros) = self {
            micros.store(now.timestamp_micros(), Ordering::SeqCst);
        }
    }
}
