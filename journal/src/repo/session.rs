//! What a connection is told, and what is asked about it.

use sqlx::PgConnection;

/// Whether this login may act as `role`. False where the role does not exist.
pub(crate) async fn may_act_as(connection: &mut PgConnection, role: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select from pg_roles where rolname = $1 and pg_has_role(current_user, oid, 'member')
           ) as "may!""#,
        role
    )
    .fetch_one(connection)
    .await
}

/// Act as `role` from now on.
pub(crate) async fn act_as(connection: &mut PgConnection, role: &str) -> sqlx::Result<()> {
    sqlx::query!("select set_config('role', $1, false) as role", role)
        .fetch_one(connection)
        .await
        .map(drop)
}

/// Whether the events table is there.
pub(crate) async fn is_migrated(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select to_regclass('events') is not null as "migrated!""#)
        .fetch_one(connection)
        .await
}

/// The server process behind a connection. Process ids are used again; the start tells them apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backend {
    pid: i32,
    started_at: chrono::DateTime<chrono::Utc>,
}

/// The server process behind this connection.
pub(crate) async fn backend(connection: &mut PgConnection) -> sqlx::Result<Backend> {
    sqlx::query_as!(
        Backend,
        r#"select pid as "pid!", backend_start as "started_at!" from pg_stat_activity where pid = pg_backend_pid()"#
    )
    .fetch_one(connection)
    .await
}

/// End a server process of our own if it still runs. Whether it still runs is the answer.
pub(crate) async fn terminate(connection: &mut PgConnection, backend: Backend) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select count(pg_terminate_backend(pid)) > 0 as "runs!"
           from pg_stat_activity where pid = $1 and backend_start = $2"#,
        backend.pid,
        backend.started_at
    )
    .fetch_one(connection)
    .await
}

/// Begin a transaction. The isolation is the session's default, READ COMMITTED.
pub(crate) async fn begin(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("begin").execute(connection).await.map(drop)
}

/// Commit the transaction.
pub(crate) async fn commit(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("commit").execute(connection).await.map(drop)
}

/// Roll the transaction back.
pub(crate) async fn roll_back(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("rollback").execute(connection).await.map(drop)
}
