//! Reading a delivery's body: lenient about everything we do not need, exact about what we do.
//!
//! Needed are `id`, `type`, `created` and `data.object`. Whatever else is missing, unknown or of another type is read as
//! absent. A body that fails here is refused as a whole with a stable code; nothing of it is applied.

pub(crate) mod envelope;
mod rejection;
mod thin;

use serde_json::{Map, Value};

use crate::fingerprint::Fingerprint;
use crate::json::{parse_strict, sha256_hex, write_canonical, write_canonical_object};
use crate::object::Object;
use crate::snapshot::Snapshot;

pub use rejection::Rejection;
pub use thin::ThinHint;

/// A readable delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A snapshot event: it carries its object, and is what we settle from.
    Event(Box<Event>),
    /// A thin (v2) event: stored as a hint to look at an object, never a fact.
    Thin(ThinHint),
}

/// A snapshot event: the partition it belongs to, and what is stored of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The connected account it is about; none for the account the endpoint belongs to.
    pub account: Option<String>,
    /// Live or test mode. Absent reads as test mode: a live ledger then refuses it, a test ledger loses nothing.
    pub livemode: bool,
    /// Deliveries Stripe still owes, counting this one. Differs between redeliveries of one event.
    pub pending_webhooks: Option<i64>,
    /// `request.idempotency_key`.
    pub idempotency_key: Option<String>,
    /// What settlement reads.
    pub snapshot: Snapshot,
}

/// Reads the raw body of a delivery whose signature is already verified. Any bytes give an answer, never a panic.
pub fn parse(body: &[u8]) -> Result<Delivery, Rejection> {
    let text = std::str::from_utf8(body).map_err(|_| Rejection::NotUtf8)?;
    from_value(parse_strict(text)?)
}

/// [`parse`] of a body that is JSON already, e.g. an element of an Events API page.
pub fn from_value(body: Value) -> Result<Delivery, Rejection> {
    let Value::Object(body) = body else {
        return Err(Rejection::NotAnObject);
    };
    let body = envelope::unwrap(body);
    if let Some(hint) = ThinHint::read(&body) {
        return hint.map(Delivery::Thin);
    }
    read_event(&body).map(|event| Delivery::Event(Box::new(event)))
}

fn read_event(body: &Map<String, Value>) -> Result<Event, Rejection> {
    let text = |key: &str| {
        body.get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let event_id = text("id").ok_or(Rejection::NoId)?;
    if event_id.len() > ID_LENGTH_MAX {
        return Err(Rejection::IdTooLong);
    }
    let event_type = text("type").ok_or(Rejection::NoType)?;
    let created = body
        .get("created")
        .and_then(Value::as_i64)
        .ok_or(Rejection::NoCreated)?;
    let data = body
        .get("data")
        .and_then(Value::as_object)
        .ok_or(Rejection::NoDataObject)?;
    let object = data
        .get("object")
        .and_then(Value::as_object)
        .ok_or(Rejection::NoDataObject)?;
    let (request_id, idempotency_key) = request(body.get("request"));

    let gone = tombstone(event_type, object);
    let object = gone.as_ref().unwrap_or(object);
    let (read, unreadable) = match Object::read(object) {
        Ok(read) => (read, None),
        Err(unreadable) => (None, Some(unreadable)),
    };
    let object_text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
    let (fields, previous) = fingerprints(read.as_ref(), object, data.get("previous_attributes"));
    Ok(Event {
        account: text("account").map(str::to_owned),
        livemode: body.get("livemode").and_then(Value::as_bool).unwrap_or(false),
        pending_webhooks: body.get("pending_webhooks").and_then(Value::as_i64),
        idempotency_key,
        snapshot: Snapshot {
            event_id: event_id.to_owned(),
            event_type: event_type.to_owned(),
            created,
            request_id,
            api_version: text("api_version").map(str::to_owned),
            content_hash: content_hash(body),
            data_hash: data_hash(data),
            object_id: object_text("id").filter(|id| !id.is_empty()),
            object_type: object_text("object"),
            object: read,
            unreadable,
            fields,
            previous,
        },
    })
}

/// The object of a deletion, saying of itself what a read from the API would: the event alone says so.
fn tombstone(event_type: &str, object: &Map<String, Value>) -> Option<Map<String, Value>> {
    event_type.ends_with(".deleted").then(|| {
        let mut object = object.clone();
        object.insert("deleted".to_owned(), Value::Bool(true));
        object
    })
}

/// Stripe: "ids are at most 255 characters".
const ID_LENGTH_MAX: usize = 255;

/// `request`: an object since 2017-05-25, before that the bare id, null for what Stripe did by itself.
fn request(request: Option<&Value>) -> (Option<String>, Option<String>) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    match request {
        Some(Value::Object(it)) => (text(it.get("id")), text(it.get("idempotency_key"))),
        other => (text(other), None),
    }
}

/// Only what the winner rule will compare is fingerprinted: objects of a kind we settle.
fn fingerprints(
    read: Option<&Object>,
    object: &Map<String, Value>,
    previous: Option<&Value>,
) -> (Fingerprint, Option<Fingerprint>) {
    let Some(read) = read else {
        return (Fingerprint::default(), None);
    };
    let previous = previous
        .and_then(Value::as_object)
        .map(|map| Fingerprint::of_previous(read.id(), map));
    (
        Fingerprint::of(read.id(), object),
        previous.filter(|fingerprint| !fingerprint.is_empty()),
    )
}

/// The body without `pending_webhooks`, which counts down from one delivery of an event to the next.
fn content_hash(body: &Map<String, Value>) -> String {
    let mut canonical = String::new();
    write_canonical_object(body, &["pending_webhooks"], &mut canonical);
    sha256_hex(canonical.as_bytes())
}

/// What changed and to what: the object with its previous values, nothing else that may stand in `data`.
fn data_hash(data: &Map<String, Value>) -> String {
    let mut canonical = String::new();
    for key in ["object", "previous_attributes"] {
        write_canonical(data.get(key).unwrap_or(&Value::Null), &mut canonical);
        canonical.push('\n');
    }
    sha256_hex(canonical.as_bytes())
}

#[cfg(test)]
mod tests;
