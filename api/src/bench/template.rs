//! A stream made by the rules themselves, to be copied under other names.

use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::aggregate::{Aggregate, Event};
use tallybook_domain::identity::AccountId;

use super::workload::{Mix, Script, opening};
use crate::cli::CliError;

/// Where the account's name goes in a payload.
pub(super) const ACCOUNT: &str = "{account}";

/// A stream of an account, event by event.
pub(super) struct Template {
    pub(super) event_types: Vec<String>,
    pub(super) event_versions: Vec<String>,
    pub(super) payloads: Vec<String>,
    /// The account at the end of it.
    pub(super) state: Account,
}

impl Template {
    /// At least so many events (an act may be two), judged at `at`.
    pub(super) fn of(events: usize, mix: Mix, at: Timestamp) -> Result<Self, CliError> {
        let mut template = Self {
            event_types: Vec::with_capacity(events),
            event_versions: Vec::with_capacity(events),
            payloads: Vec::with_capacity(events),
            state: Account::default(),
        };
        for command in opening(AccountId::from(ACCOUNT)) {
            template.judge(&command, at)?;
        }
        let mut script = Script::new(mix, "prepared".to_owned());
        while template.payloads.len() < events || script.is_between() {
            template.judge(&script.next().1.command, at)?;
        }
        Ok(template)
    }

    fn judge(&mut self, command: &<Account as Aggregate>::Command, at: Timestamp) -> Result<(), CliError> {
        for event in self.state.decide(command, at).map_err(CliError::from_error)? {
            self.event_types.push(event.name().to_owned());
            self.event_versions.push(event.version().to_string());
            self.payloads
                .push(serde_json::to_string(&event).map_err(CliError::from_error)?);
            self.state.evolve(&event);
        }
        Ok(())
    }
}
