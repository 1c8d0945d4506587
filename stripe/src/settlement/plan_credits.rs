//! Credits that come with a plan: one lot per subscription item and period, from the paid invoice's line. A change within a
//! period gives the share of the new plan's credits that is left of the period, and takes the same share of the old plan's.

use std::collections::BTreeMap;

use tallybook_domain::account::LotTerms;
use tallybook_domain::catalog::Plan;
use tallybook_domain::credits::{CreditsGranted, GrantSource};
use tallybook_domain::identity::{GrantId, GroupId};
use tallybook_domain::money::{Money, released};
use tallybook_domain::quantity::Units;
use tallybook_domain::subscriptions::proration::share;
use tallybook_domain::subscriptions::{LineClawback, credits_share};

use super::Waiting;
use super::collected::is_paid;
use super::history::{Histories, History};
use super::invoice::net_of;
use super::money::{Purse, Unbookable, instant};
use super::prices::Prices;
use super::proration::{Span, period_of, unused_of};
use crate::object::{Invoice, InvoiceLine};

/// The lots of a paid invoice's lines, and the first reason why one of them waits. Nothing for a catalog without plans: then
/// no price is expected to be mapped.
pub(super) fn settle(
    histories: &Histories<'_>,
    invoice: &History<'_, Invoice>,
    prices: &Prices,
) -> (Vec<LotTerms>, Option<Waiting>) {
    let mut lots = Vec::new();
    let mut waiting = None;
    for line in paid_lines(histories, invoice.winner, prices).filter(|line| !line.credits_unused_time()) {
        match lot(histories, invoice.winner, line, prices) {
            Ok(lot) => lots.extend(lot),
            Err(reason) => {
                waiting.get_or_insert(reason);
            }
        }
    }
    (lots, waiting)
}

/// What the lines of a paid invoice that credit unused time take back, by line: of the lot that the time had given, the share
/// that is left of its period. Nothing where it had given none.
pub(super) fn clawbacks(
    histories: &Histories<'_>,
    invoice: &Invoice,
    prices: &Prices,
) -> BTreeMap<String, LineClawback> {
    let credits = paid_lines(histories, invoice, prices).filter(|line| line.credits_unused_time());
    let taken = credits.filter_map(|line| Some((line.id.clone(), clawback(histories, line, prices)?)));
    taken.collect()
}

fn paid_lines<'i>(
    histories: &Histories<'_>,
    invoice: &'i Invoice,
    prices: &Prices,
) -> impl Iterator<Item = &'i InvoiceLine> + use<'i> {
    let counts = !prices.has_no_plans() && is_paid(histories, invoice);
    invoice.lines.iter().filter(move |_| counts)
}

fn clawback(histories: &Histories<'_>, credit: &InvoiceLine, prices: &Prices) -> Option<LineClawback> {
    let (invoice, billed) = unused_of(histories, credit)?;
    if !is_paid(histories, invoice) {
        return None;
    }
    let given = lot(histories, invoice, billed, prices).ok()??.granted;
    if given.source != GrantSource::Plan {
        return None;
    }
    let part = Span::of(credit)?;
    let period = period_around(histories, billed).filter(|period| part.length() <= period.length())?;
    let plan = prices.plan(billed.price.as_ref()?, instant(billed.period_start?).ok()?)?;
    let units = share(
        credits_of(plan, quantity(credit))?,
        part.length(),
        period.length(),
    );
    units.is_positive().then_some(LineClawback {
        grant: given.grant,
        units,
    })
}

/// The period that a line's credits are a share of: its own, unless it bills the rest of one.
fn period_around(histories: &Histories<'_>, line: &InvoiceLine) -> Option<Span> {
    if line.proration {
        period_of(histories, line)
    } else {
        Span::of(line)
    }
}

/// The lot that a line of a paid invoice gives. A whole period's is named after the item and the period, whichever invoice
/// bills it; that of the rest of a period after its own line.
fn lot(
    histories: &Histories<'_>,
    invoice: &Invoice,
    line: &InvoiceLine,
    prices: &Prices,
) -> Result<Option<LotTerms>, Waiting> {
    let (Some(item), Some(price), Some(service)) = (&line.subscription_item, &line.price, Span::of(line))
    else {
        return Ok(None);
    };
    let (starts_at, ends_at) = (instant(service.start)?, instant(service.end)?);
    let Some(plan) = prices.plan(price, starts_at) else {
        return Err(Waiting::UnmappedPrice { price: price.clone() });
    };
    let net = net_of(line);
    let Some((units, source)) = credits(line, net, plan) else {
        return Ok(None);
    };
    let Some(period) = period_around(histories, line) else {
        let subscription = line.subscription.clone();
        return subscription.map_or(Ok(None), |subscription| {
            Err(Waiting::AwaitingPeriod { subscription })
        });
    };
    let units = share(units, service.length(), period.length());
    if !units.is_positive() {
        return Ok(None);
    }
    let cost = cost(invoice, line, net, (service, period), plan)?.filter(|_| source == GrantSource::Plan);
    let grant = if line.proration {
        format!("grant_{}_{}", invoice.id, line.id)
    } else {
        format!("grant_{item}_{}", service.start)
    };
    Ok(Some(LotTerms {
        granted: CreditsGranted {
            grant: GrantId(grant),
            unit: plan.unit.clone(),
            units,
            source,
            invoice_line: cost.map(|_| line.id.clone()),
            cost,
            priority: 0,
            expires_at: Some(ends_at),
            purchase: None,
            group: Some(GroupId(format!("inv:{}", invoice.id))),
            reference: None,
            scope: plan.scope.clone(),
            rollover: None,
        },
        effective_at: starts_at,
    }))
}

fn quantity(line: &InvoiceLine) -> i64 {
    line.quantity.unwrap_or(1).max(0)
}

/// What a whole period of so many gives; none beyond what a lot can hold.
fn credits_of(plan: &Plan, quantity: i64) -> Option<Units> {
    let units = Units::from_micros(plan.credits.micros().checked_mul(quantity)?);
    (units.is_positive() && units <= Units::MAX).then_some(units)
}

/// How many for a whole period, and as what. A period's line without a price is a trial's where the plan has a trial; else, like
/// one that a discount made free, it counts only where the plan says so. The rest of a period counts if it is charged.
fn credits(line: &InvoiceLine, net: i64, plan: &Plan) -> Option<(Units, GrantSource)> {
    match &plan.trial {
        Some(trial) if line.amount == 0 && !line.proration => {
            let units = trial.credits;
            (units.is_positive() && units <= Units::MAX).then_some((units, GrantSource::Trial))
        }
        _ if net > 0 || (plan.grants_on_zero_amount && !(line.proration && line.amount == 0)) => {
            Some((credits_of(plan, quantity(line))?, GrantSource::Plan))
        }
        _ => None,
    }
}

/// The share of the line's net price that is the credits': their own value, for as much of the period as the line bills, to
/// the line's price before discounts.
fn cost(
    invoice: &Invoice,
    line: &InvoiceLine,
    net: i64,
    (service, period): (Span, Span),
    plan: &Plan,
) -> Result<Option<Money>, Unbookable> {
    let purse = Purse::of(&invoice.currency)?;
    let Some(value) = plan
        .credits_value
        .filter(|value| value.currency == purse.currency())
    else {
        return Ok(None);
    };
    let value = value.minor.saturating_mul(quantity(line));
    let value = released(value, service.length(), period.length());
    let share = credits_share(purse.minor(net)?, purse.minor(line.amount)?, value);
    Ok((share > 0).then(|| Money::new(share, purse.currency())))
}
