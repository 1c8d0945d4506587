//! What an account must get right, told as histories.

mod adjustments;
mod bounds;
mod bundles;
mod cash_application;
mod convergence;
mod coupons;
mod dunning;
mod given_back;
mod holds;
mod limits;
mod overdraft;
mod overdraft_reach;
mod proration;
mod purchases;
mod revenue;
mod reversals;
mod rollover;
mod scopes;
mod seats;
mod spending;
mod subscriptions;
mod taxes;
mod top_ups;
mod transfers;
mod trials;
mod unpaid_time;
mod voiding;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Duration, TimeZone, Utc};

use super::*;
use chrono_tz::Tz;

use crate::aggregate::{Aggregate, Timestamp};
use crate::credits::{CreditsGranted, GrantSource, Lot};
use crate::identity::{AccountId, GrantId, GroupId, PaymentId, UnitCode};
use crate::money::{Currency, Money};
use crate::postings::{self, LedgerAccount};
use crate::purchases::{
    CashReceived, Channel, DisputeClosed, DisputeFunds, DisputeOutcome, PurchasePaid, PurchasesEvent, Refund,
};
use crate::quantity::Units;

/// Midnight of a day in 2026, counted from January 1st.
pub(super) fn day(n: i64) -> Timestamp {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap() + Duration::days(n)
}

pub(super) fn credits(n: i64) -> Units {
    Units::from_credits(n).unwrap()
}

pub(super) fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// An account and the stream that made it.
#[derive(Clone)]
pub(super) struct World {
    pub(super) account: Account,
    pub(super) stream: Vec<AccountEvent>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::open("acct", Tz::UTC)
    }

    pub(super) fn named(account: &str) -> Self {
        Self::open(account, Tz::UTC)
    }

    pub(super) fn in_zone(time_zone: Tz) -> Self {
        Self::open("acct", time_zone)
    }

    /// An account that was never opened.
    pub(super) fn empty() -> Self {
        Self {
            account: Account::default(),
            stream: Vec::new(),
        }
    }

    fn open(account: &str, time_zone: Tz) -> Self {
        let mut world = Self::empty();
        let open = OpenAccount {
            account: account.into(),
            external_id: None,
            stripe_customer: None,
            time_zone,
            test_clock: None,
        };
        world.run(AccountCommand::Open(open), day(0)).unwrap();
        world
    }

    /// Judge and, if accepted, fold; every invariant is checked after each step.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a history reads better with commands in place"
    )]
    pub(super) fn run(
        &mut self,
        command: AccountCommand,
        at: Timestamp,
    ) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let before = self.account.clone();
        let events = self.account.decide(&command, at);
        assert_eq!(self.account, before, "deciding changes nothing");
        let events = events?;
        for event in &events {
            self.account.evolve(event);
        }
        self.stream.extend(events.clone());
        self.check();
        Ok(events)
    }

    fn check(&self) {
        for lot in self.account.credits().lots() {
            let whereabouts = lot.available
                + lot.held
                + lot.frozen
                + lot.consumed
                + lot.removed
                + lot.expired
                + lot.revoked
                + lot.moved
                - lot.overdrawn;
            assert_eq!(
                whereabouts, lot.granted,
                "units of {} are all somewhere",
                lot.terms.grant
            );
            assert!(
                lot.available >= Units::ZERO,
                "{} is not over-spent",
                lot.terms.grant
            );
        }
        let balances = self.balances();
        for lot in self.account.credits().lots() {
            let commodity = lot
                .terms
                .cost
                .map_or_else(|| "USD".to_owned(), |cost| cost.currency.code().to_owned());
            let deferred = balances
                .get(&(
                    LedgerAccount::ContractCredits,
                    lot.terms.grant.to_string(),
                    commodity.clone(),
                ))
                .copied()
                .unwrap_or_default();
            if lot.terms.purchase.is_none() || self.account.groups().values().any(|g| !g.facts.is_empty()) {
                assert_eq!(
                    -deferred,
                    lot_cost(lot) - lot.released_cost(),
                    "2110 of {}",
                    lot.terms.grant
                );
            }
        }
        let mut deferred: BTreeMap<(LedgerAccount, String, String), i64> = BTreeMap::new();
        for line in self.account.deferred_lines() {
            let key = (LedgerAccount::DeferredSubscription, line.line, "USD".to_owned());
            *deferred.entry(key).or_default() -= i64::try_from(line.deferred).unwrap();
        }
        deferred.retain(|_, amount| *amount != 0);
        let booked = balances.into_iter().filter(|((account, key, _), _)| {
            *account == LedgerAccount::DeferredSubscription && key != "acct"
        });
        assert_eq!(booked.collect::<BTreeMap<_, _>>(), deferred, "2120 of every line");
        let mut refolded = Account::default();
        for event in &self.stream {
            let wire = serde_json::to_string(event).unwrap();
            let back = <AccountEvent as crate::Event>::decode(event_name(event), 1, &wire).unwrap();
            assert_eq!(&back, event, "an event survives the wire");
            refolded.evolve(&back);
        }
        assert_eq!(refolded, self.account, "the stream is the account");
    }

    /// Ledger balances by (account, sub-ledger key, commodity), zeros dropped; every entry is checked to balance.
    pub(super) fn balances(&self) -> BTreeMap<(LedgerAccount, String, String), i64> {
        let mut balances: BTreeMap<_, i64> = BTreeMap::new();
        for event in &self.stream {
            let Some(entry) = postings::entry(&"acct".into(), event) else {
                continue;
            };
            let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
            for line in &entry.lines {
                *sums.entry(&line.commodity).or_default() += line.amount;
                *balances
                    .entry((line.account, line.key.clone(), line.commodity.clone()))
                    .or_default() += line.amount;
            }
            assert!(sums.values().all(|sum| *sum == 0), "{entry:?} balances");
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }

    /// Ledger netted per (natural key, account, sub-ledger key, commodity, date), zeros dropped.
    pub(super) fn nets(&self) -> BTreeMap<(String, LedgerAccount, String, String, chrono::NaiveDate), i64> {
        let mut nets: BTreeMap<_, i64> = BTreeMap::new();
        for event in &self.stream {
            let Some(entry) = postings::entry(&"acct".into(), event) else {
                continue;
            };
            for line in entry.lines {
                let key = (
                    entry.key.0.clone(),
                    line.account,
                    line.key,
                    line.commodity,
                    entry.effective_at.date_naive(),
                );
                *nets.entry(key).or_default() += line.amount;
            }
        }
        nets.retain(|_, amount| *amount != 0);
        nets
    }

    pub(super) fn balance(&self, at: Timestamp) -> crate::credits::Balance {
        self.account.balance(&UnitCode::default(), at)
    }

    pub(super) fn lot(&self, grant: &str) -> &Lot {
        self.account.credits().lot(&grant.into()).unwrap()
    }
}

