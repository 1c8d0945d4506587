//! The canonical state: what must come out the same whatever arrived when, as sorted lines, and their hash.
//!
//! Lines are
//! - `object <id> <kind> <normalised winner fields>`, one a settled object;
//! - `lot <account> <grant> <unit> <granted> <available> <held> <frozen> <consumed> <expired> <revoked>`, unless all zero;
//! - `debt <account> <unit> <units>`, unless zero;
//! - `subscription <account> <id> <state>` and `trial <account> <id> <state>`;
//! - `ledger <natural key> <account code> <commodity> <accounting date> <net>`, zero nets dropped.
//!
//! JSON is canonical (keys in byte order), units are millionths, money is minor units. Accounts are folded from their
//! streams with everything written that is due at the as-of instant; entries dated after it are left out. No event ids,
//! positions, versions, counts or recorded times. The hash is SHA-256 over the lines in byte order, each ended by a newline.
//!
//! A [`State`] holds no more than what was added since its parts were last [taken](State::take_parts): whoever has more of
//! them than fits in memory sorts them elsewhere, and gets from [`Lines`] what [`State::finish`] gives.

mod comparison;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;
use tallybook_domain::account::{Account, AccountCommand, AccountEvent};
use tallybook_domain::calendar::accounting_date;
use tallybook_domain::credits::Lot;
use tallybook_domain::identity::AccountId;
use tallybook_domain::postings::{self, Entry, LedgerAccount};
use tallybook_domain::quantity::Units;
use tallybook_domain::treasury::TreasuryEvent;
use tallybook_domain::{Aggregate, Timestamp};

use crate::json::write_canonical;

pub use comparison::{Discrepancy, discrepancies};
pub use lines::{Lines, LinesHash, Part};

/// A settled object: its id, kind and normalised fields.
pub type Winner = (String, String, Value);

/// The state of a tenant at an instant.
#[derive(Debug, Clone, Default)]
pub struct State {
    parts: Vec<Part>,
    /// What it comes to.
    pub totals: Totals,
}

/// The state in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Accounts with anything on them.
    pub accounts: u64,
    /// Lots, in millionths by what became of their units.
    pub credits: Credits,
    /// Subscriptions by status.
    pub subscriptions: BTreeMap<String, u64>,
    /// Trials by status.
    pub trials: BTreeMap<String, u64>,
    /// Trial balance: account code and commodity to the signed balance, in minor units or millionths.
    pub balances: BTreeMap<String, BTreeMap<String, i128>>,
    /// Unapplied cash (2135) of each account that has any, by commodity.
    pub unapplied: BTreeMap<String, BTreeMap<String, i128>>,
}

/// Sums over all lots, in millionths of a credit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Credits {
    /// Granted.
    pub granted: i64,
    /// Can be spent.
    pub available: i64,
    /// Set aside by holds.
    pub held: i64,
    /// Set aside by disputes.
    pub frozen: i64,
    /// Used.
    pub consumed: i64,
    /// Expired.
    pub expired: i64,
    /// Clawed back.
    pub clawed_back: i64,
    /// Used although clawed back.
    pub debt: i64,
}

impl State {
    /// Take a settled object in.
    pub fn add_object(&mut self, (id, kind, fields): &Winner) {
        self.add_line(format!("object {id} {kind} {}", canonical(fields)));
    }

    /// Take an account in, from all events of its stream.
    pub fn add_account(&mut self, id: &AccountId, stream: &[AccountEvent], as_of: Timestamp, zone: Tz) {
        let mut account = Account::default();
        for event in stream {
            self.add_event(id, &mut account, event, as_of, zone);
        }
        self.close_account(id, account, as_of, zone);
    }

    /// Take in the next event of an account's stream, and the account along.
    pub fn add_event(
        &mut self,
        id: &AccountId,
        account: &mut Account,
        event: &AccountEvent,
        as_of: Timestamp,
        zone: Tz,
    ) {
        account.evolve(event);
        if event.effective_at <= as_of
            && let Some(entry) = postings::entry(id, event)
        {
            self.add_entry(entry, zone);
        }
    }

    /// Take in how an account is after all events of its stream, and what is due on it by then.
    pub fn close_account(&mut self, id: &AccountId, mut account: Account, as_of: Timestamp, zone: Tz) {
        // A refusal means that nothing is due.
        let due = account
            .decide(&AccountCommand::WriteDue, as_of)
            .unwrap_or_default();
        for event in &due {
            self.add_event(id, &mut account, event, as_of, zone);
        }
        self.add_credits(id, &account);
        self.add_plans(id, &account);
        self.totals.accounts += u64::from(has_anything(&account));
    }

