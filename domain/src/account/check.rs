//! Whether a use would pass now: a hint, by the judgement itself.

use super::command::{AccountCommand, DebitCredits};
use super::refusal::AccountRefusal;
use super::state::Account;
use crate::Timestamp;
use crate::aggregate::Aggregate;
use crate::entitlements::{self, Allowance};
use crate::quantity::Units;
use crate::trials::TrialStatus;

/// What a use would meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Why it would be refused; none if it would pass.
    pub refusal: Option<AccountRefusal>,
    /// What the account's active plans allow of the feature, the one that resets first first.
    pub allowances: Vec<Allowance>,
    /// What it could take of the kind it would use: what lots that its feature may spend have available, less what is
    /// owed. Beyond it only an overdraft goes.
    pub spendable: Units,
    /// When the trial that runs ends.
    pub trial_ends_at: Option<Timestamp>,
}

impl Account {
    /// What a use would meet at `at`.
    pub fn check(&self, command: &DebitCredits, at: Timestamp) -> Check {
        let refusal = self.decide(&AccountCommand::Debit(command.clone()), at).err();
        let now = self.at(at);
        let feature = command.feature.as_deref();
        let allowances = feature.and_then(|feature| entitlements::allowances(&now, feature, at).ok());
        let running = now.trials().values().filter(|trial| {
            trial.status == TrialStatus::Running && trial.started_at <= at && at < trial.ends_at
        });
        Check {
            refusal,
            allowances: allowances.unwrap_or_default(),
            spendable: now.credits().spendable(&command.unit, feature, at),
            trial_ends_at: running.map(|trial| trial.ends_at).max(),
        }
    }
}
