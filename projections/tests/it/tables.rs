//! The read models' rows, as text to compare.

use sqlx::{PgConnection, Row};

/// Every table that is shown.
pub(crate) const TABLES: [&str; 15] = [
    "accounts",
    "subscriptions",
    "trials",
    "lots",
    "balances",
    "holds",
    "payments",
    "journal_entries",
    "entry_numbers",
    "ledger_balances",
    "ledger_totals",
    "sub_ledger_terms",
    "recurring",
    "event_index",
    "timers",
];

/// All rows of all tables, in one order.
pub(crate) async fn dump(connection: &mut PgConnection) -> String {
    let mut text = Vec::new();
    for table in TABLES {
        let query =
            format!("select coalesce(string_agg(t::text, E'\\n' order by t::text), '') from {table} t");
        let rows: String = sqlx::query(&query)
            .fetch_one(&mut *connection)
            .await
            .expect(table)
            .get(0);
        text.push(format!("== {table}\n{rows}\n"));
    }
    text.concat()
}

/// A number from the database.
pub(crate) async fn number(connection: &mut PgConnection, query: &str) -> i64 {
    sqlx::query(query)
        .fetch_one(connection)
        .await
        .expect(query)
        .get(0)
}
