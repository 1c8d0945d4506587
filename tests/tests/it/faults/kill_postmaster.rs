//! All of PostgreSQL dies by `kill -9` of its first process, and is started again.

use std::time::Duration;

use tallybook_tests::cluster::Cluster;
use tallybook_tests::scale::scaled;

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_and_started_again_has_all_that_was_acknowledged() {
    let mut scene = Scene::on(Cluster::start().await).await;
    let load = scene.load();
    for round in 0..scaled(2) {
        load.goes_on(20).await;
        scene.cluster.kill().await;
        // At once, and so late that every caller has been refused.
        tokio::time::sleep(Duration::from_millis(500) * u32::try_from(round % 2).expect("small")).await;
        scene.cluster.run().await;
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}
