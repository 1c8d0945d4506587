//! A history as it unfolds: the commands of its steps, judged by the rules in memory.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Duration, TimeZone, Utc};
use chrono_tz::Tz;

use super::act::{Act, Step};
use super::billing;
use super::payment::{Payment, usd};
use crate::account::{
    Account, AccountCommand, AccountEvent, AccountRefusal, BeyondHold, CaptureHold, DebitCredits,
    GrantCredits, HoldCredits, OpenAccount, ReleaseHold, Settlement,
};
use crate::credits::OnExpiry;
use crate::identity::{AccountId, DebitId, GrantId, HoldId, UnitCode};
use crate::postings::{LedgerAccount, entry};
use crate::quantity::Units;
use crate::{Aggregate, Timestamp};

/// An account, the stream that made it, and what a step may refer to.
#[derive(Debug, Clone)]
pub struct Play {
    id: AccountId,
    account: Account,
    events: Vec<AccountEvent>,
    at: Timestamp,
    steps: usize,
    holds: Vec<HoldId>,
    payments: Vec<Payment>,
}

/// An entry whose lines do not sum to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfooted {
    /// The event's place in the stream, from 1.
    pub sequence: usize,
    /// The commodity.
    pub commodity: String,
    /// What its lines sum to.
    pub sum: i128,
}

impl Play {
    /// An open account, on the evening before a month begins, so that time zones and month ends matter.
    pub fn open(account: &str) -> Self {
        let at = Utc
            .with_ymd_and_hms(2026, 1, 31, 22, 30, 0)
            .single()
            .expect("an instant of the calendar");
        let mut play = Self {
            id: account.into(),
            account: Account::default(),
            events: Vec::new(),
            at,
            steps: 0,
            holds: Vec::new(),
            payments: Vec::new(),
        };
        let open = AccountCommand::Open(play.opening());
        play.judge(&open, at)
            .expect("nothing stands against the first command");
        play
    }

    /// The command that opened it, for the system under test.
    pub fn opening(&self) -> OpenAccount {
        OpenAccount {
            account: self.id.clone(),
            external_id: None,
            stripe_customer: None,
            time_zone: Tz::UTC,
            test_clock: None,
        }
    }

    /// The account as the stream made it.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The stream.
    pub fn events(&self) -> &[AccountEvent] {
        &self.events
    }

    /// The instant of the last step.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The next step's command and when it is judged.
    pub fn next(&mut self, step: &Step) -> (Timestamp, AccountCommand) {
        self.at += step.after;
        self.steps += 1;
        (self.at, self.command(&step.act))
    }

    /// Judge a command by the rules and, if it is accepted, fold what happened.
    ///
    /// # Errors
    /// The refusal; nothing has changed then.
    pub fn judge(
        &mut self,
        command: &AccountCommand,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let events = self.account.decide(command, at)?;
        for event in &events {
            self.account.evolve(event);
        }
        self.events.extend(events.iter().cloned());
        Ok(events)
    }

    /// What the stream does to the books, netted per account, sub-ledger key and commodity; no zeros.
    ///
    /// # Errors
    /// The first entry that does not foot.
    pub fn books(&self) -> Result<BTreeMap<(LedgerAccount, String, String), i128>, Unfooted> {
        let mut books = BTreeMap::new();
        for (index, event) in self.events.iter().enumerate() {
            let mut sums = BTreeMap::<String, i128>::new();
            for line in entry(&self.id, event).into_iter().flat_map(|entry| entry.lines) {
                let amount = i128::from(line.amount);
                *sums.entry(line.commodity.clone()).or_default() += amount;
                *books.entry((line.account, line.key, line.commodity)).or_default() += amount;
            }
            if let Some((commodity, sum)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
                return Err(Unfooted {
                    sequence: index + 1,
                    commodity,
                    sum,
                });
            }
        }
        books.retain(|_, amount| *amount != 0);
        Ok(books)
    }

