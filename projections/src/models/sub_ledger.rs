//! What the books' sub-ledger keys stand for, one row an event that says something of one.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use tallybook_domain::postings::{LedgerAccount, SubLedgerTerms, sub_ledger_terms};

use crate::batch::{Content, Record};
use crate::projection::ApplyError;
use crate::repo::write::books as repo;
use crate::storable;

#[derive(Serialize)]
struct TermsRow<'a> {
    tenant: &'a str,
    account_id: &'a str,
    ledger_account: LedgerAccount,
    sub_key: String,
    position: i64,
    product: Option<String>,
    source: Option<&'static str>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

/// What an event says about sub-ledger keys.
pub(crate) fn terms(record: &Record) -> Vec<SubLedgerTerms> {
    match &record.content {
        Content::Account(event) => sub_ledger_terms(event),
        Content::Treasury(_) | Content::Other | Content::Unreadable(_) => Vec::new(),
    }
}

fn rows_of(record: &Record) -> Vec<TermsRow<'_>> {
    let Some(stream) = &record.stream else {
        return Vec::new();
    };
    let said = terms(record).into_iter().map(|said| TermsRow {
        tenant: stream.tenant().as_str(),
        account_id: stream.name(),
        ledger_account: said.account,
        sub_key: said.key,
        position: record.position(),
        product: said.product,
        source: said.source,
        starts_at: said.span.map(|(start, _)| storable::instant(start)),
        ends_at: said.span.and_then(|(_, end)| end).map(storable::instant),
    });
    said.collect()
}

/// Append what these events say.
pub(super) async fn append(connection: &mut PgConnection, records: &[Record]) -> Result<(), ApplyError> {
    let rows: Vec<TermsRow<'_>> = records.iter().flat_map(rows_of).collect();
    if !rows.is_empty() {
        repo::append_terms(connection, &storable::rows(&rows)?).await?;
    }
    Ok(())
}
