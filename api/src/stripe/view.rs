//! What is shown of deliveries and objects.

use futures::Stream;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::identity::{GroupId, StreamId, TenantId};
use tallybook_journal::LoadError;

use super::inbox::Inbox;
use super::repo::views;

/// A delivery in the inbox.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeliveryView {
    /// Its number.
    #[serde(rename = "id")]
    pub delivery: i64,
    /// Stripe's event id.
    pub event: String,
    /// Stripe's event type.
    pub r#type: String,
    /// The object it is about.
    pub object: Option<String>,
    /// `stored`, `settled`, `parked` or `failed`.
    pub status: String,
    /// Why it is parked or failed.
    pub reason: Option<String>,
    /// The same as a sentence.
    pub detail: Option<String>,
    /// What a parked one waits for.
    pub waits_for: Option<String>,
    /// How often settling it went wrong since it last succeeded.
    pub attempts: i32,
    /// How often it came.
    pub received: i64,
    /// When it first came.
    pub received_at: Timestamp,
    /// Since when it is settled or parked.
    pub settled_at: Option<Timestamp>,
}

/// An inbox in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct InboxCounts {
    /// Deliveries that came, copies included.
    pub received: i64,
    /// Different ones.
    pub stored: i64,
    /// Settled.
    pub settled: i64,
    /// Waiting for something.
    pub parked: i64,
    /// Dead letters.
    pub failed: i64,
}

/// The settled view of an object.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ObjectView {
    /// Stripe's id.
    pub id: String,
    /// Stripe's name of its kind.
    pub kind: String,
    /// Whose it is.
    pub account: Option<String>,
    /// How many deliveries came about it, copies included.
    pub deliveries: i64,
    /// The event that is its state, when that was made, and the normalised fields.
    pub winner: Map<String, Value>,
    /// What stands in the books about its payment or invoice.
    pub facts: Vec<Value>,
}

/// An object could not be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum ViewError {
    #[error("the inbox is not available: {0}")]
    Inbox(#[from] sqlx::Error),
    #[error(transparent)]
    Account(#[from] LoadError),
}

impl InboxCounts {
    /// Stored and not settled yet.
    pub fn unsettled(self) -> i64 {
        self.stored - self.settled - self.parked - self.failed
    }
}

impl Inbox {
    /// The settled view of a tenant's object.
    pub(super) async fn object(&self, tenant: &TenantId, id: &str) -> Result<Option<ObjectView>, ViewError> {
        let Some(row) = views::object(&self.pool, tenant.as_str(), id).await? else {
            return Ok(None);
        };
        let mut winner = Map::new();
        winner.insert("event".to_owned(), row.winner_event.into());
        winner.insert("created".to_owned(), row.winner_created.into());
        if let Value::Object(fields) = row.winner {
            winner.extend(fields);
        }
        let mut facts = Vec::new();
        if let (Some(account), Some(group)) = (&row.account, &row.group_id) {
            let stream = StreamId::account(tenant, &account.as_str().into());
            let loaded = self.journal.load::<Account>(&stream).await?;
            let standing = loaded.state.groups().get(&GroupId(group.clone()));
            facts = standing
                .into_iter()
                .flat_map(|group| &group.facts)
                .map(|(key, dated)| json!({"key": key, "effective_at": dated.effective_at, "fact": dated.fact}))
                .collect();
        }
        Ok(Some(ObjectView {
            id: row.object_id,
            kind: row.kind,
            account: row.account,
            deliveries: row.deliveries,
            winner,
            facts,
        }))
    }

    /// Every settled object of a tenant, one held at a time: id, kind and normalised fields.
    pub fn winners<'a>(
        &'a self,
        tenant: &'a TenantId,
    ) -> impl Stream<Item = sqlx::Result<(String, String, Value)>> + Send + 'a {
        views::winners(&self.pool, tenant.as_str())
    }

    /// The inbox in numbers.
    pub async fn counts(&self, tenant: &TenantId) -> sqlx::Result<InboxCounts> {
        views::counts(&self.pool, tenant.as_str()).await
    }

    /// When the newest stored event was made: Unix seconds.
    pub async fn newest(&self, tenant: &TenantId) -> sqlx::Result<Option<i64>> {
        views::newest(&self.pool, tenant.as_str()).await
    }
}
