//! What subscriptions bring in a month, one row an event of theirs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::PgConnection;
use tallybook_domain::account::AccountFact;
use tallybook_domain::subscriptions::Recurring;

use crate::batch::{Content, Record};
use crate::projection::ApplyError;
use crate::repo::write::books as repo;
use crate::storable;

#[derive(Serialize)]
struct Row<'a> {
    tenant: &'a str,
    account_id: &'a str,
    subscription_id: &'a str,
    position: i64,
    effective_at: DateTime<Utc>,
    items: Value,
}

/// Which subscription an event is about, when it is true, and what it brings in a month from then on.
pub(crate) fn recurring(record: &Record) -> Option<(&str, DateTime<Utc>, Value)> {
    let Content::Account(event) = &record.content else {
        return None;
    };
    let AccountFact::Subscriptions(changed) = &event.fact else {
        return None;
    };
    let (subscription, items) = changed.recurring()?;
    let items: Vec<Value> = items.iter().map(item).collect();
    let effective_at = storable::instant(event.effective_at);
    Some((subscription.as_str(), effective_at, Value::Array(items)))
}

fn item(item: &Recurring) -> Value {
    json!({"plan": storable::text(&item.plan), "currency": item.currency.code(), "amount": item.amount})
}

fn row(record: &Record) -> Option<Row<'_>> {
    let stream = record.stream.as_ref()?;
    let (subscription_id, effective_at, items) = recurring(record)?;
    Some(Row {
        tenant: stream.tenant().as_str(),
        account_id: stream.name(),
        subscription_id,
        position: record.position(),
        effective_at,
        items,
    })
}

/// Append what these events say.
pub(super) async fn append(connection: &mut PgConnection, records: &[Record]) -> Result<(), ApplyError> {
    let rows: Vec<Row<'_>> = records.iter().filter_map(row).collect();
    if !rows.is_empty() {
        repo::append_recurring(connection, &storable::rows(&rows)?).await?;
    }
    Ok(())
}
