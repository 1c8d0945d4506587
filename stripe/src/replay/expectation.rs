//! The final state somebody expects (`{"objects": {id: object}}`), against what was settled.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::json::{JsonError, parse_strict};
use crate::object::{Object, ObjectKind, Unreadable};

/// Objects as they should be in the end, read as tolerantly as deliveries are.
#[derive(Debug, Clone)]
pub struct Expectation {
    objects: BTreeMap<String, Object>,
}

/// Why a file is no expectation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectationError {
    /// Not JSON.
    #[error("the expectation is {0}")]
    Json(#[from] JsonError),
    /// Not of the form `{"objects": {id: object}}`.
    #[error("the expectation has no map \"objects\"")]
    NoObjects,
    /// An expected object cannot be read.
    #[error("the expected object {id}: {unreadable}")]
    Unreadable {
        /// The object's id.
        id: String,
        /// What it lacks.
        unreadable: Unreadable,
    },
    /// Nothing in it is of a kind that is compared: it would hold for any state.
    #[error("the expectation names no object of a kind that is settled")]
    Empty,
}

/// One field of one object that is not as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The object's id.
    pub object: String,
    /// Its kind.
    pub kind: ObjectKind,
    /// The normalised field; none where the whole object is missing.
    pub field: Option<String>,
    /// Its expected value.
    pub expected: Value,
    /// What was settled.
    pub settled: Value,
}

/// The kinds whose absence is a difference. Of the others only what was settled is compared.
const REQUIRED: [ObjectKind; 6] = [
    ObjectKind::Subscription,
    ObjectKind::Invoice,
    ObjectKind::PaymentIntent,
    ObjectKind::Charge,
    ObjectKind::Refund,
    ObjectKind::Dispute,
];

impl Expectation {
    /// Reads `{"objects": {id: object}}`. Objects of kinds that are not settled are passed over, and balance transactions: no
    /// event tells of one.
    pub fn read(text: &str) -> Result<Self, ExpectationError> {
        let file = parse_strict(text)?;
        let listed = file
            .get("objects")
            .and_then(Value::as_object)
            .ok_or(ExpectationError::NoObjects)?;
        let mut objects = BTreeMap::new();
        for (id, object) in listed {
            let Some(object) = object.as_object() else {
                continue;
            };
            let kind = object.get("object").and_then(Value::as_str);
            if kind == Some(ObjectKind::BalanceTransaction.name()) {
                continue;
            }
            let read = Object::read(object).map_err(|unreadable| ExpectationError::Unreadable {
                id: id.clone(),
                unreadable,
            })?;
            objects.extend(read.map(|read| (id.clone(), read)));
        }
        if objects.is_empty() {
            return Err(ExpectationError::Empty);
        }
        Ok(Self { objects })
    }

    /// The expected objects, by id.
    pub fn objects(&self) -> &BTreeMap<String, Object> {
        &self.objects
    }

    /// Every normalised field that differs, by object id and field. `settled` gives the normalised winner fields of an
    /// object.
    pub fn differences(
        &self,
        mut settled: impl FnMut(&str) -> Option<Map<String, Value>>,
    ) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (id, object) in &self.objects {
            match settled(id) {
                Some(fields) => differences.extend(differing_fields(id, object, &fields)),
                None if REQUIRED.contains(&object.kind()) => differences.push(Difference {
                    object: id.clone(),
                    kind: object.kind(),
                    field: None,
                    expected: Value::Object(object.normalised()),
                    settled: Value::Null,
                }),
                None => {}
            }
        }
        differences
    }
}

fn differing_fields(id: &str, object: &Object, settled: &Map<String, Value>) -> Vec<Difference> {
    let differs = |(field, expected): (String, Value)| {
        let settled = settled.get(&field).cloned().unwrap_or(Value::Null);
        (settled != expected).then(|| Difference {
            object: id.to_owned(),
            kind: object.kind(),
            field: Some(field),
            expected,
            settled,
        })
    };
    object.normalised().into_iter().filter_map(differs).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => {
                write!(
                    f,
                    "{} {} {field}: expected {}, settled {}",
                    self.kind, self.object, self.expected, self.settled
                )
            }
            None => write!(f, "{} {}: expected, and not there", self.kind, self.object),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expectation() -> Expectation {
        let charge = json!({"object": "charge", "id": "ch_1", "amount": 500, "amount_refunded": 100, "currency": "usd",
            "status": "succeeded", "captured": true});
        let customer = json!({"object": "customer", "id": "cus_1"});
        let file = json!({"objects": {"ch_1": charge, "cus_1": customer, "txn_1": {"object": "balance_transaction"}}});
        Expectation::read(&file.to_string()).unwrap()
    }

    #[test]
    fn a_field_that_differs_is_named_with_both_values() {
        let expected = expectation();
        let mut settled = expected.objects()["ch_1"].normalised();
        assert_eq!(
            expected.differences(|id| (id == "ch_1").then(|| settled.clone())),
            []
        );
        settled.insert("amount_refunded".into(), json!(0));
        let differences = expected.differences(|id| (id == "ch_1").then(|| settled.clone()));
        let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["charge ch_1 amount_refunded: expected 100, settled 0"]);
    }

    #[test]
    fn a_missing_charge_is_a_difference_and_a_missing_customer_is_not() {
        let differences = expectation().differences(|_| None);
        let texts: Vec<_> = differences.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["charge ch_1: expected, and not there"]);
    }

    #[test]
    fn an_expectation_that_expects_nothing_is_refused() {
        let refused = |text: &str| Expectation::read(text).unwrap_err();
        assert!(matches!(refused("{"), ExpectationError::Json(_)));
        assert_eq!(refused("{}"), ExpectationError::NoObjects);
        assert_eq!(
            refused(r#"{"objects": {"txn_1": {"object": "balance_transaction"}}}"#),
            ExpectationError::Empty
        );
        let without_status = r#"{"objects": {"sub_1": {"object": "subscription", "id": "sub_1"}}}"#;
        assert!(matches!(
            refused(without_status),
            ExpectationError::Unreadable { .. }
        ));
    }
}
