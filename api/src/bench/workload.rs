//! What a caller asks for next, and what that does to the account's balance.

use chrono::Duration;
use tallybook_domain::account::{
    AccountCommand, BeyondHold, CaptureHold, DebitCredits, GrantCredits, HoldCredits, OpenAccount,
};
use tallybook_domain::credits::{GrantSource, OnExpiry};
use tallybook_domain::identity::{AccountId, UnitCode};
use tallybook_domain::money::Money;
use tallybook_domain::quantity::Units;

/// What an account is given first: enough for any run.
const FIRST_GRANT: Units = Units::from_micros(1_000_000_000_000);

/// What the customer gave for it, in cents: every use releases its share.
const FIRST_GRANT_COST: i64 = 1_000_000;

/// A use takes from one to so many millionths of a credit.
const SPEND_MAX: u64 = 1_000;

/// What a hold sets aside; half of it is captured.
const HELD: i64 = 2_000;
const CAPTURED: i64 = HELD / 2;

/// What later grants give.
const GRANTED: i64 = 5_000;

/// What callers ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mix {
    /// Uses alone.
    Spends,
    /// Of twenty acts sixteen uses, three holds (each followed by its capture) and a grant.
    Mixed,
}

/// A command and what it adds to what is available.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) command: AccountCommand,
    pub(super) available: i64,
}

/// A sequence of steps that depends on nothing but its name.
#[derive(Debug)]
pub(super) struct Script {
    mix: Mix,
    /// Begins every id, so that no two scripts name the same thing.
    name: String,
    steps: u64,
    /// A hold and its capture are one.
    acts: u64,
    /// A hold that is captured next.
    open_hold: Option<String>,
}

impl Script {
    pub(super) fn new(mix: Mix, name: String) -> Self {
        Self {
            mix,
            name,
            steps: 0,
            acts: 0,
            open_hold: None,
        }
    }

    /// Whether the next step belongs to the one before, and to its account.
    pub(super) fn is_between(&self) -> bool {
        self.open_hold.is_some()
    }

    /// The next step, and a name for it that nothing else has.
    pub(super) fn next(&mut self) -> (String, Step) {
        let name = format!("{}-{}", self.name, self.steps);
        self.steps += 1;
        let step = match self.open_hold.take() {
            Some(hold) => capture(&hold, &name),
            None => self.act(&name),
        };
        (name, step)
    }

    fn act(&mut self, name: &str) -> Step {
        self.acts += 1;
        match (self.mix, self.acts % 20) {
            (Mix::Mixed, 4 | 9 | 14) => {
                self.open_hold = Some(name.to_owned());
                hold(name)
            }
            (Mix::Mixed, 19) => grant(name),
            (Mix::Spends | Mix::Mixed, _) => spend(name, self.acts),
        }
    }
}

/// How every account begins.
pub(super) fn opening(account: AccountId) -> [AccountCommand; 2] {
    let open = OpenAccount {
        account,
        external_id: None,
        stripe_customer: None,
        time_zone: chrono_tz::Tz::UTC,
        test_clock: None,
    };
    let mut first = lot("first", FIRST_GRANT, GrantSource::Paid);
    first.cost = "usd".parse().ok().map(|currency| Money {
        minor: FIRST_GRANT_COST,
        currency,
    });
    [AccountCommand::Open(open), AccountCommand::Grant(first)]
}

fn spend(name: &str, number: u64) -> Step {
    // A multiplier that meets every amount before it repeats one.
    let units = i64::try_from(1 + (number * 617) % SPEND_MAX).unwrap_or(1);
    Step {
        command: AccountCommand::Debit(DebitCredits {
            debit: format!("debit_{name}").into(),
            unit: UnitCode::default(),
            units: Units::from_micros(units),
            feature: Some("render".to_owned()),
            quantity: None,
            reference: None,
        }),
        available: -units,
    }
}

fn hold(name: &str) -> Step {
    Step {
        command: AccountCommand::Hold(HoldCredits {
            hold: format!("hold_{name}").into(),
            unit: UnitCode::default(),
            units: Units::from_micros(HELD),
            expires_in: Duration::days(1),
            feature: Some("render".to_owned()),
            reference: None,
            on_expiry: OnExpiry::Keep,
        }),
        available: -HELD,
    }
}

fn capture(hold: &str, name: &str) -> Step {
    Step {
        command: AccountCommand::Capture(CaptureHold {
            hold: format!("hold_{hold}").into(),
            debit: format!("debit_{name}").into(),
            units: Some(Units::from_micros(CAPTURED)),
            is_final: true,
            beyond_hold: BeyondHold::Refuse,
        }),
        available: HELD - CAPTURED,
    }
}

fn grant(name: &str) -> Step {
    Step {
        command: AccountCommand::Grant(lot(name, Units::from_micros(GRANTED), GrantSource::Promotional)),
        available: GRANTED,
    }
}

fn lot(name: &str, units: Units, source: GrantSource) -> GrantCredits {
    GrantCredits {
        grant: format!("grant_{name}").into(),
        unit: UnitCode::default(),
        units,
        source,
        cost: None,
        priority: 0,
        effective_at: None,
        expires_at: None,
        reference: None,
        scope: std::collections::BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallybook_domain::account::Account;
    use tallybook_domain::{Aggregate, Timestamp};

    fn kinds(mix: Mix, steps: usize) -> (usize, usize, usize, usize) {
        let mut script = Script::new(mix, "s".to_owned());
        let mut counts = (0, 0, 0, 0);
        for _ in 0..steps {
            match script.next().1.command {
                AccountCommand::Debit(_) => counts.0 += 1,
                AccountCommand::Hold(_) => counts.1 += 1,
                AccountCommand::Capture(_) => counts.2 += 1,
                AccountCommand::Grant(_) => counts.3 += 1,
                other => panic!("unexpected {other:?}"),
            }
        }
        counts
    }

    #[test]
    fn the_mix_has_the_parts_it_promises() {
        assert_eq!(kinds(Mix::Spends, 100), (100, 0, 0, 0));
        // A hundred times twenty acts, and the captures of the holds among them.
        assert_eq!(kinds(Mix::Mixed, 2_300), (1_600, 300, 300, 100));
    }

    #[test]
    fn every_step_is_accepted_and_moves_the_balance_as_it_says() {
        let at = Timestamp::default();
        let mut account = Account::default();
        for command in opening("acct".into()) {
            for event in account.decide(&command, at).expect("the opening is accepted") {
                account.evolve(&event);
            }
        }
        let unit = UnitCode::default();
        let mut script = Script::new(Mix::Mixed, "s".to_owned());
        for _ in 0..500 {
            let before = account.balance(&unit, at).available.micros();
            let (_, step) = script.next();
            for event in account.decide(&step.command, at).expect("accepted") {
                account.evolve(&event);
            }
            assert_eq!(
                account.balance(&unit, at).available.micros(),
                before + step.available
            );
        }
    }
}
