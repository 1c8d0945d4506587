//! JSON as a verifier must read it: a key that stands twice is refused, and a value has one canonical text.
//!
//! `serde_json` keeps the last of two equal keys, other readers the first. A body that two readers see differently must
//! not reach the books, so duplicates are an error here and not a matter of taste.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

/// Why a body is not JSON we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not one JSON value: truncated, trailing text, nested deeper than 128, or no JSON at all.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// The same key twice in one object.
    #[error("key {0:?} stands twice in one object")]
    DuplicateKey(String),
}

/// Reads exactly one JSON value, refusing duplicate keys at any depth.
pub fn parse_strict(text: &str) -> Result<Value, JsonError> {
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Strict {
        duplicate: &duplicate,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| match duplicate.take() {
        Some(key) => JsonError::DuplicateKey(key),
        None => JsonError::Syntax(error.to_string()),
    })
}

/// Builds a [`Value`] and remembers the first key seen twice, which an error text alone could not tell apart.
#[derive(Clone, Copy)]
struct Strict<'a> {
    duplicate: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
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

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                *self.duplicate.borrow_mut() = Some(key);
                return Err(de::Error::custom("duplicate key"));
            }
            let value = entries.next_value_seed(self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Appends the canonical text of `value`: keys in byte order, no white space.
///
/// Sorted here and not left to `serde_json`, whose map keeps insertion order as soon as any crate of the build asks for it.
pub fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => write_canonical_object(map, &[], out),
        scalar => write!(out, "{scalar}").expect("writing to a string does not fail"),
    }
}

/// [`write_canonical`] of an object without the keys of `omitted` (its own keys, not those of nested objects).
pub fn write_canonical_object(map: &Map<String, Value>, omitted: &[&str], out: &mut String) {
    let mut keys: Vec<&String> = map
        .keys()
        .filter(|key| !omitted.contains(&key.as_str()))
        .collect();
    keys.sort_unstable();
    out.push('{');
    for (index, key) in keys.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write!(out, "{}:", Value::String(key.clone())).expect("writing to a string does not fail");
        write_canonical(&map[key], out);
    }
    out.push('}');
}

/// Lower-case hex of the SHA-256 of `bytes`.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duplicate_key_is_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":[{"deep":{"k":1,"k":2}}]}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert!(
                matches!(parse_strict(text), Err(JsonError::DuplicateKey(_))),
                "{text}"
            );
        }
        assert!(
            parse_strict(r#"{"a":{"k":1},"b":{"k":1}}"#).is_ok(),
            "the same key in two objects is fine"
        );
    }

    #[test]
    fn truncated_trailing_and_too_deep_are_syntax_errors() {
        let deep = "[".repeat(100_000);
        for text in ["", "{", "{}x", r#"{"a":}"#, "nul", deep.as_str()] {
            assert!(matches!(parse_strict(text), Err(JsonError::Syntax(_))));
        }
    }

    #[test]
    fn canonical_text_ignores_key_order_and_spacing() {
        let canonical = |text: &str| {
            let mut out = String::new();
            write_canonical(&parse_strict(text).unwrap(), &mut out);
            out
        };
        assert_eq!(
            canonical("{\"b\": [1, {\"y\":null,\"x\":true}], \"a\": \"é\\n\"}"),
            canonical("{\"a\":\"\\u00e9\\n\",\"b\":[1,{\"x\":true,\"y\":null}]}")
        );
        assert_ne!(canonical("[1,2]"), canonical("[2,1]"));
        assert_ne!(canonical(r#"{"a":1}"#), canonical(r#"{"a":"1"}"#));
    }
}
