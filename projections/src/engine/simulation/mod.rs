//! Hundreds of schedules of the followers, each from a seed: several processes that run the engine's own code, on a log and
//! builds in memory. Connections break before, in and after transactions, processes are killed and started, positions have
//! holes, events cannot be applied, builds are made anew and swapped beside live traffic, and another release builds its
//! own version.
//!
//! What runs is the reading and sharing of the log's end, the halving of batches, the runners with all they remember of a
//! build, and what they tell readers. What is played instead is SQL: the transaction that moves a build on, and the rebuild
//! around its reading and advancing.
//!
//! `TALLYBOOK_SIMULATION_SEED` and `TALLYBOOK_TEST_SCALE` are as in the journal's simulation.

mod builds;
mod database;
mod process;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tallybook_journal::testing::executor::{Simulation, play_all, spawn};
use tokio::sync::oneshot;

use self::database::{Condition, Database, Shelf};
use self::process::{NAMES, Process, Release};
use crate::repo::builds::Build;

/// Schedules, times `TALLYBOOK_TEST_SCALE`.
const SCHEDULES: u64 = 500;

/// How long the followers may take, at their own clock, when nothing fails any more.
const CALM_LOOKS: usize = 10_000;
const CALM_LOOK: Duration = Duration::from_millis(10);

/// What a schedule came to.
struct Played {
    history: String,
    seen: BTreeMap<&'static str, usize>,
}

