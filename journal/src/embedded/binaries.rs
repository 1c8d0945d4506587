//! Where PostgreSQL is installed, and how to install it.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{BINARIES_VARIABLE, error::EmbeddedError};

/// Directories where packages put the server; a `*` stands for a version.
const USUAL_PLACES: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/bin",
    "/usr/bin",
];

/// An installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binaries {
    directory: PathBuf,
    /// The major version, "15".
    pub(super) major: String,
}

impl Binaries {
    pub(super) fn postgres(&self) -> PathBuf {
        self.directory.join("postgres")
    }

    pub(super) fn initdb(&self) -> PathBuf {
        self.directory.join("initdb")
    }
}

/// All installations in the order of preference.
pub(super) fn installed() -> Result<Vec<Binaries>, EmbeddedError> {
    find(env::var_os(BINARIES_VARIABLE), env::var_os("PATH"))
}

fn find(named: Option<OsString>, path: Option<OsString>) -> Result<Vec<Binaries>, EmbeddedError> {
    let looked = match &named {
        Some(named) => format!("{BINARIES_VARIABLE} names {}", named.to_string_lossy()),
        None => "looked along PATH and in the usual directories".to_owned(),
    };
    let found: Vec<_> = candidates(named, path)
        .into_iter()
        .filter_map(|directory| installation(&directory))
        .collect();
    if found.is_empty() {
        return Err(EmbeddedError::NoBinaries {
            looked,
            install: install_line(&os_release()),
        });
    }
    Ok(found)
}

/// What is named is taken and nothing else.
fn candidates(named: Option<OsString>, path: Option<OsString>) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![PathBuf::from(named)];
    }
    let mut directories: Vec<_> = env::split_paths(&path.unwrap_or_default())
        .filter(|directory| directory.is_absolute())
        .collect();
    directories.extend(USUAL_PLACES.iter().flat_map(|pattern| expanded(pattern)));
    directories
}

/// The directories a pattern stands for, highest version first.
fn expanded(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .map(|name| {
            let digits: String = name.chars().filter(char::is_ascii_digit).collect();
            let path = format!("{parent}/{name}{after}");
            (digits.parse().unwrap_or(0), PathBuf::from(path))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// What is installed in a directory: both programs, and the server says its version.
fn installation(directory: &Path) -> Option<Binaries> {
    let postgres = directory.join("postgres");
    if !postgres.is_file() || !directory.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(postgres).arg("--version").output().ok()?;
    let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries {
        directory: directory.to_owned(),
        major,
    })
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` -> `15`.
fn major_version(line: &str) -> Option<String> {
    let (_, version) = line.split_once("(PostgreSQL)")?;
    let major: String = version
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    (!major.is_empty()).then_some(major)
}

fn os_release() -> String {
    if cfg!(target_os = "macos") {
        return "ID=macos".to_owned();
    }
    fs::read_to_string("/etc/os-release").unwrap_or_default()
}

/// How PostgreSQL is installed on the system that this `os-release` describes.
fn install_line(os_release: &str) -> String {
    let ids: Vec<&str> = os_release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")))
        .flat_map(|value| value.trim_matches('"').split_whitespace())
        .collect();
    let known = [
        (
            ["debian", "ubuntu"].as_slice(),
            "sudo apt-get install -y postgresql",
        ),
        (
            &["fedora", "rhel", "centos"],
            "sudo dnf install -y postgresql-server",
        ),
        (&["alpine"], "sudo apk add postgresql"),
        (&["arch"], "sudo pacman -S --noconfirm postgresql"),
        (&["macos"], "brew install postgresql@17"),
    ];
    known
        .iter()
        .find(|(names, _)| names.iter().any(|name| ids.contains(name)))
        .map_or(
            "the package `postgresql` of your system".to_owned(),
            |(_, line)| format!("`{line}`"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_install_line_is_the_systems_own() {
        let line = |os_release: &str| install_line(os_release);
        assert_eq!(
            line("ID=debian\nVERSION_ID=\"12\""),
            "`sudo apt-get install -y postgresql`"
        );
        assert_eq!(
            line("NAME=\"Linux Mint\"\nID=linuxmint\nID_LIKE=\"ubuntu debian\""),
            "`sudo apt-get install -y postgresql`"
        );
        assert_eq!(
            line("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\""),
            "`sudo dnf install -y postgresql-server`"
        );
        assert_eq!(line("ID=alpine"), "`sudo apk add postgresql`");
        assert_eq!(
            line("ID=manjaro\nID_LIKE=arch"),
            "`sudo pacman -S --noconfirm postgresql`"
        );
        assert_eq!(line("ID=macos"), "`brew install postgresql@17`");
        assert_eq!(line(""), "the package `postgresql` of your system");
    }

    #[test]
    fn a_named_directory_is_the_only_one_looked_at() {
        let empty = tempfile::tempdir().expect("a directory");
        let refused = find(Some(empty.path().into()), env::var_os("PATH")).expect_err("nothing is in it");
        let EmbeddedError::NoBinaries { looked, install } = &refused else {
            panic!("{refused:?}")
        };
        assert_eq!(
            *looked,
            format!("TALLYBOOK_PG_BIN names {}", empty.path().display())
        );
        assert!(
            refused.to_string().contains(install),
            "the message says how to install it: {refused}"
        );
    }

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        assert_eq!(
            major_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)").as_deref(),
            Some("15")
        );
        assert_eq!(
            major_version("postgres (PostgreSQL) 18beta1\n").as_deref(),
            Some("18")
        );
        assert_eq!(major_version("BusyBox v1.36"), None);
    }

    #[test]
    fn versions_are_tried_from_the_highest() {
        let root = tempfile::tempdir().expect("a directory");
        for version in ["9.6", "15", "17"] {
            fs::create_dir_all(root.path().join(version).join("bin")).expect("made");
        }
        let pattern = format!("{}/*/bin", root.path().display());
        // 9.6 reads as 96; it is older than anything this runs on, and listed with what is there.
        let names: Vec<_> = expanded(&pattern)
            .into_iter()
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        let place = |version: &str| {
            names
                .iter()
                .position(|name| name.ends_with(&format!("/{version}/bin")))
        };
        assert!(place("17") < place("15"));
        assert_eq!(names.len(), 3);
    }
}