    fn add_credits(&mut self, id: &AccountId, account: &Account) {
        for lot in account.credits().lots() {
            let columns = columns(lot);
            let sums = &mut self.totals.credits;
            let [granted, available, held, frozen, consumed, expired, revoked] = columns;
            sums.granted += granted;
            sums.available += available;
            sums.held += held;
            sums.frozen += frozen;
            sums.consumed += consumed;
            sums.expired += expired;
            sums.clawed_back += revoked;
            if columns.iter().any(|units| *units != 0) {
                let mut units = columns.map(|units| units.to_string()).join(" ");
                if !lot.moved.is_zero() {
                    units = format!("{units} moved {}", lot.moved.micros());
                }
                self.add_line(format!("lot {id} {} {} {units}", lot.terms.grant, lot.terms.unit));
            }
        }
        for unit in account.credits().kinds() {
            let debt = account.credits().overdrawn(&unit) + account.credits().debt(&unit);
            self.totals.credits.debt += debt.micros();
            if !debt.is_zero() {
                self.add_line(format!("debt {id} {unit} {}", debt.micros()));
            }
        }
    }

    fn add_plans(&mut self, id: &AccountId, account: &Account) {
        for (subscription, state) in account.subscriptions() {
            *self.totals.subscriptions.entry(word(&state.status)).or_default() += 1;
            self.add_line(format!(
                "subscription {id} {subscription} {}",
                canonical_of(state)
            ));
        }
        for (subscription, state) in account.trials() {
            *self.totals.trials.entry(word(&state.status)).or_default() += 1;
            self.add_line(format!("trial {id} {subscription} {}", canonical_of(state)));
        }
    }

    /// Take in what belongs to no customer, from all events of the treasury's stream.
    pub fn add_treasury(&mut self, stream: &[TreasuryEvent], as_of: Timestamp, zone: Tz) {
        for entry in stream.iter().filter_map(postings::treasury_entry) {
            if entry.effective_at <= as_of {
                self.add_entry(entry, zone);
            }
        }
    }

    fn add_entry(&mut self, entry: Entry, zone: Tz) {
        let date = accounting_date(entry.effective_at, zone);
        for line in entry.lines {
            let amount = i128::from(line.amount);
            let (account, commodity) = (line.account, line.commodity);
            if account == LedgerAccount::UnappliedCash {
                add(&mut self.totals.unapplied, &line.key, &commodity, amount);
            }
            let code = account.code();
            let named = format!("{code} {}", account.name());
            add(&mut self.totals.balances, &named, &commodity, amount);
            let text = format!("ledger {} {code} {commodity} {date} ", entry.key.0);
            self.parts.push(Part {
                text,
                net: Some(amount),
            });
        }
    }

    fn add_line(&mut self, text: String) {
        self.parts.push(Part { text, net: None });
    }

    /// What was added since this was last asked, in no order.
    pub fn take_parts(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    /// The hash, and the lines it is over.
    pub fn finish(mut self) -> Finished {
        let mut parts = self.take_parts();
        parts.sort_unstable();
        let lines: BTreeSet<String> = Lines::new(parts.into_iter().map(Ok::<_, Infallible>))
            .map(|Ok(line)| line)
            .collect();
        let mut hash = LinesHash::default();
        for line in &lines {
            hash.add(line);
        }
        Finished {
            hash: hash.finish(),
            lines,
            totals: self.totals,
        }
    }
}

/// Add to a sum that is kept by two names. Sums of zero are dropped.
fn add(sums: &mut BTreeMap<String, BTreeMap<String, i128>>, name: &str, commodity: &str, amount: i128) {
    let of_name = sums.entry(name.to_owned()).or_default();
    let sum = of_name.get(commodity).copied().unwrap_or_default() + amount;
    if sum == 0 {
        of_name.remove(commodity);
    } else {
        of_name.insert(commodity.to_owned(), sum);
    }
    if of_name.is_empty() {
        sums.remove(name);
    }
}

/// A state that nothing is added to any more.
#[derive(Debug, Clone)]
pub struct Finished {
    /// SHA-256 of the lines, lower hex.
    pub hash: String,
    /// The lines.
    pub lines: BTreeSet<String>,
    /// The state in numbers.
    pub totals: Totals,
}

/// Whether something stands on the account: one whose objects all turned out to be another's is nobody.
fn has_anything(account: &Account) -> bool {
    let stands = account.groups().values().any(|group| !group.facts.is_empty());
    stands || !account.subscriptions().is_empty() || account.credits().lots().next().is_some()
}

fn columns(lot: &Lot) -> [i64; 7] {
    [
        lot.granted,
        lot.available,
        lot.held,
        lot.frozen,
        lot.consumed,
        lot.expired,
        lot.revoked,
    ]
    .map(Units::micros)
}

fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn canonical_of(value: &impl Serialize) -> String {
    canonical(&serde_json::to_value(value).expect("a state of the domain is JSON"))
}

/// A status as it is written.
fn word(status: &impl Serialize) -> String {
    match serde_json::to_value(status) {
        Ok(Value::String(word)) => word,
        _ => "unknown".to_owned(),
    }
}
