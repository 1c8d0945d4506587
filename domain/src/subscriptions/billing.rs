//! From items to lines: what a whole period costs and gives, and what a change within one does.

use std::collections::BTreeSet;

use super::contract::Contract;
use super::discount::Discount;
use super::invoice_event::{BilledLine, InvoiceLine, LineClawback, LineItem};
use super::proration::{nanoseconds, prorate, share};
use super::tax::{LineTax, TaxRate};
use super::terms::ContractItem;
use crate::Timestamp;
use crate::calendar::{Period, Schedule};
use crate::credits::{CreditsGranted, GrantSource, Rollover};
use crate::identity::{GrantId, GroupId, InvoiceId, SubscriptionId};
use crate::money::{Currency, Money, half_away};
use crate::quantity::Units;

/// What ran until a change, and what of its price is left to credit.
#[derive(Debug, Clone)]
pub(crate) struct Replaced {
    /// The item.
    pub(crate) item: ContractItem,
    /// What a whole period of it is worth: less than its price where part of that was given back already.
    pub(crate) worth: i64,
    /// What is left of the tax that was charged for it, and its rate; none if none was.
    pub(crate) tax: Option<LineTax>,
}

/// The lines of an invoice to be issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bill {
    /// Whose.
    pub(crate) subscription: SubscriptionId,
    /// Its id, from the subscription and the bill's number.
    pub(crate) invoice: InvoiceId,
    /// What it is in; none if nothing on it costs anything, and nothing is issued.
    pub(crate) currency: Option<Currency>,
    /// What it is for.
    pub(crate) lines: Vec<InvoiceLine>,
    number: u32,
    /// The tax on what it charges.
    tax: Option<TaxRate>,
    /// When its periods begin and end.
    pub(crate) schedule: Schedule,
}

/// The period of a schedule that an instant is in, if its length can be counted.
pub(crate) fn whole_period(schedule: &Schedule, instant: Timestamp) -> Option<Period> {
    let period = schedule.period_at(instant)?;
    nanoseconds(period.start, period.end).filter(|length| *length > 0)?;
    Some(period)
}

impl Bill {
    /// An empty one: the next of a contract.
    pub(crate) fn next_of(subscription: &SubscriptionId, contract: &mut Contract) -> Self {
        contract.invoices += 1;
        Self {
            subscription: subscription.clone(),
            invoice: InvoiceId(format!("in_{subscription}_{}", contract.invoices)),
            currency: contract.currency,
            lines: Vec::new(),
            number: contract.invoices,
            tax: contract.tax,
            schedule: contract.schedule,
        }
    }

    /// The tax of its lines.
    pub(crate) fn tax(&self) -> i64 {
        self.lines.iter().map(InvoiceLine::tax).sum()
    }

    /// Its lines with their tax: what it asks for, negative where unused time is worth more.
    pub(crate) fn gross(&self) -> i64 {
        self.lines.iter().map(InvoiceLine::gross).sum()
    }

    /// What becomes of an item's credits that are left at the end of their period: by its plan's rule, in a series of the
    /// item's own.
    fn rollover(&self, item: &ContractItem, end: Timestamp) -> Option<Rollover> {
        let rule = item.terms.rollover.as_ref()?;
        Some(Rollover {
            series: format!("{}:{}", self.subscription, item.item),
            cap: rule.cap,
            expires_at: match rule.expires_after {
                Some(interval) => interval.after(end, self.schedule.zone),
                None => self.schedule.period_at(end).map(|next| next.end),
            },
        })
    }

    /// A line for a time of an item.
    fn line(&mut self, id: String, item: &ContractItem, amount: i64, service: Period) -> &mut InvoiceLine {
        let of = LineItem {
            item: item.item.clone(),
            plan: item.terms.plan.clone(),
            quantity: item.quantity,
        };
        self.lines.push(InvoiceLine {
            subscription: Some(self.subscription.clone()),
            of: Some(of),
            ..InvoiceLine::plain(id, amount, service)
        });
        self.lines.last_mut().expect("just pushed")
    }

    /// A charge, with the lot it gives; the item remembers both.
    fn charge(
        &mut self,
        id: String,
        item: &mut ContractItem,
        amount: i64,
        units: Units,
        service: Period,
    ) -> &mut InvoiceLine {
        item.grant = units.is_positive().then(|| {
            GrantId(format!(
                "grant_{}_{}_{}",
                self.subscription, item.item, self.number
            ))
        });
        item.billed = self.currency.map(|_| BilledLine {
            invoice: self.invoice.clone(),
            line: id.clone(),
        });
        let (amount, tax) = taxed(amount, self.tax);
        let cost = self.currency.and_then(|currency| {
            let minor = item.credits_share(amount, currency);
            (minor > 0).then(|| Money::new(minor, currency))
        });
        let lot = item.grant.clone().map(|grant| CreditsGranted {
            grant,
            unit: item.terms.unit.clone(),
            units,
            source: GrantSource::Plan,
            cost,
            priority: 0,
            expires_at: Some(service.end),
            purchase: None,
            invoice_line: cost.map(|_| id.clone()),
            group: Some(GroupId(format!("inv:{}", self.invoice))),
            reference: None,
            scope: item.terms.scope.clone(),
            rollover: self.rollover(item, service.end),
        });
        let line = self.line(id, item, amount, service);
        line.credits = lot.map(Box::new);
        line.tax = tax;
        line
    }
}

