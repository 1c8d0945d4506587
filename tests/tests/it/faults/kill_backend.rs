//! PostgreSQL's process behind an engine's connection dies while it works.

use tallybook_tests::cluster::Cluster;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::scale::scaled;
use tallybook_tests::wait::{self, PATIENCE};

use super::scene::Scene;

/// The process that appends right now.
async fn appending(database: &TestDatabase) -> Option<i32> {
    sqlx::query_scalar(
        "select pid from pg_stat_activity
         where state = 'active' and pid <> pg_backend_pid() and query ilike '%insert into events %' limit 1",
    )
    .fetch_optional(database.pool())
    .await
    .expect("the server tells what it does")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backend_in_use_is_told_to_end_and_nothing_is_lost() {
    let scene = Scene::on(Cluster::start().await).await;
    let load = scene.load();
    for _ in 0..scaled(5) {
        load.goes_on(8).await;
        wait::until("a backend in use to end", PATIENCE, async || {
            let pid = appending(&scene.database).await?;
            let told: bool = sqlx::query_scalar("select pg_terminate_backend($1)")
                .bind(pid)
                .fetch_one(scene.database.pool())
                .await
                .expect("a superuser may");
            told.then_some(())
        })
        .await;
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}

/// The server then ends all its processes and recovers: shared memory may be damaged.
#[tokio::test(flavor = "multi_thread")]
async fn the_backend_in_use_is_killed_and_nothing_is_lost() {
    let scene = Scene::on(Cluster::start().await).await;
    let load = scene.load();
    for round in 1..=scaled(2) {
        load.goes_on(15).await;
        let pid = wait::until("a backend in use", PATIENCE, async || {
            appending(&scene.database).await
        })
        .await;
        scene.cluster.kill_backend(pid);
        wait::until("the server to notice", PATIENCE, async || {
            let recoveries = scene
                .cluster
                .log()
                .matches("all server processes terminated")
                .count();
            (recoveries >= round).then_some(())
        })
        .await;
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}
