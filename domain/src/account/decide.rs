//! The account as an aggregate: what is due first, then the command.

use super::command::{AccountCommand, GrantCredits, OpenAccount};
use super::draft::Draft;
use super::event::{AccountEvent, AccountLifeEvent, AccountOpened, CustomerLinked};
use super::purchases;
use super::refusal::AccountRefusal;
use super::settle::settle;
use super::state::Account;
use super::{corrections, holds, invoices, policies, subscriptions, transfers, trials, uses};
use crate::aggregate::{Aggregate, Timestamp};
use crate::credits::{Balance, CreditsEvent, CreditsGranted};
use crate::identity::UnitCode;
use crate::quantity::Units;

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    const SHAPE: &'static str = crate::SHAPE;
    type Command = AccountCommand;
    type Event = AccountEvent;
    type Refusal = AccountRefusal;

    fn decide(&self, command: &AccountCommand, at: Timestamp) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let at = self.last_at.map_or(at, |last| last.max(at));
        let mut draft = Draft::of(self, at);
        draft.write_due();
        judge(&mut draft, command)?;
        draft.complete_top_ups();
        draft.repay(at);
        draft.earn_revenue();
        if draft.events.is_empty() {
            return Err(AccountRefusal::NoChange);
        }
        Ok(draft.events)
    }

    fn evolve(&mut self, event: &AccountEvent) {
        self.fold(event);
    }
}

fn judge(draft: &mut Draft<'_>, command: &AccountCommand) -> Result<(), AccountRefusal> {
    let opens = matches!(
        command,
        AccountCommand::Open(_) | AccountCommand::Import(_) | AccountCommand::Settle(_)
    );
    if !opens && draft.account.id.is_none() {
        return Err(AccountRefusal::AccountNotFound);
    }
    let at = draft.at;
    match command {
        AccountCommand::Open(command) => open(draft, command),
        AccountCommand::Grant(command) => grant(draft, command),
        AccountCommand::Import(command) => {
            if draft.account.id.is_none() {
                open(draft, &command.open)?;
            }
            grant(draft, &command.grant)
        }
        AccountCommand::Debit(command) => {
            let event = uses::debit(&draft.account, command, at)?;
            conclude_use(draft, &command.unit, command.debit.as_str(), event);
            Ok(())
        }
        AccountCommand::Hold(command) => {
            let event = uses::hold(&draft.account, command, at)?;
            conclude_use(draft, &command.unit, command.hold.as_str(), event);
            Ok(())
        }
        AccountCommand::Capture(command) => holds::capture(draft, command),
        AccountCommand::Release(command) => holds::release(draft, command),
        AccountCommand::Void(command) => corrections::void(draft, command),
        AccountCommand::Reverse(command) => corrections::reverse(draft, command),
        AccountCommand::Adjust(command) => corrections::adjust(draft, command),
        AccountCommand::Purchase(command) => purchases::judge(draft, command),
        AccountCommand::SetPolicy(command) => policies::set(draft, command),
        AccountCommand::EndTopUp(command) => policies::end(draft, command),
        AccountCommand::TransferOut(command) => transfers::give(draft, command),
        AccountCommand::TransferIn(command) => transfers::take(draft, command),
        AccountCommand::LinkCustomer(customer) => link(draft, customer),
        AccountCommand::Settle(settlement) => {
            // A settlement that tells nothing new is refused as such even if something else was due: what is due is
            // for the next command that has something to say, and a retry of this one must not grow the log.
            let due = draft.events.len();
            settle(draft, settlement)?;
            if draft.events.len() == due {
                Err(AccountRefusal::NoChange)
            } else {
                Ok(())
            }
        }
        AccountCommand::Subscription(command) => subscriptions::judge(draft, command),
        AccountCommand::Trial(command) => trials::judge(draft, command),
        AccountCommand::Invoice(command) => invoices::judge(draft, command),
        AccountCommand::WriteDue => Ok(()),
    }
}

/// A use or a hold, and the credits the account asks for if it leaves less than its threshold.
fn conclude_use(draft: &mut Draft<'_>, unit: &UnitCode, cause: &str, event: CreditsEvent) {
    let asked = draft.account.asks_after(&event, unit, cause, draft.at);
    draft.conclude(draft.at, event);
    if let Some(asked) = asked {
        draft.conclude(draft.at, asked);
    }
}

