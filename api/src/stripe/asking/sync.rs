//! Filling gaps: every event that Stripe still has (30 days, newest first) is put into the inbox, as if it had been
//! delivered. What was delivered already is counted and changes nothing.
//!
//! A run that was cut short is taken up again: how far it got is noted after every page, once its events are stored. The
//! next run reads what is newer than that run, then goes on where it stopped.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::client::{AskError, StripeApi};
use super::{Asking, Inbox};
use crate::stripe::intake::IntakeError;
use crate::stripe::repo::syncs;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Events that Stripe had.
    pub read: u64,
    /// Those that had not been delivered.
    pub new: u64,
    /// Those that are no events this inbox takes.
    pub refused: u64,
}

/// A run that did not come to its end. Another goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Stripe did not answer, or said no.
    #[error(transparent)]
    Stripe(#[from] AskError),
    /// The database did not answer.
    #[error("the inbox is not available: {0}")]
    Inbox(#[from] sqlx::Error),
    /// An event of Stripe's own list cannot be read.
    #[error("an event of Stripe's has no id: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// A piece of the list.
#[derive(Default)]
struct Stretch {
    /// It begins behind this event; with the newest if none.
    before: Option<String>,
    /// It ends at this event: what follows was read by a run that was cut short.
    until: Option<String>,
    /// The newest event of the run that it goes on with.
    newest: Option<String>,
}

#[derive(Deserialize)]
struct EventId {
    id: String,
}

/// Read every event made at or after `since` (Unix seconds) that was not read yet. `on_page` is told after every page.
pub async fn sync(
    inbox: &Inbox,
    stripe: &StripeApi,
    asking: &Asking,
    since: i64,
    mut on_page: impl FnMut(Synced),
) -> Result<Synced, SyncError> {
    let partition = &asking.partition;
    let cut_short = syncs::cut_short(&inbox.pool, partition, since).await?;
    let mut stretches = vec![Stretch {
        until: cut_short.as_ref().map(|run| run.newest.clone()),
        ..Stretch::default()
    }];
    stretches.extend(cut_short.map(|run| Stretch {
        before: Some(run.oldest),
        newest: Some(run.newest),
        until: None,
    }));
    let mut synced = Synced::default();
    for stretch in stretches {
        let notes_progress = stretch.until.is_none();
        let mut newest = stretch.newest;
        let mut before = stretch.before;
        loop {
            let page = stripe
                .events(&asking.key, asking.account(), since, before.as_deref())
                .await?;
            let mut reached = false;
            for event in &page.data {
                let EventId { id } = serde_json::from_str(event.get())?;
                if stretch.until.as_ref() == Some(&id) {
                    reached = true;
                    break;
                }
                take(inbox, asking, event, &mut synced).await?;
                newest.get_or_insert_with(|| id.clone());
                before = Some(id);
            }
            if let (true, Some(newest), Some(oldest)) = (notes_progress, &newest, &before) {
                syncs::note(&inbox.pool, partition, since, newest, oldest).await?;
            }
            on_page(synced);
            if reached || !page.has_more || page.data.is_empty() {
                break;
            }
        }
    }
    syncs::forget(&inbox.pool, partition).await?;
    Ok(synced)
}

async fn take(
    inbox: &Inbox,
    asking: &Asking,
    event: &RawValue,
    synced: &mut Synced,
) -> Result<(), SyncError> {
    synced.read += 1;
    match inbox.take(&asking.partition, event.get().as_bytes()).await {
        Ok(receipt) => synced.new += u64::from(!receipt.is_duplicate()),
        Err(IntakeError::Unavailable(error)) => return Err(error.into()),
        Err(error) => {
            tracing::warn!(%error, "an event of Stripe's list is not taken");
            synced.refused += 1;
        }
    }
    Ok(())
}
