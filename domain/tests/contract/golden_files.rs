//! Every event has a golden file, no file is without an event, no file was edited, and each survives a round trip.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use tallybook_domain::Event;
use tallybook_domain::account::AccountEvent;

use crate::golden::{self, AnyEvent};

/// How to accept a new file.
const HOW: &str = "in domain/tests/golden: (export LC_ALL=C; sha256sum *.json > SHA256SUMS), for new files only: \
                   a golden file is never edited, an event that changes gets a new version";

fn encode(event: &AnyEvent) -> (String, &'static str, u32) {
    fn of<E: Event>(event: &E) -> (String, &'static str, u32) {
        let payload = serde_json::to_string(event).expect("events serialise");
        (payload, event.name(), event.version())
    }
    match event {
        AnyEvent::Account(e) => of(e),
        AnyEvent::Catalog(e) => of(e),
        AnyEvent::Claim(e) => of(e),
        AnyEvent::Item(e) => of(e),
        AnyEvent::Treasury(e) => of(e),
    }
}

#[test]
fn every_event_in_every_version_has_a_golden_file() {
    let found: BTreeSet<(String, u32)> = golden::all()
        .into_iter()
        .filter(golden::Golden::is_the_first)
        .map(|g| (g.name, g.version))
        .collect();
    let wanted: BTreeSet<(String, u32)> = golden::contract()
        .flat_map(|(name, newest)| (1..=newest).map(move |version| (name.to_owned(), version)))
        .collect();
    assert_eq!(found, wanted);
}

#[test]
fn every_file_is_a_golden_event_of_the_contract() {
    let named: BTreeSet<String> = golden::all()
        .into_iter()
        .map(|g| format!("{}.json", g.stem))
        .collect();
    let present: BTreeSet<String> = golden::files()
        .into_keys()
        .filter(|file| !matches!(file.as_str(), "SHA256SUMS" | "POSTINGS.txt"))
        .collect();
    assert_eq!(
        present, named,
        "a file that is not named <Name>.v<version>[.<case>].json, or lacks its line feed"
    );
    for golden in golden::all() {
        let known = golden::contract().any(|(name, newest)| name == golden.name && golden.version <= newest);
        assert!(known, "{} is no event of the contract", golden.stem);
    }
}

#[test]
fn names_are_unique_among_all_streams() {
    let mut seen = BTreeSet::new();
    for (name, _) in golden::contract() {
        assert!(seen.insert(name), "{name} names two events");
    }
}

#[test]
fn decoding_and_encoding_gives_the_same_bytes() {
    for golden in golden::all() {
        let (payload, name, version) = encode(&golden.event());
        assert_eq!(name, golden.name, "{}", golden.stem);
        if version == golden.version {
            assert_eq!(payload, golden.payload, "{}", golden.stem);
        }
        assert!(
            payload.starts_with(&format!(r#"{{"type":"{name}","#)),
            "type comes first: {payload}"
        );
    }
}

/// PostgreSQL gives back what a stock repository stored with its keys in another order.
#[test]
fn an_event_of_an_account_reads_alike_in_one_pass_and_by_way_of_a_tree() {
    let of_accounts: BTreeSet<&str> = AccountEvent::contract().map(|(name, _)| name).collect();
    for golden in golden::all() {
        if of_accounts.contains(golden.name.as_str()) {
            let by_name = AccountEvent::decode(&golden.name, golden.version, &golden.payload);
            let by_tree: AccountEvent = serde_json::from_str(&golden.payload).expect(&golden.stem);
            assert_eq!(by_name.expect(&golden.stem), by_tree, "{}", golden.stem);
        }
    }
}

#[test]
fn a_member_told_twice_counts_as_told_last() {
    let once = r#"{"type":"CustomerLinked","customer":"cus_2","at":"2026-03-01T08:00:00Z","effective_at":"2026-03-01T08:00:00Z"}"#;
    let twice = once.replace(r#""customer""#, r#""customer":"cus_1","customer""#);
    let read = |payload: &str| AccountEvent::decode("CustomerLinked", 1, payload).expect("readable");
    assert_eq!(read(&twice), read(once));
}

#[test]
fn the_order_of_keys_does_not_matter() {
    for golden in golden::all() {
        let sorted = serde_json::from_str::<serde_json::Value>(&golden.payload)
            .expect("JSON")
            .to_string();
        let event = golden::decode(&golden.name, golden.version, &sorted).expect(&golden.stem);
        assert_eq!(encode(&event), encode(&golden.event()), "{}", golden.stem);
    }
}

#[test]
fn a_version_of_tomorrow_and_a_name_unknown_are_refused() {
    for golden in golden::all() {
        let newest = golden::contract()
            .find(|(name, _)| *name == golden.name)
            .expect("of the contract")
            .1;
        for version in [0, newest + 1, u32::MAX] {
            assert!(
                golden::decode(&golden.name, version, &golden.payload).is_err(),
                "{} v{version}",
                golden.name
            );
        }
        assert!(golden::decode("CreditsInvented", 1, &golden.payload).is_err());
    }
}

#[test]
fn no_golden_file_was_edited() {
    let files = golden::files();
    let listed = files.get("SHA256SUMS").expect("the list is committed");
    let sum = |(file, text): (&String, &String)| {
        let stem = file.strip_suffix(".json")?;
        Some(format!("{}  {stem}.json", hex::encode(Sha256::digest(text))))
    };
    let actual: Vec<String> = files.iter().filter_map(sum).collect();
    let listed: Vec<&str> = listed.lines().collect();
    assert_eq!(actual, listed, "{HOW}");
}
