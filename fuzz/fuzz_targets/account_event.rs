//! A payload from the log: decoded or refused, never a panic; what is decoded survives the wire and folds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::{Aggregate, Event};

fuzz_target!(|payload: &str| {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(payload) else { return };
    let Some(name) = value["type"].as_str() else { return };
    let Ok(event) = AccountEvent::decode(name, 1, payload) else { return };
    let wire = serde_json::to_string(&event).expect("an event's serialization is total");
    assert_eq!(AccountEvent::decode(event.name(), event.version(), &wire).expect("its own wire form"), event);
    Account::default().evolve(&event);
});
