//! The embedded PostgreSQL: started, attached to, lost, found again.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, PgConnection};
use tallybook_journal::{
    embedded::{Embedded, EmbeddedError, EmbeddedOptions},
    migrate,
};
use tempfile::TempDir;

/// How long anything may take that happens by itself. A bound for a machine that is busy, not an expectation.
const PATIENCE: Duration = Duration::from_mins(5);

fn home() -> TempDir {
    tempfile::Builder::new()
        .prefix("tallybook-embedded-")
        .tempdir_in("/tmp")
        .expect("a directory")
}

async fn start(home: &Path) -> Embedded {
    Embedded::start(EmbeddedOptions::at(home))
        .await
        .expect("PostgreSQL starts")
}

async fn connect(server: &Embedded) -> PgConnection {
    server.database().connect().await.expect("connects")
}

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .expect("a setting")
}

/// The server's process, from the cluster's own file.
fn pid(home: &Path) -> String {
    let file = fs::read_to_string(home.join("data/postmaster.pid")).expect("a server runs");
    file.lines().next().expect("a process").to_owned()
}

fn signal(pid: &str, signal: &str) {
    let status = Command::new("kill")
        .args(["-s", signal, pid])
        .status()
        .expect("kill is there");
    assert!(status.success());
}

/// Wait until the server's own file about itself says so; it is empty once the server is gone.
async fn wait_until(home: &Path, what: &str, says_so: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !says_so(&fs::read_to_string(home.join("data/postmaster.pid")).unwrap_or_default()) {
        assert!(Instant::now() < deadline, "the server is not {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_cluster_is_created_durable_and_private_and_keeps_its_data() {
    let home = home();
    let server = start(home.path()).await;
    assert!(!server.is_attached());
    migrate(&server.database()).await.expect("migrates");
    let mut connection = connect(&server).await;
    assert_eq!(setting(&mut connection, "fsync").await, "on");
    assert_eq!(setting(&mut connection, "synchronous_commit").await, "on");
    assert_eq!(setting(&mut connection, "listen_addresses").await, "");
    let by_address: PgConnection = server
        .url()
        .parse::<sqlx::postgres::PgConnectOptions>()
        .expect("an address")
        .connect()
        .await
        .expect("connects");
    drop(by_address);
    drop(connection);
    server.stop().await;
    assert!(!home.path().join("data/postmaster.pid").exists());
    let again = start(home.path()).await;
    let mut connection = connect(&again).await;
    let events: i64 = sqlx::query_scalar("select count(*) from events")
        .fetch_one(&mut connection)
        .await
        .expect("kept");
    assert_eq!(events, 0);
    again.stop().await;
}

#[tokio::test]
async fn who_comes_second_attaches_and_stops_nothing() {
    let home = home();
    let (one, other) = tokio::join!(start(home.path()), start(home.path()));
    assert!(
        one.is_attached() != other.is_attached(),
        "of two at once one starts the server"
    );
    let (owner, guest) = if one.is_attached() {
        (other, one)
    } else {
        (one, other)
    };
    let process = pid(home.path());
    guest.stop().await;
    assert_eq!(pid(home.path()), process);
    connect(&owner).await;
    let guest = start(home.path()).await;
    assert!(guest.is_attached());
    owner.stop().await;
    tokio::time::timeout(PATIENCE, guest.ended())
        .await
        .expect("the guest notices");
}

#[tokio::test]
async fn a_server_that_dies_is_noticed_and_recovers_at_the_next_start() {
    let home = home();
    let server = start(home.path()).await;
    let mut connection = connect(&server).await;
    sqlx::raw_sql("create table t as select 1 as n")
        .execute(&mut connection)
        .await
        .expect("written");
    signal(&pid(home.path()), "KILL");
    tokio::time::timeout(PATIENCE, server.ended())
        .await
        .expect("noticed");
    drop(server);
    let again = start(home.path()).await;
    let kept: i32 = sqlx::query_scalar("select n from t")
        .fetch_one(&mut connect(&again).await)
        .await
        .expect("kept");
    assert_eq!(kept, 1);
    again.stop().await;
}

#[tokio::test]
async fn a_server_ends_with_its_owner_however_that_ends() {
    let home = home();
    let server = start(home.path()).await;
    // What the end of the process does, also one by SIGKILL: our end of the pipe closes.
    drop(server);
    wait_until(home.path(), "gone", str::is_empty).await;
}

#[tokio::test]
async fn a_server_whose_owner_just_ended_is_not_attached_to() {
    let home = home();
    // What the owner's end does is seen by the keeper a moment later; meanwhile the server still takes connections.
    for _ in 0..5 {
        let server = start(home.path()).await;
        let old = pid(home.path());
        drop(server);
        let next = start(home.path()).await;
        assert!(!next.is_attached());
        assert_ne!(pid(home.path()), old);
        next.stop().await;
    }
}

#[tokio::test]
async fn an_old_server_that_still_shuts_down_is_waited_for() {
    let home = home();
    let server = start(home.path()).await;
    let old = pid(home.path());
    let guest = connect(&server).await;
    // A smart shutdown: no new connections, and an end when the last client is gone.
    signal(&old, "TERM");
    wait_until(home.path(), "stopping", |file| file.contains("stopping")).await;
    let next = tokio::spawn({
        let home = home.path().to_owned();
        async move { start(&home).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(
        !next.is_finished(),
        "it neither attaches to a server that is going nor starts beside it"
    );
    drop(guest);
    let next = next.await.expect("no panic");
    assert!(!next.is_attached());
    assert_ne!(pid(home.path()), old);
    next.stop().await;
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused() {
    let home = home();
    start(home.path()).await.stop().await;
    fs::write(home.path().join("data/PG_VERSION"), "9\n").expect("written");
    let refused = Embedded::start(EmbeddedOptions::at(home.path())).await.err();
    let Some(error @ EmbeddedError::OtherMajorVersion { .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!(error.to_string().contains("made by PostgreSQL 9"), "{error}");
}

#[tokio::test]
async fn a_stale_process_file_does_not_hinder_a_start() {
    let home = home();
    start(home.path()).await.stop().await;
    // After a restart of the machine the process id in the file may be anybody's; here it is ours.
    let stale = format!(
        "{}\n{}\n1\n5432\n/tmp\n\n 1 1\nready\n",
        std::process::id(),
        home.path().join("data").display()
    );
    fs::write(home.path().join("data/postmaster.pid"), stale).expect("written");
    let server = start(home.path()).await;
    assert!(!server.is_attached());
    server.stop().await;
}

#[tokio::test]
async fn a_long_path_gets_its_socket_elsewhere() {
    let home = home();
    let long = home.path().join("x".repeat(60)).join("y".repeat(60));
    let server = start(&long).await;
    connect(&server).await;
    assert!(
        server
            .database()
            .get_socket()
            .is_some_and(|socket| socket.as_os_str().len() < 60)
    );
    let attached = start(&long).await;
    assert!(attached.is_attached());
    connect(&attached).await;
    server.stop().await;
}

#[tokio::test]
async fn a_directory_the_servers_user_cannot_reach_is_named() {
    let home = home();
    let closed = home.path().join("closed");
    fs::create_dir(&closed).expect("made");
    let mode = if nix::unistd::Uid::effective().is_root() {
        0o700
    } else {
        0o500
    };
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("closed");
    let refused = Embedded::start(EmbeddedOptions::at(closed.join("home")))
        .await
        .err();
    let Some(EmbeddedError::Unreachable { directory, .. } | EmbeddedError::Io("making", directory, _)) =
        &refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(*directory, closed.join("home"));
}

#[tokio::test]
async fn a_durable_cluster_for_a_measurement_leaves_nothing_either() {
    let home = home();
    let place = home.path().join("cluster");
    let server = Embedded::start(EmbeddedOptions::at(&place).removed_at_end())
        .await
        .expect("PostgreSQL starts");
    assert_eq!(setting(&mut connect(&server).await, "fsync").await, "on");
    server.stop().await;
    assert!(!place.join("data").exists());
}

#[tokio::test]
async fn a_throw_away_cluster_leaves_nothing() {
    let home = home();
    let place = home.path().join("cluster");
    let server = Embedded::start(EmbeddedOptions::at(&place).throw_away())
        .await
        .expect("PostgreSQL starts");
    assert_eq!(setting(&mut connect(&server).await, "fsync").await, "off");
    server.stop().await;
    assert!(!place.join("data").exists());
}
