//! The file of an import: CSV with a header, one balance a row.

use std::path::{Path, PathBuf};

use csv::StringRecord;
use serde::de::value::Error as ReadValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use tallybook_domain::money::{Currency, Money};

use super::Failure;
use crate::http::wire::{CallerId, Credits, Instant, MoneyBody, Text, Unit};

const COLUMNS: [&str; 7] = [
    "account",
    "credits",
    "cost",
    "currency",
    "expires_at",
    "unit",
    "reference",
];
const REQUIRED: [&str; 2] = ["account", "credits"];

/// Why a file can't be imported at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// It can't be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, #[source] csv::Error),
    /// Its header names what is no column, or one twice.
    #[error("{0}: the header has {1:?}; the columns are {columns}, each at most once", columns = COLUMNS.join(", "))]
    UnknownColumn(PathBuf, String),
    /// Its header lacks a column.
    #[error("{0}: the header lacks the column {1:?}")]
    MissingColumn(PathBuf, &'static str),
}

/// A row and the line it begins on.
#[derive(Debug)]
pub(crate) struct Row {
    pub(super) line: u64,
    pub(super) balance: Result<Balance, Failure>,
}

/// What a row means. It is serialised into the row's key: spelled otherwise (`12.50`, other white space, columns in
/// another order), it is the same row.
#[derive(Debug, Serialize)]
pub(super) struct Balance {
    pub(super) account: CallerId,
    pub(super) credits: Credits,
    pub(super) cost: Option<MoneyBody>,
    pub(super) expires_at: Option<Instant>,
    pub(super) unit: Unit,
    pub(super) reference: Option<Text>,
}

/// A row as it is written; a field that is empty is none.
#[derive(Deserialize)]
struct Written {
    account: Option<String>,
    credits: Option<String>,
    cost: Option<String>,
    currency: Option<String>,
    expires_at: Option<String>,
    unit: Option<String>,
    reference: Option<String>,
}

/// All rows of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>, FileError> {
    let unreadable = |error| FileError::Unreadable(path.to_owned(), error);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    check(path, &header)?;
    let mut rows = Vec::new();
    for record in reader.into_records() {
        rows.push(match record {
            Ok(record) => Row {
                line: line(record.position()),
                balance: balance(&header, &record),
            },
            Err(error) => malformed(&error).ok_or_else(|| unreadable(error))?,
        });
    }
    Ok(rows)
}

fn check(path: &Path, header: &StringRecord) -> Result<(), FileError> {
    let mut seen = Vec::new();
    for name in header {
        if !COLUMNS.contains(&name) || seen.contains(&name) {
            return Err(FileError::UnknownColumn(path.to_owned(), name.to_owned()));
        }
        seen.push(name);
    }
    match REQUIRED.into_iter().find(|name| !seen.contains(name)) {
        Some(missing) => Err(FileError::MissingColumn(path.to_owned(), missing)),
        None => Ok(()),
    }
}

fn line(position: Option<&csv::Position>) -> u64 {
    position.map_or(0, csv::Position::line)
}

/// A row that is none, while the file goes on after it.
fn malformed(error: &csv::Error) -> Option<Row> {
    let (code, detail) = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => (
            "wrong_number_of_fields",
            format!("the header has {expected_len} fields, this row {len}"),
        ),
        csv::ErrorKind::Utf8 { err, .. } => ("not_utf8", err.to_string()),
        _ => return None,
    };
    Some(Row {
        line: line(error.position()),
        balance: Err(Failure {
            code,
            field: None,
            detail,
        }),
    })
}

fn balance(header: &StringRecord, record: &StringRecord) -> Result<Balance, Failure> {
    let written: Written = record
        .deserialize(Some(header))
        .map_err(|error| Failure::of_field("account", error.to_string()))?;
    Ok(Balance {
        account: required("account", written.account)?,
        credits: required("credits", written.credits)?,
        cost: cost(written.cost, written.currency)?,
        expires_at: optional("expires_at", written.expires_at)?,
        unit: optional("unit", written.unit)?.unwrap_or_default(),
        reference: optional("reference", written.reference)?,
    })
}

