//! Credits that come with a plan: one lot per subscription item and period, from the paid invoice's line.

use tallybook_domain::account::LotTerms;
use tallybook_domain::catalog::Plan;
use tallybook_domain::credits::{CreditsGranted, GrantSource};
use tallybook_domain::identity::{GrantId, GroupId};
use tallybook_domain::money::Money;
use tallybook_domain::quantity::Units;
use tallybook_domain::subscriptions::credits_share;

use super::Waiting;
use super::history::History;
use super::invoice::net_of;
use super::money::{Purse, Unbookable, instant};
use super::prices::Prices;
use crate::object::{Invoice, InvoiceLine};

/// The lots of a paid invoice's lines, and the first price that the catalog does not map. Nothing for a catalog without
/// plans: then no price is expected to be mapped.
pub(super) fn settle(invoice: &History<'_, Invoice>, prices: &Prices) -> (Vec<LotTerms>, Option<Waiting>) {
    if prices.has_no_plans() || invoice.winner.status != "paid" {
        return (Vec::new(), None);
    }
    let mut lots = Vec::new();
    let mut waiting = None;
    for line in invoice.winner.lines.iter().filter(|line| !line.proration) {
        match lot(invoice.winner, line, prices) {
            Ok(lot) => lots.extend(lot),
            Err(reason) => {
                waiting.get_or_insert(reason);
            }
        }
    }
    (lots, waiting)
}

fn lot(invoice: &Invoice, line: &InvoiceLine, prices: &Prices) -> Result<Option<LotTerms>, Waiting> {
    let (Some(item), Some(price), Some(start), Some(end)) = (
        &line.subscription_item,
        &line.price,
        line.period_start,
        line.period_end,
    ) else {
        return Ok(None);
    };
    let (starts_at, ends_at) = (instant(start)?, instant(end)?);
    if ends_at <= starts_at {
        return Ok(None);
    }
    let Some(plan) = prices.plan(price, starts_at) else {
        return Err(Waiting::UnmappedPrice { price: price.clone() });
    };
    let net = net_of(line);
    let Some((units, source)) = credits(line, net, plan) else {
        return Ok(None);
    };
    let cost = cost(invoice, line, net, plan)?.filter(|_| source == GrantSource::Plan);
    Ok(Some(LotTerms {
        granted: CreditsGranted {
            grant: GrantId(format!("grant_{item}_{start}")),
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

/// How many, and as what. A line without a price is a trial's where the plan has a trial; else, like one that a discount
/// made free, it counts only where the plan says so.
fn credits(line: &InvoiceLine, net: i64, plan: &Plan) -> Option<(Units, GrantSource)> {
    let (units, source) = match &plan.trial {
        Some(trial) if line.amount == 0 => (Some(trial.credits), GrantSource::Trial),
        _ if net > 0 || plan.grants_on_zero_amount => {
            let micros = plan.credits.micros().checked_mul(quantity(line));
            (micros.map(Units::from_micros), GrantSource::Plan)
        }
        _ => return None,
    };
    let units = units.filter(|units| units.is_positive() && *units <= Units::MAX)?;
    Some((units, source))
}

/// The share of the line's net price that is the credits': their own value to the line's price before discounts.
fn cost(invoice: &Invoice, line: &InvoiceLine, net: i64, plan: &Plan) -> Result<Option<Money>, Unbookable> {
    let purse = Purse::of(&invoice.currency)?;
    let Some(value) = plan
        .credits_value
        .filter(|value| value.currency == purse.currency())
    else {
        return Ok(None);
    };
    let value = value.minor.saturating_mul(quantity(line));
    let share = credits_share(purse.minor(net)?, purse.minor(line.amount)?, value);
    Ok((share > 0).then(|| Money::new(share, purse.currency())))
}
