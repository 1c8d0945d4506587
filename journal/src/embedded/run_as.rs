//! The user the server runs as. PostgreSQL refuses root.

use std::{
    fs,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Command, Stdio},
};

use nix::unistd::{Gid, Uid, User};

use super::error::EmbeddedError;

/// Only the owner enters.
const PRIVATE: u32 = 0o700;

/// Who the server and its tools run as.
#[derive(Debug, Clone)]
pub(super) struct RunAs {
    /// Its name, for messages.
    name: String,
    uid: Uid,
    /// Whether to change to it: only root does.
    drop_to: Option<Gid>,
}

impl RunAs {
    /// This user; for root the owner of an existing cluster, else `postgres`, else `nobody`.
    pub(super) fn for_cluster(data: &Path) -> Result<Self, EmbeddedError> {
        let own = Uid::effective();
        if !own.is_root() {
            let name = User::from_uid(own)
                .ok()
                .flatten()
                .map_or_else(|| own.to_string(), |user| user.name);
            return Ok(Self {
                name,
                uid: own,
                drop_to: None,
            });
        }
        let owner = fs::metadata(data)
            .ok()
            .map(|data| Uid::from_raw(data.uid()))
            .filter(|owner| !owner.is_root());
        let owner = owner.and_then(|owner| User::from_uid(owner).ok().flatten());
        let by_name = |name| {
            User::from_name(name)
                .ok()
                .flatten()
                .filter(|user| !user.uid.is_root())
        };
        let user = owner
            .or_else(|| by_name("postgres"))
            .or_else(|| by_name("nobody"))
            .ok_or(EmbeddedError::NoUser)?;
        Ok(Self {
            name: user.name,
            uid: user.uid,
            drop_to: Some(user.gid),
        })
    }

    /// A program to run as this user, with an environment of its own: PGDATA, PGPORT and their like are about other
    /// servers.
    pub(super) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir("/");
        if let Some(gid) = self.drop_to {
            command.uid(self.uid.as_raw()).gid(gid.as_raw());
        }
        command
    }

    /// Make a directory that only this user enters, with those above it, and see that the user can.
    pub(super) fn make_private(&self, directory: &Path) -> Result<(), EmbeddedError> {
        if !directory.exists() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(if self.drop_to.is_some() { 0o755 } else { PRIVATE })
                .create(directory)
                .map_err(EmbeddedError::io("making", directory))?;
        }
        self.give(directory)?;
        let enters = self
            .command("/bin/sh")
            .args(["-c", r#"test -x "$1" && test -w "$1""#, "sh"])
            .arg(directory)
            .stdin(Stdio::null())
            .status()
            .map_err(EmbeddedError::io("looking at", directory))?;
        if !enters.success() {
            return Err(EmbeddedError::Unreachable {
                directory: directory.to_owned(),
                user: self.name.clone(),
            });
        }
        Ok(())
    }

    fn give(&self, directory: &Path) -> Result<(), EmbeddedError> {
        let metadata = fs::metadata(directory).map_err(EmbeddedError::io("looking at", directory))?;
        if let Some(gid) = self.drop_to
            && metadata.uid() != self.uid.as_raw()
        {
            chown(directory, Some(self.uid.as_raw()), Some(gid.as_raw()))
                .map_err(EmbeddedError::io("giving away", directory))?;
        }
        if metadata.uid() == self.uid.as_raw() || self.drop_to.is_some() {
            let private = std::os::unix::fs::PermissionsExt::from_mode(PRIVATE);
            fs::set_permissions(directory, private).map_err(EmbeddedError::io("closing", directory))?;
        }
        Ok(())
    }

    /// Whether a directory is this user's alone.
    pub(super) fn owns_alone(&self, directory: &Path) -> bool {
        fs::symlink_metadata(directory).is_ok_and(|metadata| {
            metadata.is_dir() && metadata.uid() == self.uid.as_raw() && metadata.mode() & 0o777 == PRIVATE
        })
    }
}