#[test]
fn whatever_fails_each_build_applies_each_event_once_and_in_order() {
    let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut schedules = 0;
    play_all(SCHEDULES, "-p tallybook-projections simulation", |seed| {
        schedules += 1;
        for (what, times) in play(seed).seen {
            *seen.entry(what).or_default() += times;
        }
    });
    let wanted = [
        "lost to another engine",
        "committed after its client was gone",
        "met an event that cannot be applied",
        "rebuilt by another",
        "swapped",
        "read its own write",
    ];
    if schedules > 1 {
        for what in wanted {
            assert!(seen.contains_key(what), "in no schedule: {what}; {seen:?}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_schedule_again() {
    for seed in 0..20 {
        assert_eq!(play(seed).history, play(seed).history, "seed {seed}");
    }
}

/// Everything in a schedule. A clone is the same.
#[derive(Clone)]
struct Stage {
    simulation: Simulation,
    database: Database,
    processes: Arc<Vec<Mutex<Process>>>,
    /// The version that is live in the end.
    newest: i32,
    poisonous_per_thousand: usize,
    over: Arc<AtomicBool>,
}

/// Play one schedule to its end, and hold it to the laws.
fn play(seed: u64) -> Played {
    let simulation = Simulation::new(seed);
    // A third of the schedules is about engines that are in each other's way, and nothing fails.
    let database = Database::new(&simulation, [0, 20, 60][simulation.below(3)]);
    for (number, name) in (1..).zip(NAMES) {
        let build = Build {
            name: name.to_owned(),
            version: 1,
            number,
            schema_name: String::new(),
            position: 0,
        };
        database.lock().builds.push(Shelf::new(build, Condition::Live));
    }
    let course = simulation.below(3);
    let poisonous_per_thousand = if course == 0 { 5 } else { 0 };
    let newest = if course == 1 { 2 } else { 1 };
    simulation.run(async {
        let processes = (0..=simulation.below(3)).map(|number| {
            let old = number > 0 && simulation.happens(500);
            let release = Release {
                version: if old { 1 } else { newest },
                batch_max: u32::try_from(1 + simulation.below(12)).expect("small"),
            };
            Mutex::new(Process::start(&database, release))
        });
        let stage = Stage {
            processes: Arc::new(processes.collect()),
            simulation: simulation.clone(),
            database: database.clone(),
            newest,
            poisonous_per_thousand,
            over: Arc::default(),
        };
        stage.run().await;
    });
    let state = database.lock();
    assert_eq!(state.violations, [""; 0]);
    for shelf in &state.builds {
        let due = state
            .log
            .iter()
            .filter(|position| **position <= shelf.build.position);
        assert!(
            shelf.applied.iter().eq(due),
            "{shelf:?} does not hold what it says"
        );
    }
    Played {
        history: format!("{:?} {:?} {:?}", state.log, state.builds, state.seen),
        seen: state.seen.clone(),
    }
}

impl Stage {
    fn process(&self, number: usize) -> MutexGuard<'_, Process> {
        self.processes[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn any(&self) -> MutexGuard<'_, Process> {
        self.process(self.simulation.below(self.processes.len()))
    }

    /// Traffic with its faults; then calm, in which all come to where they can; then an orderly end.
    async fn run(self) {
        let stage = self.clone();
        spawn(async move {
            while stage.goes_on() {
                stage.sabotage().await;
            }
        });
        let stage = self.clone();
        spawn(async move {
            while stage.goes_on() {
                stage.read().await;
            }
        });
        let (ending, ended) = oneshot::channel();
        let stage = self.clone();
        spawn(async move {
            for _ in 0..10 + stage.simulation.below(60) {
                stage.write().await;
            }
            let _ = ending.send(());
        });
        ended.await.expect("who writes ends");
        self.over.store(true, Ordering::Relaxed);
        self.database.calm_down();
        self.all_get_as_far_as_they_can().await;
        if !self.database.lock().poison.is_empty() {
            self.release_what_can_apply_everything();
            self.all_get_as_far_as_they_can().await;
        }
        for number in 0..self.processes.len() {
            let stopped = self.process(number).stop();
            stopped.await;
        }
    }

    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// Some events, of a process that hears of them, or of another.
    async fn write(&self) {
        self.simulation.pause(20_000).await;
        let count = 1 + self.simulation.below(15);
        let last = self.database.append(count, self.poisonous_per_thousand);
        if self.simulation.happens(600) {
            self.any().tell(last);
        }
    }

    /// Processes die and are started again, and builds are made anew.
    async fn sabotage(&self) {
        self.simulation.pause(60_000).await;
        let number = self.simulation.below(self.processes.len());
        match self.simulation.below(10) {
            0..3 => self.restart(number),
            3..6 => {
                let name = NAMES[self.simulation.below(NAMES.len())];
                let mut process = self.process(number);
                // An older release's would put its version back.
                if process.release.version == self.newest {
                    process.rebuild(name);
                }
            }
            _ => {}
        }
    }

    fn restart(&self, number: usize) {
        let mut process = self.process(number);
        let successor = Process::start(&self.database, process.release);
        std::mem::replace(&mut *process, successor).kill();
    }

    /// A reader waits until its own write is shown, and looks at once: it is there, and so was all that was said to be.
    async fn read(&self) {
        self.simulation.pause(10_000).await;
        let name = NAMES[self.simulation.below(NAMES.len())];
        let wanted = self.database.lock().log.last().copied().unwrap_or_default();
        let mut progress = self.any().progress(name);
        let stage = self.clone();
        spawn(async move {
            let reached = progress.wait_for(|progress| progress.position >= wanted).await;
            if let Ok(told) = reached.map(|progress| progress.position) {
                stage.is_shown(name, told);
                stage.database.lock().note("read its own write");
            }
        });
        for number in 0..self.processes.len() {
            let told = self.process(number).progress(name).borrow().position;
            self.is_shown(name, told);
        }
    }

    /// What a process says is shown is in the build that readers see.
    fn is_shown(&self, name: &str, told: i64) {
        let mut state = self.database.lock();
        let live = state
            .live(name)
            .expect("a projection has a live build")
            .build
            .clone();
        if live.position < told {
            let violation = format!("{name} was said to show {told}, and shows {}", live.position);
            state.violations.push(violation);
        }
    }

    /// Every projection comes to the log's end, or to right before the first event that it cannot apply.
    async fn all_get_as_far_as_they_can(&self) {
        let mut looks = 0;
        while !self.is_all_as_far_as_it_can() {
            looks += 1;
            let state = self.database.lock();
            assert!(
                looks < CALM_LOOKS,
                "nothing fails, and yet: {:?} of {:?}",
                state.builds,
                state.log
            );
            drop(state);
            self.simulation.wait(CALM_LOOK).await;
        }
    }

    fn is_all_as_far_as_it_can(&self) -> bool {
        NAMES.iter().all(|name| {
            let mut state = self.database.lock();
            let poison = state
                .poison
                .keys()
                .find(|(of, _)| of == name)
                .map(|(_, position)| *position);
            let before = |position: &&i64| poison.is_none_or(|poison| **position < poison);
            let due = state.log.iter().rev().find(before).copied().unwrap_or_default();
            let live = state.live(name).expect("a projection has a live build").clone();
            drop(state);
            let is_told = (0..self.processes.len()).all(|number| {
                let process = self.process(number);
                let progress = process.progress(name);
                let progress = progress.borrow();
                let is_followed = process.release.version == self.newest;
                !is_followed || (progress.position == due && progress.stopped.is_some() == poison.is_some())
            });
            is_told
                && live.build.position == due
                && live.build.version == self.newest
                && live.stopped == poison
        })
    }

    /// The next release can apply what the last could not.
    fn release_what_can_apply_everything(&self) {
        self.database.lock().poison.clear();
        for number in 0..self.processes.len() {
            self.restart(number);
        }
    }
}
