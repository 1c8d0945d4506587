//! What rows have to say by the fold, in the shape of `repo::check`.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use tallybook_domain::account::{Fact, Group};
use tallybook_domain::credits::{EndedHold, Hold, Lot};
use tallybook_domain::identity::UnitCode;
use tallybook_domain::postings::{Entry, SubLedgerTerms};
use tallybook_domain::purchases::PurchasesEvent;
use tallybook_domain::quantity::Units;
use tallybook_domain::subscriptions::SubscriptionState;
use tallybook_domain::trials::TrialState;

use super::fold::Folded;
use crate::batch::Record;
use crate::storable;

fn micros(at: DateTime<Utc>) -> i64 {
    storable::instant(at).timestamp_micros()
}

fn text(found: Option<&str>) -> Option<String> {
    found.map(|text| storable::text(text).into_owned())
}

pub(super) fn index(record: &Record) -> Option<Value> {
    let stream = record.stream.as_ref()?;
    let recorded = &record.recorded;
    Some(json!([
        stream.tenant(),
        stream.name(),
        recorded.aggregate_type,
        recorded.sequence,
        recorded.event_type,
        recorded.event_version,
        micros(recorded.recorded_at),
    ]))
}

pub(super) fn entry(
    record: &Record,
    entry: &Entry,
    is_reversal: bool,
    number: i64,
    date: NaiveDate,
) -> Value {
    let recorded = &record.recorded;
    let stream = record.stream.as_ref();
    let lines: Vec<Value> = entry
        .lines
        .iter()
        .map(|line| {
            json!({
                "account": line.account,
                "key": storable::text(&line.key),
                "commodity": line.commodity,
                "amount": line.amount,
            })
        })
        .collect();
    json!([
        stream.map(|stream| stream.tenant().as_str()),
        stream.map(tallybook_domain::identity::StreamId::name),
        recorded.aggregate_type,
        recorded.sequence,
        number,
        storable::text(entry.key.as_str()),
        entry.description,
        is_reversal,
        micros(entry.effective_at),
        date,
        micros(recorded.recorded_at),
        storable::text(&record.actor().unwrap_or_default()),
        lines,
    ])
}

pub(super) fn terms(said: &SubLedgerTerms) -> Value {
    json!([
        text(said.product.as_deref()),
        said.source,
        said.span.map(|(start, _)| micros(start)),
        said.span.and_then(|(_, end)| end).map(micros),
    ])
}

pub(super) fn recurring(effective_at: DateTime<Utc>, items: &Value) -> Value {
    json!([micros(effective_at), items])
}

pub(super) fn account(folded: &Folded) -> Value {
    let customers: Vec<_> = folded.state.customers().map(storable::text).collect();
    json!([
        text(folded.state.external_id()),
        customers,
        micros(folded.opened_at),
        folded.opened_position,
        folded.version,
        folded.position,
    ])
}

pub(super) fn subscription(state: &SubscriptionState) -> Value {
    json!([
        state.driver,
        state.status,
        state.items,
        micros(state.period_start),
        micros(state.period_end),
        state.cancel_at_period_end,
        state.cancel_at.map(micros),
        state.trial_end.map(micros),
        state.ended_at.map(micros),
    ])
}

pub(super) fn trial(state: &TrialState) -> Value {
    json!([state.status, micros(state.started_at), micros(state.ends_at)])
}

pub(super) fn lot(lot: &Lot) -> Value {
    let terms = &lot.terms;
    json!([
        terms.unit,
        terms.source,
        terms.priority,
        micros(lot.effective_at),
        terms.expires_at.map(micros),
        terms.purchase,
        terms.invoice_line,
        text(terms.reference.as_deref()),
        terms.cost.map(|cost| cost.minor),
        lot.currency().map(|currency| currency.to_string()),
        lot.granted,
        lot.available,
        lot.held,
        lot.frozen,
        lot.consumed,
        lot.expired,
        lot.revoked + lot.removed,
        lot.overdrawn,
        lot.moved,
        lot.released_cost(),
    ])
}

pub(super) fn hold(hold: &Hold) -> Value {
    let end: [Value; 2] = Default::default();
    hold_row(
        &hold.unit,
        [hold.units, hold.captured],
        [hold.placed_at, hold.expires_at],
        end,
    )
}

