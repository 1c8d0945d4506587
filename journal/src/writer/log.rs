//! The log as the writer needs it: a session on it that asks and appends. PostgreSQL's is [`super::connection`]; tests
//! put a log in memory in its place, whose faults they choose.

use std::future::Future;

use crate::recorded::Recorded;
use crate::repo::events::{NewRows, Pieces, Questions, Standing};

/// One session on the log.
///
/// After a [`StepError::Lost`] the session is unclear: the writer calls [`Log::lose`], and the next [`Log::ensure`]
/// returns only when nothing that was asked on the lost session can happen any more, or is there to be seen under the
/// fence.
pub(crate) trait Log: Send + 'static {
    /// Make sure there is a session. Why not, if there is none.
    fn ensure(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// Heads and keys, of one moment, in the order of the questions.
    fn standings(
        &mut self,
        questions: &Questions,
    ) -> impl Future<Output = Result<Vec<Standing>, StepError>> + Send;

    /// The pieces' events, piece by piece, each in order of sequence.
    fn pieces(&mut self, pieces: &Pieces) -> impl Future<Output = Result<Vec<Recorded>, StepError>> + Send;

    /// Append in this order, all or none. The positions, row by row. Outside a transaction it is one of its own.
    fn append(&mut self, rows: &NewRows) -> impl Future<Output = Result<Vec<i64>, StepError>> + Send;

    /// Begin a transaction that holds the fence: until it ends, nobody else's append becomes visible.
    fn begin_fenced(&mut self) -> impl Future<Output = Result<(), StepError>> + Send;

    /// Commit the transaction.
    fn commit(&mut self) -> impl Future<Output = Result<(), StepError>> + Send;

    /// Roll the transaction back. A session on which even that fails is lost.
    fn roll_back(&mut self) -> impl Future<Output = ()> + Send;

    /// Throw the session away: it is broken, or it is in the middle of something.
    fn lose(&mut self);

    /// End the session in order.
    fn close(&mut self) -> impl Future<Output = ()> + Send;
}

/// Why a step at the log failed, as far as the writer acts on it.
#[derive(Debug)]
pub(crate) enum StepError {
    /// Unique violation: another writer took the sequence or the key. Nothing was written.
    Moved,
    /// The data itself cannot be stored (a NUL in a text, a key too long for its index). Nothing was written.
    Unstorable(String),
    /// The database said no for a reason of its own (lock time-out, disk full). Nothing was written.
    Denied(String),
    /// The connection broke or did not answer: what was asked may have happened or may yet happen.
    Lost(String),
}
