//! From bytes to the inbox: read, store, count. Nothing is settled here.

use serde_json::json;
use tallybook_stripe::event::{self, Delivery, Rejection};
use tallybook_stripe::object::ObjectKind;
use tallybook_stripe::settlement::references;
use tallybook_stripe::snapshot::Snapshot;

use super::inbox::Inbox;
use super::partition::Partition;
use super::repo;

/// What became of a delivery that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in the inbox, the same for every copy of it.
    pub delivery: i64,
    /// How often it has come, this time included.
    pub received: i64,
}

impl Receipt {
    /// Whether the same had come before.
    pub fn is_duplicate(self) -> bool {
        self.received > 1
    }
}

/// A delivery that is not taken. All but [`IntakeError::Unavailable`] are final.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Not a readable event.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Of the other mode.
    #[error("the event is of {} mode, this endpoint takes the other", if *livemode { "live" } else { "test" })]
    WrongMode {
        /// The event's mode.
        livemode: bool,
    },
    /// Of another Stripe account than the endpoint's.
    #[error("the event is about {account}, this endpoint takes those about another account")]
    WrongAccount {
        /// The event's account.
        account: String,
    },
    /// The database did not answer: nothing is known of the delivery, the sender must try again.
    #[error("the inbox is not available: {0}")]
    Unavailable(#[from] sqlx::Error),
}

impl IntakeError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::WrongMode { .. } => "livemode_mismatch",
            Self::WrongAccount { .. } => "stripe_account_mismatch",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

/// What becomes of a delivery once it is stored.
pub(super) enum Fate {
    /// It is settled.
    ToSettle,
    /// Nothing: a hint, or an object of a kind that is not settled.
    WithoutEffect,
    /// Nothing until a readable snapshot of the object comes.
    Unreadable(String),
}

/// A delivery as it is stored.
pub(super) struct Entry<'a> {
    pub(super) event_id: &'a str,
    pub(super) content_hash: &'a str,
    pub(super) event_type: &'a str,
    pub(super) object_kind: Option<&'a str>,
    pub(super) object_id: Option<&'a str>,
    pub(super) customer: Option<&'a str>,
    pub(super) snapshot: Option<serde_json::Value>,
    pub(super) body: &'a [u8],
    pub(super) fate: Fate,
    pub(super) kin: Vec<&'a str>,
}

impl Inbox {
    /// Take a delivery whose sender is known. When this returns, it is stored for good.
    pub async fn take(&self, partition: &Partition, body: &[u8]) -> Result<Receipt, IntakeError> {
        let delivery = event::parse(body)?;
        self.take_parsed(partition, body, &delivery).await
    }

    /// [`Inbox::take`] of a body that was read already.
    pub async fn take_parsed(
        &self,
        partition: &Partition,
        body: &[u8],
        delivery: &Delivery,
    ) -> Result<Receipt, IntakeError> {
        let (livemode, account) = match delivery {
            Delivery::Event(event) => (event.livemode, event.account.as_deref()),
            Delivery::Thin(hint) => (hint.livemode, None),
        };
        if livemode != partition.livemode {
            return Err(IntakeError::WrongMode { livemode });
        }
        if let Some(account) = account.filter(|account| *account != partition.stripe_account) {
            return Err(IntakeError::WrongAccount {
                account: account.to_owned(),
            });
        }
        match delivery {
            Delivery::Event(event) => self.store(partition, &event.snapshot, body).await,
            Delivery::Thin(hint) => {
                let entry = Entry {
                    event_id: &hint.event_id,
                    content_hash: &hint.content_hash,
                    event_type: hint.event_type.as_deref().unwrap_or("v2.core.event"),
                    object_kind: None,
                    object_id: hint.object_id.as_deref(),
                    customer: None,
                    snapshot: None,
                    body,
                    fate: Fate::WithoutEffect,
                    kin: Vec::new(),
                };
                Ok(repo::inbox::store(&self.pool, partition, &entry).await?)
            }
        }
    }

    /// Store what was delivered or fetched, and wake the worker if there is something to settle.
    pub(super) async fn store(
        &self,
        partition: &Partition,
        snapshot: &Snapshot,
        body: &[u8],
    ) -> Result<Receipt, IntakeError> {
        let entry = entry(snapshot, body);
        let receipt = repo::inbox::store(&self.pool, partition, &entry).await?;
        if matches!(entry.fate, Fate::ToSettle) && !receipt.is_duplicate() {
            self.wake.notify_one();
        }
        Ok(receipt)
    }
}

fn entry<'a>(snapshot: &'a Snapshot, body: &'a [u8]) -> Entry<'a> {
    let fate = match (&snapshot.object, &snapshot.unreadable) {
        (Some(_), _) => Fate::ToSettle,
        (None, Some(unreadable)) => Fate::Unreadable(unreadable.to_string()),
        (None, None) => Fate::WithoutEffect,
    };
    Entry {
        event_id: &snapshot.event_id,
        content_hash: &snapshot.content_hash,
        event_type: &snapshot.event_type,
        object_kind: snapshot
            .kind()
            .map(ObjectKind::name)
            .or(snapshot.object_type.as_deref()),
        object_id: snapshot.object_id.as_deref(),
        customer: snapshot.object.as_ref().and_then(|object| object.customer()),
        snapshot: snapshot.object.is_some().then(|| json!(snapshot)),
        body,
        fate,
        kin: snapshot.object.as_ref().map(references).unwrap_or_default(),
    }
}
