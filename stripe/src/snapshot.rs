//! One stored event in the form that outlives its raw body: all that the winner rule and settlement read.

use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::object::{Object, ObjectKind, Unreadable};

/// An event as settlement sees it. Serialised beside the raw body at intake; after an erasure it is all that is left, and
/// settling gives the same result from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `evt_..`, or `fetch:<object id>:<second>` for a read from the API (see [`Snapshot::fetched`]).
    pub event_id: String,
    /// e.g. `customer.subscription.updated`.
    pub event_type: String,
    /// When Stripe made the event, Unix seconds.
    pub created: i64,
    /// The API request that caused it; none for what Stripe did by itself, e.g. renewals.
    pub request_id: Option<String>,
    /// The version that rendered it; none before 2014-10-31.
    pub api_version: Option<String>,
    /// SHA-256 of the whole body without `pending_webhooks`, canonical: equal for redeliveries, different for another
    /// rendering of the same event.
    pub content_hash: String,
    /// SHA-256 of `data`, canonical: equal for twins, two event ids made for one change.
    pub data_hash: String,
    /// The object's id; none for what has none (`balance.available`, `invoice.upcoming`).
    pub object_id: Option<String>,
    /// The object's `object` field, also of kinds we do not settle.
    pub object_type: Option<String>,
    /// The object, where it is of a kind we settle and readable.
    pub object: Option<Object>,
    /// Why an object of a kind we settle has no effect.
    pub unreadable: Option<Unreadable>,
    /// Hashes of the object's fields.
    pub fields: Fingerprint,
    /// Hashes of `previous_attributes`; none where the event has none.
    pub previous: Option<Fingerprint>,
}

impl Snapshot {
    /// The kind, where there is a readable object to settle.
    pub fn kind(&self) -> Option<ObjectKind> {
        self.object.as_ref().map(Object::kind)
    }

    /// The last word of the type: `created`, `updated`, `deleted`, ..
    pub fn verb(&self) -> &str {
        self.event_type.rsplit('.').next().unwrap_or_default()
    }

    /// The object's status.
    pub fn status(&self) -> Option<&str> {
        self.object.as_ref().and_then(Object::status)
    }

    /// Is the object gone? `*.deleted` events carry the full object without saying so in it; a fetched tombstone says so.
    /// A deleted subscription is `canceled` besides.
    pub fn is_deletion(&self) -> bool {
        self.verb() == "deleted" || matches!(&self.object, Some(Object::Customer(it)) if it.deleted)
    }

    /// Was it read from the API, and not delivered? It ranks after the events of its second.
    pub fn is_fetched(&self) -> bool {
        self.event_id.starts_with(FETCHED)
    }

    /// A synthetic snapshot of an object read from the API at `at` (Unix seconds): it heals changes that sent no event.
    /// `None` where the object has no id or is of no kind we settle.
    pub fn fetched(object: &serde_json::Map<String, serde_json::Value>, at: i64) -> Option<Self> {
        let read = Object::read(object).ok()??;
        let mut canonical = String::new();
        crate::json::write_canonical_object(object, &[], &mut canonical);
        let hash = crate::json::sha256_hex(canonical.as_bytes());
        Some(Self {
            event_id: format!("{FETCHED}{}:{at}", read.id()),
            event_type: format!("{}.fetched", read.kind()),
            created: at,
            request_id: None,
            api_version: None,
            content_hash: hash.clone(),
            data_hash: hash,
            object_id: Some(read.id().to_owned()),
            object_type: Some(read.kind().name().to_owned()),
            fields: Fingerprint::of(read.id(), object),
            object: Some(read),
            unreadable: None,
            previous: None,
        })
    }
}

const FETCHED: &str = "fetch:";
