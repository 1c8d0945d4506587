//! Results in words and numbers.

use serde_json::{Value, json};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::quantity::Units;
use tallybook_stripe::replay::state::Totals;

use super::run::Ran;
use crate::cli::CliError;
use crate::cli::output::{line, table};

/// Millionths as credits.
pub(super) fn credits(micros: i64) -> String {
    let text = Units::from_micros(micros).to_string();
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let grouped = grouped(whole);
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

/// A signed number with its thousands apart.
fn grouped(number: &str) -> String {
    let (sign, digits) = number
        .strip_prefix('-')
        .map_or(("", number), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An amount of a commodity: money, or a kind of credit.
pub(super) fn amount(commodity: &str, amount: i128) -> String {
    let narrow = i64::try_from(amount).unwrap_or(i64::MAX);
    match commodity.parse::<Currency>() {
        Ok(currency) => {
            let text = Money::new(narrow, currency).to_string();
            let number = text.split(' ').next().unwrap_or_default();
            let (whole, places) = number.split_once('.').map_or((number, ""), |parts| parts);
            let point = if places.is_empty() { "" } else { "." };
            format!("{}{point}{places} {commodity}", grouped(whole))
        }
        Err(_) => format!("{} {commodity}", credits(narrow)),
    }
}

/// The trial balance, an account a line.
pub(super) fn trial_balance(totals: &Totals) -> Result<(), CliError> {
    let mut rows = Vec::new();
    for (account, by_commodity) in &totals.balances {
        let (code, name) = account.split_once(' ').unwrap_or((account, ""));
        for (commodity, balance) in by_commodity {
            let text = amount(commodity, balance.abs());
            let (debit, credit) = if *balance > 0 {
                (text, String::new())
            } else {
                (String::new(), text)
            };
            rows.push(vec![
                code.to_owned(),
                name.to_owned(),
                format!("{debit:>20}"),
                format!("{credit:>20}"),
            ]);
        }
    }
    table(
        &[
            "account",
            "name",
            &format!("{:>20}", "debit"),
            &format!("{:>20}", "credit"),
        ],
        &rows,
    )
}

/// Whether debits and credits sum to zero in every commodity.
pub(super) fn is_balanced(totals: &Totals) -> bool {
    let mut sums = std::collections::BTreeMap::<&str, i128>::new();
    for (commodity, balance) in totals.balances.values().flatten() {
        *sums.entry(commodity).or_default() += balance;
    }
    sums.values().all(|sum| *sum == 0)
}

/// A run, line by line.
pub(super) fn run(number: usize, ran: &Ran) -> Result<(), CliError> {
    let (deliveries, totals) = (&ran.deliveries, &ran.totals);
    let lots = totals.credits;
    line(format!("run {number}  {}", ran.hash))?;
    line(format!(
        "  deliveries {}, duplicates {}, late {}, refused {}; settled {}, parked {}, failed {}",
        deliveries.received,
        deliveries.duplicates,
        deliveries.late,
        deliveries.refused,
        deliveries.inbox.settled,
        deliveries.inbox.parked,
        deliveries.inbox.failed,
    ))?;
    line(format!(
        "  accounts {}; credits granted {}, clawed back {}, expired {}, available {}, frozen {}, debt {}",
        totals.accounts,
        credits(lots.granted),
        credits(lots.clawed_back),
        credits(lots.expired),
        credits(lots.available),
        credits(lots.frozen),
        credits(lots.debt),
    ))
}

/// A run, for programs.
pub(super) fn run_json(ran: &Ran) -> Value {
    json!({
        "hash": ran.hash,
        "deliveries": ran.deliveries,
        "totals": totals_json(&ran.totals),
    })
}

/// Totals for programs: credits as decimal text, money in minor units.
pub(super) fn totals_json(totals: &Totals) -> Value {
    let decimal = |micros: i64| Units::from_micros(micros).to_string();
    let lots = totals.credits;
    let balances: Vec<Value> = totals
        .balances
        .iter()
        .flat_map(|(account, by_commodity)| {
            let (code, name) = account.split_once(' ').unwrap_or((account, ""));
            by_commodity.iter().map(move |(commodity, balance)| {
                json!({"account": code, "name": name, "commodity": commodity,
                    "balance": i64::try_from(*balance).unwrap_or(i64::MAX)})
            })
        })
        .collect();
    let unapplied: Vec<&String> = totals.unapplied.keys().collect();
    json!({
        "accounts": totals.accounts,
        "credits": {
            "granted": decimal(lots.granted), "available": decimal(lots.available), "held": decimal(lots.held),
            "frozen": decimal(lots.frozen), "consumed": decimal(lots.consumed), "expired": decimal(lots.expired),
            "clawed_back": decimal(lots.clawed_back), "debt": decimal(lots.debt),
        },
        "subscriptions": totals.subscriptions,
        "trials": totals.trials,
        "trial_balance": balances,
        "accounts_with_unapplied_cash": unapplied,
        "balanced": is_balanced(totals),
    })
}