fn open(draft: &mut Draft<'_>, command: &OpenAccount) -> Result<(), AccountRefusal> {
    if draft.account.id.is_some() {
        return Err(AccountRefusal::AccountExists);
    }
    let OpenAccount {
        account,
        external_id,
        stripe_customer,
        time_zone,
        test_clock,
    } = command.clone();
    draft.record(
        draft.at,
        AccountLifeEvent::AccountOpened(AccountOpened {
            account,
            external_id,
            time_zone,
            test_clock,
        }),
    );
    if let Some(customer) = stripe_customer {
        draft.record(
            draft.at,
            AccountLifeEvent::CustomerLinked(CustomerLinked { customer }),
        );
    }
    Ok(())
}

fn link(draft: &mut Draft<'_>, customer: &str) -> Result<(), AccountRefusal> {
    if draft.account.customers.contains(customer) {
        return Err(AccountRefusal::NoChange);
    }
    draft.record(
        draft.at,
        AccountLifeEvent::CustomerLinked(CustomerLinked {
            customer: customer.to_owned(),
        }),
    );
    Ok(())
}

fn grant(draft: &mut Draft<'_>, command: &GrantCredits) -> Result<(), AccountRefusal> {
    if !command.units.is_positive() {
        return Err(AccountRefusal::NotPositive);
    }
    if command.cost.is_some_and(|cost| cost.minor < 0) {
        return Err(AccountRefusal::NegativeCost);
    }
    if draft.account.credits.lot(&command.grant).is_some() {
        return Err(AccountRefusal::GrantExists(command.grant.clone()));
    }
    let effective_at = command.effective_at.unwrap_or(draft.at);
    if let Some(expires_at) = command.expires_at.filter(|end| *end <= effective_at) {
        return Err(AccountRefusal::ExpiresBeforeEffective {
            effective_at,
            expires_at,
        });
    }
    check_capacity(&draft.account, command.units)?;
    let granted = CreditsGranted {
        grant: command.grant.clone(),
        unit: command.unit.clone(),
        units: command.units,
        source: command.source,
        cost: command.cost.filter(|cost| cost.minor != 0),
        priority: command.priority,
        expires_at: command.expires_at,
        purchase: None,
        invoice_line: None,
        group: None,
        reference: command.reference.clone(),
        scope: command.scope.clone(),
        rollover: None,
    };
    let granted = CreditsEvent::CreditsGranted(granted);
    if command.expires_at.is_some_and(|end| end <= draft.at) {
        draft.record(effective_at, granted);
        draft.write_due();
    } else {
        draft.conclude(effective_at, granted);
    }
    Ok(())
}

/// How many credits an account can hold beside those it has.
pub(super) fn room(account: &Account) -> Units {
    (Units::MAX - account.credits.granted()).max(Units::ZERO)
}

/// All lots of an account together stay within [`Units::MAX`], so that no sum over them can overflow.
pub(super) fn check_capacity(account: &Account, units: Units) -> Result<(), AccountRefusal> {
    let total = account
        .credits
        .granted()
        .checked_add(units)
        .filter(|total| *total <= Units::MAX);
    total.map(|_| ()).ok_or(AccountRefusal::TooManyCredits)
}

impl Account {
    /// The account with all folded in that is due at `at`: what a read at `at` shows. Writes nothing.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> Self {
        self.due(at).1
    }

    /// What is due at `at` and not yet written, and the account after it.
    pub fn due(&self, at: Timestamp) -> (Vec<AccountEvent>, Self) {
        let mut draft = Draft::of(self, at);
        draft.write_due();
        (draft.events, draft.account.into_owned())
    }

    /// The account as it was true at `as_of`, by all that is known now: the events dated by then, in the stream's
    /// order, and what is due by then.
    pub fn as_of<'a>(events: impl IntoIterator<Item = &'a AccountEvent>, as_of: Timestamp) -> Self {
        let mut account = Self::default();
        for event in events.into_iter().filter(|event| event.effective_at <= as_of) {
            account.fold(event);
        }
        account.at(as_of)
    }

    /// The balance of a kind of credit at `at`, with what is due by then.
    pub fn balance(&self, unit: &UnitCode, at: Timestamp) -> Balance {
        self.at(at).credits.balance(unit, at)
    }
}
