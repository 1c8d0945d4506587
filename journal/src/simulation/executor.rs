//! Runs tasks one at a time, the next one by lot, on a clock that jumps to whatever is waited for: everything that
//! happens follows from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A task's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(usize);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The world of one schedule. A clone is the same world.
#[derive(Clone)]
pub(super) struct Simulation {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    lot: ChaCha8Rng,
    now_us: u64,
    timers: BTreeMap<(u64, usize), Waker>,
    timers_made: usize,
    tasks_made: usize,
    new: Vec<(TaskId, Task)>,
    killed: BTreeSet<TaskId>,
    ready: Vec<TaskId>,
}

impl Simulation {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner {
                lot: ChaCha8Rng::seed_from_u64(seed),
                now_us: 0,
                timers: BTreeMap::new(),
                timers_made: 0,
                tasks_made: 0,
                new: Vec::new(),
                killed: BTreeSet::new(),
                ready: Vec::new(),
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
        let until_us = self.lock().now_us + us;
        Pause {
            simulation: self.clone(),
            until_us,
        }
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> TaskId {
        let mut inner = self.lock();
        let id = TaskId(inner.tasks_made);
        inner.tasks_made += 1;
        inner.new.push((id, Box::pin(task)));
        id
    }

    /// Drop a task where it stands, as `kill -9` does.
    pub(super) fn kill(&self, id: TaskId) {
        self.lock().killed.insert(id);
    }

    /// Run everything until `main` is done.
    ///
    /// # Panics
    /// When all that is left waits for what nobody will do.
    pub(super) fn run(&self, main: impl Future<Output = ()> + Send + 'static) {
        let main = self.spawn(main);
        let mut tasks: BTreeMap<TaskId, (Task, Arc<Signal>)> = BTreeMap::new();
        while let Some(id) = self.next(&mut tasks) {
            let Some((task, signal)) = tasks.get_mut(&id) else {
                continue;
            };
            signal.is_ready.store(false, Ordering::Relaxed);
            let waker = Waker::from(Arc::clone(signal));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                tasks.remove(&id);
                if id == main {
                    return;
                }
            }
        }
        panic!("nothing goes on, and not all is done");
    }

    /// The task whose turn it is; none if nothing will ever happen again.
    fn next(&self, tasks: &mut BTreeMap<TaskId, (Task, Arc<Signal>)>) -> Option<TaskId> {
        loop {
            let mut inner = self.lock();
            let (new, killed) = (std::mem::take(&mut inner.new), std::mem::take(&mut inner.killed));
            for (id, task) in new {
                inner.ready.push(id);
                let signal = Arc::new(Signal {
                    id,
                    is_ready: AtomicBool::new(true),
                    simulation: self.clone(),
                });
                tasks.insert(id, (task, signal));
            }
            drop(inner);
            // Dropping a task may wake others, so nothing is locked here.
            for id in killed {
                tasks.remove(&id);
            }
            let mut inner = self.lock();
            if inner.ready.is_empty() {
                let ((at_us, _), waker) = inner.timers.pop_first()?;
                inner.now_us = at_us;
                drop(inner);
                waker.wake();
                continue;
            }
            let ready = inner.ready.len();
            let drawn = inner.lot.random_range(0..ready);
            return Some(inner.ready.swap_remove(drawn));
        }
    }
}

/// Wakes a task.
struct Signal {
    id: TaskId,
    is_ready: AtomicBool,
    simulation: Simulation,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        if !self.is_ready.swap(true, Ordering::Relaxed) {
            self.simulation.lock().ready.push(self.id);
        }
    }
}

/// A while.
pub(super) struct Pause {
    simulation: Simulation,
    until_us: u64,
}

impl Future for Pause {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.simulation.lock();
        if inner.now_us >= self.until_us {
            return Poll::Ready(());
        }
        let number = inner.timers_made;
        inner.timers_made += 1;
        inner
            .timers
            .insert((self.until_us, number), context.waker().clone());
        Poll::Pending
    }
}
