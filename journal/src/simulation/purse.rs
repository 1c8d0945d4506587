//! A small aggregate that tells on itself: every event names the command it is of, and every refusal the version it was
//! judged on.

use serde::{Deserialize, Serialize};
use tallybook_domain::{Aggregate, DecodeError, Event, Refusal, Timestamp};

/// The name of an event that the log in memory cannot store.
pub(super) const UNSTORABLE: &str = "Unstorable";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Purse {
    pub(super) balance: i64,
    /// Events so far: the version.
    pub(super) events: u64,
}

/// What is asked, and by which command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) what: What,
    pub(super) by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// So many events of one coin each.
    Put(u32),
    /// Refused if there is less.
    Take(i64),
    /// No events.
    Look,
    PanicDeciding,
    PanicFolding,
    Unstorable,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub(super) enum Coin {
    Moved { coins: i64, by: String },
    Poison { by: String },
    Unstorable { by: String },
}

impl Coin {
    pub(super) fn by(&self) -> &str {
        match self {
            Self::Moved { by, .. } | Self::Poison { by } | Self::Unstorable { by } => by,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{purse:?} is too little")]
pub(super) struct TooLittle {
    pub(super) purse: Purse,
}

impl Refusal for TooLittle {
    fn code(&self) -> &'static str {
        "too_little"
    }
}

impl Aggregate for Purse {
    const TYPE: &'static str = "purse";
    const SHAPE: &'static str = "purse 1";
    type Command = Ask;
    type Event = Coin;
    type Refusal = TooLittle;

    fn decide(&self, command: &Ask, _at: Timestamp) -> Result<Vec<Coin>, TooLittle> {
        let by = command.by.clone();
        match command.what {
            What::Put(times) => Ok((0..times)
                .map(|_| Coin::Moved {
                    coins: 1,
                    by: by.clone(),
                })
                .collect()),
            What::Take(coins) if coins > self.balance => Err(TooLittle { purse: self.clone() }),
            What::Take(coins) => Ok(vec![Coin::Moved { coins: -coins, by }]),
            What::Look => Ok(Vec::new()),
            What::PanicDeciding => panic!("asked to panic"),
            What::PanicFolding => Ok(vec![
                Coin::Moved {
                    coins: 1_000,
                    by: by.clone(),
                },
                Coin::Poison { by },
            ]),
            What::Unstorable => Ok(vec![Coin::Unstorable { by }]),
        }
    }

    fn evolve(&mut self, event: &Coin) {
        self.events += 1;
        match event {
            Coin::Moved { coins, .. } => self.balance += coins,
            Coin::Poison { .. } => panic!("asked to panic"),
            Coin::Unstorable { .. } => {}
        }
    }
}

impl Event for Coin {
    fn name(&self) -> &'static str {
        match self {
            Self::Moved { .. } => "Moved",
            Self::Poison { .. } => "Poison",
            Self::Unstorable { .. } => UNSTORABLE,
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
