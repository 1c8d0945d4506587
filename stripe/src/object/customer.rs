use serde::{Deserialize, Serialize};

use super::{Fields, Unreadable};

/// A customer: only what links it to an account. Name, e-mail, address and phone are never kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Customer {
    /// `cus_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// `metadata.account_id`: the account it names, if any.
    pub account_id: Option<String>,
    /// It is gone: a fetched tombstone says so, and of a `customer.deleted` event its type.
    pub deleted: bool,
}

impl Customer {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            account_id: fields
                .map("metadata")
                .and_then(|it| it.text("account_id"))
                .filter(|id| !id.is_empty()),
            deleted: fields.flag("deleted").unwrap_or(false),
        })
    }
}
