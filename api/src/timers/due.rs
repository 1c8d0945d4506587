//! Having an account write what is due.
//!
//! The command's key names the instant that is due and the version of the stream it was seen at, both of the log: two
//! processes that see the same send the same command, and the second is answered as the first was. A process that saw an
//! older version sends another key and is judged on the stream as it is now: what is written already is not due.

use sha2::{Digest, Sha256};
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, AccountCommand, AccountRefusal};
use tallybook_domain::identity::StreamId;
use tallybook_journal::{CommandKey, Envelope, ExecuteError, Executed, Journal, LoadError, Metadata};

/// Commands on one account that may turn out to have nothing to write before stepping it is given up: as often as it
/// takes until an account that others write to stands still.
const VAIN_TRIES_MAX: u32 = 5;

/// Something due on an account, as it was seen.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    /// The account.
    pub(crate) stream: StreamId,
    /// The earliest instant at which something is due.
    pub(crate) at: Timestamp,
    /// The stream's version when that was seen.
    pub(crate) version: u64,
}

/// Write what is due on an account, judged at `now`.
pub(crate) async fn write_due(
    journal: &Journal,
    due: &Due,
    now: Timestamp,
) -> Result<Executed<Account>, ExecuteError<AccountRefusal>> {
    let key = format!("due:{}:{}", due.at.timestamp_micros(), due.version);
    let envelope = Envelope {
        hash: Sha256::digest(&key).into(),
        key: CommandKey::new(key),
        expected_version: None,
        at: now,
        metadata: Metadata::from([("actor".to_owned(), "timer".to_owned())]),
    };
    journal
        .execute::<Account>(&due.stream, AccountCommand::WriteDue, envelope)
        .await
}

/// An account was not stepped all the way.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The account can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The account did not take it.
    #[error(transparent)]
    Execute(#[from] ExecuteError<AccountRefusal>),
    /// It says again and again that something is due, and then has nothing to write.
    #[error("{stream} says that something is due at {due} and writes nothing")]
    Stuck {
        /// The account.
        stream: StreamId,
        /// What it says.
        due: Timestamp,
    },
}

/// Write what is due on an account up to `to`: each thing at its own instant, in order, as if a clock had gone there
/// moment by moment. Whoever takes up a step that was cut short writes the rest, and nothing twice.
pub(crate) async fn step_to(journal: &Journal, stream: &StreamId, to: Timestamp) -> Result<(), StepError> {
    let mut vain = 0;
    let mut seen = None;
    loop {
        let (next, version) = if let Some(seen) = seen.take() {
            seen
        } else {
            let loaded = journal.load::<Account>(stream).await?;
            (loaded.state.next_due(), loaded.version)
        };
        let Some(at) = next.filter(|due| *due <= to) else {
            return Ok(());
        };
        let due = Due {
            stream: stream.clone(),
            at,
            version,
        };
        match write_due(journal, &due, at).await {
            Ok(executed) => seen = Some((executed.state.next_due(), executed.version)),
            // Somebody wrote to the account meanwhile: see how it is now.
            Err(ExecuteError::Refused(_)) if vain < VAIN_TRIES_MAX => vain += 1,
            Err(ExecuteError::Refused(_)) => {
                let stream = due.stream;
                return Err(StepError::Stuck { stream, due: at });
            }
            Err(error) => return Err(error.into()),
        }
    }
}
