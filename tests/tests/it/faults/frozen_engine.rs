//! An engine stands still while it holds the fence, which every writer has to pass.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tallybook_tests::cluster::Cluster;
use tallybook_tests::proxy::{Proxy, Statement};
use tallybook_tests::scale::scaled;

use super::scene::{EngineOptions, Scene};

/// PostgreSQL ends the session that stands still in a transaction; the other engine then goes on, and the frozen one
/// finds out what became of its batch when it wakes.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_frozen_with_the_fence_does_not_stop_the_other_for_long() {
    let cluster = Cluster::start().await;
    let proxy = Proxy::start(cluster.socket()).await;
    let options = [
        EngineOptions::at(proxy.url()),
        EngineOptions::at(cluster.database().url()),
    ];
    let scene = Scene::with(cluster, options).await;
    let load = scene.load();
    for _ in 0..scaled(1) {
        load.goes_on(20).await;
        let engine = Pid::from_raw(scene.engine(0).pid());
        let fence = proxy.hold(Statement::Fence).await;
        kill(engine, Signal::SIGSTOP).expect("it runs");
        fence.pass_on();
        load.proceeds(1, 20).await;
        assert!(
            scene.cluster.log().contains("idle-in-transaction timeout"),
            "the session that held the fence was ended"
        );
        kill(engine, Signal::SIGCONT).expect("it is there still");
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}
