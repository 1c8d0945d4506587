//! Sub-accounts with what they come to, for exports. Rows come in the order of bytes, whatever the database's collation.

use chrono::NaiveDate;
use futures::stream::BoxStream;
use sqlx::{Executor, PgConnection};

/// Let a transaction that has read nothing yet see one moment.
pub(crate) async fn read_one_moment(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection
        .execute("set transaction isolation level repeatable read, read only")
        .await
        .map(drop)
}

/// A commodity, and when it moved first and last.
pub(crate) struct Span {
    pub(crate) commodity: String,
    pub(crate) first: NaiveDate,
    pub(crate) last: NaiveDate,
}

pub(crate) async fn spans(
    connection: &mut PgConnection,
    tenant: &str,
    account: Option<&str>,
    to: Option<NaiveDate>,
) -> sqlx::Result<Vec<Span>> {
    sqlx::query_as!(
        Span,
        r#"select commodity as "commodity!", min(accounting_date) as "first!", max(accounting_date) as "last!"
           from ledger_balances
           where tenant = $1 and ($2::text is null or account_id = $2)
             and accounting_date <= coalesce($3::date, 'infinity')
           group by commodity
           order by commodity collate "C""#,
        tenant,
        account,
        to
    )
    .fetch_all(connection)
    .await
}

/// What a sub-account comes to, as text.
pub(crate) struct SubAccountText {
    pub(crate) ledger_account: String,
    pub(crate) sub_key: String,
    pub(crate) commodity: String,
    pub(crate) balance: String,
    /// Of all sub-accounts of the ledger account together.
    pub(crate) balance_of_all: String,
}

/// The sub-accounts that had a balance of a stream before the period or moved in it, with their balances at its end. What is
/// on its way between two streams has a balance of each and comes to nothing.
pub(crate) fn sub_accounts<'a>(
    connection: &'a mut PgConnection,
    tenant: &'a str,
    account: Option<&'a str>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
) -> BoxStream<'a, sqlx::Result<SubAccountText>> {
    sqlx::query_as!(
        SubAccountText,
        r#"select ledger_account as "ledger_account!", sub_key as "sub_key!", commodity as "commodity!",
                  sum(debit - credit)::text as "balance!",
                  (sum(sum(debit - credit)) over (partition by ledger_account, commodity))::text
                      as "balance_of_all!"
           from (select ledger_account, sub_key, commodity, sum(debit) as debit, sum(credit) as credit,
                        bool_or(accounting_date >= $3) as moved,
                        sum(debit - credit) filter (where accounting_date < $3) as opening
                 from ledger_balances
                 where tenant = $1 and ($2::text is null or account_id = $2)
                   and accounting_date <= coalesce($4::date, 'infinity')
                 group by account_id, ledger_account, sub_key, commodity) as streams
           group by ledger_account, sub_key, commodity
           having $3::date is null or bool_or(moved) or bool_or(opening <> 0)
           order by ledger_account collate "C", sub_key collate "C", commodity collate "C""#,
        tenant,
        account,
        from,
        to
    )
    .fetch(connection)
}

/// What a stream's sub-account came to before a day, as text.
pub(crate) struct OpeningText {
    pub(crate) account_id: String,
    pub(crate) ledger_account: String,
    pub(crate) sub_key: String,
    pub(crate) commodity: String,
    pub(crate) balance: String,
}

pub(crate) fn openings<'a>(
    connection: &'a mut PgConnection,
    tenant: &'a str,
    account: Option<&'a str>,
    before: NaiveDate,
) -> BoxStream<'a, sqlx::Result<OpeningText>> {
    sqlx::query_as!(
        OpeningText,
        r#"select account_id as "account_id!", ledger_account as "ledger_account!", sub_key as "sub_key!",
                  commodity as "commodity!", sum(debit - credit)::text as "balance!"
           from ledger_balances
           where tenant = $1 and ($2::text is null or account_id = $2) and accounting_date < $3
           group by account_id, ledger_account, sub_key, commodity
           having sum(debit - credit) <> 0
           order by account_id collate "C", ledger_account collate "C", sub_key collate "C", commodity collate "C""#,
        tenant,
        account,
        before
    )
    .fetch(connection)
}
