//! Builds and their checkpoints.

use chrono::{DateTime, Utc};
use sqlx::{Executor, PgConnection, PgPool};

/// A build of a projection: its tables and how far they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) number: i32,
    pub(crate) schema_name: String,
    pub(crate) position: i64,
}

/// A live build and where it stopped, if it did.
#[derive(Debug, Clone)]
pub(crate) struct LiveBuild {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) number: i32,
    pub(crate) position: i64,
    pub(crate) stopped_position: Option<i64>,
    pub(crate) stopped_reason: Option<String>,
    pub(crate) stopped_at: Option<DateTime<Utc>>,
}

/// The build readers see.
pub(crate) async fn live(pool: &PgPool, name: &str) -> sqlx::Result<Option<Build>> {
    sqlx::query_as!(
        Build,
        "select name, version, build as number, schema_name, position from projection_builds where name = $1 and state = 'live'",
        name
    )
    .fetch_optional(pool)
    .await
}

/// Every live build.
pub(crate) async fn all_live(pool: &PgPool) -> sqlx::Result<Vec<LiveBuild>> {
    sqlx::query_as!(
        LiveBuild,
        "select name, version, build as number, position, stopped_position, stopped_reason, stopped_at
         from projection_builds where state = 'live' order by name"
    )
    .fetch_all(pool)
    .await
}

/// Work on this build's tables for the rest of the transaction. Its commit does not wait for the disk: what a crash
/// takes back, rows and checkpoint together, is applied again.
///
/// Every statement that changes rows finds them along a key, also in a table that was never analysed, of which the planner
/// would think that it is smaller than it is.
pub(crate) async fn enter(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "select set_config('search_path', $1, true) as path, set_config('synchronous_commit', 'off', true) as commit,
                set_config('enable_seqscan', 'off', true) as seqscan,
                set_config('enable_hashjoin', 'off', true) as hashjoin,
                set_config('enable_mergejoin', 'off', true) as mergejoin, set_config('jit', 'off', true) as jit",
        format!("{schema}, public")
    )
    .fetch_one(connection)
    .await
    .map(drop)
}

/// Move the checkpoint if it is where it was seen, and nobody else is moving it. The row stays locked to the end of
/// the transaction. A build that moves has not stopped.
pub(crate) async fn advance(connection: &mut PgConnection, build: &Build, to: i64) -> sqlx::Result<bool> {
    let moved = sqlx::query!(
        "update projection_builds
         set position = $5, stopped_position = null, stopped_reason = null, stopped_at = null
         where (name, version, build) in (
             select name, version, build from projection_builds
             where name = $1 and version = $2 and build = $3 and position = $4 and state in ('live', 'building')
             for update skip locked
         )",
        build.name,
        build.version,
        build.number,
        build.position,
        to
    )
    .execute(connection)
    .await?;
    Ok(moved.rows_affected() == 1)
}

/// Note that a build stopped at an event it cannot apply.
pub(crate) async fn note_stop(
    pool: &PgPool,
    build: &Build,
    stopped_position: i64,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update projection_builds
         set stopped_position = $5, stopped_reason = $6, stopped_at = clock_timestamp()
         where name = $1 and version = $2 and build = $3 and position = $4",
        build.name,
        build.version,
        build.number,
        build.position,
        stopped_position,
        reason.replace('\0', "\u{fffd}")
    )
    .execute(pool)
    .await
    .map(drop)
}

/// The advisory locks of rebuilds: class 'tapr', one lock a projection.
const REBUILD_CLASS: i32 = 1_952_542_834;

/// Become the one who rebuilds this projection, for as long as the session lasts.
pub(crate) async fn try_lock_rebuild(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_lock($1, hashtext($2)) as "locked!""#,
        REBUILD_CLASS,
        name
    )
    .fetch_one(connection)
    .await
}

/// Let others rebuild it. A session that is closed keeps its locks until the server has ended it, in its own time.
pub(crate) async fn unlock_rebuild(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection
        .execute("select pg_advisory_unlock_all()")
        .await
        .map(drop)
}

/// A schema whose tables are those of this version.
pub(crate) async fn template(
    connection: &mut PgConnection,
    name: &str,
    version: i32,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        "select schema_name from projection_builds
         where name = $1 and version = $2 and state in ('defined', 'live')
         order by state = 'live' desc, build
         limit 1",
        name,
        version
    )
    .fetch_optional(connection)
    .await
}

/// A new build, before its tables.
pub(crate) async fn register(connection: &mut PgConnection, name: &str, version: i32) -> sqlx::Result<Build> {
    sqlx::query_as!(
        Build,
        "insert into projection_builds (name, version, build, schema_name, state)
         select $1, $2, next.build, format('%s_v%s_b%s', $1::text, $2::integer, next.build), 'building'
         from (select coalesce(max(build), 0) + 1 as build from projection_builds where name = $1 and version = $2) next
         returning name, version, build as number, schema_name, position",
        name,
        version
    )
    .fetch_one(connection)
    .await
}

