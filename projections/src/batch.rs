//! Events as projections see them: decoded once, whoever looks.

use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::identity::{AccountId, StreamId};
use tallybook_domain::treasury::{Treasury, TreasuryEvent};
use tallybook_domain::{Aggregate, Event};
use tallybook_journal::Recorded;

use crate::projection::ApplyError;

/// An event of the log and what it says.
#[derive(Debug, Clone)]
pub struct Record {
    /// The row of the log, its payload taken out: that is `content`, and a rebuild holds many rows.
    pub recorded: Recorded,
    /// The stream's address; none for a stream that is not Tallybook's.
    pub stream: Option<StreamId>,
    /// What the row says.
    pub content: Content,
}

/// What a row of the log says.
#[derive(Debug, Clone)]
pub enum Content {
    /// Something about an account.
    Account(Box<AccountEvent>),
    /// Something about a Stripe account's own money.
    Treasury(Box<TreasuryEvent>),
    /// Something no projection here is about.
    Other,
    /// An event of a stream we know that this release cannot read: who needs it must stop.
    Unreadable(String),
}

impl Record {
    /// Read a row of the log.
    pub fn read(mut recorded: Recorded) -> Self {
        let stream = recorded.stream();
        let content =
            match (&stream, recorded.aggregate_type.as_str()) {
                (Some(_), Account::TYPE) => decode(&recorded)
                    .map_or_else(Content::Unreadable, |event| Content::Account(Box::new(event))),
                (Some(_), Treasury::TYPE) => decode(&recorded)
                    .map_or_else(Content::Unreadable, |event| Content::Treasury(Box::new(event))),
                _ => Content::Other,
            };
        recorded.payload = String::new();
        Self {
            recorded,
            stream,
            content,
        }
    }

    /// Its place in the log.
    pub fn position(&self) -> i64 {
        self.recorded.position
    }

    /// Who sent the command, as far as that is noted: a key's id, `stripe` or `timer`.
    pub fn actor(&self) -> Option<String> {
        self.recorded.metadata().ok()?.remove("actor")
    }
}

fn decode<E: Event>(recorded: &Recorded) -> Result<E, String> {
    let version = recorded
        .version()
        .ok_or_else(|| format!("its version {:?} is not a number", recorded.event_version))?;
    E::decode(&recorded.event_type, version, &recorded.payload).map_err(|error| error.to_string())
}

/// Events that follow one another in the log.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    records: &'a [Record],
}

/// An event of an account, with its address.
#[derive(Debug, Clone, Copy)]
pub struct AccountRecord<'a> {
    /// Whose.
    pub tenant: &'a str,
    /// Which account.
    pub account: &'a str,
    /// The row of the log.
    pub recorded: &'a Recorded,
    /// What happened.
    pub event: &'a AccountEvent,
}

impl AccountRecord<'_> {
    /// Its place in the log.
    pub fn position(&self) -> i64 {
        self.recorded.position
    }

    /// Its place in the account's stream.
    pub fn sequence(&self) -> i64 {
        self.recorded.sequence
    }

    /// The account's id.
    pub fn account_id(&self) -> AccountId {
        self.account.into()
    }
}

impl<'a> Batch<'a> {
    /// Events in the order of the log.
    pub fn new(records: &'a [Record]) -> Self {
        Self { records }
    }

    /// All of them.
    pub fn records(&self) -> &'a [Record] {
        self.records
    }

    /// The events of accounts.
    ///
    /// # Errors
    /// At the first event this release cannot read.
    pub fn account_events(&self) -> Result<Vec<AccountRecord<'a>>, ApplyError> {
        let mut events = Vec::with_capacity(self.records.len());
        for record in self.records {
            match (&record.stream, &record.content) {
                (Some(stream), Content::Account(event)) => events.push(AccountRecord {
                    tenant: stream.tenant().as_str(),
                    account: stream.name(),
                    recorded: &record.recorded,
                    event,
                }),
                (_, Content::Unreadable(reason)) => {
                    return Err(ApplyError::Poison {
                        position: record.position(),
                        reason: reason.clone(),
                    });
                }
                (_, Content::Other | Content::Treasury(_) | Content::Account(_)) => {}
            }
        }
        Ok(events)
    }
}
