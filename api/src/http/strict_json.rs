//! JSON as a ledger must read it: no member twice, no member unknown, and every complaint names its field.
//!
//! Two passes. The first reads any JSON and refuses what is malformed, a repeated member included (RFC 8259 leaves its
//! meaning open, so two readers of one signed order could see different amounts). The second gives it its type and
//! names the path of what does not fit.

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::problem::Problem;
use axum::http::StatusCode;

/// Read `bytes` as a `T`.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    typed(parse(bytes)?)
}

/// The first pass: any JSON, no member twice.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let malformed = |error: serde_json::Error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            format!("the body is not well-formed JSON: {error}"),
        )
    };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(value)
}

/// The second pass: its type.
pub(super) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let detail = error.inner().to_string();
        let path = error.path().to_string();
        let parent = if path == "." { "" } else { path.as_str() };
        match missing_field(&detail) {
            Some(name) if parent.is_empty() => Problem::invalid_field(name, detail.clone()),
            Some(name) => Problem::invalid_field(&format!("{parent}.{name}"), detail.clone()),
            None if parent.is_empty() => Problem::invalid_field("(body)", detail),
            None => Problem::invalid_field(parent, detail),
        }
    })
}

/// serde reports a missing member at its parent, with the name in the message alone.
fn missing_field(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(Strict)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(Strict)?;
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("member {name:?} occurs twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only its reading is tested")]
        amount: i64,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only its reading is tested")]
        cost: Inner,
    }

    fn refused(json: &str) -> (u16, Value) {
        let problem = read::<Outer>(json.as_bytes()).expect_err(json);
        let document = problem.document("req");
        (
            problem.status().as_u16(),
            document.get("field").cloned().unwrap_or(document["code"].clone()),
        )
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_path() {
        assert_eq!(refused(r#"{"cost":{"amount":"1"}}"#), (422, "cost.amount".into()));
        assert_eq!(refused(r#"{"cost":{"amount":1.5}}"#), (422, "cost.amount".into()));
        assert_eq!(
            refused(r#"{"cost":{"amount":92233720368547758070}}"#),
            (422, "cost.amount".into())
        );
        assert_eq!(refused(r#"{"cost":{}}"#), (422, "cost.amount".into()));
        assert_eq!(refused(r"{}"), (422, "cost".into()));
        assert_eq!(refused("null"), (422, "(body)".into()));
        assert_eq!(refused(r#"{"cost":{"amount":1},"more":2}"#), (422, "more".into()));
        assert_eq!(
            refused(r#"{"cost":{"amount":1,"more":2}}"#),
            (422, "cost.more".into())
        );
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for json in [
            "",
            "{",
            r#"{"cost":{"amount":1}} x"#,
            "\u{feff}{}",
            r#"{"cost":{"amount":1,"amount":2}}"#,
            r#"{"cost":{"amount":1},"cost":{"amount":2}}"#,
            r#"{"cost":NaN}"#,
        ] {
            assert_eq!(refused(json), (400, "malformed_json".into()), "{json}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(refused(&deep), (400, "malformed_json".into()));
    }
}
