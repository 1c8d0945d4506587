//! Who sends commands, and what is remembered of every attempt.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::DateTime;
use tallybook_domain::identity::StreamId;
use tokio::sync::{mpsc, oneshot};

use super::engine::Engine;
use super::log::MemoryLog;
use super::purse::{Ask, Coin, Purse, TooLittle, What};
use crate::testing::executor::Simulation;
use crate::{
    command::{CommandKey, Envelope, Unit},
    error::ExecuteError,
    load,
    part::Outcome,
    writer::{Found, Request, Verdict},
};

/// Between two attempts of a caller, in microseconds.
const BREATH_US: usize = 1_500;

/// What is sent under one key: on each stream something.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) key: String,
    pub(super) parts: Vec<(usize, What)>,
}

impl Command {
    /// What its events say they are of.
    pub(super) fn by(&self, variant: u8) -> String {
        format!("{}/{variant}", self.key)
    }
}

/// One try, from sending to the answer. Moments are numbers of committed events.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) command: usize,
    /// Which engine, in which of its lives.
    pub(super) engine: (usize, usize),
    /// What was asked under the key; 0 is what the command really is.
    pub(super) variant: u8,
    pub(super) expected: Option<u64>,
    pub(super) begun: usize,
    pub(super) ended: usize,
    pub(super) answer: Answer,
}

/// What a caller was told.
#[derive(Debug)]
pub(super) enum Answer {
    /// A part each; none for one of a known command that recorded nothing there.
    Done {
        parts: Vec<Option<Done>>,
        replayed: bool,
    },
    Refused {
        part: usize,
        purse: Purse,
    },
    KeyReused,
    VersionConflict {
        current: u64,
    },
    Panicked,
    Unstorable,
    /// Nothing was written by this attempt: too much to do, or too many others.
    NotNow,
    /// Whether it was written is not known.
    InDoubt,
}

/// What became of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) purse: Purse,
    pub(super) events: Vec<Coin>,
    pub(super) version: u64,
    pub(super) position: i64,
}

impl Answer {
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Self::NotNow | Self::InDoubt)
    }

    /// The position of the last event that was written for this answer.
    pub(super) fn written_at(&self) -> Option<i64> {
        let Self::Done {
            parts,
            replayed: false,
        } = self
        else {
            return None;
        };
        let written = parts.iter().flatten().filter(|part| !part.events.is_empty());
        written.map(|part| part.position).max()
    }
}

/// Everything a caller needs. A clone is the same stage.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) simulation: Simulation,
    pub(super) log: MemoryLog,
    pub(super) engines: Vec<Engine>,
    pub(super) commands: Arc<Vec<Command>>,
    pub(super) attempts: Arc<Mutex<Vec<Attempt>>>,
}

/// The name of a stream.
pub(super) fn stream(number: usize) -> StreamId {
    StreamId::parse(&format!("acme/purse-{number}")).expect("an address")
}

impl Stage {
    /// One caller's life: commands by lot, each tried a few times or left.
    pub(super) async fn call(self, times: usize) {
        for _ in 0..times {
            let command = self.simulation.below(self.commands.len());
            let variant = u8::from(self.simulation.happens(30));
            let expected = self.simulation.happens(80).then(|| self.guess(command));
            for _ in 0..=self.simulation.below(4) {
                if self.attempt(command, variant, expected).await {
                    break;
                }
                self.simulation.pause(BREATH_US).await;
            }
            self.simulation.pause(BREATH_US).await;
        }
    }

    /// A version that the command's first stream has, or nearly.
    fn guess(&self, command: usize) -> u64 {
        let (number, _) = self.commands[command].parts[0];
        let id = stream(number);
        let rows = self.log.rows();
        let head = rows.iter().filter(|row| row.aggregate_id == id.as_str()).count();
        u64::try_from(head + self.simulation.below(2)).expect("few events")
    }

