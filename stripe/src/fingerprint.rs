//! Hashes of an object's fields: enough to see whether an event's `previous_attributes` are the values of the snapshot
//! before it, without keeping the values.
//!
//! `previous_attributes` holds only what changed, and of a map only the changed sub-keys. So maps are taken apart to their
//! leaves; arrays are one leaf (Stripe sends them whole since 2017-04-06). Null, absent and `{}` are the same: no leaf.
//!
//! A hash of a name or an e-mail can be guessed back, so personal fields are left out, and the rest is salted with the
//! object's id. A change of personal fields alone then looks like an event without `previous_attributes`, which costs
//! nothing: no normalised field differs between its snapshots.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::json::write_canonical;

/// Keys of maps, at any depth, that hold people's data. Sorted.
const PERSONAL: &[&str] = &[
    "account_name",
    "address",
    "bank_account",
    "billing_details",
    "business_name",
    "card",
    "charges",
    "customer_address",
    "customer_details",
    "customer_email",
    "customer_name",
    "customer_phone",
    "customer_purchase_ip",
    "customer_shipping",
    "customer_tax_ids",
    "description",
    "destination",
    "email",
    "email_address",
    "evidence",
    "fraud_details",
    "individual",
    "individual_name",
    "ip",
    "last_payment_error",
    "latest_charge",
    "memo",
    "name",
    "next_action",
    "payment_method",
    "payment_method_details",
    "phone",
    "receipt_email",
    "shipping",
    "shipping_address",
    "shipping_details",
    "source",
    "sources",
    "statement_descriptor",
    "subscriptions",
    "tax_ids",
];

/// Top-level fields that never change, so that no `previous_attributes` names them.
const CONSTANT: &[&str] = &["created", "id", "livemode", "object"];

/// Deep enough for every map Stripe sends; what lies deeper is one leaf.
const DEPTH_MAX: usize = 8;

/// Leaf path (keys joined with `/`) to the first six bytes of its salted SHA-256, in hex. An empty text marks a path
/// that was null: `previous_attributes` says "was absent" so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// The fingerprint of an object. `salt` is its id.
    pub fn of(salt: &str, object: &Map<String, Value>) -> Self {
        let mut leaves = BTreeMap::new();
        collect(salt, object, Nulls::Skip, &mut leaves);
        Self(leaves)
    }

    /// The fingerprint of `previous_attributes`, which says of a null that the field was absent.
    pub fn of_previous(salt: &str, previous: &Map<String, Value>) -> Self {
        let mut leaves = BTreeMap::new();
        collect(salt, previous, Nulls::Keep, &mut leaves);
        Self(leaves)
    }

    /// Has it nothing to compare?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Are all these previous values those of `before`? An empty fingerprint says nothing, so it agrees with nothing.
    pub fn were_those_of(&self, before: &Self) -> bool {
        !self.is_empty() && self.0.iter().all(|(path, hash)| before.holds(path, hash))
    }

    /// Does `self` name a change of the top-level field `key`?
    pub fn names(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Does `self`, the previous values of an event, name every difference between `before` and what the event shows?
    pub fn names_all_changes(&self, before: &Self, after: &Self) -> bool {
        let differs = |(path, hash): &(&String, &String), other: &Self| other.0.get(*path) != Some(hash);
        let gone = before.0.iter().filter(|leaf| differs(leaf, after));
        let come = after.0.iter().filter(|leaf| differs(leaf, before));
        gone.chain(come).all(|(path, _)| self.names_path(path))
    }

    /// The path itself, or the map that holds it: of one that came or went whole nothing else is named.
    fn names_path(&self, path: &str) -> bool {
        let mut ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        ends.any(|end| self.0.contains_key(&path[..end]))
    }

    fn holds(&self, path: &str, hash: &str) -> bool {
        if hash.is_empty() {
            !self.has_leaf_at_or_under(path)
        } else {
            self.0.get(path).is_some_and(|it| it == hash)
        }
    }

    fn has_leaf_at_or_under(&self, path: &str) -> bool {
        let under = format!("{path}/");
        self.0.contains_key(path)
            || self
                .0
                .range(under.clone()..)
                .next()
                .is_some_and(|(key, _)| key.starts_with(&under))
    }
}

fn is_personal(key: &str) -> bool {
    PERSONAL.binary_search(&key).is_ok()
}

#[derive(Clone, Copy, PartialEq)]
enum Nulls {
    Skip,
    Keep,
}

