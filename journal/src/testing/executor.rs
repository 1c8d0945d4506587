//! For simulations: runs tasks one at a time, on a clock that jumps to whatever is waited for: everything that happens follows from the
//! seed.
//!
//! The tasks are tokio's, on one thread, so that a task's own code runs unchanged. Nothing in a schedule waits for the
//! world outside; when every task waits, the thread is about to be parked, and the earliest of the pauses ends instead.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Builder;
use tokio::task::AbortHandle;

/// The world of one schedule. A clone is the same world.
#[derive(Clone)]
pub struct Simulation {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    lot: ChaCha8Rng,
    now_us: u64,
    pauses: BTreeMap<(u64, u64), Waker>,
    pauses_made: u64,
}

impl Simulation {
    /// One whose lots follow from this seed.
    pub fn new(seed: u64) -> Self {
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
    pub fn below(&self, bound: usize) -> usize {
        self.lock().lot.random_range(0..bound)
    }

    /// Whether something happens that happens so often in a thousand times.
    pub fn happens(&self, per_thousand: usize) -> bool {
        self.below(1_000) < per_thousand
    }

    /// Let others go on for a while, at most so many microseconds.
    pub fn pause(&self, us_max: usize) -> Pause {
        let us = u64::try_from(self.below(us_max + 1)).expect("a pause is short");
        self.wait(Duration::from_micros(us))
    }

    /// Let others go on for so long.
    pub fn wait(&self, duration: Duration) -> Pause {
        let us = u64::try_from(duration.as_micros()).expect("a pause is short");
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
    pub fn run(&self, main: impl Future<Output = ()>) {
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
pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(task).abort_handle()
}

/// A while.
pub struct Pause {
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

const SEED_VARIABLE: &str = "TALLYBOOK_SIMULATION_SEED";

/// Says which schedule it was if it fails.
struct Named<'a> {
    seed: u64,
    test: &'a str,
}

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("again: {SEED_VARIABLE}={} cargo test {}", self.seed, self.test);
        }
    }
}

fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a whole number, not {text:?}")),
    )
}

/// Play schedules, each from its seed: so many, times `TALLYBOOK_TEST_SCALE`, or the one that
/// `TALLYBOOK_SIMULATION_SEED` names. `test` is what to give to `cargo test` to see one again.
pub fn play_all(schedules: u64, test: &str, mut play: impl FnMut(u64)) {
    let seeds = match number_of(SEED_VARIABLE) {
        Some(seed) => seed..seed + 1,
        None => 0..schedules * number_of("TALLYBOOK_TEST_SCALE").unwrap_or(1),
    };
    for seed in seeds {
        let _named = Named { seed, test };
        play(seed);
    }
}
