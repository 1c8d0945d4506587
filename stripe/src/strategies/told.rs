//! What is told of an object: an event, or the answer to somebody who asked.

use serde_json::{Map, Value, json};

use super::version::Version;
use crate::event::{Delivery, from_value};
use crate::json::sha256_hex;
use crate::snapshot::Snapshot;

/// Something told, as Stripe knows it, before a version renders it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told(Word);

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Event(Value),
    Read { object: Map<String, Value>, at: i64 },
}

impl Told {
    /// An event of this type, the so-manieth of its customer; none where it would have to say what changed and nothing did.
    pub(super) fn event(
        event_type: &str,
        (customer, number): (usize, usize),
        (created, request): (i64, Option<&str>),
        before: &Map<String, Value>,
        object: &Map<String, Value>,
    ) -> Option<Self> {
        let mut data = json!({"object": object});
        if says_previous(event_type) {
            let previous = previous_values(before, object);
            if previous.is_empty() {
                return None;
            }
            data["previous_attributes"] = Value::Object(previous);
        }
        // Ids do not sort in the order of happening: the last resort must not be what decides.
        let digest = sha256_hex(format!("{customer}/{number}").as_bytes());
        let event = json!({"id": format!("evt_{}", &digest[..24]), "object": "event", "type": event_type,
            "api_version": Version::Dahlia.name(), "created": created, "livemode": false, "pending_webhooks": 1,
            "data": data, "request": {"id": request, "idempotency_key": null}});
        Some(Self(Word::Event(event)))
    }

    /// The object as it was at that second.
    pub(super) fn read(object: Map<String, Value>, at: i64) -> Self {
        Self(Word::Read { object, at })
    }

    /// The body that an endpoint of this version is sent; none for what was read.
    pub fn rendered(&self, version: Version) -> Option<Value> {
        match &self.0 {
            Word::Event(event) => Some(version.render(event)),
            Word::Read { .. } => None,
        }
    }

    /// What of it is stored, told by this version.
    pub fn snapshot(&self, version: Version) -> Snapshot {
        match &self.0 {
            Word::Event(event) => match from_value(version.render(event)) {
                Ok(Delivery::Event(event)) => event.snapshot,
                other => unreachable!("an event with all it needs: {other:?}"),
            },
            Word::Read { object, at } => Snapshot::fetched(&version.object(object), *at)
                .unwrap_or_else(|| unreachable!("only what settles is read: {object:?}")),
        }
    }

    /// Whether somebody asked for it.
    pub fn is_read(&self) -> bool {
        matches!(self.0, Word::Read { .. })
    }

    /// When it was so, Unix seconds.
    pub fn created(&self) -> i64 {
        match &self.0 {
            Word::Event(event) => event["created"].as_i64().unwrap_or_default(),
            Word::Read { at, .. } => *at,
        }
    }

    /// The object it is about, in the shape of [`Version::Dahlia`].
    pub fn object(&self) -> &Map<String, Value> {
        let object = match &self.0 {
            Word::Event(event) => event["data"]["object"].as_object(),
            Word::Read { object, .. } => Some(object),
        };
        object.unwrap_or_else(|| unreachable!("an event has its object: {self:?}"))
    }

    /// Its id.
    pub fn object_id(&self) -> &str {
        self.object()
            .get("id")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

fn says_previous(event_type: &str) -> bool {
    event_type.ends_with(".updated") || event_type == "charge.refunded"
}

/// As Stripe says them: of a map only the keys that changed, null where there was none, arrays whole.
pub(super) fn previous_values(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let mut previous = Map::new();
    for key in before.keys().chain(after.keys()) {
        let (old, new) = (before.get(key), after.get(key));
        if old == new || previous.contains_key(key) {
            continue;
        }
        let value = match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => Value::Object(previous_values(old, new)),
            (old, _) => old.cloned().unwrap_or(Value::Null),
        };
        previous.insert(key.clone(), value);
    }
    previous
}
