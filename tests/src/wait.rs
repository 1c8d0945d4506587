//! Waiting for what happens elsewhere, with a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(10);

/// Ask until the answer is `Some`.
///
/// # Panics
/// When there is none within `limit`; `what` says what was waited for.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for {what}");
        sleep(POLL).await;
    }
}