fn lot_cost(lot: &Lot) -> i64 {
    if lot.granted.is_zero() { 0 } else { lot.cost() }
}

fn event_name(event: &AccountEvent) -> &'static str {
    crate::Event::name(event)
}

pub(super) fn grant(id: &str, units: i64) -> GrantCredits {
    GrantCredits {
        grant: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        source: GrantSource::Promotional,
        cost: None,
        priority: 0,
        effective_at: None,
        expires_at: None,
        reference: None,
        scope: BTreeSet::new(),
    }
}

pub(super) fn debit(id: &str, units: i64) -> AccountCommand {
    AccountCommand::Debit(DebitCredits {
        debit: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        feature: None,
        quantity: None,
        reference: None,
    })
}

/// A settled payment of a pack: facts under construction.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) facts: Vec<DatedFact>,
    pub(super) lot: LotTerms,
}

pub(super) fn fact(at: Timestamp, event: PurchasesEvent) -> DatedFact {
    DatedFact {
        fact: Fact::Purchases(event),
        effective_at: at,
    }
}

impl Payment {
    pub(super) fn of(units: Units, gross: i64, paid_at: Timestamp, expires_at: Option<Timestamp>) -> Self {
        let payment = PaymentId::from("pi_1");
        let grant = GrantId::from("grant_pi_1");
        let unit = UnitCode::default();
        let paid = PurchasePaid {
            payment: payment.clone(),
            grant: grant.clone(),
            gross: usd(gross),
            tax: 0,
            units,
            unit: unit.clone(),
            pack: None,
            purchase: None,
            bundled: Vec::new(),
        };
        let granted = CreditsGranted {
            grant,
            unit,
            units,
            source: GrantSource::Paid,
            cost: Some(usd(gross)),
            priority: 0,
            expires_at,
            purchase: Some(payment.clone()),
            invoice_line: None,
            group: Some("pay:pi_1".into()),
            reference: None,
            scope: BTreeSet::new(),
            rollover: None,
        };
        let cash = CashReceived {
            payment,
            amount: usd(gross),
            channel: Channel::Stripe,
            purchase: None,
        };
        Self {
            facts: vec![
                fact(paid_at, PurchasesEvent::CashReceived(cash)),
                fact(paid_at, PurchasesEvent::PurchasePaid(paid)),
            ],
            lot: LotTerms {
                granted,
                effective_at: paid_at,
            },
        }
    }

    pub(super) fn with(mut self, at: Timestamp, event: PurchasesEvent) -> Self {
        self.facts.push(fact(at, event));
        self
    }

    pub(super) fn settle(&self) -> AccountCommand {
        AccountCommand::Settle(Settlement {
            account: AccountId::from("acct"),
            customer: None,
            time_zone: Tz::UTC,
            groups: vec![GroupFacts {
                group: GroupId::from("pay:pi_1"),
                facts: self.facts.clone(),
                lots: vec![self.lot.clone()],
                subscription: None,
                trial: None,
                as_of: day(0),
            }],
        })
    }
}

pub(super) fn refund(id: &str, minor: i64) -> PurchasesEvent {
    PurchasesEvent::RefundRecorded(refund_body(id, minor))
}

pub(super) fn refund_failed(id: &str, minor: i64) -> PurchasesEvent {
    PurchasesEvent::RefundReversed(refund_body(id, minor))
}

fn refund_body(id: &str, minor: i64) -> Refund {
    Refund {
        refund: id.to_owned(),
        payment: "pi_1".into(),
        amount: usd(minor),
        tax: 0,
        unapplied: false,
        reason: None,
    }
}

pub(super) fn withdrawn(dispute: &str, txn: &str, minor: i64) -> PurchasesEvent {
    PurchasesEvent::DisputeFundsWithdrawn(funds(dispute, txn, minor))
}

pub(super) fn reinstated(dispute: &str, txn: &str, minor: i64) -> PurchasesEvent {
    PurchasesEvent::DisputeFundsReinstated(funds(dispute, txn, minor))
}

fn funds(dispute: &str, txn: &str, minor: i64) -> DisputeFunds {
    DisputeFunds {
        dispute: dispute.to_owned(),
        payment: "pi_1".into(),
        transaction: txn.to_owned(),
        amount: usd(minor),
        fee: 0,
    }
}

pub(super) fn closed(dispute: &str, outcome: DisputeOutcome, lost: i64) -> PurchasesEvent {
    PurchasesEvent::DisputeClosed(DisputeClosed {
        dispute: dispute.to_owned(),
        payment: "pi_1".into(),
        outcome,
        lost: usd(lost),
        tax: 0,
        unapplied: false,
    })
}
