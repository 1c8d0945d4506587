//! What a measurement costs: processor time on both sides, write-ahead log, memory; and how busy the machine was.

use std::fs;

use sqlx::PgConnection;

use super::repo;
use crate::cli::CliError;

/// Ticks a second of `/proc`: fixed by the kernel's interface on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// Totals since a process or the server began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usage {
    /// Processor time of this process, milliseconds.
    pub(super) engine_ms: u64,
    /// Of PostgreSQL, all its processes.
    pub(super) postgres_ms: u64,
    /// Bytes of write-ahead log.
    pub(super) wal_bytes: u64,
}

impl Usage {
    /// As it is now.
    pub(super) async fn now(control: &mut PgConnection) -> Result<Self, CliError> {
        let backend = repo::backend_pid(control).await.map_err(CliError::from_error)?;
        Ok(Self {
            engine_ms: own_ms(),
            postgres_ms: postgres_ms(backend),
            wal_bytes: repo::wal_bytes(control).await.map_err(CliError::from_error)?,
        })
    }

    /// What came since an earlier moment.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            engine_ms: self.engine_ms.saturating_sub(earlier.engine_ms),
            postgres_ms: self.postgres_ms.saturating_sub(earlier.postgres_ms),
            wal_bytes: self.wal_bytes.saturating_sub(earlier.wal_bytes),
        }
    }
}

fn own_ms() -> u64 {
    stat("self").map_or(0, |stat| stat.own_ms)
}

/// The postmaster with its children that ended, and those that live.
fn postgres_ms(backend: u32) -> u64 {
    let Some(postmaster) = stat(&backend.to_string()).map(|stat| stat.parent) else {
        return 0;
    };
    let ended = stat(&postmaster.to_string()).map_or(0, |stat| stat.own_ms + stat.ended_children_ms);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes
        .filter_map(|entry| stat(entry.file_name().to_str()?))
        .filter(|stat| stat.parent == postmaster);
    ended + children.map(|stat| stat.own_ms).sum::<u64>()
}

/// What `/proc/<pid>/stat` says of a process.
struct Stat {
    parent: u32,
    own_ms: u64,
    ended_children_ms: u64,
}

fn stat(pid: &str) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The name before it is in parentheses and may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ms = |field: usize| -> Option<u64> {
        let ticks: u64 = fields.get(field)?.parse().ok()?;
        Some(ticks * 1_000 / TICKS_PER_SECOND)
    };
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ms: ms(11)? + ms(12)?,
        ended_children_ms: ms(13)? + ms(14)?,
    })
}

/// Memory this process has now, KiB.
pub(super) fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// How many processes ran or waited to, over 1, 5 and 15 minutes.
pub(super) fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_an_odd_name_is_read() {
        let text = "42 (post (gres) S 7 42 42 0 -1 0 1 2 3 4 150 50 30 20 20 0 1 0 9";
        let stat = parse_stat(text).expect("well formed");
        assert_eq!(
            (stat.parent, stat.own_ms, stat.ended_children_ms),
            (7, 2_000, 500)
        );
    }

    #[test]
    fn this_process_has_used_memory() {
        assert!(resident_kib() > 0);
    }
}
