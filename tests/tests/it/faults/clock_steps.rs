//! The clock of an engine steps back and forth, and is never that of the other.

use tallybook_tests::cluster::Cluster;
use tallybook_tests::scale::scaled;
use tallybook_tests::shim::Shim;

use super::scene::{EngineOptions, Scene};

const HOUR: i64 = 3_600;

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_whose_clock_steps_back_judges_nothing_before_what_it_follows() {
    let cluster = Cluster::start().await;
    let url = cluster.database().url();
    let shim = Shim::new();
    let options = [EngineOptions::at(url.clone()).with(&shim), EngineOptions::at(url)];
    let scene = Scene::with(cluster, options).await;
    let load = scene.load();
    for _ in 0..scaled(1) {
        for seconds in [-HOUR, HOUR, 0, -24 * HOUR, 1, 0] {
            shim.set_clock_ahead(seconds);
            load.goes_on(8).await;
        }
    }
    let ahead = scene
        .database
        .number("select count(*) from events where (payload ->> 'at')::timestamptz > clock_timestamp()")
        .await;
    assert!(ahead > 0, "the engine was under the clock that was an hour ahead");
    scene.conclude(load).await;
}