fn collect(salt: &str, object: &Map<String, Value>, nulls: Nulls, leaves: &mut BTreeMap<String, String>) {
    let may_change = |key: &String| !is_personal(key) && !CONSTANT.contains(&key.as_str());
    for (key, value) in object.iter().filter(|(key, _)| may_change(key)) {
        collect_leaf(salt, key, value, nulls, 1, leaves);
    }
}

fn collect_leaf(
    salt: &str,
    path: &str,
    value: &Value,
    nulls: Nulls,
    depth: usize,
    leaves: &mut BTreeMap<String, String>,
) {
    match value {
        Value::Null if nulls == Nulls::Skip => {}
        Value::Object(map) if map.is_empty() && nulls == Nulls::Skip => {}
        Value::Null => {
            leaves.insert(path.to_owned(), String::new());
        }
        Value::Object(map) if map.is_empty() => {
            leaves.insert(path.to_owned(), String::new());
        }
        Value::Object(map) if depth < DEPTH_MAX => {
            for (key, value) in map.iter().filter(|(key, _)| !is_personal(key)) {
                collect_leaf(salt, &format!("{path}/{key}"), value, nulls, depth + 1, leaves);
            }
        }
        leaf => {
            leaves.insert(path.to_owned(), short_hash(salt, leaf));
        }
    }
}

fn short_hash(salt: &str, value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    let digest = Sha256::new()
        .chain_update(salt)
        .chain_update([0])
        .chain_update(text)
        .finalize();
    hex::encode(&digest[..6])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_personal_keys_are_sorted() {
        assert!(PERSONAL.is_sorted(), "binary search relies on it");
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn agree(previous: &Value, before: &Value) -> bool {
        Fingerprint::of_previous("sub_1", &map(previous))
            .were_those_of(&Fingerprint::of("sub_1", &map(before)))
    }

    #[test]
    fn partial_maps_compare_only_the_sub_keys_they_name() {
        let before = json!({"metadata": {"seats": "3", "team": "a"}, "status": "active"});
        assert!(agree(&json!({"metadata": {"seats": "3"}}), &before));
        assert!(!agree(&json!({"metadata": {"seats": "4"}}), &before));
        assert!(
            agree(&json!({"metadata": {"colour": null}}), &before),
            "null: the key was absent"
        );
        assert!(
            !agree(&json!({"metadata": {"seats": null}}), &before),
            "it was not absent"
        );
    }

    #[test]
    fn null_absent_and_a_map_are_told_apart() {
        let paused = json!({"pause_collection": {"behavior": "void", "resumes_at": null}});
        assert!(!agree(&json!({"pause_collection": null}), &paused));
        assert!(agree(&json!({"pause_collection": null}), &json!({})));
        assert!(agree(&json!({"pause_collection": {"behavior": "void"}}), &paused));
        assert!(!agree(
            &json!({"pause_collection": {"behavior": "void"}}),
            &json!({"pause_collection": null})
        ));
    }

    #[test]
    fn a_change_that_no_previous_value_names_is_seen() {
        let before = json!({"status": "active", "items": [1], "pause_collection": null});
        let after = json!({"status": "past_due", "items": [1], "pause_collection": {"behavior": "void"}});
        let [before, after] = [before, after].map(|object| Fingerprint::of("sub_1", &map(&object)));
        let names_all = |previous: &Value| {
            Fingerprint::of_previous("sub_1", &map(previous)).names_all_changes(&before, &after)
        };
        assert!(names_all(&json!({"status": "active", "pause_collection": null})));
        assert!(!names_all(&json!({"status": "active"})), "a map came");
        assert!(!names_all(&json!({"pause_collection": null})), "another value");
        assert!(names_all(
            &json!({"status": "active", "pause_collection": null, "items": [1]})
        ));
    }

    #[test]
    fn arrays_are_compared_whole() {
        let before =
            json!({"items": {"data": [{"id": "si_1", "quantity": 1}, {"id": "si_2", "quantity": 1}]}});
        assert!(agree(&before, &before));
        assert!(!agree(
            &json!({"items": {"data": [{"id": "si_1", "quantity": 1}]}}),
            &before
        ));
    }

    #[test]
    fn personal_fields_leave_no_trace_and_alone_they_say_nothing() {
        let customer = map(&json!({"email": "a@example.com", "name": "A", "id": "cus_1"}));
        let text = serde_json::to_string(&Fingerprint::of("cus_1", &customer)).unwrap();
        assert!(!text.contains("email") && !text.contains("name"), "{text}");
        assert!(Fingerprint::of_previous("cus_1", &map(&json!({"name": "B"}))).is_empty());
        assert!(
            !agree(&json!({"name": "B"}), &json!({"name": "B"})),
            "an empty fingerprint agrees with nothing"
        );
    }
}
