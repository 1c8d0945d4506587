//! Payments: what came in, what it bought, what was given back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Serialize;
use sqlx::PgConnection;
use tallybook_domain::account::{AccountFact, AccountLifeEvent, Fact};
use tallybook_domain::money::Money;
use tallybook_domain::purchases::{PurchasePaid, PurchasesEvent};

use crate::batch::{AccountRecord, Batch};
use crate::projection::{ApplyError, Projection};
use crate::{repo::write::payments as repo, storable};

/// Every payment an account's stream names, by payment.
#[derive(Debug, Clone, Copy)]
pub struct Payments;

#[derive(Default)]
struct Moved {
    cash: i128,
    refunded: i128,
    refunded_paid: i128,
    disputed: i128,
    lost: i128,
    dispute_fees: i128,
    disputes_opened: i32,
    disputes_closed: i32,
}

struct Change<'a> {
    sequence: i64,
    position: i64,
    currency: &'a str,
    moved: Moved,
    bought: Bought<'a>,
}

/// What a batch says about what a payment bought; its last word counts.
#[derive(Clone, Copy)]
enum Bought<'a> {
    Unsaid,
    Credits(&'a PurchasePaid, DateTime<Utc>),
    Nothing,
}

impl<'a> Change<'a> {
    /// Add a fact (`sign` 1) or its reversal (-1).
    fn take(&mut self, event: &'a PurchasesEvent, sign: i32, effective_at: DateTime<Utc>) {
        use PurchasesEvent as E;
        let amount = |money: Money| i128::from(sign) * i128::from(money.minor);
        let moved = &mut self.moved;
        match event {
            E::CashReceived(e) => moved.cash += amount(e.amount),
            E::PurchasePaid(e) if sign > 0 => self.bought = Bought::Credits(e, effective_at),
            E::PurchasePaid(_) => self.bought = Bought::Nothing,
            E::RefundRecorded(e) => moved.refunded += amount(e.amount),
            E::RefundReversed(e) => moved.refunded -= amount(e.amount),
            E::RefundPaid(e) => moved.refunded_paid += amount(e.amount),
            E::RefundReturned(e) => moved.refunded_paid -= amount(e.amount),
            E::DisputeOpened(_) => moved.disputes_opened += sign,
            E::DisputeFundsWithdrawn(e) => {
                moved.disputed += amount(e.amount);
                moved.dispute_fees += i128::from(sign) * i128::from(e.fee);
            }
            E::DisputeFundsReinstated(e) => {
                moved.disputed -= amount(e.amount);
                moved.dispute_fees -= i128::from(sign) * i128::from(e.fee);
            }
            E::DisputeClosed(e) => {
                moved.disputes_closed += sign;
                moved.lost += amount(e.lost);
            }
        }
    }
}

fn currency(event: &PurchasesEvent) -> &str {
    use PurchasesEvent as E;
    match event {
        E::CashReceived(e) => e.amount.currency.code(),
        E::PurchasePaid(e) => e.gross.currency.code(),
        E::RefundRecorded(e) | E::RefundReversed(e) => e.amount.currency.code(),
        E::RefundPaid(e) | E::RefundReturned(e) => e.amount.currency.code(),
        E::DisputeOpened(e) => e.amount.currency.code(),
        E::DisputeFundsWithdrawn(e) | E::DisputeFundsReinstated(e) => e.amount.currency.code(),
        E::DisputeClosed(e) => e.lost.currency.code(),
    }
}

/// Tenant, account, payment.
type Key<'a> = (&'a str, &'a str, &'a str);

#[derive(Default)]
struct Changes<'a>(BTreeMap<Key<'a>, Change<'a>>);

impl<'a> Changes<'a> {
    fn note(&mut self, record: AccountRecord<'a>) {
        match &record.event.fact {
            AccountFact::Purchases(event) => self.take(record, event, 1),
            AccountFact::Life(AccountLifeEvent::FactReversed(reversed)) => {
                if let Fact::Purchases(event) = &reversed.original {
                    self.take(record, event, -1);
                }
            }
            AccountFact::Life(_)
            | AccountFact::Credits(_)
            // Until it is paid there is no payment to show.
            | AccountFact::PurchaseLife(_)
            | AccountFact::Invoices(_)
            | AccountFact::Recognition(_)
            | AccountFact::Subscriptions(_)
            | AccountFact::Trials(_)
            | AccountFact::Policies(_) => {}
        }
    }