    fn command(&mut self, act: &Act) -> AccountCommand {
        let n = self.steps;
        match *act {
            Act::Grant { .. } => self.grant(act),
            Act::Debit { micros } => AccountCommand::Debit(DebitCredits {
                debit: DebitId(format!("debit_{n}")),
                unit: UnitCode::default(),
                units: Units::from_micros(micros),
                feature: None,
                quantity: None,
                reference: None,
            }),
            Act::Hold { micros, hours } => {
                let hold = HoldId(format!("hold_{n}"));
                self.holds.push(hold.clone());
                AccountCommand::Hold(HoldCredits {
                    hold,
                    unit: UnitCode::default(),
                    units: Units::from_micros(micros),
                    expires_in: Duration::hours(hours),
                    feature: None,
                    reference: None,
                    on_expiry: OnExpiry::Keep,
                })
            }
            Act::Capture {
                hold,
                micros,
                is_final,
            } => AccountCommand::Capture(CaptureHold {
                hold: self.hold(hold),
                debit: DebitId(format!("debit_{n}")),
                units: micros.map(Units::from_micros),
                is_final,
                beyond_hold: BeyondHold::Refuse,
            }),
            Act::Release { hold } => AccountCommand::Release(ReleaseHold {
                hold: self.hold(hold),
            }),
            Act::Billing(ref act) => billing::command(&self.account.at(self.at), act, n, self.at),
            Act::Wait => AccountCommand::WriteDue,
            Act::Pay { .. }
            | Act::Refund { .. }
            | Act::FailRefund { .. }
            | Act::Dispute { .. }
            | Act::CloseDispute { .. }
            | Act::Correct { .. } => self.of_a_payment(act),
        }
    }

    fn grant(&self, act: &Act) -> AccountCommand {
        let Act::Grant {
            source,
            micros,
            cost,
            priority,
            begins_in,
            lasts,
        } = *act
        else {
            return AccountCommand::WriteDue;
        };
        let begins = self.at + Duration::hours(begins_in);
        AccountCommand::Grant(GrantCredits {
            grant: GrantId(format!("grant_{}", self.steps)),
            unit: UnitCode::default(),
            units: Units::from_micros(micros),
            source,
            cost: (cost > 0).then(|| usd(cost)),
            priority,
            effective_at: Some(begins),
            expires_at: lasts.map(|hours| begins + Duration::hours(hours)),
            reference: None,
            scope: BTreeSet::new(),
        })
    }

    /// A hold there is; one there never was, if there is none.
    fn hold(&self, pick: usize) -> HoldId {
        match self.holds.len() {
            0 => "hold_none".into(),
            count => self.holds[pick % count].clone(),
        }
    }

    fn of_a_payment(&mut self, act: &Act) -> AccountCommand {
        let at = self.at;
        let picked = match *act {
            Act::Pay {
                gross,
                tax_percent,
                micros,
                lasts,
                ago,
            } => {
                let tax = gross * tax_percent / (100 + tax_percent);
                self.payments.push(Payment::new(
                    &format!("pi_{}", self.steps),
                    at - Duration::hours(ago),
                    (gross, tax),
                    Units::from_micros(micros),
                    lasts.map(Duration::hours),
                ));
                self.payments.len() - 1
            }
            Act::Refund { payment, .. }
            | Act::FailRefund { payment }
            | Act::Dispute { payment }
            | Act::CloseDispute { payment, .. }
            | Act::Correct { payment, .. } => payment,
            _ => return AccountCommand::WriteDue,
        };
        let Some(count) = Some(self.payments.len()).filter(|count| *count > 0) else {
            return AccountCommand::WriteDue;
        };
        let payment = &mut self.payments[picked % count];
        match *act {
            Act::Refund { percent, .. } => payment.refund(percent, at),
            Act::FailRefund { .. } => payment.fail_refund(at),
            Act::Dispute { .. } => payment.dispute(at),
            Act::CloseDispute { is_won, .. } => payment.close_dispute(at, is_won),
            Act::Correct { micros, .. } => {
                let corrected = payment.units.micros() + micros;
                payment.units = Units::from_micros(corrected.max(1));
            }
            _ => {}
        }
        AccountCommand::Settle(Settlement {
            account: self.id.clone(),
            customer: None,
            time_zone: Tz::UTC,
            groups: vec![payment.group(at)],
        })
    }
}
