//! Thousands of schedules of the writer, each from a seed: several engines, the very code that runs on PostgreSQL, on a
//! log in memory whose connections break, whose processes die and whose answers get lost, with others writing in
//! between and callers who send the same keys again and again.
//!
//! `TALLYBOOK_SIMULATION_SEED=17` runs schedule 17 alone: what fails says which. `TALLYBOOK_TEST_SCALE=20` runs twenty
//! times as many, on from where the others end.

mod callers;
mod engine;
mod fairness;
mod laws;
mod log;
mod purse;
mod session;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use self::callers::{Command, Stage};
use self::engine::{Engine, Size};
use self::laws::History;
use self::log::MemoryLog;
use self::purse::{Coin, What};
use self::session::Weather;
use crate::testing::executor::{Simulation, play_all, spawn};

/// Schedules, times `TALLYBOOK_TEST_SCALE`.
const SCHEDULES: u64 = 2_000;

/// When nothing fails any more, a command is answered after so many tries.
const CALM_TRIES: usize = 20;

/// What to give to `cargo test` to see a schedule again.
const TEST: &str = "-p tallybook-journal simulation";

#[test]
fn whatever_fails_each_command_is_there_once_and_every_answer_is_true() {
    let hook = std::panic::take_hook();
    // Aggregates that are asked to panic do so thousands of times.
    std::panic::set_hook(Box::new(move |panic| {
        let asked = panic.payload().downcast_ref::<&str>() == Some(&"asked to panic");
        if !asked {
            hook(panic);
        }
    }));
    play_all(SCHEDULES, TEST, |seed| drop(play(seed)));
}

#[test]
fn a_seed_gives_the_same_schedule_again() {
    for seed in 0..20 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
}

/// Play one schedule to its end, and hold it to the laws. What it came to, as text.
fn play(seed: u64) -> String {
    let simulation = Simulation::new(seed);
    let log = MemoryLog::new(&simulation);
    // A third of the schedules is about engines that are in each other's way, and nothing fails.
    let weather = Weather::new([0, 20, 60][simulation.below(3)]);
    let streams = 1 + simulation.below(4);
    let size = Size {
        queue: 2 + simulation.below(30),
        batch: 1 + simulation.below(12),
        cached_bytes: 300 * (1 + simulation.below(8)),
        recent_keys: 1 + simulation.below(20),
    };
    let commands = Arc::new(commands(&simulation, streams));
    let attempts = Arc::new(Mutex::new(Vec::new()));
    simulation.run(async {
        let engines = (0..=simulation.below(3))
            .map(|_| Engine::start(&simulation, &log, &weather, size))
            .collect();
        let stage = Stage {
            commands: Arc::clone(&commands),
            attempts: Arc::clone(&attempts),
            simulation: simulation.clone(),
            log: log.clone(),
            engines,
        };
        run(stage, weather, streams).await;
    });

    let rows = log.rows();
    let attempts = attempts.lock().unwrap_or_else(PoisonError::into_inner);
    let history = History::new(&rows, streams);
    laws::the_log_is_whole(&history, &commands);
    laws::the_answers_are_true(&history, &commands, &attempts);
    format!("{rows:?} {attempts:?}")
}

fn commands(simulation: &Simulation, streams: usize) -> Vec<Command> {
    (0..10 + simulation.below(40))
        .map(|number| {
            let first = simulation.below(streams);
            let mut parts = vec![(first, what(simulation))];
            if streams > 1 && simulation.happens(300) {
                let other = (first + 1 + simulation.below(streams - 1)) % streams;
                parts.push((other, what(simulation)));
            }
            Command {
                key: format!("k{number}"),
                parts,
            }
        })
        .collect()
}

fn what(simulation: &Simulation) -> What {
    match simulation.below(100) {
        0..40 => What::Put(u32::try_from(1 + simulation.below(3)).expect("few")),
        40..85 => What::Take(i64::try_from(1 + simulation.below(3)).expect("few")),
        85..92 => What::Look,
        92..94 => What::PanicDeciding,
        94..97 => What::PanicFolding,
        _ => What::Unstorable,
    }
}

/// The load with its faults; then calm, in which every command gets its answer; then an orderly end.
async fn run(stage: Stage, weather: Weather, streams: usize) {
    let over = Arc::new(AtomicBool::new(false));
    let simulation = &stage.simulation;
    spawn(sabotage(
        stage.clone(),
        weather.clone(),
        streams,
        Arc::clone(&over),
    ));
    let callers: Vec<_> = (0..2 + simulation.below(8))
        .map(|_| {
            let (ending, ended) = oneshot::channel();
            let (stage, times) = (stage.clone(), 3 + simulation.below(10));
            spawn(async move {
                stage.call(times).await;
                let _ = ending.send(());
            });
            ended
        })
        .collect();
    for caller in callers {
        caller.await.expect("a caller ends");
    }
    over.store(true, Ordering::Relaxed);
    weather.calm_down();
    for command in 0..stage.commands.len() {
        let mut tries = 0;
        while !stage.attempt(command, 0, None).await {
            tries += 1;
            assert!(tries < CALM_TRIES, "nothing fails, and yet there is no answer");
        }
    }
    for engine in &stage.engines {
        engine.stop().await;
    }
    stage.what_was_appended_was_told();
}

/// Server processes and engines die, and strangers write, until it is over.
async fn sabotage(stage: Stage, weather: Weather, streams: usize, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        stage.simulation.pause(20_000).await;
        if stage.simulation.happens(300) {
            stage.write_as_a_stranger(streams).await;
        }
        if weather.faults_per_thousand() == 0 {
            continue;
        }
        match stage.simulation.below(10) {
            0..4 => stage.log.strike(false),
            4 => stage.log.strike(true),
            5..7 => stage.engines[stage.simulation.below(stage.engines.len())].kill(),
            _ => {}
        }
    }
}

impl Stage {
    /// An event without a command, as the stock repository appends it.
    async fn write_as_a_stranger(&self, streams: usize) {
        let name = callers::stream(self.simulation.below(streams));
        let coin = Coin::Moved {
            coins: 1,
            by: laws::STRANGER.to_owned(),
        };
        self.log.append_next(name.as_str(), &coin).await;
    }

    /// Followers in an engine's process wait for the position that it tells.
    fn what_was_appended_was_told(&self) {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.log.rows().last().map_or(0, |row| row.position);
        for (number, engine) in self.engines.iter().enumerate() {
            let of_its_life = attempts
                .iter()
                .filter(|attempt| attempt.engine == (number, engine.life()));
            let written = of_its_life
                .filter_map(|attempt| attempt.answer.written_at())
                .max();
            let told = engine.appended();
            assert!(
                (written.unwrap_or(0)..=last).contains(&told),
                "engine {number} told of {told}; it wrote at {written:?}, the log ends at {last}"
            );
        }
    }
}
