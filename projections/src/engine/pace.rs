//! Slowing the writer before the read models lag: back-pressure from the end of the line to its beginning.
//!
//! A new event will be shown when the slowest read model has applied what is before it: what that is, divided by how fast
//! it applies. Where that is longer than [`FAR`], or the oldest event not shown is that old, new commands of this process
//! wait before they queue (`Journal::hold_back`), until the read models are near again.
//!
//! Nobody waits for a read model that was never current since this process started (it catches up, or is built anew), that
//! stopped at an event it can't apply, or that is [`LOST`] behind: that is not load, and waiting would not help.

use std::collections::VecDeque;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::runner::Progress;

/// New commands wait while a read model is so far behind: half of what lag may be.
const FAR: Duration = Duration::from_secs(1);

/// They go on when it is this near.
const NEAR: Duration = Duration::from_millis(700);

/// A read model so far behind is not behind because of load.
const LOST: Duration = Duration::from_secs(30);

/// So few events say nothing about how fast a read model is: the cost of a transaction prevails.
const FEW: i64 = 2_000;

/// Between two looks while something is behind.
const LOOK: Duration = Duration::from_millis(20);

/// How far a read model is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lag {
    /// Events it does not show.
    events: i64,
    /// How old the oldest of them is.
    age: Duration,
    /// Events a second it applies, when it has any to apply; 0 while that is not known.
    rate: i64,
}

impl Lag {
    /// Whether new commands should wait for it, where `far` is how far it may be.
    fn is_beyond(self, far: Duration) -> bool {
        let in_time = i64::try_from(far.as_millis()).unwrap_or(i64::MAX);
        let to_do = self.events.saturating_mul(1_000);
        let too_many = self.rate > 0 && self.events > FEW && to_do > self.rate.saturating_mul(in_time);
        self.age < LOST && (self.age > far || too_many)
    }
}

/// When the log was first seen at a position, for positions that some read model does not show.
#[derive(Debug, Default)]
struct Sightings(VecDeque<(i64, Instant)>);

impl Sightings {
    fn see(&mut self, head: i64, now: Instant) {
        if self.0.back().is_none_or(|(position, _)| head > *position) {
            self.0.push_back((head, now));
        }
    }

    /// How long ago an event after this position was first seen.
    fn age_after(&self, position: i64, now: Instant) -> Duration {
        let index = self.0.partition_point(|(seen, _)| *seen <= position);
        self.0
            .get(index)
            .map_or(Duration::ZERO, |(_, at)| now.duration_since(*at))
    }

    fn forget_through(&mut self, position: i64) {
        while self.0.front().is_some_and(|(seen, _)| *seen <= position) {
            self.0.pop_front();
        }
    }
}

/// Watch the read models, and have the writer held back while one of them is far behind.
pub(super) async fn keep_pace(
    hold_back: impl Fn(bool) + Send,
    mut head: watch::Receiver<i64>,
    followers: Vec<watch::Receiver<Progress>>,
    closed: watch::Receiver<bool>,
) {
    let mut closed = pin!(super::until_closed(closed));
    let mut sightings = Sightings::default();
    let mut holding = false;
    loop {
        let now = Instant::now();
        let position = *head.borrow_and_update();
        sightings.see(position, now);
        let shown = followers.iter().map(|follower| follower.borrow().position).min();
        sightings.forget_through(shown.unwrap_or(position));
        let far = if holding { NEAR } else { FAR };
        let hold = followers
            .iter()
            .filter_map(|follower| lag(&follower.borrow(), position, &sightings, now))
            .any(|lag| lag.is_beyond(far));
        if hold != holding {
            tracing::debug!(hold, "the writer's pace");
            hold_back(hold);
            holding = hold;
        }
        let is_behind = shown.is_some_and(|shown| shown < position);
        tokio::select! {
            biased;
            () = &mut closed => break,
            () = tokio::time::sleep(LOOK), if is_behind => {}
            moved = head.changed(), if !is_behind => if moved.is_err() { break },
        }
    }
    hold_back(false);
}

/// How far a read model is behind, if it is one to wait for.
fn lag(progress: &Progress, head: i64, sightings: &Sightings, now: Instant) -> Option<Lag> {
    (progress.was_current && progress.stopped.is_none()).then(|| Lag {
        events: head - progress.position,
        age: sightings.age_after(progress.position, now),
        rate: progress.rate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag(events: i64, age_ms: u64, rate: i64) -> Lag {
        Lag {
            events,
            age: Duration::from_millis(age_ms),
            rate,
        }
    }

    #[test]
    fn the_writer_waits_before_an_event_would_be_shown_late() {
        assert!(!lag(9_000, 200, 10_000).is_beyond(FAR));
        assert!(lag(11_000, 200, 10_000).is_beyond(FAR));
        assert!(!lag(FEW, 200, 1).is_beyond(FAR), "few events say nothing");
        assert!(!lag(11_000, 200, 0).is_beyond(FAR), "its rate is not known");
        assert!(
            lag(1, 1_100, 10_000).is_beyond(FAR),
            "an event that is old already is"
        );
    }

    #[test]
    fn nobody_waits_for_one_that_is_lost() {
        assert!(!lag(1_000_000, 31_000, 10_000).is_beyond(FAR));
    }

    #[test]
    fn the_age_is_of_the_first_event_not_shown() {
        let start = Instant::now();
        let mut sightings = Sightings::default();
        for (position, ms) in [(10, 0), (20, 100), (20, 150), (30, 200)] {
            sightings.see(position, start + Duration::from_millis(ms));
        }
        let now = start + Duration::from_secs(1);
        assert_eq!(sightings.age_after(5, now), Duration::from_secs(1));
        assert_eq!(sightings.age_after(10, now), Duration::from_millis(900));
        assert_eq!(sightings.age_after(29, now), Duration::from_millis(800));
        assert_eq!(sightings.age_after(30, now), Duration::ZERO);
        sightings.forget_through(20);
        assert_eq!(sightings.age_after(20, now), Duration::from_millis(800));
    }
}
