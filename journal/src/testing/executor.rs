//! Runs tasks one at a time, on a clock that jumps to whatever is waited for: everything that happens follows from the
//! seed.
//!
//! The tasks are tokio's, on one thread, so that the writer's own run unchanged. Nothing in a schedule waits for the
//! world outside; when every task waits, the thread is about to be parked, and the earliest of the pauses ends instead.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Builder;
use tokio::task::AbortHandle;

/// The world of one schedule. A clone is the same world.
#[derive(Clone)]
pub(super) struct Simulation {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    lot: ChaCha8Rng,
    now_us: u64,
    pauses: BTreeMap<(u64, u64), Waker>,
    pauses_made: u64,
}

impl Simulation {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                lot: ChaCha8Rng::seed_from_u64(seed),
                now_us: 0,
                pauses: BTreeMap::new(),
                pauses_made: 0,
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number below `bound`, by lot.
    pub(super) fn below(&self, bound: usize) -> usize {
        self.lock().lot.random_range(0..bound)
    }

    /// Whether something happens that happens so often in a thousand times.
    pub(super) fn happens(&self, per_thousand: usize) -> bool {
        self.below(1_000) < per_thousand
    }

    /// Let others go on for a while, at most so many microseconds.
    pub(super) fn pause(&self, us_max: usize) -> Pause {
        let us = u64::try_from(self.below(us_max + 1)).expect("a pause is short");
        let mut inner = self.lock();
        inner.pauses_made += 1;
        Pause {
            place: (inner.now_us + us, inner.pauses_made),
            simulation: self.clone(),
        }
    }

    /// Run everything until `main` is done.
    ///
    /// # Panics
    /// When all that is left waits for what nobody will do.
    pub(super) fn run(&self, main: impl Future<Output = ()>) {
        let simulation = self.clone();
        let runtime = Builder::new_current_thread()
            .on_thread_park(move || simulation.end_a_pause())
            .build()
            .expect("a runtime without I/O");
        runtime.block_on(main);
    }

    fn end_a_pause(&self) {
        let mut inner = self.lock();
        let Some(((at_us, _), waker)) = inner.pauses.pop_first() else {
            drop(inner);
            panic!("nothing goes on, and not all is done");
        };
        inner.now_us = at_us;
        drop(inner);
        waker.wake();
    }
}

/// A task of the schedule that runs; the handle ends it where it stands.
pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(task).abort_handle()
}

/// A while.
pub(super) struct Pause {
    /// When it ends, and its number.
    place: (u64, u64),
    simulation: Simulation,
}

impl Future for Pause {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.simulation.lock();
        if inner.now_us >= self.place.0 {
            return Poll::Ready(());
        }
        inner.pauses.insert(self.place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.simulation.lock().pauses.remove(&self.place);
    }
}
