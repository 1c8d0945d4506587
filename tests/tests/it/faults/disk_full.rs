//! PostgreSQL's disk is full: first its tables cannot grow, then its log of transactions, at which it gives up.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tallybook_tests::cluster::Cluster;
use tallybook_tests::scale::scaled;
use tallybook_tests::shim::Shim;
use tallybook_tests::wait::{self, PATIENCE};
use tempfile::TempDir;

use super::scene::Scene;

/// Enough for a cluster and the log of its transactions.
const SIZE: &str = "size=192m,mode=755";

/// A small disk in memory.
struct Disk {
    directory: TempDir,
}

impl Disk {
    /// None where we may not mount one.
    fn mount() -> Option<Self> {
        let directory = tempfile::Builder::new()
            .prefix("tallybook-disk-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "tmpfs"])
            .arg(directory.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self { directory }),
            refused => {
                eprintln!(
                    "no small disk could be mounted here, the disk is only said to be full: {refused:?}"
                );
                None
            }
        }
    }

    /// Take all that is left of it.
    fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("made");
        for size in [1 << 20, 1 << 12] {
            let block = vec![0; size];
            while ballast.write_all(&block).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn ballast(&self) -> std::path::PathBuf {
        self.directory.path().join("ballast")
    }

    fn home(&self) -> std::path::PathBuf {
        self.directory.path().join("cluster")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the last of PostgreSQL's processes may still be about to end.
        let unmounted = Command::new("umount")
            .arg("-l")
            .arg(self.directory.path())
            .output();
        if !unmounted.is_ok_and(|output| output.status.success()) {
            eprintln!("{} stays mounted", Path::display(self.directory.path()));
        }
    }
}

/// A disk that can be made full.
enum Medium {
    Small(Disk),
    Said(Shim),
}

impl Medium {
    async fn cluster() -> (Self, Cluster) {
        if let Some(disk) = Disk::mount() {
            let settings = ["min_wal_size=32MB", "max_wal_size=48MB", "shared_buffers=16MB"];
            let cluster = Cluster::start_in(&disk.home(), &settings).await;
            return (Self::Small(disk), cluster);
        }
        let shim = Shim::new();
        let cluster = Cluster::start_with(&shim).await;
        (Self::Said(shim), cluster)
    }

    fn fill(&self) {
        match self {
            Self::Small(disk) => disk.fill(),
            Self::Said(shim) => shim.set_disk_full(true),
        }
    }

    fn empty(&self) {
        match self {
            Self::Small(disk) => disk.empty(),
            Self::Said(shim) => shim.set_disk_full(false),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_then_goes_on_where_it_was() {
    let (medium, cluster) = Medium::cluster().await;
    let scene = Scene::on(cluster).await;
    let load = scene.load();
    for round in 1..=scaled(2) {
        load.goes_on(20).await;
        medium.fill();
        wait::until("an insert that finds no room", PATIENCE, async || {
            let refusals = scene.cluster.log().matches("No space left on device").count();
            (refusals >= 10 * round).then_some(())
        })
        .await;
        medium.empty();
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}

/// Without room for its log PostgreSQL stops at once, and may not even recover until there is some.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_gave_up_for_want_of_room_has_all_that_was_acknowledged() {
    let (medium, cluster) = Medium::cluster().await;
    let mut scene = Scene::on(cluster).await;
    let load = scene.load();
    for round in 1..=scaled(2) {
        load.goes_on(20).await;
        medium.fill();
        wait::until("the server to give up", PATIENCE, async || {
            // On to files of the log that do not exist yet.
            let moved = sqlx::query("select pg_switch_wal()").execute(scene.database.pool());
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), moved).await;
            (scene.cluster.log().matches("PANIC:").count() >= round).then_some(())
        })
        .await;
        medium.empty();
        scene.cluster.run().await;
    }
    load.goes_on(20).await;
    scene.conclude(load).await;
}
