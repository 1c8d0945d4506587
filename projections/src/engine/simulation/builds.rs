//! A process's way to the builds, over connections that fail as they are told to.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::database::{Condition, Database, MemoryLog, STEP_US, Shelf, TRAVEL_US, Transaction, lost};
use crate::batch::Record;
use crate::engine::advance::{AdvanceError, advance};
use crate::engine::rebuild::{Limits, RebuildError};
use crate::engine::store::{Clock, Session, Store};
use crate::engine::tail;
use crate::engine::transaction::Outcome;
use crate::projection::{ApplyError, Projection};
use crate::repo::builds::Build;

/// How many events may be missing when a swap begins.
const SWAP_LAG: usize = 5;

pub(super) struct Builds {
    pub(super) database: Database,
    pub(super) log: MemoryLog,
}

impl Builds {
    pub(super) fn new(database: &Database, appended: watch::Receiver<i64>) -> Self {
        Self {
            database: database.clone(),
            log: MemoryLog {
                database: database.clone(),
                appended,
            },
        }
    }
}

impl Clock for Builds {
    async fn pause(&self, duration: Duration) {
        self.database.simulation.wait(duration).await;
    }
}

impl Store for Builds {
    type Session = Connection;

    async fn live(&self, name: &str) -> sqlx::Result<Option<Build>> {
        let live = self
            .database
            .ask(|state| state.live(name).map(|shelf| shelf.build.clone()));
        live.await
    }

    async fn note_stop(&self, build: &Build, position: i64, _reason: &str) -> sqlx::Result<()> {
        let noted = self.database.ask(|state| {
            if let Some(shelf) = state.shelf(build)
                && shelf.build.position == build.position
            {
                shelf.stopped = Some(position);
            }
        });
        noted.await
    }

    async fn session(&self) -> sqlx::Result<Connection> {
        self.database.simulation.pause(TRAVEL_US).await;
        if self.database.fails() {
            return Err(sqlx::Error::PoolTimedOut);
        }
        Ok(Connection {
            database: self.database.clone(),
        })
    }

    /// In short what `rebuild` does with SQL, by the same reading and advancing.
    async fn rebuild(&self, projection: Arc<dyn Projection>, limits: Limits) -> Result<(), RebuildError> {
        let name = projection.name();
        let _only = Only::lock(&self.database, name).ok_or_else(|| RebuildError::Busy(name.to_owned()))?;
        let mut session = self.session().await?;
        let mut build = self.begin(name, projection.version()).await?;
        loop {
            let records = tail::read(&self.log, build.position, limits.batch_max).await?;
            match advance(&mut session, projection.as_ref(), &mut build, &records).await {
                Ok(Outcome::Applied) => {}
                Ok(Outcome::Lost) => return Err(RebuildError::Busy(name.to_owned())),
                Err(AdvanceError::Unavailable(error)) => return Err(error.into()),
                Err(AdvanceError::Stopped { position, reason }) => {
                    return Err(RebuildError::Poison {
                        name: name.to_owned(),
                        position,
                        reason,
                    });
                }
            }
            if records.len() <= SWAP_LAG {
                break;
            }
        }
        self.swap(&build).await
    }
}

impl Builds {
    /// Remove what another left behind, and register a new build.
    async fn begin(&self, name: &str, version: i32) -> sqlx::Result<Build> {
        loop {
            self.database.ask(|_| ()).await?;
            let mut state = self.database.lock();
            let is_left = |shelf: &Shelf| shelf.build.name == name && shelf.state == Condition::Building;
            if state.builds.iter().any(|shelf| is_left(shelf) && shelf.locked) {
                continue;
            }
            state.builds.retain(|shelf| !is_left(shelf));
            let number = state.builds.iter().map(|shelf| shelf.build.number).max();
            let build = Build {
                name: name.to_owned(),
                version,
                number: number.unwrap_or_default() + 1,
                schema_name: String::new(),
                position: 0,
            };
            state.builds.push(Shelf::new(build.clone(), Condition::Building));
            return Ok(build);
        }
    }

    /// One transaction: the live build's row is locked, what is missing up to its place is applied, the states change.
    async fn swap(&self, build: &Build) -> Result<(), RebuildError> {
        let locked = loop {
            self.database.ask(|_| ()).await?;
            if let Some(locked) = Locked::take(&self.database, &build.name) {
                break locked;
            }
        };
        let mut missing = Vec::new();
        let mut reached = build.position;
        while reached < locked.build.position {
            let records = tail::read(&self.log, reached, 3).await?;
            let Some(last) = records.last() else { break };
            reached = last.position();
            let positions = records.iter().map(Record::position);
            missing.extend(positions.filter(|position| *position <= locked.build.position));
        }
        self.database.simulation.pause(STEP_US).await;
        if self.database.fails() {
            return Err(lost().into());
        }
        let mut state = self.database.lock();
        state.apply(build, &missing);
        let old = state.shelf(&locked.build).expect("its row is locked");
        old.state = Condition::Retired;
        let new = state.shelf(build).expect("only who rebuilds it discards it");
        new.state = Condition::Live;
        state.note("swapped");
        drop(state);
        drop(locked);
        Ok(())
    }
}

impl Shelf {
    pub(super) fn new(build: Build, state: Condition) -> Self {
        Self {
            build,
            state,
            applied: Vec::new(),
            locked: false,
            stopped: None,
        }
    }
}

/// An advisory lock, for as long as the session lasts.
struct Only {
    database: Database,
    name: &'static str,
}

impl Only {
    fn lock(database: &Database, name: &'static str) -> Option<Self> {
        let mut state = database.lock();
        if state.rebuilding.contains(&name) {
            state.note("rebuilt by another");
            return None;
        }
        state.rebuilding.push(name);
        Some(Self {
            database: database.clone(),
            name,
        })
    }
}

impl Drop for Only {
    fn drop(&mut self) {
        let mut state = self.database.lock();
        state.rebuilding.retain(|name| *name != self.name);
    }
}

/// A row that a transaction holds to its end.
struct Locked {
    database: Database,
    build: Build,
}

impl Locked {
    fn take(database: &Database, name: &str) -> Option<Self> {
        let mut state = database.lock();
        let live = state.live(name).expect("a projection has a live build");
        if live.locked {
            return None;
        }
        live.locked = true;
        Some(Self {
            build: live.build.clone(),
            database: database.clone(),
        })
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        self.database.lock().give_row_back(&self.build);
    }
}

/// A connection of a process.
pub(super) struct Connection {
    database: Database,
}

impl Session for Connection {
    async fn apply(
        &mut self,
        projection: &dyn Projection,
        build: &Build,
        records: &[Record],
    ) -> Result<Outcome, ApplyError> {
        if projection.version() != build.version {
            let version = projection.version();
            let violation = format!("version {version} wrote to {build:?}");
            self.database.lock().violations.push(violation);
        }
        let simulation = &self.database.simulation;
        simulation.pause(TRAVEL_US).await;
        if self.database.fails() {
            return Err(lost().into());
        }
        let answered = self.database.begin(Transaction {
            build: build.clone(),
            positions: records.iter().map(Record::position).collect(),
            is_committed_blindly: simulation.happens(500),
        });
        if self.database.fails() {
            simulation.pause(3 * STEP_US).await;
            return Err(lost().into());
        }
        answered.await.unwrap_or_else(|_| Err(lost().into()))
    }
}
