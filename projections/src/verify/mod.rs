//! Everything again from the first event, by a pure fold, compared with what is stored.
//!
//! One pass over the log folds every stream with the domain's own `evolve`, posts every event, and keeps sums. When the
//! pass reaches the checkpoint of a read model, that model's rows are compared with what the fold says; entries and the
//! event index are compared event by event on the way. The rows are those of one snapshot, shared by three connections,
//! so writers and runners may go on meanwhile.
//!
//! The fold shares with the projections only the domain: quantities come from `Account`, payments from the facts that
//! stand, balances from the postings. Memory grows with the state of all accounts, not with the log.

mod clearing;
mod compare;
mod finding;
mod fold;
mod invariants;
mod ledger;
mod lockstep;
mod rows;
mod stored;

use std::collections::BTreeMap;

use sqlx::{Connection, PgConnection, PgPool};
use tallybook_journal::{Fault, Journal, ReadError, SealHead, Verification};

pub use finding::{Check, Finding};

use crate::batch::Record;
use crate::repo::check as repo;
use fold::Fold;
use lockstep::Lockstep;

/// Events read at a time.
const CHUNK: u32 = 5_000;

/// Findings told of one check; what is wrong everywhere need not be told row by row.
const FINDINGS_MAX: usize = 25;

/// What a check found.
#[derive(Debug)]
pub struct Verified {
    /// The log against its seals.
    pub log: Verification,
    /// Events folded.
    pub events: u64,
    /// Accounts folded.
    pub accounts: u64,
    /// Rows of read models compared.
    pub rows: u64,
    /// The position up to which the read models were compared.
    pub position: i64,
    /// How many things are wrong; `findings` tells the first of each check.
    pub found: u64,
    /// What is wrong, by position; what has none comes last. Empty: equality.
    pub findings: Vec<Finding>,
}

impl Verified {
    /// Whether everything is as it has to be.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// The first position at which something is wrong.
    pub fn first_wrong_position(&self) -> Option<i64> {
        self.findings.iter().filter_map(|finding| finding.position).min()
    }
}

/// The check could not be made. Retryable.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The read models could not be read.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Check the log, the invariants of the books, and every read model. `kept` is a seal kept elsewhere, to compare with.
pub async fn verify(journal: &Journal, kept: Option<SealHead>) -> Result<Verified, VerifyError> {
    let log = journal.verify_log(kept).await?;
    let mut snapshot = Snapshot::begin(journal.pool()).await?;
    let mut verified = compare_all(journal, &mut snapshot, log).await?;
    snapshot.end().await?;
    if let Some(finding) = verified.log.fault.as_ref().map(of_fault) {
        verified.findings.push(finding);
    }
    verified
        .findings
        .sort_by_key(|finding| (finding.position.is_none(), finding.position));
    verified.found = verified.findings.len() as u64;
    let mut told: BTreeMap<Check, usize> = BTreeMap::new();
    verified.findings.retain(|finding| {
        let count = told.entry(finding.check).or_default();
        *count += 1;
        *count <= FINDINGS_MAX
    });
    Ok(verified)
}

async fn compare_all(
    journal: &Journal,
    snapshot: &mut Snapshot,
    log: Verification,
) -> Result<Verified, VerifyError> {
    let positions = repo::positions(&mut snapshot.main).await?;
    let zones = repo::time_zones(&mut snapshot.main).await?;
    let of = |name: &str| {
        positions
            .iter()
            .find(|(known, _)| known == name)
            .map_or(0, |(_, position)| *position)
    };
    let last = positions
        .iter()
        .map(|(_, position)| *position)
        .max()
        .unwrap_or_default();
    let mut fold = Fold::new(&zones);
    let mut entries = Lockstep::new(Check::Entries, repo::entries(&mut snapshot.entries), of("books"));
    let mut index = Lockstep::new(
        Check::EventIndex,
        repo::index(&mut snapshot.index),
        of("event_index"),
    );
    let (mut after, mut rows) = (0, 0);
    // What stands before the first event of a model's own is compared as nothing.
    let mut due: Vec<(i64, String)> = positions
        .iter()
        .map(|(name, position)| (*position, name.clone()))
        .collect();
    due.sort();
    let mut due = due.into_iter().peekable();
    loop {
        let chunk = journal.read_log(after, CHUNK).await?;
        for recorded in chunk {
            after = recorded.position;
            while let Some((_, name)) = due.next_if(|(position, _)| *position < recorded.position) {
                rows += compare::model(&mut snapshot.main, &name, &mut fold).await?;
            }
            if after > last {
                break;
            }
            let record = Record::read(recorded);
            index
                .expect(record.position(), rows::index(&record), &mut fold.findings)
                .await?;
            let entry = fold.take(&record);
            entries
                .expect(record.position(), entry, &mut fold.findings)
                .await?;
        }
        if after >= last {
            break;
        }
        if journal.head().await? <= after {
            break;
        }
    }
    for (_, name) in due {
        rows += compare::model(&mut snapshot.main, &name, &mut fold).await?;
    }
    rows += entries.end(&mut fold.findings).await?;
    rows += index.end(&mut fold.findings).await?;
    clearing::check(journal, last, &fold.ledger, &mut fold.findings).await?;
    Ok(Verified {
        log,
        events: fold.events,
        accounts: fold.accounts.len() as u64,
        rows,
        position: last,
        found: 0,
        findings: fold.findings,
    })
}

/// Three connections that see one moment: one for tables, one for entries, one for the event index. They leave the pool
/// for good, so that a check that is cut short gives no open transaction back.
struct Snapshot {
    main: PgConnection,
    entries: PgConnection,
    index: PgConnection,
}

impl Snapshot {
    async fn begin(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let mut main = pool.acquire().await?.detach();
        let name = repo::begin_snapshot(&mut main).await?;
        let mut entries = pool.acquire().await?.detach();
        repo::join_snapshot(&mut entries, &name).await?;
        let mut index = pool.acquire().await?.detach();
        repo::join_snapshot(&mut index, &name).await?;
        Ok(Self { main, entries, index })
    }

    async fn end(self) -> Result<(), sqlx::Error> {
        self.main.close().await?;
        self.entries.close().await?;
        self.index.close().await
    }
}

fn of_fault(fault: &Fault) -> Finding {
    let position = match fault {
        Fault::Differs(position) | Fault::Missing(position) | Fault::Inserted(position) => Some(*position),
        Fault::Seal { first_position, .. } => Some(*first_position),
        Fault::Chain(_) | Fault::Head(_) => None,
    };
    Finding {
        check: Check::Seals,
        position,
        subject: "log".to_owned(),
        detail: fault.to_string(),
    }
}
