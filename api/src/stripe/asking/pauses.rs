//! How long Stripe wants to be left alone: its limits are an account's, so each key has a pause of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::client::StripeKey;

/// No pause is longer, whatever is asked for.
const PAUSE_MAX: Duration = Duration::from_hours(1);

/// The pauses that are not over. A clone shares them.
#[derive(Clone, Default)]
pub(super) struct Pauses(Arc<Mutex<HashMap<String, Instant>>>);

impl Pauses {
    /// What is left of a key's pause; none when it may be used.
    pub(super) fn left(&self, key: &StripeKey) -> Option<Duration> {
        let until = *self.ends().get(key.reveal())?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Stripe wants this key not to be used for so long.
    pub(super) fn begin(&self, key: &StripeKey, pause: Duration) {
        let now = Instant::now();
        let mut ends = self.ends();
        ends.retain(|_, end| *end > now);
        ends.insert(key.reveal().to_owned(), now + pause.min(PAUSE_MAX));
    }

    fn ends(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
