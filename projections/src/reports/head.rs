//! What stands above a report: whose books, through which day, as recorded through where, and a hash of what it shows.

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use super::{Cell, Report};

/// What stands above a report. The same head means the same report, whoever asks and whatever was recorded since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The tenant whose books these are.
    pub ledger: String,
    /// The first accounting date; none for all there is.
    pub from: Option<NaiveDate>,
    /// The last accounting date: the one asked about, or the last that something is booked on.
    pub as_of: Option<NaiveDate>,
    /// Everything recorded up to this position is in it, and nothing after. Asked for with it, the report is the same.
    pub recorded_through: i64,
    /// The one currency or kind of credit it is about; none for all of them.
    pub currency: Option<String>,
    /// See [`content_hash`].
    pub content_hash: String,
}

/// SHA-256, in hex, of the compact JSON `[name, [columns], [[cells]]]`, every cell as the text that CSV shows.
pub(super) fn content_hash(name: &str, columns: &[&str], rows: &[Vec<Cell>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(ToString::to_string).collect())
        .collect();
    let canonical = serde_json::json!([name, columns, rows]).to_string();
    hex::encode(Sha256::digest(canonical.as_bytes()))
}

impl Report {
    /// The head as names and texts, in order; empty where there is nothing to say.
    pub fn head_lines(&self) -> [(&'static str, String); 6] {
        let date = |date: Option<NaiveDate>| date.map(|date| date.to_string()).unwrap_or_default();
        [
            ("ledger", self.head.ledger.clone()),
            ("from", date(self.head.from)),
            ("as_of", date(self.head.as_of)),
            ("recorded_through", self.head.recorded_through.to_string()),
            ("currency", self.head.currency.clone().unwrap_or_default()),
            ("content_hash", self.head.content_hash.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_of_compact_json_and_moves_with_any_cell() {
        let rows = vec![vec![Cell::text("1110"), Cell::amount(-1_205, "USD")]];
        let expected = Sha256::digest(br#"["trial-balance",["a","b"],[["1110","-12.05"]]]"#);
        let hash = content_hash("trial-balance", &["a", "b"], &rows);
        assert_eq!(hash, hex::encode(expected));
        let other = vec![vec![Cell::text("1110"), Cell::amount(-1_206, "USD")]];
        assert_ne!(content_hash("trial-balance", &["a", "b"], &other), hash);
    }
}
