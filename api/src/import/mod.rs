//! Opening balances from another system: one row, one lot, one atomic append.
//!
//! A row opens its account if it is new and gives the lot, or does neither. Its key is its meaning and how often the file
//! said the same before (two equal rows are two lots), so a file imported again, cut short or with rows put in between
//! gives nothing twice.

mod file;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono_tz::Tz;
use futures::{StreamExt, TryStreamExt, stream};
use rust_decimal::Decimal;
use serde::Serialize;
use tallybook_domain::account::{
    Account, AccountCommand, AccountRefusal, GrantCredits, ImportBalance, OpenAccount,
};
use tallybook_domain::credits::GrantSource;
use tallybook_domain::identity::{AccountId, GrantId, StreamId, TenantId};
use tallybook_domain::{Aggregate, Refusal};
use tallybook_journal::{CommandKey, Envelope, ExecuteError, Journal, LoadError, Metadata};

pub(crate) use file::{Row, read};

use crate::http::idempotency::digest;
use crate::test_clocks::{Present, PresentError};
use file::Balance;

/// Rows under way at once: enough to fill the writer's batches.
const ROWS_AT_ONCE: usize = 64;

/// Hexadecimal digits of a lot's id.
const ID_DIGITS: usize = 24;

/// Decimal places of a credit.
const CREDIT_PLACES: u32 = 6;

/// Why a row is not imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: &'static str,
    field: Option<&'static str>,
    detail: String,
}

impl Failure {
    fn of_field(field: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code: "invalid_field",
            field: Some(field),
            detail: detail.into(),
        }
    }
}

impl From<AccountRefusal> for Failure {
    fn from(refusal: AccountRefusal) -> Self {
        Self {
            code: refusal.code(),
            field: None,
            detail: refusal.to_string(),
        }
    }
}

