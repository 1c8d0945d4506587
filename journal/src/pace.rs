//! What slows new commands down while a follower of the log lags.
//!
//! Whoever follows the log says so ([`Journal::hold_back`](crate::Journal::hold_back)). New commands then wait at the door,
//! before they queue: those that are queued or being judged go on. The wait is bounded: a follower slows the writer, it
//! never stops it. So is the number of those who wait; more are refused as overload.
//!
//! Who waits goes on in the order of coming, and who comes later stays behind them: the commands of one caller reach the
//! writer in the order they were asked, held back or not.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

/// More commands wait than may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooManyWait;

/// The door to the writer's queue.
#[derive(Debug)]
pub(crate) struct Pace {
    held_back: AtomicBool,
    released: Notify,
    /// Passed one by one, in order; whoever holds it is the first of those who wait.
    turnstile: Mutex<()>,
    waiting: AtomicUsize,
    waiting_max: usize,
    wait_max: Duration,
    waited: AtomicU64,
}

impl Pace {
    pub(crate) fn new(waiting_max: usize, wait_max: Duration) -> Self {
        Self {
            held_back: AtomicBool::new(false),
            released: Notify::new(),
            turnstile: Mutex::new(()),
            waiting: AtomicUsize::new(0),
            waiting_max,
            wait_max,
            waited: AtomicU64::new(0),
        }
    }

    /// Let new commands wait, or go on.
    pub(crate) fn hold_back(&self, hold: bool) {
        self.held_back.store(hold, Ordering::Release);
        if !hold {
            self.released.notify_waiters();
        }
    }

    /// Commands that had to wait so far.
    pub(crate) fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    /// Go through, now or after a wait.
    pub(crate) async fn pass(&self) -> Result<(), TooManyWait> {
        if !self.is_held_back() && self.waiting.load(Ordering::Acquire) == 0 {
            return Ok(());
        }
        let _waiting = Waiting::enter(self)?;
        let deadline = Instant::now() + self.wait_max;
        // Behind those who came before. Each of them leaves by its own, earlier deadline.
        let _first = self.turnstile.lock().await;
        let mut released = std::pin::pin!(self.released.notified());
        // Listening begins before the look, so that a release between the two is not missed.
        released.as_mut().enable();
        if self.is_held_back() {
            drop(tokio::time::timeout_at(deadline, released).await);
        }
        Ok(())
    }

    fn is_held_back(&self) -> bool {
        self.held_back.load(Ordering::Acquire)
    }
}

/// One who waits; leaves whatever becomes of it.
struct Waiting<'a>(&'a Pace);

impl<'a> Waiting<'a> {
    fn enter(pace: &'a Pace) -> Result<Self, TooManyWait> {
        let waiting = Self(pace);
        if pace.waiting.fetch_add(1, Ordering::AcqRel) >= pace.waiting_max {
            return Err(TooManyWait);
        }
        pace.waited.fetch_add(1, Ordering::Relaxed);
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::StreamExt;
    use futures::stream::FuturesUnordered;

    use super::*;

    const LONG: Duration = Duration::from_mins(10);
    const SHORT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn nobody_waits_at_an_open_door() {
        let pace = Pace::new(1, LONG);
        for _ in 0..10 {
            assert_eq!(pace.pass().await, Ok(()));
        }
        assert_eq!(pace.waited(), 0);
    }

    #[tokio::test]
    async fn the_wait_is_bounded() {
        let pace = Pace::new(10, SHORT);
        pace.hold_back(true);
        let began = Instant::now();
        let (first, second) = tokio::join!(pace.pass(), pace.pass());
        assert_eq!((first, second), (Ok(()), Ok(())));
        assert!(began.elapsed() >= SHORT);
        assert_eq!(pace.waited(), 2);
    }

    #[tokio::test]
    async fn so_is_the_number_of_those_who_wait() {
        let pace = Pace::new(1, SHORT);
        pace.hold_back(true);
        let (first, second) = tokio::join!(pace.pass(), pace.pass());
        assert_eq!((first, second), (Ok(()), Err(TooManyWait)));
        pace.hold_back(false);
        assert_eq!(pace.pass().await, Ok(()));
    }

    #[tokio::test]
    async fn who_waited_goes_on_in_order_and_before_who_comes_later() {
        let pace = Arc::new(Pace::new(100, LONG));
        pace.hold_back(true);
        let passing = |number: usize| {
            let pace = Arc::clone(&pace);
            async move {
                pace.pass().await.expect("not too many");
                number
            }
        };
        // One task holds them, as that of a caller with several commands does.
        let mut waiting = FuturesUnordered::new();
        for number in 0..50 {
            waiting.push(passing(number));
            assert!(futures::poll!(waiting.next()).is_pending());
        }
        pace.hold_back(false);
        waiting.push(passing(50));
        let order: Vec<usize> = waiting.collect().await;
        assert_eq!(order, (0..=50).collect::<Vec<_>>());
        assert_eq!(pace.waiting.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn one_that_stops_waiting_is_not_counted_any_more() {
        let pace = Pace::new(1, LONG);
        pace.hold_back(true);
        {
            let mut gives_up = std::pin::pin!(pace.pass());
            assert!(futures::poll!(gives_up.as_mut()).is_pending());
        }
        assert_eq!(pace.waiting.load(Ordering::Acquire), 0);
    }
}
