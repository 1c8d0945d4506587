//! Reading one field of a Stripe object, whatever version wrote it. By presence, never by version string.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Unreadable;

/// A view of one JSON object. Missing, null and of-another-type all read as `None`: a field we cannot use is not there.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self(map)
    }

    fn get(self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// Is it there at all, and not null?
    pub(super) fn has(self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn text(self, key: &str) -> Option<String> {
        self.get(key)?.as_str().map(str::to_owned)
    }

    pub(super) fn int(self, key: &str) -> Option<i64> {
        self.get(key)?.as_i64()
    }

    pub(super) fn flag(self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// A reference to another object: its id, or the object itself where it was expanded.
    pub(super) fn id(self, key: &str) -> Option<String> {
        match self.get(key)? {
            Value::String(id) => Some(id.clone()).filter(|id| !id.is_empty()),
            Value::Object(expanded) => Fields(expanded).text("id"),
            _ => None,
        }
    }

    pub(super) fn map(self, key: &str) -> Option<Fields<'a>> {
        self.get(key)?.as_object().map(Fields)
    }

    /// The map at the end of a path of keys.
    pub(super) fn path(self, keys: &[&str]) -> Option<Fields<'a>> {
        keys.iter().try_fold(self, |fields, key| fields.map(key))
    }

    /// The elements of a bare array or of a list object (`{"object": "list", "data": [..]}`). `None` if it is neither.
    pub(super) fn values(self, key: &str) -> Option<&'a [Value]> {
        match self.get(key)? {
            Value::Array(items) => Some(items),
            Value::Object(list) => list.get("data")?.as_array().map(Vec::as_slice),
            _ => None,
        }
    }

    /// [`Self::values`], those that are objects.
    pub(super) fn list(self, key: &str) -> impl Iterator<Item = Fields<'a>> {
        self.values(key)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_object)
            .map(Fields)
    }

    /// Does the list object say that it holds only its first page?
    pub(super) fn has_more(self, key: &str) -> bool {
        self.map(key)
            .and_then(|list| list.flag("has_more"))
            .unwrap_or(false)
    }

    /// Sum of an integer field over a list; `None` where the list is absent or the sum leaves 64 bits.
    pub(super) fn sum(self, list: &str, key: &str) -> Option<i64> {
        self.values(list)?;
        self.list(list)
            .filter_map(|item| item.int(key))
            .try_fold(0_i64, i64::checked_add)
    }

    /// `metadata`: string to string. Stripe stores nothing else there, so other values are not metadata.
    pub(super) fn metadata(self) -> BTreeMap<String, String> {
        let entries = self.map("metadata").map(|fields| fields.0.iter());
        entries
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect()
    }

    pub(super) fn required_text(self, key: &'static str) -> Result<String, Unreadable> {
        self.text(key).ok_or(Unreadable { field: key.into() })
    }

    pub(super) fn required_int(self, key: &'static str) -> Result<i64, Unreadable> {
        self.int(key).ok_or(Unreadable { field: key.into() })
    }
}
