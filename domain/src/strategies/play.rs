//! A history as it unfolds: the commands of its steps, judged by the rules in memory.

use chrono::{TimeZone, Utc};

use super::act::{Side, Step};
use super::party::{Books, Party, Unfooted};
use crate::Timestamp;
use crate::account::{AccountCommand, AccountEvent, AccountRefusal};
use crate::identity::AccountId;

/// Two accounts, their streams, and the time.
#[derive(Debug, Clone)]
pub struct Play {
    parties: [Party; 2],
    at: Timestamp,
    steps: usize,
}

/// What a step asks of which account, all of it or nothing: a transfer asks both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// When it is judged.
    pub at: Timestamp,
    /// The commands, one an account.
    pub commands: Vec<(AccountId, AccountCommand)>,
}

impl Play {
    /// Two open accounts, on the evening before a month begins, so that time zones and month ends matter.
    pub fn open(first: &str, second: &str) -> Self {
        let at = Utc
            .with_ymd_and_hms(2026, 1, 31, 22, 30, 0)
            .single()
            .expect("an instant of the calendar");
        let mut play = Self {
            parties: [Party::named(first), Party::named(second)],
            at,
            steps: 0,
        };
        play.judge(&play.opening())
            .expect("nothing stands against the first commands");
        play
    }

    /// The commands that opened them, for the system under test.
    pub fn opening(&self) -> Turn {
        let open = |party: &Party| (party.id().clone(), party.opening());
        Turn {
            at: self.at,
            commands: self.parties.iter().map(open).collect(),
        }
    }

    /// The accounts, the one most happens to first.
    pub fn parties(&self) -> &[Party; 2] {
        &self.parties
    }

    /// The instant of the last step.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The next step's commands and when they are judged.
    pub fn next(&mut self, step: &Step) -> Turn {
        self.at += step.after;
        self.steps += 1;
        let [first, second] = &mut self.parties;
        let (acting, other) = match step.by {
            Side::First => (first, second),
            Side::Second => (second, first),
        };
        let command = acting.command(other.id(), &step.act, self.steps, self.at);
        let from = acting.id().clone();
        let commands = match command {
            AccountCommand::TransferOut(mut out) => {
                let promise = acting.account().promise(&out, self.at);
                // What is not promised is refused by who was to give it, and never asked of the other.
                let taken = promise.ok().map(|taken| {
                    out.promised.clone_from(&taken.grants);
                    (out.to.clone(), AccountCommand::TransferIn(taken))
                });
                let given = (from, AccountCommand::TransferOut(out));
                [given].into_iter().chain(taken).collect()
            }
            command => vec![(from, command)],
        };
        Turn {
            at: self.at,
            commands,
        }
    }

    /// What is due by now, of both accounts, and nothing else.
    pub fn write_due(&mut self, at: Timestamp) {
        self.at = self.at.max(at);
        for party in &mut self.parties {
            // Nothing due is a refusal, and no matter.
            if let Ok(events) = party.decide(&AccountCommand::WriteDue, at) {
                party.happened(&events);
            }
        }
    }

    /// Judge a turn by the rules and, if all of it is accepted, fold what happened: the events of each command.
    ///
    /// # Errors
    /// The first refusal; nothing has changed then.
    pub fn judge(&mut self, turn: &Turn) -> Result<Vec<Vec<AccountEvent>>, AccountRefusal> {
        let decided = turn.commands.iter().map(|(account, command)| {
            let party = self.parties.iter().find(|party| party.id() == account);
            party.map_or(Err(AccountRefusal::AccountNotFound), |party| {
                party.decide(command, turn.at)
            })
        });
        let decided: Vec<Vec<AccountEvent>> = decided.collect::<Result<_, _>>()?;
        for ((account, _), events) in turn.commands.iter().zip(&decided) {
            if let Some(party) = self.parties.iter_mut().find(|party| party.id() == account) {
                party.happened(events);
            }
        }
        Ok(decided)
    }

    /// What both streams do to the books.
    ///
    /// # Errors
    /// The first entry that does not foot.
    pub fn books(&self) -> Result<Books, Unfooted> {
        let mut books = Books::new();
        for party in &self.parties {
            for (key, amount) in party.books()? {
                *books.entry(key).or_default() += amount;
            }
        }
        books.retain(|_, amount| *amount != 0);
        Ok(books)
    }
}
