//! A payment as Stripe would tell it by now: what a settlement of it says.

use std::collections::BTreeSet;

use crate::Timestamp;
use crate::account::{DatedFact, Fact, GroupFacts, LotTerms};
use crate::credits::{CreditsGranted, GrantSource, Rollover};
use crate::identity::{GrantId, GroupId, PaymentId, UnitCode};
use crate::money::{Currency, Money};
use crate::purchases::{
    CashReceived, Channel, DisputeClosed, DisputeFunds, DisputeOpened, DisputeOutcome, PurchasePaid,
    PurchasesEvent, Refund, RefundMoney,
};
use crate::quantity::Units;

/// A payment and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) id: PaymentId,
    pub(super) lot: Lot,
    paid_at: Timestamp,
    gross: i64,
    tax: i64,
    refunds: Vec<GivenBack>,
    dispute: Option<(Timestamp, Option<(Timestamp, bool)>)>,
}

/// What it bought.
#[derive(Debug, Clone)]
pub(super) struct Lot {
    pub(super) unit: UnitCode,
    pub(super) units: Units,
    pub(super) scope: BTreeSet<String>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) rollover: Option<Rollover>,
}

#[derive(Debug, Clone)]
struct GivenBack {
    amount: i64,
    tax: i64,
    at: Timestamp,
    failed_at: Option<Timestamp>,
}

impl Payment {
    pub(super) fn new(id: &str, paid_at: Timestamp, (gross, tax): (i64, i64), lot: Lot) -> Self {
        Self {
            id: id.into(),
            lot,
            paid_at,
            gross,
            tax,
            refunds: Vec::new(),
            dispute: None,
        }
    }

    /// Give back so much, at most what is left.
    pub(super) fn refund(&mut self, percent: i64, at: Timestamp) {
        let standing = |given: &&GivenBack| given.failed_at.is_none();
        let given: i64 = self.refunds.iter().filter(standing).map(|it| it.amount).sum();
        let given_tax = self.refunded_tax();
        let amount = (self.gross * percent / 100).min(self.gross - given);
        if amount > 0 {
            // Tax by cumulative share: never more than was charged.
            let tax = self.tax * (given + amount) / self.gross - given_tax;
            self.refunds.push(GivenBack {
                amount,
                tax: tax.max(0),
                at,
                failed_at: None,
            });
        }
    }

    fn refunded_tax(&self) -> i64 {
        let standing = self.refunds.iter().filter(|given| given.failed_at.is_none());
        standing.map(|given| given.tax).sum()
    }

    /// The last refund fails, or turns out not to have.
    pub(super) fn fail_refund(&mut self, at: Timestamp) {
        let left = self.gross
            - self
                .refunds
                .iter()
                .filter(|it| it.failed_at.is_none())
                .map(|it| it.amount)
                .sum::<i64>();
        if let Some(last) = self.refunds.last_mut() {
            match last.failed_at {
                None => last.failed_at = Some(at),
                Some(_) if last.amount <= left => last.failed_at = None,
                Some(_) => {}
            }
        }
    }

    pub(super) fn dispute(&mut self, at: Timestamp) {
        self.dispute.get_or_insert((at, None));
    }

    pub(super) fn close_dispute(&mut self, at: Timestamp, is_won: bool) {
        if let Some((_, closed)) = &mut self.dispute {
            *closed = Some((at, is_won));
        }
    }

    /// All that should stand about it.
    pub(super) fn group(&self, as_of: Timestamp) -> GroupFacts {
        GroupFacts {
            group: GroupId(format!("pay:{}", self.id)),
            facts: self.facts(),
            lots: vec![LotTerms {
                granted: self.granted(),
                effective_at: self.paid_at,
            }],
            subscription: None,
            trial: None,
            as_of,
        }
    }

    fn grant(&self) -> GrantId {
        GrantId(format!("grant_{}", self.id))
    }

