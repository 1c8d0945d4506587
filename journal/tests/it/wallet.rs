//! A small aggregate: a balance that is never overdrawn, and commands that misbehave.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tallybook_domain::{
    Aggregate, DecodeError, Event, Refusal, Timestamp,
    identity::{StreamId, TenantId},
};
use tallybook_journal::{CommandKey, Envelope, ExecuteError, Executed, Journal};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wallet {
    pub(crate) balance: i64,
    pub(crate) events: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    Grant(i64),
    Spend(i64),
    /// Several grants of one, in one command.
    GrantTimes(usize),
    /// Decides on no events.
    Nothing,
    /// Panics while it decides.
    PanicDeciding,
    /// Decides on an event that panics while it is folded.
    PanicFolding,
    /// An event with a name that PostgreSQL cannot store.
    Unstorable,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(crate) enum Happened {
    Granted { amount: i64 },
    Spent { amount: i64 },
    Poison,
    Unstorable,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{balance} is too little")]
pub(crate) struct Insufficient {
    pub(crate) balance: i64,
}

impl Refusal for Insufficient {
    fn code(&self) -> &'static str {
        "insufficient"
    }
}

impl Aggregate for Wallet {
    const TYPE: &'static str = "wallet";
    const SHAPE: &'static str = "1";
    type Command = Ask;
    type Event = Happened;
    type Refusal = Insufficient;

    fn decide(&self, command: &Ask, _at: Timestamp) -> Result<Vec<Happened>, Insufficient> {
        match *command {
            Ask::Grant(amount) => Ok(vec![Happened::Granted { amount }]),
            Ask::Spend(amount) if amount > self.balance => Err(Insufficient {
                balance: self.balance,
            }),
            Ask::Spend(amount) => Ok(vec![Happened::Spent { amount }]),
            Ask::GrantTimes(times) => Ok(vec![Happened::Granted { amount: 1 }; times]),
            Ask::Nothing => Ok(Vec::new()),
            Ask::PanicDeciding => panic!("decided to panic"),
            Ask::PanicFolding => Ok(vec![Happened::Granted { amount: 1 }, Happened::Poison]),
            Ask::Unstorable => Ok(vec![Happened::Unstorable]),
        }
    }

    fn evolve(&mut self, event: &Happened) {
        self.events += 1;
        match event {
            Happened::Granted { amount } => self.balance += amount,
            Happened::Spent { amount } => self.balance -= amount,
            Happened::Poison => panic!("folded to panic"),
            Happened::Unstorable => {}
        }
    }
}

impl Event for Happened {
    fn name(&self) -> &'static str {
        match self {
            Self::Granted { .. } => "Granted",
            Self::Spent { .. } => "Spent",
            Self::Poison => "Poison",
            Self::Unstorable => "Unstor\0able",
        }
    }

    fn version(&self) -> u32 {
        1
    }

    fn decode(name: &str, version: u32, payload: &str) -> Result<Self, DecodeError> {
        serde_json::from_str(payload).map_err(|error| DecodeError::Malformed {
            name: name.to_owned(),
            version,
            reason: error.to_string(),
        })
    }
}

pub(crate) type Answer = Result<Executed<Wallet>, ExecuteError<Insufficient>>;

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::named(&TenantId::from("acme"), name)
}

/// An envelope whose hash is over `asked`.
pub(crate) fn envelope(key: &str, asked: &str) -> Envelope {
    Envelope {
        key: CommandKey::new(key),
        hash: Sha256::digest(asked.as_bytes()).into(),
        expected_version: None,
        at: DateTime::UNIX_EPOCH,
        metadata: BTreeMap::from([("request_id".to_owned(), format!("req-{key}"))]),
    }
}

/// Ask, under a key, of a stream.
pub(crate) async fn ask(journal: &Journal, name: &str, key: &str, command: Ask) -> Answer {
    let asked = format!("{name} {command:?}");
    journal
        .execute::<Wallet>(&stream(name), command, envelope(key, &asked))
        .await
}

/// The stream, which the loader refuses if it has a gap.
pub(crate) async fn wallet(journal: &Journal, name: &str) -> Wallet {
    journal
        .load::<Wallet>(&stream(name))
        .await
        .expect("the stream is whole")
        .state
}
