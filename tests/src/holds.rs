//! Points at which servers are held while they write, for as long as a test wants: triggers that wait, made by the test in
//! its own database. So the binary is the one that is shipped, without a line in it for tests, and a point is exactly where
//! PostgreSQL has it: before a statement's effect, or before a commit.

use sqlx::PgPool;

use crate::database::TestDatabase;
use crate::wait;

/// Where a server is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// A delivery's row is written and not committed.
    Storing,
    /// What an account or the treasury is told is judged and not written.
    Appending,
    /// That is committed; the deliveries it rests on are not marked.
    Marking,
    /// They are marked; that is not committed.
    Committing,
}

impl Point {
    const ALL: [Self; 4] = [Self::Storing, Self::Appending, Self::Marking, Self::Committing];

    fn name(self) -> &'static str {
        match self {
            Self::Storing => "storing",
            Self::Appending => "appending",
            Self::Marking => "marking",
            Self::Committing => "committing",
        }
    }

    /// The trigger that holds here. Triggers fire in the order of their names: on the log this one before the fence.
    fn trigger(self) -> String {
        let name = self.name();
        let settled = "for each row when (new.status = 'settled' and old.status <> 'settled')";
        let (kind, moment, rows) = match self {
            Self::Storing => (
                "constraint trigger",
                "after insert on stripe_deliveries deferrable initially deferred",
                "for each row",
            ),
            Self::Appending => ("trigger", "before insert on events", "for each statement"),
            Self::Marking => ("trigger", "before update on stripe_deliveries", settled),
            Self::Committing => (
                "constraint trigger",
                "after update on stripe_deliveries deferrable initially deferred",
                settled,
            ),
        };
        format!("create {kind} a_hold_{name} {moment} {rows} execute function test_hold('{name}')")
    }
}

/// The points of a database.
pub struct Holds {
    pool: PgPool,
}

impl Holds {
    /// Make them; nobody is held yet. A server has to have migrated the database.
    pub async fn install(database: &TestDatabase) -> Self {
        let holds = Self {
            pool: database.pool().clone(),
        };
        holds
            .run("create table test_holds (point text primary key, application text)")
            .await;
        // As its definer: the log's writer may not read the test's table.
        holds
            .run(
                "create function test_hold() returns trigger language plpgsql security definer as $$
                 begin
                     while exists (select from public.test_holds
                                   where point = tg_argv[0]
                                     and coalesce(application, current_setting('application_name'))
                                         = current_setting('application_name')) loop
                         perform pg_sleep(0.01);
                     end loop;
                     return new;
                 end $$",
            )
            .await;
        for point in Point::ALL {
            holds.run(&point.trigger()).await;
        }
        holds
    }

    /// Hold whoever comes here from now on; of one application only, if it is named.
    ///
    /// # Panics
    /// When the point is held already.
    pub async fn hold(&self, point: Point, application: Option<&str>) {
        sqlx::query("insert into test_holds values ($1, $2)")
            .bind(point.name())
            .bind(application)
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{point:?}: {error}"));
    }

    /// Wait until somebody is held.
    pub async fn wait_until_held(&self) {
        wait::until("a server to be held", wait::PATIENCE, async || {
            (self.held("select count(*) from pg_stat_activity").await > 0).then_some(())
        })
        .await;
    }

    /// End the sessions of those who are held, as if what they were about to do had never reached the database. How many.
    pub async fn end_held(&self) -> i64 {
        let ended = self
            .held("select count(pg_terminate_backend(pid)) from pg_stat_activity")
            .await;
        wait::until("held sessions to end", wait::PATIENCE, async || {
            (self.held("select count(*) from pg_stat_activity").await == 0).then_some(())
        })
        .await;
        ended
    }

    /// Let everybody go on.
    pub async fn release(&self) {
        self.run("delete from test_holds").await;
    }

    async fn held(&self, what: &str) -> i64 {
        let sql = format!("{what} where datname = current_database() and wait_event = 'PgSleep'");
        sqlx::query_scalar(&sql)
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    async fn run(&self, sql: &str) {
        sqlx::raw_sql(sql)
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}
