//! `serve --data-dir`: a PostgreSQL of Tallybook's own, which comes and goes with it and is never in the way of the next.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::{Pid, Uid, User};
use serde_json::json;
use tallybook_tests::binary::{self, Finished};
use tallybook_tests::server::{Place, Server, serve};
use tallybook_tests::wait;
use tempfile::TempDir;
use tokio::process::Command;

/// An installation in a directory of a user's own.
struct House {
    directory: TempDir,
    /// Who runs it, if not we.
    user: Option<User>,
}

impl House {
    /// Ours, or another user's, with a copy of the binary that user can run.
    fn of(user: Option<User>) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("tallybook-it-")
            .tempdir()
            .expect("a directory");
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("ours");
        // By another process: a file that is open for writing here, in a fork of another test too, can't be run.
        let copied = std::process::Command::new("cp")
            .arg(binary::path())
            .arg(directory.path())
            .status();
        assert!(copied.expect("cp runs").success());
        let house = Self { directory, user };
        let home = house.home();
        std::fs::create_dir(&home).expect("made");
        if let Some(user) = &house.user {
            chown(&home, Some(user.uid.as_raw()), Some(user.gid.as_raw())).expect("root may");
        }
        house
    }

    fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    fn data(&self) -> PathBuf {
        self.home().join("tallybook")
    }

    /// The same command, by this user and with the binary of this house.
    fn by_user(&self, command: &Command) -> Command {
        let mut by_user = Command::new(self.directory.path().join("tallybook"));
        by_user
            .args(command.as_std().get_args())
            .kill_on_drop(true)
            .current_dir(self.home());
        for setting in binary::SETTINGS {
            by_user.env_remove(setting);
        }
        by_user.env("HOME", self.home()).env("TALLYBOOK_LOG", "warn");
        if let Some(user) = &self.user {
            by_user.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        by_user
    }

    async fn serve(&self) -> Server {
        let command = self.by_user(&serve(&Place::DataDir(self.data())));
        Server::launch(command)
            .await
            .unwrap_or_else(|finished| panic!("no server: {finished:?}"))
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        let data = self.data();
        let mut command = binary::command(arguments);
        command.arg("--data-dir").arg(data);
        binary::finish(self.by_user(&command)).await
    }

    /// The process id of the PostgreSQL that runs here.
    fn postmaster(&self) -> Pid {
        let file = self.data().join("data/postmaster.pid");
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Pid::from_raw(
            text.lines()
                .next()
                .and_then(|line| line.trim().parse().ok())
                .expect("a process id"),
        )
    }
}

/// We, and if we are root an ordinary user too.
fn users() -> Vec<Option<User>> {
    let mut users = vec![None];
    if Uid::effective().is_root() {
        let ordinary = User::from_name("nobody").expect("users can be read");
        users.push(Some(ordinary.expect("every system has nobody")));
    }
    users
}

fn runs(process: Pid) -> bool {
    Path::new(&format!("/proc/{process}/stat")).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_key_is_shown_once_and_opens_the_server_ever_after() {
    for user in users() {
        let house = House::of(user);
        let server = house.serve().await;
        let client = server.admin();
        assert!(
            !server.stderr().contains(client.api_key()),
            "a secret is data, not a message"
        );
        client
            .post("/accounts", "open", &json!({"id": "acme"}))
            .await
            .expect(201);
        let postmaster = house.postmaster();
        assert!(server.stop().await.success(), "SIGTERM is an orderly end");
        assert!(!runs(postmaster), "its PostgreSQL ends with it");

        let server = house.serve().await;
        assert_eq!(server.admin_key(), None, "the second start shows no key");
        let client = server.client(client.api_key());
        assert_eq!(
            client.get("/accounts/acme").await.expect(200).json()["id"],
            "acme"
        );
        assert!(server.stop().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_beside_a_server_uses_its_database_and_leaves_it_running() {
    for user in users() {
        let house = House::of(user);
        let server = house.serve().await;
        let postmaster = house.postmaster();
        let made = house
            .run(&[
                "keys", "create", "--tenant", "default", "--role", "read", "--json",
            ])
            .await
            .succeeded();
        let secret = made.json()["secret"]
            .as_str()
            .expect("the key in clear")
            .to_owned();
        assert!(!made.stderr.contains(&secret), "a secret is data, not a message");

        assert!(runs(postmaster), "what a command did not start it does not stop");
        server
            .admin()
            .post("/accounts", "open", &json!({"id": "acme"}))
            .await
            .expect(201);
        let reader = server.client(&secret);
        reader.get("/accounts/acme").await.expect(200);
        assert_eq!(
            reader
                .post("/accounts", "no", &json!({"id": "x"}))
                .await
                .expect(403)
                .code(),
            "forbidden"
        );
        assert!(server.stop().await.success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_leaves_no_database_in_the_way_of_the_next_start() {
    for user in users() {
        let house = House::of(user);
        let server = house.serve().await;
        let client = server.admin();
        client
            .post("/accounts", "open", &json!({"id": "acme"}))
            .await
            .expect(201);
        let mut postmaster = house.postmaster();
        let mut server = Some(server);
        for life in 0..3 {
            let grant = json!({"credits": "1", "source": "promotional"});
            let address = server.take().expect("runs");
            let client = address.client(client.api_key());
            client
                .post("/accounts/acme/grants", &format!("life {life}"), &grant)
                .await
                .expect(201);
            address.kill().await;
            if life == 1 {
                // Not at once, but when the orphan had time to see that its engine is gone.
                wait::until("the orphaned PostgreSQL to end", wait::PATIENCE, async || {
                    (!runs(postmaster)).then_some(())
                })
                .await;
            }
            let reborn = house.serve().await;
            assert_ne!(
                house.postmaster(),
                postmaster,
                "the new engine has a PostgreSQL of its own"
            );
            assert!(!runs(postmaster), "no orphan");
            postmaster = house.postmaster();
            let balance = reborn
                .client(client.api_key())
                .get("/accounts/acme/balance")
                .await
                .expect(200)
                .json();
            assert_eq!(
                balance["available"],
                (life + 1).to_string(),
                "what was acknowledged is there"
            );
            server = Some(reborn);
        }
        assert!(server.take().expect("runs").stop().await.success());
        assert!(!runs(postmaster));
    }
}
