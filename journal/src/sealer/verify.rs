//! Reading everything again and comparing it with its seals.

use super::{BLOCK, NO_SEAL, SealHead, event_digest, head_of, seal_digest};
use crate::{
    Journal,
    error::ReadError,
    recorded::Recorded,
    repo::{
        self,
        seals::{DigestRow, SealRow},
    },
};

/// What verifying the log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Events that are what they were when they were sealed.
    pub events: u64,
    /// The position up to which the seals reach, 0 for none.
    pub sealed_through: i64,
    /// The newest seal.
    pub head: Option<SealHead>,
    /// Events behind the newest seal: nothing vouches for them yet.
    pub unsealed: u64,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

/// Something is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The event is not the one that was sealed: changed, or swapped with another.
    #[error("the event at position {0} is not the one that was sealed")]
    Differs(i64),
    /// The event is gone.
    #[error("the event at position {0} is missing")]
    Missing(i64),
    /// The event was not there when its neighbours were sealed.
    #[error("the event at position {0} was put in after its neighbours were sealed")]
    Inserted(i64),
    /// The digests of the events are not those that were sealed: digests were rewritten with their events.
    #[error("seal {seal} does not match its events, positions {first_position} to {last_position}")]
    Seal {
        /// The seal.
        seal: u64,
        /// The first position it covers.
        first_position: i64,
        /// The last position it covers.
        last_position: i64,
    },
    /// The seal does not continue the one before it: seals were removed or rewritten.
    #[error("seal {0} does not continue the one before it")]
    Chain(u64),
    /// The head kept elsewhere is not a seal of this log: seals were rewritten or cut off, or it is another log's.
    #[error("the log has no seal {0}")]
    Head(SealHead),
}

impl Journal {
    /// Read every event and every seal, and compare; with the head that was kept elsewhere, if there is one.
    pub async fn verify_log(&self, kept: Option<SealHead>) -> Result<Verification, ReadError> {
        let mut verified = 0;
        let mut newest: Option<SealRow> = None;
        let mut fault = None;
        let mut kept_is_there = kept.is_none();
        'seals: loop {
            let after = newest.as_ref().map_or(0, |seal| seal.seal);
            let seals = repo::seals::after(self.readers(), after, BLOCK).await?;
            if seals.is_empty() {
                break;
            }
            for seal in seals {
                let found = self.verify_block(newest.as_ref(), &seal).await?;
                kept_is_there |= kept == Some(head_of(&seal));
                match found {
                    Ok(events) => verified += events,
                    Err(found) => {
                        fault = Some(found);
                        break 'seals;
                    }
                }
                newest = Some(seal);
            }
        }
        if let (None, Some(kept), false) = (&fault, kept, kept_is_there) {
            fault = Some(Fault::Head(kept));
        }
        let last = repo::seals::last(self.readers()).await?;
        let sealed_through = last.as_ref().map_or(0, |seal| seal.last_position);
        let unsealed = repo::events::count_after(self.readers(), sealed_through).await?;
        Ok(Verification {
            events: verified,
            sealed_through,
            head: last.as_ref().map(head_of),
            unsealed: unsealed.unsigned_abs(),
            fault,
        })
    }

    /// One seal and its events. How many there are, or the first thing that is wrong.
    async fn verify_block(
        &self,
        previous: Option<&SealRow>,
        seal: &SealRow,
    ) -> Result<Result<u64, Fault>, ReadError> {
        let number = seal.seal.unsigned_abs();
        let expected = previous.map_or(NO_SEAL.as_slice(), |previous| &previous.digest);
        if seal.seal != previous.map_or(0, |previous| previous.seal) + 1 || seal.previous != expected {
            return Ok(Err(Fault::Chain(number)));
        }
        let after = previous.map_or(0, |previous| previous.last_position);
        let digests = repo::seals::digests(self.readers(), after, seal.last_position).await?;
        let rows = repo::events::log_through(self.readers(), after, seal.last_position).await?;
        if let Some(fault) = first_fault(&rows, &digests) {
            return Ok(Err(fault));
        }
        if seal_digest(seal, digests.iter().map(|row| row.digest.as_slice())).as_slice() != seal.digest {
            let (first_position, last_position) = (seal.first_position, seal.last_position);
            return Ok(Err(Fault::Seal {
                seal: number,
                first_position,
                last_position,
            }));
        }
        Ok(Ok(rows.len() as u64))
    }
}

/// The first position at which events and digests part, both in order of position.
fn first_fault(rows: &[Recorded], digests: &[DigestRow]) -> Option<Fault> {
    let mut rows = rows.iter().peekable();
    let mut digests = digests.iter().peekable();
    loop {
        match (rows.peek(), digests.peek()) {
            (None, None) => return None,
            (None, Some(digest)) => return Some(Fault::Missing(digest.position)),
            (Some(row), None) => return Some(Fault::Inserted(row.position)),
            (Some(row), Some(digest)) if row.position < digest.position => {
                return Some(Fault::Inserted(row.position));
            }
            (Some(row), Some(digest)) if row.position > digest.position => {
                return Some(Fault::Missing(digest.position));
            }
            (Some(row), Some(digest)) if event_digest(row).as_slice() != digest.digest => {
                return Some(Fault::Differs(row.position));
            }
            (Some(_), Some(_)) => {
                rows.next();
                digests.next();
            }
        }
    }
}