    fn granted(&self) -> CreditsGranted {
        CreditsGranted {
            grant: self.grant(),
            unit: self.lot.unit.clone(),
            units: self.lot.units,
            source: GrantSource::Paid,
            cost: Some(usd(self.gross - self.tax)).filter(|cost| cost.minor != 0),
            priority: 0,
            expires_at: self.lot.expires_at,
            purchase: Some(self.id.clone()),
            invoice_line: None,
            group: Some(GroupId(format!("pay:{}", self.id))),
            reference: None,
            scope: self.lot.scope.clone(),
            rollover: self.lot.rollover.clone(),
        }
    }

    fn facts(&self) -> Vec<DatedFact> {
        let cash = PurchasesEvent::CashReceived(CashReceived {
            payment: self.id.clone(),
            amount: usd(self.gross),
            channel: Channel::Stripe,
            purchase: None,
        });
        let paid = PurchasesEvent::PurchasePaid(PurchasePaid {
            payment: self.id.clone(),
            grant: self.grant(),
            gross: usd(self.gross),
            tax: self.tax,
            units: self.lot.units,
            unit: self.lot.unit.clone(),
            pack: None,
            purchase: None,
            bundled: Vec::new(),
        });
        let mut facts = vec![(self.paid_at, cash), (self.paid_at, paid)];
        for (number, given) in self.refunds.iter().enumerate() {
            facts.extend(self.given_back(number, given));
        }
        facts.extend(self.disputed());
        facts
            .into_iter()
            .map(|(effective_at, event)| DatedFact {
                fact: Fact::Purchases(event),
                effective_at,
            })
            .collect()
    }

    fn given_back(&self, number: usize, given: &GivenBack) -> Vec<(Timestamp, PurchasesEvent)> {
        let refund = format!("re_{}_{number}", self.id);
        let recorded = Refund {
            refund: refund.clone(),
            payment: self.id.clone(),
            amount: usd(given.amount),
            tax: given.tax,
            unapplied: false,
            reason: None,
        };
        let money = RefundMoney {
            refund,
            payment: self.id.clone(),
            amount: usd(given.amount),
            channel: Channel::Stripe,
        };
        let mut facts = vec![
            (given.at, PurchasesEvent::RefundRecorded(recorded.clone())),
            (given.at, PurchasesEvent::RefundPaid(money.clone())),
        ];
        if let Some(failed_at) = given.failed_at {
            facts.push((failed_at, PurchasesEvent::RefundReversed(recorded)));
            facts.push((failed_at, PurchasesEvent::RefundReturned(money)));
        }
        facts
    }

    fn disputed(&self) -> Vec<(Timestamp, PurchasesEvent)> {
        let Some((opened_at, closed)) = self.dispute else {
            return Vec::new();
        };
        let dispute = format!("du_{}", self.id);
        let funds = |transaction: &str| DisputeFunds {
            dispute: dispute.clone(),
            payment: self.id.clone(),
            transaction: format!("txn_{}_{transaction}", self.id),
            amount: usd(self.gross),
            fee: 15,
        };
        let opened = DisputeOpened {
            dispute: dispute.clone(),
            payment: self.id.clone(),
            amount: usd(self.gross),
        };
        let mut facts = vec![
            (opened_at, PurchasesEvent::DisputeOpened(opened)),
            (opened_at, PurchasesEvent::DisputeFundsWithdrawn(funds("out"))),
        ];
        if let Some((closed_at, is_won)) = closed {
            if is_won {
                facts.push((closed_at, PurchasesEvent::DisputeFundsReinstated(funds("back"))));
            }
            let (outcome, lost) = if is_won {
                (DisputeOutcome::Won, 0)
            } else {
                (DisputeOutcome::Lost, self.gross)
            };
            let closed = DisputeClosed {
                dispute,
                payment: self.id.clone(),
                outcome,
                lost: usd(lost),
                tax: if is_won { 0 } else { self.tax - self.refunded_tax() },
                unapplied: false,
            };
            facts.push((closed_at, PurchasesEvent::DisputeClosed(closed)));
        }
        facts
    }
}

pub(super) fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}
