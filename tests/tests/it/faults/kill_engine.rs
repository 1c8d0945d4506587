//! An engine dies by `kill -9`, with commands in its queue and in flight.

use tallybook_tests::cluster::Cluster;
use tallybook_tests::scale::scaled;

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_in_the_middle_loses_nothing_and_doubles_nothing() {
    let mut scene = Scene::on(Cluster::start().await).await;
    let load = scene.load();
    for round in 0..scaled(2) {
        let (dying, other) = (round % 2, (round + 1) % 2);
        load.goes_on(20).await;
        scene.kill(dying).await;
        load.proceeds(other, 20).await;
        scene.revive(dying, &load).await;
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_killed_at_once_lose_nothing_and_double_nothing() {
    let mut scene = Scene::on(Cluster::start().await).await;
    let load = scene.load();
    for _ in 0..scaled(2) {
        load.goes_on(20).await;
        scene.kill(0).await;
        scene.kill(1).await;
        scene.revive(1, &load).await;
        scene.revive(0, &load).await;
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}