    /// Send a command to an engine by lot. Whether the answer is final.
    pub(super) async fn attempt(&self, command: usize, variant: u8, expected: Option<u64>) -> bool {
        let begun = self.log.moment();
        let number = self.simulation.below(self.engines.len());
        let engine = (number, self.engines[number].life());
        let answer = self.ask(engine, command, variant, expected).await;
        let is_final = answer.is_final();
        self.attempts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Attempt {
                command,
                engine,
                variant,
                expected,
                begun,
                ended: self.log.moment(),
                answer,
            });
        is_final
    }

    async fn ask(
        &self,
        (engine, life): (usize, usize),
        command: usize,
        variant: u8,
        expected: Option<u64>,
    ) -> Answer {
        let engine = &self.engines[engine];
        let (answer, answered) = oneshot::channel();
        let unit = unit(&self.commands[command], variant, expected);
        match engine.queue().try_send(Request::new(unit, answer)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Answer::NotNow,
            Err(mpsc::error::TrySendError::Closed(_)) => panic!("an engine that lives takes commands"),
        }
        match answered.await {
            Ok(Ok(Verdict::Written(outcomes))) => Answer::Done {
                parts: outcomes.iter().map(|outcome| Some(done(outcome))).collect(),
                replayed: false,
            },
            Ok(Ok(Verdict::Known(unit, found))) => self.read(&unit, found),
            Ok(Err(error)) => told(error),
            Err(_) => {
                assert_ne!(engine.life(), life, "an engine that lives answers");
                Answer::InDoubt
            }
        }
    }

    /// The first answer again, read from the log as it is now.
    fn read(&self, unit: &Unit, found: Vec<Option<Found>>) -> Answer {
        let rows = self.log.rows();
        let parts = unit.parts.iter().zip(found).map(|(part, found)| {
            let found = found?;
            let kind = part.kind().expect("purses are judged on their state");
            let of_stream = |row: &&crate::recorded::Recorded| {
                row.aggregate_id == part.aggregate_id() && row.sequence <= found.last_sequence
            };
            let rows: Vec<_> = rows.iter().filter(of_stream).cloned().collect();
            let own: Vec<_> = rows
                .iter()
                .filter(|row| row.sequence >= found.first_sequence)
                .cloned()
                .collect();
            Some(done(&Outcome {
                state: load::fold(kind, part.aggregate_id(), kind.blank(), &rows).expect("the log folds"),
                events: part.decode(&own).expect("the log can be read"),
                version: found.last_sequence.unsigned_abs(),
                position: own.last().expect("what is known is there").position,
            }))
        });
        Answer::Done {
            parts: parts.collect(),
            replayed: true,
        }
    }
}

fn unit(command: &Command, variant: u8, expected: Option<u64>) -> Unit {
    let mut unit = Unit::new(Envelope {
        key: CommandKey::new(&command.key),
        hash: [variant; 32],
        expected_version: expected,
        at: DateTime::UNIX_EPOCH,
        metadata: BTreeMap::new(),
    });
    for (number, what) in &command.parts {
        let by = command.by(variant);
        let ask = Ask { what: *what, by };
        unit.add::<Purse>(&stream(*number), ask);
    }
    unit
}

fn done(outcome: &Outcome) -> Done {
    let executed = outcome.typed::<Purse>(false);
    Done {
        purse: Purse::clone(&executed.state),
        events: executed.events,
        version: executed.version,
        position: executed.position,
    }
}

fn told(error: ExecuteError<crate::error::AnyRefusal>) -> Answer {
    match error {
        ExecuteError::Refused(refusal) => Answer::Refused {
            part: refusal.index(),
            purse: refusal
                .downcast_ref::<TooLittle>()
                .expect("purses refuse for nothing else")
                .purse
                .clone(),
        },
        ExecuteError::KeyReused => Answer::KeyReused,
        ExecuteError::VersionConflict { current, .. } => Answer::VersionConflict { current },
        ExecuteError::Overloaded | ExecuteError::Contended => Answer::NotNow,
        ExecuteError::Unavailable(_) => Answer::InDoubt,
        ExecuteError::Panicked(_) => Answer::Panicked,
        ExecuteError::Unstorable(_) => Answer::Unstorable,
        ExecuteError::Corrupt(_) | ExecuteError::MalformedUnit => {
            panic!("nothing in this log is a reason for {error:?}")
        }
    }
}
