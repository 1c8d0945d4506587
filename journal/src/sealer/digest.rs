//! What is digested, byte for byte. A change here breaks every seal there is: it needs a new tag, and readers of both.

use chrono::SecondsFormat;
use sha2::{Digest as _, Sha256};

use crate::{recorded::Recorded, repo::seals::SealRow};

/// SHA-256.
pub(super) type Digest = [u8; 32];

const EVENT_TAG: &[u8] = b"tallybook event 1";
const SEAL_TAG: &[u8] = b"tallybook seal 1";

/// An absent value; no text is this long.
const ABSENT: u64 = u64::MAX;

/// Over every column as stored text, each behind its length, so that nothing can move from one column to the next.
pub(super) fn event_digest(row: &Recorded) -> Digest {
    let recorded_at = row.recorded_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let command_events = row.command_events.map(|count| count.to_string());
    let columns = [
        Some(row.position.to_string().into_bytes()),
        Some(row.aggregate_type.as_bytes().to_vec()),
        Some(row.aggregate_id.as_bytes().to_vec()),
        Some(row.sequence.to_string().into_bytes()),
        Some(row.event_type.as_bytes().to_vec()),
        Some(row.event_version.as_bytes().to_vec()),
        Some(row.payload.as_bytes().to_vec()),
        Some(row.metadata.as_bytes().to_vec()),
        Some(recorded_at.into_bytes()),
        row.command_key.as_ref().map(|key| key.as_bytes().to_vec()),
        row.command_hash.clone(),
        command_events.map(String::into_bytes),
    ];
    let mut digest = Sha256::new_with_prefix(EVENT_TAG);
    for column in columns {
        match column {
            Some(bytes) => {
                digest.update((bytes.len() as u64).to_be_bytes());
                digest.update(bytes);
            }
            None => digest.update(ABSENT.to_be_bytes()),
        }
    }
    digest.finalize().into()
}

/// Over the seal before, what this one covers, and its events' digests in order.
pub(super) fn seal_digest<'d>(seal: &SealRow, digests: impl Iterator<Item = &'d [u8]>) -> Digest {
    let mut digest = Sha256::new_with_prefix(SEAL_TAG);
    digest.update(&seal.previous);
    for number in [seal.seal, seal.first_position, seal.last_position, seal.events] {
        digest.update(number.to_be_bytes());
    }
    for event in digests {
        digest.update(event);
    }
    digest.finalize().into()
}
