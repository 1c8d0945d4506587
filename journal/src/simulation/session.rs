//! A writer's session on the log in memory, over a connection that fails as it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use super::log::{Call, MemoryLog, Process, Reply, Statement};
use crate::testing::executor::{Simulation, spawn};
use crate::{
    recorded::Recorded,
    repo::events::{NewRows, Pieces, Questions, Standing},
    writer::log::{Log, StepError},
};

/// How long a statement or an answer may travel, in microseconds.
const TRAVEL_US: usize = 100;

/// How late a statement may arrive whose sender has given up.
const LATE_US: usize = 10_000;

/// Between two looks at a server process that was told to end.
const END_POLL_US: usize = 50;

/// How often in a thousand steps something fails. It can be made calm for all sessions at once.
#[derive(Clone)]
pub(super) struct Weather(Arc<AtomicUsize>);

impl Weather {
    pub(super) fn new(faults_per_thousand: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(faults_per_thousand)))
    }

    pub(super) fn faults_per_thousand(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn calm_down(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What becomes of a statement on its way.
enum Fate {
    /// The connection breaks before it.
    Unsent,
    /// The connection breaks; the statement arrives all the same, later.
    Late,
    /// It arrives; the connection breaks before the answer has come.
    Unanswered,
    /// The database refuses it for reasons of its own.
    Denied,
}

pub(super) struct Session {
    simulation: Simulation,
    log: MemoryLog,
    weather: Weather,
    /// Whether the engine is dead: tasks of its own that are under way still end, and do nothing more.
    dead: Arc<AtomicBool>,
    live: Option<(Process, mpsc::UnboundedSender<Call>)>,
    left_behind: Option<Process>,
}

impl Session {
    pub(super) fn new(
        simulation: &Simulation,
        log: &MemoryLog,
        weather: &Weather,
        dead: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            dead: Arc::clone(dead),
            simulation: simulation.clone(),
            log: log.clone(),
            weather: weather.clone(),
            live: None,
            left_behind: None,
        }
    }

    fn fate(&self) -> Option<Fate> {
        if !self.simulation.happens(self.weather.faults_per_thousand()) {
            return None;
        }
        Some(match self.simulation.below(4) {
            0 => Fate::Unsent,
            1 => Fate::Late,
            2 => Fate::Unanswered,
            _ => Fate::Denied,
        })
    }

    async fn ask(&mut self, statement: Statement) -> Result<Reply, StepError> {
        let lost = || StepError::Lost("the connection broke".to_owned());
        let fate = self.fate();
        self.simulation.pause(TRAVEL_US).await;
        if self.dead.load(Ordering::Relaxed) {
            return Err(lost());
        }
        let (_, calls) = self
            .live
            .as_ref()
            .expect("a batch begins by ensuring the session");
        let (answer, answered) = oneshot::channel();
        match fate {
            Some(Fate::Unsent) => return Err(lost()),
            Some(Fate::Denied) => drop(calls.send((Statement::Refuse, answer))),
            Some(Fate::Late) => {
                let (calls, simulation) = (calls.clone(), self.simulation.clone());
                spawn(async move {
                    simulation.pause(LATE_US).await;
                    drop(calls.send((statement, answer)));
                });
                return Err(lost());
            }
            Some(Fate::Unanswered) => {
                drop(calls.send((statement, answer)));
                self.simulation.pause(LATE_US).await;
                return Err(lost());
            }
            None => drop(calls.send((statement, answer))),
        }
        let reply = answered.await.map_err(|_| lost())?;
        self.simulation.pause(TRAVEL_US).await;
        reply
    }

    async fn done(&mut self, statement: Statement) -> Result<(), StepError> {
        match self.ask(statement).await? {
            Reply::Done => Ok(()),
            _ => unreachable!("nothing else answers this statement"),
        }
    }
}

impl Log for Session {
    async fn ensure(&mut self) -> Result<(), String> {
        if self.live.is_some() {
            return Ok(());
        }
        self.simulation.pause(TRAVEL_US).await;
        if self.dead.load(Ordering::Relaxed) || self.simulation.happens(self.weather.faults_per_thousand()) {
            return Err("refused".to_owned());
        }
        if let Some(process) = &self.left_behind {
            process.terminate();
            while !process.is_gone() {
                self.simulation.pause(END_POLL_US).await;
            }
        }
        self.left_behind = None;
        self.live = Some(self.log.connect());
        Ok(())
    }

    async fn standings(&mut self, questions: &Questions) -> Result<Vec<Standing>, StepError> {
        match self.ask(Statement::standings(questions)).await? {
            Reply::Standings(standings) => Ok(standings),
            _ => unreachable!("nothing else answers this statement"),
        }
    }

    async fn pieces(&mut self, pieces: &Pieces) -> Result<Vec<Recorded>, StepError> {
        match self.ask(Statement::pieces(pieces)).await? {
            Reply::Pieces(rows) => Ok(rows),
            _ => unreachable!("nothing else answers this statement"),
        }
    }

    async fn append(&mut self, rows: &NewRows) -> Result<Vec<i64>, StepError> {
        match self.ask(Statement::append(rows)).await? {
            Reply::Appended(positions) => Ok(positions),
            _ => unreachable!("nothing else answers this statement"),
        }
    }

    async fn begin_fenced(&mut self) -> Result<(), StepError> {
        self.done(Statement::BeginFenced).await
    }

    async fn commit(&mut self) -> Result<(), StepError> {
        self.done(Statement::Commit).await
    }

    async fn roll_back(&mut self) {
        if self.done(Statement::RollBack).await.is_err() {
            self.lose();
        }
    }

    fn lose(&mut self) {
        if let Some((process, _)) = self.live.take() {
            self.left_behind = Some(process);
        }
    }

    async fn close(&mut self) {
        self.live = None;
    }
}