pub(super) fn ended_hold(hold: &EndedHold) -> Value {
    let end = [json!(hold.how), json!(micros(hold.ended_at))];
    hold_row(
        &hold.unit,
        [hold.units, hold.captured],
        [hold.placed_at, hold.expires_at],
        end,
    )
}

fn hold_row(unit: &UnitCode, units: [Units; 2], times: [DateTime<Utc>; 2], end: [Value; 2]) -> Value {
    let ([units, captured], [placed_at, expires_at], [ended, ended_at]) = (units, times.map(micros), end);
    json!([unit, units, captured, placed_at, expires_at, ended, ended_at])
}

/// When the account next needs the clock, if ever.
pub(super) fn timer(folded: &Folded) -> Option<Value> {
    let due = folded.state.next_due()?;
    Some(json!([
        folded.state.test_clock(),
        micros(due),
        folded.version,
        folded.position,
    ]))
}

/// What stands about a payment. `None`: nothing does.
#[derive(Default)]
struct Standing {
    cash: i128,
    bought: [Value; 7],
    refunded: i128,
    refunded_paid: i128,
    disputed: i128,
    lost: i128,
    fees: i128,
    opened: i64,
    closed: i64,
}

/// What stands about a payment, from the facts that do.
pub(super) fn payment(group: &Group) -> Value {
    use PurchasesEvent as E;
    let mut sum = Standing::default();
    for dated in group.facts.values() {
        let Fact::Purchases(event) = &dated.fact else {
            continue;
        };
        match event {
            E::CashReceived(e) => sum.cash += i128::from(e.amount.minor),
            E::PurchasePaid(e) => {
                sum.bought = [
                    json!(e.grant),
                    json!(e.unit),
                    json!(e.units),
                    json!(e.gross.minor),
                    json!(e.tax),
                    json!(e.pack),
                    json!(micros(dated.effective_at)),
                ];
            }
            E::RefundRecorded(e) => sum.refunded += i128::from(e.amount.minor),
            E::RefundReversed(e) => sum.refunded -= i128::from(e.amount.minor),
            E::RefundPaid(e) => sum.refunded_paid += i128::from(e.amount.minor),
            E::RefundReturned(e) => sum.refunded_paid -= i128::from(e.amount.minor),
            E::DisputeOpened(_) => sum.opened += 1,
            E::DisputeFundsWithdrawn(e) => {
                sum.disputed += i128::from(e.amount.minor);
                sum.fees += i128::from(e.fee);
            }
            E::DisputeFundsReinstated(e) => {
                sum.disputed -= i128::from(e.amount.minor);
                sum.fees -= i128::from(e.fee);
            }
            E::DisputeClosed(e) => {
                sum.closed += 1;
                sum.lost += i128::from(e.lost.minor);
            }
        }
    }
    let mut facts = vec![json!(sum.cash.to_string())];
    facts.extend(sum.bought);
    let sums = [sum.refunded, sum.refunded_paid, sum.disputed, sum.lost, sum.fees];
    facts.extend(sums.map(|sum| json!(sum.to_string())));
    facts.extend([json!(sum.opened), json!(sum.closed)]);
    Value::Array(facts)
}

/// A balance of unit accounts: whereabouts of a kind of credit, as the postings have them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Whereabouts {
    pub(super) issued: i128,
    pub(super) wallet: i128,
    pub(super) held: i128,
    pub(super) consumed: i128,
    pub(super) expired: i128,
    pub(super) revoked: i128,
    pub(super) overdraft: i128,
    /// To other accounts, less from them.
    pub(super) moved: i128,
}

impl Whereabouts {
    pub(super) fn facts(&self) -> Value {
        let sums = [
            self.issued,
            self.wallet,
            self.held,
            self.consumed,
            self.expired,
            self.revoked,
            self.overdraft,
            self.moved,
        ];
        Value::Array(sums.iter().map(|sum| json!(sum.to_string())).collect())
    }
}

/// Whereabouts by kind of credit.
pub(super) type Balances = BTreeMap<String, Whereabouts>;
