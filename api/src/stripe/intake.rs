//! From bytes to the inbox: read, store, count. Nothing is settled here.

use bytes::Bytes;
use tallybook_stripe::event::{self, Delivery, Rejection, ThinHint};
use tallybook_stripe::object::ObjectKind;
use tallybook_stripe::settlement::references;
use tallybook_stripe::snapshot::Snapshot;

use super::inbox::Inbox;
use super::partition::Partition;
use super::repo::is_about_data;

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
    /// The database can't hold it: a NUL within a text, say.
    #[error("the inbox cannot hold the event: {0}")]
    Unstorable(#[source] sqlx::Error),
    /// The database did not answer: nothing is known of the delivery, the sender must try again.
    #[error("the inbox is not available: {0}")]
    Unavailable(#[source] sqlx::Error),
}

impl IntakeError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rejected(rejection) => rejection.code(),
            Self::WrongMode { .. } => "livemode_mismatch",
            Self::WrongAccount { .. } => "stripe_account_mismatch",
            Self::Unstorable(_) => "event_unstorable",
            Self::Unavailable(_) => "unavailable",
        }
    }
}

impl From<sqlx::Error> for IntakeError {
    fn from(error: sqlx::Error) -> Self {
        if is_about_data(&error) {
            Self::Unstorable(error)
        } else {
            Self::Unavailable(error)
        }
    }
}

/// What becomes of a delivery once it is stored.
#[derive(Debug, Clone)]
pub(super) enum Fate {
    /// It is settled.
    ToSettle,
    /// Nothing: a hint, or an object of a kind that is not settled.
    WithoutEffect,
    /// Nothing until a readable snapshot of the object comes.
    Unreadable(String),
}

impl Fate {
    /// The status it is stored with.
    pub(super) fn status(&self) -> &'static str {
        match self {
            Self::ToSettle => "stored",
            Self::WithoutEffect => "settled",
            Self::Unreadable(_) => "parked",
        }
    }
}

/// A delivery as it is stored.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) partition: Partition,
    pub(super) event_id: String,
    pub(super) content_hash: String,
    pub(super) event_type: String,
    pub(super) object_kind: Option<String>,
    pub(super) object_id: Option<String>,
    pub(super) customer: Option<String>,
    /// As JSON.
    pub(super) snapshot: Option<String>,
    pub(super) body: Bytes,
    pub(super) fate: Fate,
    pub(super) kin: Vec<String>,
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
            Delivery::Thin(hint) => Ok(self.storing.store(thin_entry(partition, hint, body)).await?),
        }
    }

    /// Store what was delivered or fetched, and wake the worker if there is something to settle.
    pub(super) async fn store(
        &self,
        partition: &Partition,
        snapshot: &Snapshot,
        body: &[u8],
    ) -> Result<Receipt, IntakeError> {
        let entry = entry(partition, snapshot, body);
        let is_to_settle = matches!(entry.fate, Fate::ToSettle);
        let receipt = self.storing.store(entry).await?;
        if is_to_settle && !receipt.is_duplicate() {
            self.wake.notify_one();
        }
        Ok(receipt)
    }
}

/// A thin event is kept as what it is: a hint that has no effect.
fn thin_entry(partition: &Partition, hint: &ThinHint, body: &[u8]) -> Entry {
    Entry {
        partition: partition.clone(),
        event_id: hint.event_id.clone(),
        content_hash: hint.content_hash.clone(),
        event_type: hint
            .event_type
            .clone()
            .unwrap_or_else(|| "v2.core.event".to_owned()),
        object_kind: None,
        object_id: hint.object_id.clone(),
        customer: None,
        snapshot: None,
        body: Bytes::copy_from_slice(body),
        fate: Fate::WithoutEffect,
        kin: Vec::new(),
    }
}

fn entry(partition: &Partition, snapshot: &Snapshot, body: &[u8]) -> Entry {
    let fate = match (&snapshot.object, &snapshot.unreadable) {
        (Some(_), _) => Fate::ToSettle,
        (None, Some(unreadable)) => Fate::Unreadable(unreadable.to_string()),
        (None, None) => Fate::WithoutEffect,
    };
    let object = snapshot.object.as_ref();
    let as_json = |snapshot| serde_json::to_string(snapshot).expect("a snapshot has no keys but text");
    Entry {
        partition: partition.clone(),
        event_id: snapshot.event_id.clone(),
        content_hash: snapshot.content_hash.clone(),
        event_type: snapshot.event_type.clone(),
        object_kind: snapshot
            .kind()
            .map(|kind| ObjectKind::name(kind).to_owned())
            .or_else(|| snapshot.object_type.clone()),
        object_id: snapshot.object_id.clone(),
        customer: object.and_then(|object| object.customer()).map(str::to_owned),
        snapshot: object.is_some().then(|| as_json(snapshot)),
        body: Bytes::copy_from_slice(body),
        fate,
        kin: object
            .map(references)
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    }
}
