//! The disk takes its time to say that what was committed is there.

use std::time::Duration;

use tallybook_tests::cluster::Cluster;
use tallybook_tests::scale::scaled;
use tallybook_tests::shim::Shim;

use super::scene::Scene;

/// What PostgreSQL has not flushed yet may be gone; it must not have been acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_while_it_flushes_slowly_has_all_that_was_acknowledged() {
    let shim = Shim::new();
    let mut scene = Scene::on(Cluster::start_with(&shim).await).await;
    let load = scene.load();
    for _ in 0..scaled(1) {
        load.goes_on(20).await;
        shim.set_flush_delay(Duration::from_millis(300));
        load.goes_on(10).await;
        scene.cluster.kill().await;
        shim.set_flush_delay(Duration::ZERO);
        scene.cluster.run().await;
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}

/// Longer than an engine waits for any answer of the database: its connection counts as lost, and what it had asked for
/// happens later all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_stalls_for_longer_than_the_writer_waits_doubles_nothing() {
    let shim = Shim::new();
    let scene = Scene::on(Cluster::start_with(&shim).await).await;
    let load = scene.load();
    load.goes_on(20).await;
    shim.set_flush_delay(Duration::from_mins(10));
    tokio::time::sleep(Duration::from_secs(33)).await;
    shim.set_flush_delay(Duration::ZERO);
    load.goes_on(20).await;
    scene.conclude(load).await;
}