/// Why an import ends before its file does. What was written stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    #[error("{0}; what was imported stays, import the file again to go on")]
    Journal(#[from] ExecuteError<AccountRefusal>),
    #[error("{0}; what was imported stays, import the file again to go on")]
    Load(#[from] LoadError),
    #[error("{0}; what was imported stays, import the file again to go on")]
    Present(#[from] PresentError),
}

/// What an import came to.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Summary {
    pub(crate) dry_run: bool,
    pub(crate) rows: u64,
    pub(crate) imported: u64,
    /// Rows that an earlier import brought over.
    pub(crate) already_there: u64,
    pub(crate) failed: u64,
    /// Credits of the rows imported now, by kind.
    pub(crate) credits: BTreeMap<String, String>,
    pub(crate) failures: Vec<FailedRow>,
}

/// A row that was not imported.
#[derive(Debug, Serialize)]
pub(crate) struct FailedRow {
    pub(crate) line: u64,
    pub(crate) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<&'static str>,
    pub(crate) detail: String,
}

/// An import into one tenant's accounts.
pub(crate) struct Import {
    pub(crate) journal: Journal,
    pub(crate) present: Present,
    pub(crate) tenant: TenantId,
    /// Where the calendar of new accounts is.
    pub(crate) zone: Tz,
    /// Whether rows are only judged, each on its account as it is.
    pub(crate) dry_run: bool,
}

/// What a row did.
enum Done {
    Imported(Balance),
    AlreadyThere,
}

impl Import {
    /// Import what is not there yet.
    pub(crate) async fn all(&self, rows: Vec<Row>) -> Result<Summary, ImportError> {
        let mut occurrences: HashMap<[u8; 32], u64> = HashMap::new();
        let keyed = rows.into_iter().map(|Row { line, balance }| {
            let keyed = balance.map(|balance| {
                let said_before = occurrences.entry(self.meaning(&balance)).or_default();
                *said_before += 1;
                (self.key(&balance, *said_before), balance)
            });
            (line, keyed)
        });
        let mut outcomes = stream::iter(keyed)
            .map(|(line, keyed)| async move {
                Ok::<_, ImportError>(match keyed {
                    Ok((key, balance)) => (line, self.one(key, balance).await?),
                    Err(failure) => (line, Err(failure)),
                })
            })
            .buffered(ROWS_AT_ONCE);
        let mut tally = Tally::default();
        while let Some((line, outcome)) = outcomes.try_next().await? {
            tally.count(line, outcome);
        }
        Ok(tally.summary(self.dry_run))
    }

    fn meaning(&self, balance: &Balance) -> [u8; 32] {
        let json = serde_json::to_vec(balance).expect("a row is made of texts");
        digest(&[b"import", self.tenant.as_str().as_bytes(), &json])
    }

    fn key(&self, balance: &Balance, occurrence: u64) -> [u8; 32] {
        digest(&[&self.meaning(balance), &occurrence.to_be_bytes()])
    }

    /// One row: all of it or nothing.
    async fn one(&self, key: [u8; 32], balance: Balance) -> Result<Result<Done, Failure>, ImportError> {
        let account = AccountId::from(balance.account.0.as_str());
        let stream = StreamId::account(&self.tenant, &account);
        let command = AccountCommand::Import(self.command(&key, account, &balance));
        let at = self.present.of_account(&stream).await?;
        let outcome = if self.dry_run {
            let loaded = self.journal.load::<Account>(&stream).await?;
            loaded.state.decide(&command, at).map(|_| false)
        } else {
            let envelope = Envelope {
                key: CommandKey::new(format!("import:{}", hex::encode(key))),
                hash: key,
                expected_version: None,
                at,
                metadata: Metadata::from([("actor".to_owned(), "import".to_owned())]),
            };
            match self.journal.execute::<Account>(&stream, command, envelope).await {
                Ok(executed) => Ok(executed.replayed),
                Err(ExecuteError::Refused(refusal)) => Err(refusal),
                Err(error) => return Err(error.into()),
            }
        };
        Ok(match outcome {
            Ok(false) => Ok(Done::Imported(balance)),
            // The lot's id follows from the row: where the lot is, the row was imported.
            Ok(true) | Err(AccountRefusal::GrantExists(_)) => Ok(Done::AlreadyThere),
            Err(refusal) => Err(refusal.into()),
        })
    }

    fn command(&self, key: &[u8; 32], account: AccountId, balance: &Balance) -> ImportBalance {
        ImportBalance {
            open: OpenAccount {
                account,
                external_id: None,
                stripe_customer: None,
                time_zone: self.zone,
                test_clock: None,
            },
            grant: GrantCredits {
                grant: GrantId(format!("grant_{}", &hex::encode(key)[..ID_DIGITS])),
                unit: balance.unit.0.clone(),
                units: balance.credits.0,
                source: GrantSource::Migration,
                cost: balance.cost.map(|cost| cost.0),
                priority: 0,
                effective_at: None,
                expires_at: balance.expires_at.map(|instant| instant.0),
                reference: balance.reference.as_ref().map(|text| text.0.clone()),
                scope: BTreeSet::new(),
            },
        }
    }
}

#[derive(Default)]
struct Tally {
    summary: Summary,
    /// Beyond what one account may hold.
    credits: BTreeMap<String, Decimal>,
}

impl Tally {
    fn count(&mut self, line: u64, outcome: Result<Done, Failure>) {
        self.summary.rows += 1;
        match outcome {
            Ok(Done::Imported(balance)) => {
                self.summary.imported += 1;
                let sum = self.credits.entry(balance.unit.0.to_string()).or_default();
                *sum += Decimal::new(balance.credits.0.micros(), CREDIT_PLACES);
            }
            Ok(Done::AlreadyThere) => self.summary.already_there += 1,
            Err(Failure { code, field, detail }) => {
                self.summary.failed += 1;
                self.summary.failures.push(FailedRow {
                    line,
                    code,
                    field,
                    detail,
                });
            }
        }
    }

    fn summary(self, dry_run: bool) -> Summary {
        let text = |(unit, sum): (String, Decimal)| (unit, sum.normalize().to_string());
        Summary {
            dry_run,
            credits: self.credits.into_iter().map(text).collect(),
            ..self.summary
        }
    }
}
