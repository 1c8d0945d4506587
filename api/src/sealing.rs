//! Keeps the log sealed: what was appended is sealed within a second or two.
//!
//! Any number of processes may seal; the journal lets one at a time. A pause between two rounds keeps a busy log from
//! becoming a chain of seals over one event each.

use std::time::Duration;

use crate::AppState;

/// Between two rounds, and how often to look for what other processes appended.
const PAUSE: Duration = Duration::from_secs(1);

/// Seal until told to stop, and once more then: what is written by a server that was stopped is sealed.
pub(crate) async fn work(state: AppState) {
    let mut stop = state.stop.clone();
    let mut failing = false;
    while !stop.is_requested() {
        match state.journal.seal().await {
            Ok(_) => failing = false,
            Err(error) => {
                // Once an outage, not once a second.
                if !failing {
                    tracing::warn!(%error, "the log cannot be sealed at the moment");
                }
                failing = true;
            }
        }
        tokio::select! {
            () = stop.requested() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    if let Err(error) = state.journal.seal().await {
        tracing::warn!(%error, "the log's last events stay unsealed until the next start");
    }
}
