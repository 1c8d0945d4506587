//! Accounts, subscriptions and trials.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Page, ReadModelError, Reads, Rows};
use crate::repo::read::accounts as repo;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Its id within the tenant.
    pub account_id: String,
    /// The caller's own id for it.
    pub external_id: Option<String>,
    /// The Stripe customers that are this account, in order.
    pub stripe_customers: Vec<String>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// The position of its first event: the order of lists.
    pub opened_position: i64,
    /// The number of events in its stream.
    pub version: i64,
    /// The position of its last event.
    pub position: i64,
}

/// A subscription as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionRow {
    /// Its id.
    pub subscription_id: String,
    /// `stripe` or `tallybook`.
    pub driver: String,
    /// In Stripe's words.
    pub status: String,
    /// `[{item, price, quantity, plan?}]`.
    pub items: Value,
    /// Start of the current period.
    pub period_start: DateTime<Utc>,
    /// End of the current period.
    pub period_end: DateTime<Utc>,
    /// Whether it ends with the period.
    pub cancel_at_period_end: bool,
    /// When it is to end, if that is set.
    pub cancel_at: Option<DateTime<Utc>>,
    /// When its trial ends or ended.
    pub trial_end: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
    /// The event that last changed it.
    pub position: i64,
}

/// A trial as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialRow {
    /// The subscription it is the trial of.
    pub subscription_id: String,
    /// `running`, `converted`, `expired` or `cancelled`.
    pub status: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The first instant after it.
    pub ends_at: DateTime<Utc>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
    /// The event that last changed it.
    pub position: i64,
}

impl Reads {
    /// A tenant's accounts, in the order they were opened.
    pub async fn accounts(&self, tenant: &str, page: Page) -> Result<Rows<AccountRow>, ReadModelError> {
        let rows = repo::list(self.pool(), tenant, page.after(), page.fetch()).await?;
        Ok(page.cut(rows, |row| row.opened_position))
    }

    /// An account.
    pub async fn account(&self, tenant: &str, account: &str) -> Result<Option<AccountRow>, ReadModelError> {
        Ok(repo::one(self.pool(), tenant, account).await?)
    }

    /// An account's subscriptions, by id.
    pub async fn subscriptions(
        &self,
        tenant: &str,
        account: &str,
    ) -> Result<Vec<SubscriptionRow>, ReadModelError> {
        Ok(repo::subscriptions(self.pool(), tenant, account).await?)
    }

    /// An account's trials, by subscription.
    pub async fn trials(&self, tenant: &str, account: &str) -> Result<Vec<TrialRow>, ReadModelError> {
        Ok(repo::trials(self.pool(), tenant, account).await?)
    }
}