    fn take(&mut self, record: AccountRecord<'a>, event: &'a PurchasesEvent, sign: i32) {
        let key = (record.tenant, record.account, event.payment().as_str());
        let change = self.0.entry(key).or_insert_with(|| Change {
            sequence: record.sequence(),
            position: 0,
            currency: currency(event),
            moved: Moved::default(),
            bought: Bought::Unsaid,
        });
        change.position = record.position();
        change.take(event, sign, record.event.effective_at);
    }
}

#[derive(Serialize)]
struct PaymentMoved<'a> {
    tenant: &'a str,
    account_id: &'a str,
    payment_id: &'a str,
    sequence: i64,
    currency: &'a str,
    cash: String,
    refunded: String,
    refunded_paid: String,
    disputed: String,
    lost: String,
    dispute_fees: String,
    disputes_opened: i32,
    disputes_closed: i32,
    position: i64,
}

impl<'a> PaymentMoved<'a> {
    fn new((tenant, account_id, payment_id): Key<'a>, change: &Change<'a>) -> Self {
        let moved = &change.moved;
        Self {
            tenant,
            account_id,
            payment_id,
            sequence: change.sequence,
            currency: change.currency,
            cash: moved.cash.to_string(),
            refunded: moved.refunded.to_string(),
            refunded_paid: moved.refunded_paid.to_string(),
            disputed: moved.disputed.to_string(),
            lost: moved.lost.to_string(),
            dispute_fees: moved.dispute_fees.to_string(),
            disputes_opened: moved.disputes_opened,
            disputes_closed: moved.disputes_closed,
            position: change.position,
        }
    }
}

#[derive(Serialize)]
struct Purchase<'a> {
    tenant: &'a str,
    account_id: &'a str,
    payment_id: &'a str,
    grant_id: Option<&'a str>,
    unit: Option<&'a str>,
    units: Option<i64>,
    gross: Option<i64>,
    tax: Option<i64>,
    pack: Option<&'a str>,
    paid_at: Option<DateTime<Utc>>,
}

impl<'a> Purchase<'a> {
    /// None where the batch does not say.
    fn new((tenant, account_id, payment_id): Key<'a>, bought: Bought<'a>) -> Option<Self> {
        let (purchase, paid_at) = match bought {
            Bought::Unsaid => return None,
            Bought::Credits(purchase, at) => (Some(purchase), Some(storable::instant(at))),
            Bought::Nothing => (None, None),
        };
        Some(Self {
            tenant,
            account_id,
            payment_id,
            grant_id: purchase.map(|p| p.grant.as_str()),
            unit: purchase.map(|p| p.unit.as_str()),
            units: purchase.map(|p| p.units.micros()),
            gross: purchase.map(|p| p.gross.minor),
            tax: purchase.map(|p| p.tax),
            pack: purchase.and_then(|p| p.pack.as_deref()),
            paid_at,
        })
    }
}

impl Projection for Payments {
    fn name(&self) -> &'static str {
        "payments"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["payments"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut changes = Changes::default();
            for record in batch.account_events()? {
                changes.note(record);
            }
            if changes.0.is_empty() {
                return Ok(());
            }
            let moved: Vec<_> = changes
                .0
                .iter()
                .map(|(key, change)| PaymentMoved::new(*key, change))
                .collect();
            repo::move_payments(connection, &storable::rows(&moved)?).await?;
            let bought: Vec<_> = changes
                .0
                .iter()
                .filter_map(|(key, change)| Purchase::new(*key, change.bought))
                .collect();
            if !bought.is_empty() {
                repo::set_purchases(connection, &storable::rows(&bought)?).await?;
            }
            Ok(())
        })
    }
}
