use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ID_LENGTH_MAX, Rejection, content_hash};

/// A thin event (`v2.core.event`): it names an object that changed and carries nothing of it. Stored without effect;
/// the snapshot endpoint is the source of facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThinHint {
    /// `evt_..`
    pub event_id: String,
    /// e.g. `v1.customer.subscription.past_due`.
    pub event_type: Option<String>,
    /// RFC 3339 text, unlike snapshot events.
    pub created: Option<String>,
    /// Live or test mode.
    pub livemode: bool,
    /// The account or organisation it is about.
    pub context: Option<String>,
    /// `related_object.id`: what to look at.
    pub object_id: Option<String>,
    /// `related_object.type`.
    pub object_type: Option<String>,
    /// The snapshot event made for the same change (2026-09-30.endive).
    pub snapshot_event: Option<String>,
    /// SHA-256 of the body, canonical.
    pub content_hash: String,
}

impl ThinHint {
    /// `None` where the body is not a thin event.
    pub(super) fn read(body: &Map<String, Value>) -> Option<Result<Self, Rejection>> {
        let text =
            |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
        if text(body, "object").as_deref() != Some("v2.core.event") {
            return None;
        }
        let related = body.get("related_object").and_then(Value::as_object);
        let Some(event_id) = text(body, "id").filter(|id| !id.is_empty()) else {
            return Some(Err(Rejection::NoId));
        };
        if event_id.len() > ID_LENGTH_MAX {
            return Some(Err(Rejection::IdTooLong));
        }
        Some(Ok(Self {
            event_id,
            event_type: text(body, "type"),
            created: text(body, "created"),
            livemode: body.get("livemode").and_then(Value::as_bool).unwrap_or(false),
            context: text(body, "context"),
            object_id: related.and_then(|it| text(it, "id")),
            object_type: related.and_then(|it| text(it, "type")),
            snapshot_event: text(body, "snapshot_event"),
            content_hash: content_hash(body),
        }))
    }
}
