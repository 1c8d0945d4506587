//! One hot account, and others beside it: who has little to ask is not kept waiting by who asks without end.
//!
//! Waiting is measured in what the writer does meanwhile, not in time: batches, and answers given to others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::callers::{Command, Stage};
use super::engine::{Engine, Size};
use super::laws::{self, History};
use super::log::MemoryLog;
use super::purse::What;
use super::session::Weather;
use crate::testing::executor::{Simulation, play_all, spawn};

/// Schedules of each kind of heat.
const SCHEDULES: u64 = 3;

/// Callers of the hot account. Each asks again as soon as it is answered.
const HOT_CALLERS: usize = 200;

/// Other accounts, a caller each.
const OTHERS: usize = 20;

/// What each of the others asks, one after the other.
const ASKED: usize = 6;

/// Different commands of each caller of the hot account.
const HEAT: usize = 30;

const BATCH: usize = 32;

/// Batches that a command may wait for: those before it in a queue that holds every caller once, what is under way when
/// it comes, and as much again for those that another engine was faster with.
const BATCHES_MAX: usize = 2 * ((HOT_CALLERS + OTHERS).div_ceil(BATCH) + 2);

/// Answers that others may get before it: every other caller's, and once more those that came again meanwhile.
const ANSWERS_MAX: usize = 2 * (HOT_CALLERS + OTHERS);

/// Answers after which all of the others must have been served: twice as many as they may wait for.
const HEAT_MAX: usize = 2 * ASKED * ANSWERS_MAX;

/// What makes the hot account hot.
#[derive(Debug, Clone, Copy)]
enum Heat {
    /// Everything asked is written.
    Writes,
    /// Everything is refused, after a look.
    Refusals,
    /// Some of each, and at a second engine, too, so that the two are in each other's way.
    Contended,
}

impl Heat {
    fn engines(self) -> usize {
        match self {
            Self::Writes | Self::Refusals => 1,
            Self::Contended => 2,
        }
    }
}

/// What the callers have in common.
#[derive(Clone)]
struct Heated {
    stage: Stage,
    answered: Arc<AtomicUsize>,
    /// The longest that one of the others waited: batches and answers.
    longest: Arc<Mutex<(usize, usize)>>,
    others_left: Arc<AtomicUsize>,
}

#[test]
fn one_hot_account_does_not_starve_the_others_that_write() {
    hold(Heat::Writes);
}

#[test]
fn one_account_that_is_refused_without_end_does_not_starve_the_others() {
    hold(Heat::Refusals);
}

#[test]
fn one_account_that_two_engines_fight_for_does_not_starve_the_others() {
    hold(Heat::Contended);
}

fn hold(heat: Heat) {
    let engines = heat.engines();
    play_all(SCHEDULES, "-p tallybook-journal simulation::fairness", |seed| {
        let (batches, answers) = play(seed, heat);
        assert!(
            batches <= engines * BATCHES_MAX && answers <= ANSWERS_MAX,
            "{heat:?}: a command of another account waited for {batches} batches of {engines} engines and {answers} \
             answers to others, not at most {BATCHES_MAX} of each engine and {ANSWERS_MAX}"
        );
    });
}

/// The longest that a command of another account had to wait: batches, and answers to others.
fn play(seed: u64, heat: Heat) -> (usize, usize) {
    let simulation = Simulation::new(seed);
    let log = MemoryLog::new(&simulation);
    let weather = Weather::new(0);
    let size = Size {
        queue: HOT_CALLERS + OTHERS,
        batch: BATCH,
        cached_bytes: 1 << 20,
        recent_keys: 10_000,
    };
    let commands = Arc::new(commands(heat));
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let longest = Arc::new(Mutex::new((0, 0)));
    simulation.run(async {
        let stage = Stage {
            commands: Arc::clone(&commands),
            attempts: Arc::clone(&attempts),
            simulation: simulation.clone(),
            log: log.clone(),
            engines: (0..heat.engines())
                .map(|_| Engine::start(&simulation, &log, &weather, size))
                .collect(),
        };
        let heated = Heated {
            stage,
            answered: Arc::default(),
            longest: Arc::clone(&longest),
            others_left: Arc::new(AtomicUsize::new(OTHERS)),
        };
        heated.run().await;
    });
    let rows = log.rows();
    let attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
    let history = History::new(&rows, 1 + OTHERS);
    laws::the_log_is_whole(&history, &commands);
    laws::the_answers_are_true(&history, &commands, &attempts);
    *longest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// First what each of the others asks, then what the callers of the hot account do, in turns and again and again.
fn commands(heat: Heat) -> Vec<Command> {
    let command = |number: usize, stream: usize, what: What| Command {
        key: format!("k{number}"),
        parts: vec![(stream, what)],
    };
    let others = (0..OTHERS * ASKED).map(|number| command(number, 1 + number / ASKED, What::Put(1)));
    let hot = (OTHERS * ASKED..).take(HOT_CALLERS * HEAT).map(|number| {
        let what = match heat {
            Heat::Refusals => What::Take(1),
            Heat::Contended if number % 3 == 0 => What::Take(1_000_000),
            Heat::Writes | Heat::Contended => What::Put(1),
        };
        command(number, 0, what)
    });
    others.chain(hot).collect()
}

impl Heated {
    async fn run(self) {
        let mut ends = Vec::new();
        for caller in 0..HOT_CALLERS {
            let heated = self.clone();
            ends.push(until_done(async move { heated.burn(caller).await }));
        }
        for account in 0..OTHERS {
            let heated = self.clone();
            ends.push(until_done(async move { heated.ask(account).await }));
        }
        for end in ends {
            end.await.expect("a caller ends");
        }
        for engine in &self.stage.engines {
            engine.stop().await;
        }
    }

    /// A caller of the hot account: one command after the other while any of the others still has one.
    async fn burn(&self, caller: usize) {
        let mine = (OTHERS * ASKED + caller..self.stage.commands.len()).step_by(HOT_CALLERS);
        for command in mine.cycle() {
            if self.others_left.load(Ordering::Relaxed) == 0 {
                return;
            }
            self.stage.attempt(command, 0, None).await;
            let answered = self.answered.fetch_add(1, Ordering::Relaxed);
            assert!(answered < HEAT_MAX, "others wait without end");
        }
    }

    /// The caller of another account, which notes how long it had to wait.
    async fn ask(&self, account: usize) {
        self.stage.simulation.pause(20_000).await;
        for command in account * ASKED..(account + 1) * ASKED {
            let (batches, answers) = self.done();
            let is_final = self.stage.attempt(command, 0, None).await;
            assert!(is_final, "there is room for every caller");
            let (batches_then, answers_then) = self.done();
            let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
            longest.0 = longest.0.max(batches_then - batches);
            longest.1 = longest.1.max(answers_then - answers);
            drop(longest);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        self.others_left.fetch_sub(1, Ordering::Relaxed);
    }

    /// Batches and answers so far.
    fn done(&self) -> (usize, usize) {
        let batches = self.stage.engines.iter().map(Engine::batches).sum();
        (batches, self.answered.load(Ordering::Relaxed))
    }
}

/// Start a task; what is waited for until it is done.
fn until_done(task: impl Future<Output = ()> + Send + 'static) -> oneshot::Receiver<()> {
    let (ending, ended) = oneshot::channel();
    spawn(async move {
        task.await;
        let _ = ending.send(());
    });
    ended
}