/// An amount in the price's terms, without its tax, and that tax.
fn taxed(amount: i64, rate: Option<TaxRate>) -> (i64, Option<LineTax>) {
    let Some(rate) = rate else { return (amount, None) };
    let (amount, tax) = rate.split(amount);
    (amount, Some(LineTax { rate, amount: tax }))
}

/// A whole period of every item.
pub(crate) fn period_bill(mut bill: Bill, items: &mut [ContractItem], period: Period) -> Bill {
    for item in items {
        let (id, amount, units) = (
            format!("{}:{}", bill.invoice, item.item),
            item.charged(),
            item.given(),
        );
        bill.charge(id, item, amount, units, period)
            .discount
            .clone_from(&item.discount);
    }
    bill
}

/// What a change at `at` does to the rest of the period: the unused time of what ran is credited, and with it goes the
/// same share of its credits; the same time of what is to run is charged, and gives its share. What runs on is left
/// alone. Gives the bill and the period's new residual.
pub(crate) fn proration_bill(
    mut bill: Bill,
    old: &[Replaced],
    new: &mut [ContractItem],
    (at, period): (Timestamp, Period),
    residual: i64,
) -> (Bill, i64) {
    let length = nanoseconds(period.start, period.end).expect("a period's length was counted when it began");
    let rest = nanoseconds(at, period.end).unwrap_or(0).min(length);
    let service = Period {
        start: at,
        end: period.end,
    };
    let names: BTreeSet<String> = old
        .iter()
        .map(|old| &old.item)
        .chain(new.iter())
        .map(|item| item.item.clone())
        .collect();
    let mut pairs = Vec::new();
    for name in &names {
        let was = old.iter().position(|old| old.item.item == *name);
        let is = new.iter().position(|item| item.item == *name);
        match (was, is) {
            (Some(was), Some(is)) if old[was].item.runs_on_as(&new[is]) => new[is].runs_on(&old[was].item),
            pair => pairs.push(pair),
        }
    }
    let whole: Vec<i64> = pairs
        .iter()
        .flat_map(|(was, is)| [was.map(|was| -old[was].worth), is.map(|is| new[is].charged())])
        .flatten()
        .collect();
    let prorated = prorate(&whole, rest, length, residual);
    let mut amounts = prorated.amounts.into_iter();
    let mut next = || amounts.next().expect("an amount for every line");
    for (was, is) in pairs {
        if let Some(was) = was {
            credit_unused(&mut bill, &old[was], next(), service, (rest, length));
        }
        if let Some(is) = is {
            let (id, amount) = (format!("{}:{}:rest", bill.invoice, new[is].item), next());
            let units = share(new[is].given(), rest, length);
            let discount = new[is].discount.clone();
            bill.charge(id, &mut new[is], amount, units, service).discount =
                discount.map(|discount| Discount {
                    amount: off_rest(discount.amount, rest, length),
                    ..discount
                });
        }
    }
    for line in &mut bill.lines {
        line.proration = true;
    }
    (bill, prorated.residual)
}

/// What a change to another interval does: the unused time of what ran is credited, and a whole period of what is to
/// run begins.
pub(crate) fn replacement_bill(
    mut bill: Bill,
    old: &[Replaced],
    new: &mut [ContractItem],
    (at, ended, begun): (Timestamp, Period, Period),
    residual: i64,
) -> Bill {
    let (credited, _) = proration_bill(bill.clone(), old, &mut [], (at, ended), residual);
    bill.lines = credited.lines;
    period_bill(bill, new, begun)
}

/// What a discount takes off the rest of a period.
fn off_rest(discount: i64, rest: i64, length: i64) -> i64 {
    let part = half_away(i128::from(discount) * i128::from(rest), i128::from(length));
    i64::try_from(part).expect("a part of an i64 discount is an i64")
}

fn credit_unused(
    bill: &mut Bill,
    Replaced { item, tax, .. }: &Replaced,
    amount: i64,
    service: Period,
    (rest, length): (i64, i64),
) {
    let (amount, tax) = match *tax {
        None => (amount, None),
        Some(LineTax { rate, amount: left }) => {
            let (amount, tax) = rate.split_within(amount, left);
            (amount, Some(LineTax { rate, amount: tax }))
        }
    };
    let units = share(item.given(), rest, length);
    let revokes = item.grant.clone().filter(|_| units.is_positive());
    let id = format!("{}:{}:unused", bill.invoice, item.item);
    let line = bill.line(id, item, amount, service);
    line.revokes = revokes.map(|grant| LineClawback { grant, units });
    line.tax = tax;
    line.unused_of.clone_from(&item.billed);
}
