//! What PostgreSQL can hold of what an event can say.
//!
//! An event is JSON and may name a NUL character or a year past 9999, and has nanoseconds; a row can't. One odd event
//! must not stop a projection for everyone, so rows hold the nearest they can; the log keeps what was said.

use std::borrow::Cow;

use chrono::{DateTime, SubsecRound, Utc};
use serde::Serialize;
use serde_json::Value;

/// The instants rows hold: years of four digits, in every time zone.
const EARLIEST: &str = "0001-01-02T00:00:00Z";
const LATEST: &str = "9999-12-30T23:59:59.999999Z";

/// An instant as rows hold it: whole microseconds, years 1 to 9999.
pub(crate) fn instant(at: DateTime<Utc>) -> DateTime<Utc> {
    let bound = |text: &str| {
        text.parse::<DateTime<Utc>>()
            .expect("a constant instant is well formed")
    };
    at.trunc_subsecs(6).clamp(bound(EARLIEST), bound(LATEST))
}

/// A text as rows hold it.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        return Cow::Owned(text.replace('\0', "\u{fffd}"));
    }
    Cow::Borrowed(text)
}

/// Rows as the JSON array that `json_to_recordset` reads.
pub(crate) fn rows<T: Serialize>(rows: &[T]) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(rows)?;
    if !json.contains("\\u0000") {
        return Ok(json);
    }
    let mut value: Value = serde_json::from_str(&json)?;
    replace_nul(&mut value);
    serde_json::to_string(&value)
}

fn replace_nul(value: &mut Value) {
    match value {
        Value::String(found) => *found = text(found).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(fields) => fields.values_mut().for_each(replace_nul),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_becomes_a_replacement_character_and_an_escaped_backslash_stays() {
        let json = rows(&["a\0b", "a\\u0000b"]).expect("strings are JSON");
        let back: Vec<String> = serde_json::from_str(&json).expect("an array of strings");
        assert_eq!(back, ["a\u{fffd}b", "a\\u0000b"]);
    }

    #[test]
    fn instants_keep_microseconds_and_stay_in_the_calendar() {
        let fine: DateTime<Utc> = "2026-01-01T00:00:00.123456789Z".parse().expect("well formed");
        assert_eq!(instant(fine).to_rfc3339(), "2026-01-01T00:00:00.123456+00:00");
        assert_eq!(
            instant(DateTime::<Utc>::MAX_UTC).to_rfc3339(),
            "9999-12-30T23:59:59.999999+00:00"
        );
    }
}
