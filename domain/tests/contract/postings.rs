//! What every golden event does to the books, written out in `golden/POSTINGS.txt`, and the laws behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use proptest::prelude::*;
use serde_json::Value;
use tallybook_domain::identity::AccountId;
use tallybook_domain::postings::{
    DeferralCause, Entry, LedgerAccount, deferral_cause, entry, treasury_entry,
};

use crate::golden::{self, AnyEvent};

fn account() -> AccountId {
    AccountId::from("acct_1")
}

fn entry_of(event: &AnyEvent) -> Option<Entry> {
    match event {
        AnyEvent::Account(event) => entry(&account(), event),
        AnyEvent::Treasury(event) => treasury_entry(event),
        // What is sold and who holds a value moves nothing.
        AnyEvent::Catalog(_) | AnyEvent::Claim(_) | AnyEvent::Item(_) => None,
    }
}

fn decoded(payload: &Value) -> AnyEvent {
    let name = payload["type"].as_str().expect("a type").to_owned();
    golden::decode(&name, 1, &payload.to_string()).unwrap_or_else(|e| panic!("{payload}: {e}"))
}

fn lines_of(payload: &Value) -> BTreeMap<(String, String, String), i64> {
    entry_of(&decoded(payload))
        .into_iter()
        .flat_map(|entry| entry.lines)
        .map(|line| {
            (
                (line.account.code().to_owned(), line.key, line.commodity),
                line.amount,
            )
        })
        .collect()
}

fn payload_of(stem: &str) -> Value {
    let golden = golden::all().into_iter().find(|g| g.stem == stem).expect(stem);
    serde_json::from_str(&golden.payload).expect("JSON")
}

fn assert_balances(entry: &Entry, context: &str) {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for line in &entry.lines {
        assert_ne!(line.amount, 0, "{context}: a zero line");
        assert_eq!(
            line.account.is_units(),
            !matches!(line.commodity.as_str(), "USD" | "JPY"),
            "{context}: {line:?}"
        );
        *sums.entry(&line.commodity).or_default() += i128::from(line.amount);
    }
    assert!(entry.lines.len() >= 2, "{context}: {entry:?}");
    assert!(sums.values().all(|sum| *sum == 0), "{context}: {sums:?}");
}

/// One paragraph an event: its file, the entry's natural key, and each line as code, key, amount, commodity.
fn rendered() -> String {
    let mut text = String::new();
    for golden in golden::all() {
        let Some(entry) = entry_of(&golden.event()) else {
            writeln!(text, "{}: no entry\n", golden.stem).expect("into memory");
            continue;
        };
        writeln!(text, "{}: {}", golden.stem, entry.key).expect("into memory");
        for line in &entry.lines {
            let account = format!("{} {}", line.account.code(), line.key);
            writeln!(text, "    {account:<24} {:>12} {}", line.amount, line.commodity).expect("into memory");
        }
        text.push('\n');
    }
    text
}

/// A variant without a row or an explicit "no entry" does not compile; one without a golden event fails the walk of the
/// contract; here each golden event's lines are what is written out.
#[test]
fn every_event_posts_what_is_written_out() {
    let files = golden::files();
    let written = files.get("POSTINGS.txt").expect("the file is committed");
    let posted = rendered();
    for (posted, written) in posted.split("\n\n").zip(written.split("\n\n")) {
        assert_eq!(posted, written);
    }
    assert_eq!(&posted, written);
}

#[test]
fn every_entry_balances_and_leaves_nothing_unmatched() {
    for golden in golden::all() {
        let Some(entry) = entry_of(&golden.event()) else {
            continue;
        };
        assert_balances(&entry, &golden.stem);
        let is_unmatched = entry
            .lines
            .iter()
            .any(|line| line.account == LedgerAccount::Unmatched);
        assert_eq!(
            is_unmatched,
            golden.name == "UnmatchedRecorded",
            "{}: {entry:?}",
            golden.stem
        );
        assert_eq!(entry.description, golden.name);
    }
}

/// A cause that nobody named would be missing from the roll-forward of deferred revenue.
#[test]
fn deferred_revenue_moves_for_named_causes_alone() {
    let mut causes = BTreeSet::new();
    for golden in golden::all() {
        let entry = entry_of(&golden.event());
        let Some(entry) = entry.filter(|it| it.lines.iter().any(|line| line.account.is_deferred())) else {
            continue;
        };
        let cause = deferral_cause(entry.key.as_str(), &entry.lines);
        assert!(cause.is_some(), "{}: {entry:?}", golden.stem);
        causes.extend(cause);
    }
    assert_eq!(
        causes,
        BTreeSet::from(DeferralCause::ALL),
        "each has a golden event"
    );
}

#[test]
fn an_entry_is_dated_when_the_event_is_true_and_not_when_it_was_judged() {
    let entry = entry_of(&decoded(&payload_of("CashReceived.v1"))).expect("a row");
    assert_eq!(entry.effective_at.to_rfc3339(), "2026-03-01T08:00:00+00:00");
}

/// Each pair has one body; booked under the two names it nets to nothing under one natural key.
#[test]
fn what_undoes_an_event_nets_it_to_nothing() {
    let pairs = [
        ("CreditsExpired", "ExpiryReversed"),
        ("CreditsFrozen", "CreditsUnfrozen"),
        ("CreditsRevoked", "CreditsRestored"),
        ("OverdraftIncurred", "OverdraftRepaid"),
        ("CreditsHeld", "HoldReleased"),
    ];
    for (done, undone) in pairs {
        let mut payload = payload_of(&format!("{done}.v1"));
        let forth = decoded(&payload);
        payload["type"] = Value::from(undone);
        payload["reason"] = Value::from("released");
        assert_nets_to_nothing(&forth, &decoded(&payload), done);
    }
}

