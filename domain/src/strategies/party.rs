//! One of the accounts of a history, and what a step may refer to.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::act::Act;
use super::payment::Payment;
use super::{billing, payments, spending};
use crate::account::{
    Account, AccountCommand, AccountEvent, AccountFact, AccountRefusal, OpenAccount, Settlement,
};
use crate::credits::{Consumption, CreditsEvent};
use crate::identity::{AccountId, GrantId, HoldId};
use crate::postings::{LedgerAccount, entry};
use crate::{Aggregate, Timestamp};

/// What a stream does to the books, netted per account, sub-ledger key and commodity; no zeros.
pub type Books = BTreeMap<(LedgerAccount, String, String), i128>;

/// An entry whose lines do not sum to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfooted {
    /// Whose.
    pub account: AccountId,
    /// The event's place in the stream, from 1.
    pub sequence: usize,
    /// The commodity.
    pub commodity: String,
    /// What its lines sum to.
    pub sum: i128,
}

/// An account, the stream that made it, and what a step may refer to.
#[derive(Debug, Clone)]
pub struct Party {
    id: AccountId,
    pub(super) account: Account,
    events: Vec<AccountEvent>,
    pub(super) lots: Vec<GrantId>,
    pub(super) holds: Vec<HoldId>,
    pub(super) uses: Vec<Consumption>,
    payments: Vec<Payment>,
}

impl Party {
    pub(super) fn named(account: &str) -> Self {
        Self {
            id: account.into(),
            account: Account::default(),
            events: Vec::new(),
            lots: Vec::new(),
            holds: Vec::new(),
            uses: Vec::new(),
            payments: Vec::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// The account as the stream made it.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The stream.
    pub fn events(&self) -> &[AccountEvent] {
        &self.events
    }

    /// What the stream does to the books.
    ///
    /// # Errors
    /// The first entry that does not foot.
    pub fn books(&self) -> Result<Books, Unfooted> {
        let mut books = Books::new();
        for (index, event) in self.events.iter().enumerate() {
            let mut sums = BTreeMap::<String, i128>::new();
            for line in entry(&self.id, event).into_iter().flat_map(|entry| entry.lines) {
                let amount = i128::from(line.amount);
                *sums.entry(line.commodity.clone()).or_default() += amount;
                *books.entry((line.account, line.key, line.commodity)).or_default() += amount;
            }
            if let Some((commodity, sum)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
                return Err(Unfooted {
                    account: self.id.clone(),
                    sequence: index + 1,
                    commodity,
                    sum,
                });
            }
        }
        books.retain(|_, amount| *amount != 0);
        Ok(books)
    }

    /// The command that opens it.
    pub(super) fn opening(&self) -> AccountCommand {
        AccountCommand::Open(OpenAccount {
            account: self.id.clone(),
            external_id: None,
            stripe_customer: None,
            time_zone: Tz::UTC,
            test_clock: None,
        })
    }

    /// The command of an act; what there is nothing of is waited for. `n` names what is new.
    pub(super) fn command(
        &mut self,
        other: &AccountId,
        act: &Act,
        n: usize,
        at: Timestamp,
    ) -> AccountCommand {
        match act {
            Act::Wait => AccountCommand::WriteDue,
            Act::Credits(act) => spending::command(self, other, act, n, at),
            Act::Billing(act) => billing::command(&self.account.at(at), act, n, at),
            Act::Payment(act) => {
                let told = payments::after(&mut self.payments, act, n, at).map(|payment| payment.group(at));
                told.map_or(AccountCommand::WriteDue, |group| {
                    AccountCommand::Settle(Settlement {
                        account: self.id.clone(),
                        customer: None,
                        time_zone: Tz::UTC,
                        groups: vec![group],
                    })
                })
            }
        }
    }

    pub(super) fn decide(
        &self,
        command: &AccountCommand,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, AccountRefusal> {
        self.account.decide(command, at)
    }

    /// Fold what happened, and remember what later steps may be about.
    pub(super) fn happened(&mut self, events: &[AccountEvent]) {
        for event in events {
            self.account.evolve(event);
            if let AccountFact::Credits(credits) = &event.fact {
                self.uses.extend(Consumption::of(credits));
                let new = credits
                    .new_lots()
                    .into_iter()
                    .map(|granted| granted.grant.clone());
                self.lots.extend(new);
                if let CreditsEvent::CreditsHeld(held) = credits {
                    self.holds.push(held.hold.clone());
                }
            }
        }
        self.events.extend_from_slice(events);
    }
}
