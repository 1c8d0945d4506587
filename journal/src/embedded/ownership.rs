//! Who answers for a running server.
//!
//! Whoever starts one holds a lock on the file `owner` beside the cluster for as long as it lives. A server without an
//! owner is about to end, though it may not know yet: its keeper has to see the closed pipe first, and on a busy machine
//! that takes a while. Nobody attaches to such a one.
//!
//! All of this happens under the cluster's own lock, but for letting go.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::error::EmbeddedError;

/// Held by the process whose server runs; given back when it is dropped, or with the process.
pub(super) struct Ownership {
    file: File,
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // Closing would do, unless a child of this process is just being made and holds a copy of the descriptor.
        self.file.unlock().ok();
    }
}

impl Ownership {
    /// Answer for the server that is started now. In a new file: the owner of one that died may still hold the old.
    pub(super) fn take(home: &Path) -> Result<Self, EmbeddedError> {
        let path = path(home);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(EmbeddedError::Io("removing", path, error));
            }
            _ => {}
        }
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(&path)
            .map_err(EmbeddedError::io("making", &path))?;
        file.lock().map_err(EmbeddedError::io("locking", &path))?;
        Ok(Self { file })
    }

    /// Whether anybody answers for the server that runs.
    pub(super) fn is_held(home: &Path) -> Result<bool, EmbeddedError> {
        let path = path(home);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened.map_err(EmbeddedError::io("opening", &path))?,
        };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(EmbeddedError::Io("locking", path, error)),
        }
    }
}

fn path(home: &Path) -> PathBuf {
    home.join("owner")
}
