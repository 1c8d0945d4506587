//! Faults inside a process of ours that no signal brings about: its clock is off, its disk is slow or full.
//!
//! `faults.c` is put before libc into the process; what it does is changed while the process runs.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

const SOURCE: &str = include_str!("faults.c");

/// Where in the shared file which number stands.
const CLOCK_OFFSET: u64 = 0;
const FLUSH_DELAY: u64 = 8;
const DISK_IS_FULL: u64 = 16;

/// A library to be loaded into a process, and the file by which it is told what to do.
pub struct Shim {
    library: PathBuf,
    path: PathBuf,
    controls: File,
    _directory: TempDir,
}

impl Shim {
    /// One that does nothing yet.
    ///
    /// # Panics
    /// Without a C compiler, which linking Rust needs, too.
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("tallybook-faults-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .expect("a temporary directory");
        let source = directory.path().join("faults.c");
        let library = directory.path().join("faults.so");
        let path = directory.path().join("controls");
        fs::write(&source, SOURCE).expect("written");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&library, &source])
            .output()
            .expect("there is a C compiler");
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        let controls = File::create(&path).expect("made");
        controls.write_all_at(&[0; 24], 0).expect("written");
        // The database's user is another one.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("made readable");
        Self {
            library,
            path,
            controls,
            _directory: directory,
        }
    }

    /// What a process needs in its environment.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("TALLYBOOK_TEST_FAULTS", self.path.clone()),
        ]
    }

    /// The clock shows so many seconds more than it should.
    pub fn set_clock_ahead(&self, seconds: i64) {
        self.set(CLOCK_OFFSET, seconds * 1_000_000_000);
    }

    /// Flushing a file takes so much longer.
    pub fn set_flush_delay(&self, delay: Duration) {
        self.set(FLUSH_DELAY, i64::try_from(delay.as_nanos()).expect("short"));
    }

    /// No file can grow, or all can.
    pub fn set_disk_full(&self, full: bool) {
        self.set(DISK_IS_FULL, i64::from(full));
    }

    fn set(&self, place: u64, number: i64) {
        self.controls
            .write_all_at(&number.to_ne_bytes(), place)
            .expect("the file is there");
    }
}

impl Default for Shim {
    fn default() -> Self {
        Self::new()
    }
}
