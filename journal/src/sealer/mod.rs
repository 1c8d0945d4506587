//! Seals: what makes a change behind our back visible.
//!
//! The sealer follows the log by position and stores a digest of every event as it stands, whoever wrote it, and over
//! each block of digests a seal that contains the one before. A head (the newest seal) that is kept elsewhere vouches
//! for everything up to it: without it, someone who can rewrite the log can rewrite the seals, too.
//!
//! **What is locked.** One advisory lock, so that seals follow one another; it is taken before anything is read, and
//! appends never wait for it. That a block never misses an event that becomes visible later is the fence's promise.

mod digest;
mod verify;

use std::{fmt, str::FromStr};

use sqlx::{Connection, PgConnection};

use self::digest::{Digest, event_digest, seal_digest};
pub use self::verify::{Fault, Verification};
use crate::{
    Journal,
    error::ReadError,
    repo::{self, seals::SealRow},
};

/// Events under one seal, at most: bounds the memory that sealing and verifying take.
const BLOCK: i64 = 1_000;

/// Before the first seal there is none.
const NO_SEAL: Digest = [0; 32];

/// The newest seal: its number and digest. Kept elsewhere it vouches for all it covers. As text: `17:9f86d0..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealHead {
    /// The seal's number: 1, 2, 3, ...
    pub seal: u64,
    /// Its digest.
    pub digest: [u8; 32],
}

/// A text is not a head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a head is the seal's number, a colon, and 64 hexadecimal digits")]
pub struct NotAHead;

impl fmt::Display for SealHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seal, hex::encode(self.digest))
    }
}

impl FromStr for SealHead {
    type Err = NotAHead;

    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (seal, digits) = text.split_once(':').ok_or(NotAHead)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(digits, &mut digest).map_err(|_| NotAHead)?;
        Ok(Self {
            seal: seal.parse().map_err(|_| NotAHead)?,
            digest,
        })
    }
}

/// What a call to the sealer did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Events sealed by this call.
    pub events: u64,
    /// The position up to which all is sealed, 0 for nothing.
    pub through: i64,
    /// The newest seal.
    pub head: Option<SealHead>,
}

impl Journal {
    /// Seal all that is in the log by now, block by block. Any number of processes may do so at once.
    pub async fn seal(&self) -> Result<Sealed, ReadError> {
        let mut connection = self.pool().acquire().await?;
        let mut events = 0;
        loop {
            let (sealed, last) = seal_block(&mut connection).await?;
            events += sealed;
            if sealed < BLOCK {
                return Ok(Sealed {
                    events: events.unsigned_abs(),
                    through: last.as_ref().map_or(0, |last| last.last_position),
                    head: last.as_ref().map(head_of),
                });
            }
        }
    }
}

/// Seal the next block. How many events it has, and the newest seal.
async fn seal_block(connection: &mut PgConnection) -> sqlx::Result<(i64, Option<SealRow>)> {
    let mut transaction = connection.begin().await?;
    repo::seals::take_turn(&mut transaction).await?;
    let previous = repo::seals::last(&mut *transaction).await?;
    let after = previous.as_ref().map_or(0, |seal| seal.last_position);
    let rows = repo::events::log(&mut *transaction, after, BLOCK).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok((0, previous));
    };
    let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
    let digests: Vec<Vec<u8>> = rows.iter().map(|row| event_digest(row).to_vec()).collect();
    let mut seal = SealRow {
        seal: previous.as_ref().map_or(0, |seal| seal.seal) + 1,
        first_position: first.position,
        last_position: last.position,
        events: i64::try_from(rows.len()).expect("a block is small"),
        previous: previous.map_or(NO_SEAL.to_vec(), |seal| seal.digest),
        digest: Vec::new(),
    };
    seal.digest = seal_digest(&seal, digests.iter().map(Vec::as_slice)).to_vec();
    repo::seals::insert_digests(&mut transaction, &positions, &digests).await?;
    repo::seals::insert(&mut transaction, &seal).await?;
    transaction.commit().await?;
    Ok((seal.events, Some(seal)))
}

fn head_of(seal: &SealRow) -> SealHead {
    let mut digest = NO_SEAL;
    digest.copy_from_slice(&seal.digest);
    SealHead {
        seal: seal.seal.unsigned_abs(),
        digest,
    }
}