/// A field, read as the same value is in a request.
fn optional<T: DeserializeOwned>(name: &'static str, text: Option<String>) -> Result<Option<T>, Failure> {
    let read = |text: String| T::deserialize(text.into_deserializer());
    text.map(read)
        .transpose()
        .map_err(|error: ReadValueError| Failure::of_field(name, error.to_string()))
}

fn required<T: DeserializeOwned>(name: &'static str, text: Option<String>) -> Result<T, Failure> {
    optional(name, text)?.ok_or_else(|| Failure::of_field(name, "is missing"))
}

fn cost(amount: Option<String>, currency: Option<String>) -> Result<Option<MoneyBody>, Failure> {
    let currency: Option<Currency> = optional("currency", currency)?;
    let Some(amount) = amount else { return Ok(None) };
    let amount: i64 = amount
        .parse()
        .map_err(|_| Failure::of_field("cost", "not an integer in minor units"))?;
    let currency = currency.ok_or_else(|| Failure::of_field("currency", "a cost needs its currency"))?;
    Money::from_stripe(amount, currency)
        .map(|money| Some(MoneyBody(money)))
        .map_err(|error| Failure::of_field("cost", error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[u8]) -> Result<Vec<Row>, FileError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path())
    }

    fn failures(text: &[u8]) -> Vec<(u64, &'static str, Option<&'static str>)> {
        let rows = rows(text).unwrap().into_iter();
        rows.filter_map(|row| {
            row.balance
                .err()
                .map(|failure| (row.line, failure.code, failure.field))
        })
        .collect()
    }

    #[test]
    fn a_row_spelled_otherwise_means_the_same() {
        let one = rows(b"account,credits,cost,currency\na, 12.50 ,1250,USD\n").unwrap();
        let other = rows(b"\xef\xbb\xbfcurrency,cost,credits,account\r\nusd,1250,12.5,\"a\"\r\n").unwrap();
        let json = |rows: &[Row]| serde_json::to_string(rows[0].balance.as_ref().unwrap()).unwrap();
        assert_eq!(json(&one), json(&other));
        assert!(json(&one).contains(r#""credits":"12.5","cost":{"amount":1250,"currency":"usd"}"#));
    }

    #[test]
    fn each_bad_row_is_told_with_its_line_and_its_field() {
        let text = b"account,credits,cost,currency,expires_at,unit\n\
            good,1,,,,\n\
            no spaces,1,,,,\n\
            a,0,,,,\n\
            a,1.0000001,,,,\n\
            a,1,ten,usd,,\n\
            a,1,10,,,\n\
            a,1,10,zzz,,\n\
            a,1,,,tomorrow,\n\
            a,1,,,,lower\n\
            ,1,,,,\n\
            a,1\n\
            a\xff,1,,,,\n\
            good,\"1\",,,,\n";
        assert_eq!(
            failures(text),
            [
                (3, "invalid_field", Some("account")),
                (4, "invalid_field", Some("credits")),
                (5, "invalid_field", Some("credits")),
                (6, "invalid_field", Some("cost")),
                (7, "invalid_field", Some("currency")),
                (8, "invalid_field", Some("currency")),
                (9, "invalid_field", Some("expires_at")),
                (10, "invalid_field", Some("unit")),
                (11, "invalid_field", Some("account")),
                (12, "wrong_number_of_fields", None),
                (13, "not_utf8", None),
            ]
        );
    }

    #[test]
    fn a_header_that_is_not_ours_imports_nothing() {
        for (header, told) in [
            ("account,credits,balance", "\"balance\""),
            ("account,credits,account", "\"account\""),
            ("account,cost", "lacks the column \"credits\""),
            ("", "lacks the column \"account\""),
        ] {
            let error = rows(format!("{header}\n").as_bytes()).unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
