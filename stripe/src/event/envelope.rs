//! Events that come through a cloud's event bus, wrapped.

use serde_json::{Map, Value};

/// Where the event is within: Amazon EventBridge puts it under `detail`, Azure Event Grid (CloudEvents, `specversion`) under
/// `data`. None where the body is the event itself.
pub(crate) fn event_key(body: &Map<String, Value>) -> Option<&'static str> {
    let is_event = |key| {
        let name = body
            .get(key)
            .and_then(|it| it.get("object"))
            .and_then(Value::as_str);
        matches!(name, Some("event" | "v2.core.event"))
    };
    if is_event("detail") {
        Some("detail")
    } else if body.contains_key("specversion") && is_event("data") {
        Some("data")
    } else {
        None
    }
}

/// The event within, or the body where it is the event.
pub(super) fn unwrap(mut body: Map<String, Value>) -> Map<String, Value> {
    match event_key(&body).and_then(|key| body.remove(key)) {
        Some(Value::Object(event)) => event,
        _ => body,
    }
}
