//! Waiting for what happens elsewhere, with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(10);

/// The shortest limit there is: a shorter one would say something about the machine and what else it does.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// Ask until the answer is `Some`.
///
/// # Panics
/// When there is none within `limit`, or within [`PATIENCE`] if that is longer; `what` says what was waited for.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let limit = limit.max(PATIENCE);
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for {what}");
        sleep(POLL).await;
    }
}