#[test]
fn reversing_a_fact_or_withdrawing_a_grant_nets_it_to_nothing() {
    for golden in golden::all() {
        let original: Value = serde_json::from_str(&golden.payload).expect("JSON");
        let undoing = match (golden.name.as_str(), golden.event()) {
            ("CreditsGranted", _) => "GrantWithdrawn",
            (_, AnyEvent::Treasury(_)) => "TreasuryFactReversed",
            (_, AnyEvent::Account(event)) if is_fact(&event) => "FactReversed",
            _ => continue,
        };
        let reversal = serde_json::json!({
            "type": undoing, "original": original, "at": original["at"], "effective_at": original["effective_at"],
        });
        if entry_of(&golden.event()).is_some() {
            assert_nets_to_nothing(&golden.event(), &decoded(&reversal), &golden.stem);
        } else {
            assert!(entry_of(&decoded(&reversal)).is_none(), "{}", golden.stem);
        }
    }
}

fn is_fact(event: &tallybook_domain::account::AccountEvent) -> bool {
    use tallybook_domain::account::AccountFact;
    matches!(event.fact, AccountFact::Purchases(_) | AccountFact::Invoices(_))
}

fn assert_nets_to_nothing(done: &AnyEvent, undone: &AnyEvent, context: &str) {
    let (done, undone) = (entry_of(done).expect(context), entry_of(undone).expect(context));
    assert_eq!(done.key, undone.key, "{context}");
    let mut net = BTreeMap::new();
    for line in done.lines.iter().chain(&undone.lines) {
        *net.entry((line.account, &line.key, &line.commodity)).or_insert(0) += line.amount;
    }
    assert!(net.values().all(|amount| *amount == 0), "{context}: {net:?}");
}

/// Rows 11 and 12: a refund of 60.00 (10.00 of it tax) for a lot of which 40.00 of 100.00 was used, clawed back by
/// what was left of it, and paid.
#[test]
fn a_refund_relieves_the_lot_by_its_unused_part_and_revenue_by_the_rest() {
    let mut revoked = payload_of("CreditsRevoked.v1");
    revoked["cost"]["minor"] = Value::from(3000);
    let mut net: BTreeMap<(String, String, String), i64> = BTreeMap::new();
    for payload in [
        payload_of("RefundRecorded.v1"),
        revoked,
        payload_of("RefundPaid.v1"),
    ] {
        for (account, amount) in lines_of(&payload) {
            *net.entry(account).or_default() += amount;
        }
    }
    net.retain(|(code, _, _), amount| *amount != 0 && !code.starts_with('U'));
    let net: Vec<_> = net
        .iter()
        .map(|((code, key, _), amount)| (code.as_str(), key.as_str(), *amount))
        .collect();
    assert_eq!(
        net,
        [
            ("1110", "", -6000),
            ("2110", "grant_1", 3000),
            ("2210", "", 1000),
            ("4110", "", 2000)
        ]
    );
}

/// Rows 14 to 16: funds withdrawn, given back, withdrawn again and lost leave 1130 clear.
#[test]
fn disputed_funds_clear_when_the_dispute_ends() {
    let told = [
        "DisputeFundsWithdrawn.v1",
        "DisputeFundsReinstated.v1",
        "DisputeFundsWithdrawn.v1",
        "DisputeClosed.v1",
    ];
    let on_1130: i64 = told
        .iter()
        .flat_map(|stem| lines_of(&payload_of(stem)))
        .filter(|((code, _, _), _)| code == "1130")
        .map(|(_, amount)| amount)
        .sum();
    assert_eq!(on_1130, 0);
}

/// What an invoice's parts do not account for is on 1190 under the invoice's key, and nowhere else.
#[test]
fn an_invoice_that_does_not_foot_goes_to_suspense() {
    let mut payload = payload_of("InvoiceIssued.v1");
    payload["tax"] = Value::from(350);
    let lines = lines_of(&payload);
    let suspense = ("1190".to_owned(), "inv:in_1".to_owned(), "USD".to_owned());
    assert_eq!(lines.get(&suspense), Some(&-10));
    assert_balances(
        &entry_of(&decoded(&payload)).expect("a row"),
        "an invoice 0.10 off",
    );
}

/// The numbers of a payload, each replaced by the next of `numbers`: not those of a plan's state, which the books never
/// look at.
fn renumber(payload: &mut Value, numbers: &mut impl Iterator<Item = i64>) {
    match payload {
        Value::Number(number) => *number = numbers.next().expect("endless").into(),
        Value::Array(items) => items.iter_mut().for_each(|item| renumber(item, numbers)),
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| {
                !matches!(
                    name.as_str(),
                    "priority" | "quantity" | "state" | "monthly_cap" | "expires_after"
                )
            })
            .for_each(|(_, value)| renumber(value, numbers)),
        _ => {}
    }
}

proptest! {
    /// Whatever the amounts, and whether or not they fit together: every entry balances in every commodity.
    #[test]
    fn entries_balance_whatever_the_amounts(
        numbers in prop::collection::vec(-1_000_000_000_000_000_000_i64..=1_000_000_000_000_000_000, 1..12)
    ) {
        for golden in golden::all() {
            if matches!(golden.event(), AnyEvent::Catalog(_) | AnyEvent::Claim(_) | AnyEvent::Item(_)) {
                continue;
            }
            let mut payload = serde_json::from_str(&golden.payload).expect("JSON");
            renumber(&mut payload, &mut numbers.iter().copied().cycle());
            if let Some(entry) = entry_of(&decoded(&payload)) {
                assert_balances(&entry, &payload.to_string());
            }
        }
    }
}