/// Make a build's tables like those of another schema: columns, defaults, constraints and indexes; those that are only
/// appended to without keys and indexes, which [`complete_tables`] makes.
///
/// Names of schemas and tables come from migrations and [`register`]: lower-case letters, digits and underscores.
pub(crate) async fn create_tables(
    connection: &mut PgConnection,
    schema: &str,
    template: &str,
    tables: &[&str],
    appended: &[&str],
) -> sqlx::Result<()> {
    let schema_ddl = format!("create schema {schema}");
    let table_ddl = tables.iter().map(|table| {
        let without = if appended.contains(table) {
            "excluding indexes"
        } else {
            ""
        };
        format!("create table {schema}.{table} (like {template}.{table} including all {without})")
    });
    let ddl: Vec<String> = std::iter::once(schema_ddl).chain(table_ddl).collect();
    let ddl = ddl.join(";");
    connection.execute(ddl.as_str()).await.map(drop)
}

/// Memory for sorting an index's entries.
const INDEX_MEMORY: &str = "256MB";

/// Make the keys and indexes that [`create_tables`] left out, and learn what the tables hold.
pub(crate) async fn complete_tables(
    connection: &mut PgConnection,
    schema: &str,
    template: &str,
    tables: &[&str],
    appended: &[&str],
) -> sqlx::Result<()> {
    let appended: Vec<String> = appended.iter().map(|table| (*table).to_owned()).collect();
    let indexes = sqlx::query_scalar!(
        r#"select case
                      when key.oid is null
                      then replace(pg_get_indexdef(index.indexrelid), format(' ON %s.%s ', $2::text, made.relname),
                                   format(' ON %s.%s ', $1::text, made.relname))
                      else format('alter table %s.%s add %s', $1::text, made.relname, pg_get_constraintdef(key.oid))
                  end as "ddl!"
           from pg_index index
           join pg_class made on made.oid = index.indrelid
           left join pg_constraint key on key.conindid = index.indexrelid and key.conrelid = index.indrelid
           where made.relnamespace = $2::text::regnamespace and made.relname = any($3::text[])
           order by index.indexrelid"#,
        schema,
        template,
        &appended
    )
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query!(
        "select set_config('maintenance_work_mem', $1, false) as memory",
        INDEX_MEMORY
    )
    .fetch_one(&mut *connection)
    .await?;
    for ddl in &indexes {
        connection.execute(ddl.as_str()).await?;
    }
    let analyze: Vec<String> = tables
        .iter()
        .map(|table| format!("analyze {schema}.{table}"))
        .collect();
    connection.execute(analyze.join(";").as_str()).await.map(drop)
}

/// Stand the live build still until the end of the transaction.
pub(crate) async fn lock_live(connection: &mut PgConnection, name: &str) -> sqlx::Result<Option<Build>> {
    sqlx::query_as!(
        Build,
        "select name, version, build as number, schema_name, position from projection_builds
         where name = $1 and state = 'live' for update",
        name
    )
    .fetch_optional(connection)
    .await
}

/// Let the view of a table show this build's. A later version may add columns at the end; one that takes columns away
/// needs a migration of its own for the views that rest on them.
pub(crate) async fn show(connection: &mut PgConnection, schema: &str, table: &str) -> sqlx::Result<()> {
    let ddl = format!("create or replace view public.{table} as select * from {schema}.{table}");
    connection.execute(ddl.as_str()).await.map(drop)
}

/// Retire the live build and let this one be it. That commit waits for the disk, and with it all that was written before.
pub(crate) async fn exchange(connection: &mut PgConnection, build: &Build) -> sqlx::Result<()> {
    connection.execute("set local synchronous_commit to on").await?;
    sqlx::query!(
        "update projection_builds set state = 'retired' where name = $1 and state = 'live'",
        build.name
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update projection_builds set state = 'live' where name = $1 and version = $2 and build = $3",
        build.name,
        build.version,
        build.number
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Schemas of a projection's builds in a state.
pub(crate) async fn schemas(
    connection: &mut PgConnection,
    name: &str,
    state: &str,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select schema_name from projection_builds where name = $1 and state = $2 order by version, build",
        name,
        state
    )
    .fetch_all(connection)
    .await
}

/// Remove a build and its tables; gives up soon if somebody reads them.
pub(crate) async fn drop_schema(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    sqlx::query!("select set_config('lock_timeout', '2s', true) as timeout")
        .fetch_one(&mut *connection)
        .await?;
    let ddl = format!("drop schema if exists {schema} cascade");
    connection.execute(ddl.as_str()).await?;
    sqlx::query!("delete from projection_builds where schema_name = $1", schema)
        .execute(connection)
        .await
        .map(drop)
}
