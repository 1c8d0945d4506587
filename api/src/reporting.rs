//! How a report is written: JSON, CSV or a table. Amounts are exact decimal text in all of them.

use serde_json::{Map, Value, json};
use tallybook_projections::reports::{Cell, Report};

/// `{name, head, columns, rows: [{column: value}]}`. Numbers and truth values are JSON's own; amounts stay text.
pub(crate) fn as_json(report: &Report) -> Value {
    let rows: Vec<Value> = report
        .rows
        .iter()
        .map(|row| row_json(report.columns, row))
        .collect();
    let head = &report.head;
    let head = json!({
        "ledger": head.ledger,
        "from": head.from,
        "as_of": head.as_of,
        "recorded_through": head.recorded_through,
        "currency": head.currency,
        "content_hash": head.content_hash,
    });
    json!({"name": report.name.as_str(), "head": head, "columns": report.columns, "rows": rows})
}

/// The head in one line, what is empty left out.
pub(crate) fn head_line(report: &Report) -> String {
    let head = report.head_lines().into_iter();
    let told = head.filter(|(_, text)| !text.is_empty());
    let told: Vec<String> = told.map(|(name, text)| format!("{name} {text}")).collect();
    told.join(", ")
}

fn row_json(columns: &[&str], row: &[Cell]) -> Value {
    let members = columns
        .iter()
        .zip(row)
        .map(|(column, cell)| ((*column).to_owned(), cell_json(cell)));
    Value::Object(members.collect::<Map<_, _>>())
}

fn cell_json(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Integer(number) => (*number).into(),
        Cell::Boolean(yes) => (*yes).into(),
        other => other.to_string().into(),
    }
}

/// RFC 4180: a header, CRLF, and quotes where a cell needs them.
pub(crate) fn as_csv(report: &Report) -> String {
    let mut csv = String::new();
    line(&mut csv, report.columns.iter().map(|column| (*column).to_owned()));
    for row in &report.rows {
        line(&mut csv, row.iter().map(ToString::to_string));
    }
    csv
}

fn line(csv: &mut String, cells: impl Iterator<Item = String>) {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            csv.push(',');
        }
        if cell.contains([',', '"', '\r', '\n']) {
            csv.push('"');
            csv.push_str(&cell.replace('"', "\"\""));
            csv.push('"');
        } else {
            csv.push_str(&cell);
        }
    }
    csv.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use tallybook_projections::reports::{Head, ReportName};

    use super::*;

    fn report(name: ReportName, columns: &'static [&'static str], rows: Vec<Vec<Cell>>) -> Report {
        let head = Head {
            ledger: "acme".to_owned(),
            from: None,
            as_of: "2026-01-31".parse().ok(),
            recorded_through: 17,
            currency: None,
            content_hash: "9f".to_owned(),
        };
        Report {
            name,
            head,
            columns,
            rows,
        }
    }

    #[test]
    fn csv_quotes_what_needs_it_and_nothing_else() {
        let cells = |texts: [&str; 2]| texts.map(|text| Cell::Text(text.to_owned())).to_vec();
        let rows = vec![
            cells(["plain", "with, comma"]),
            cells(["a \"quote\"", "two\nlines"]),
        ];
        let report = report(ReportName::GeneralJournal, &["a", "b"], rows);
        assert_eq!(
            as_csv(&report),
            "a,b\r\nplain,\"with, comma\"\r\n\"a \"\"quote\"\"\",\"two\nlines\"\r\n"
        );
    }

    #[test]
    fn json_keeps_amounts_exact() {
        let amount = Cell::Amount {
            amount: i128::from(i64::MAX) * 10,
            commodity: "USD".to_owned(),
        };
        let rows = vec![vec![Cell::Integer(1), amount]];
        let json = as_json(&report(ReportName::TrialBalance, &["n", "amount"], rows));
        assert_eq!(
            json["rows"][0],
            json!({"n": 1, "amount": "922337203685477580.70"})
        );
    }

    #[test]
    fn the_head_says_whose_books_of_when_and_leaves_out_what_was_not_asked() {
        let report = report(ReportName::TrialBalance, &["n"], Vec::new());
        assert_eq!(
            head_line(&report),
            "ledger acme, as_of 2026-01-31, recorded_through 17, content_hash 9f"
        );
        assert_eq!(as_json(&report)["head"]["recorded_through"], 17);
    }
}
