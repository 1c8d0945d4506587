//! The connection between engine and database is cut in mid-commit: before the statement arrives, in the middle of it,
//! after it, after the answer, and so that the statement arrives when nobody expects it any more.

use tallybook_tests::cluster::Cluster;
use tallybook_tests::proxy::{Cut, Proxy, Statement};
use tallybook_tests::scale::scaled;

use super::load::Load;
use super::scene::{EngineOptions, Scene};

async fn behind_proxies() -> (Scene, [Proxy; 2]) {
    let cluster = Cluster::start().await;
    let proxies = [
        Proxy::start(cluster.socket()).await,
        Proxy::start(cluster.socket()).await,
    ];
    let options = [0, 1].map(|engine: usize| EngineOptions::at(proxies[engine].url()));
    (Scene::with(cluster, options).await, proxies)
}

async fn cut(load: &Load, proxies: &[Proxy; 2], statement: Statement) {
    for round in 0..scaled(1) {
        for (number, cut) in Cut::ALL.into_iter().enumerate() {
            load.goes_on(6).await;
            proxies[(round + number) % 2].cut(statement, cut).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_cut_at_any_moment_are_there_once_or_not_at_all() {
    let (scene, proxies) = behind_proxies().await;
    let load = scene.load();
    cut(&load, &proxies, Statement::Append).await;
    load.goes_on(20).await;
    scene.conclude(load).await;
}

/// Those of the writer when it works under the fence, of the read models and of the seals.
#[tokio::test(flavor = "multi_thread")]
async fn commits_cut_at_any_moment_take_effect_once_or_not_at_all() {
    let (scene, proxies) = behind_proxies().await;
    let load = scene.load();
    cut(&load, &proxies, Statement::Commit).await;
    load.goes_on(20).await;
    scene.conclude(load).await;
}
