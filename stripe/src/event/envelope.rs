//! Events that come through a cloud's event bus, wrapped.

use serde_json::{Map, Value};

/// The event within: Amazon EventBridge puts it under `detail`, Azure Event Grid (CloudEvents, `specversion`) under `data`.
/// Anything else is the event itself.
pub(super) fn unwrap(mut body: Map<String, Value>) -> Map<String, Value> {
    let is_event = |value: Option<&Value>| {
        let name = value.and_then(|it| it.get("object")).and_then(Value::as_str);
        matches!(name, Some("event" | "v2.core.event"))
    };
    let key = if is_event(body.get("detail")) {
        "detail"
    } else if body.contains_key("specversion") && is_event(body.get("data")) {
        "data"
    } else {
        return body;
    };
    match body.remove(key) {
        Some(Value::Object(event)) => event,
        _ => unreachable!("checked to be an object above"),
    }
}
