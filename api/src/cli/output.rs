//! Data on stdout: a table for people, or JSON for programs.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::CliError;

/// Print a line. A reader that has seen enough (`| head`) is no error.
pub fn line(line: impl std::fmt::Display) -> Result<(), CliError> {
    text(&format!("{line}\n"))
}

/// Print a text as it is.
pub fn text(text: &str) -> Result<(), CliError> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(CliError::new(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Print a value as one line of JSON.
pub fn json(value: &impl Serialize) -> Result<(), CliError> {
    line(serde_json::to_string(value).map_err(CliError::from_error)?)
}

/// Print rows under a header, columns aligned.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let header: Vec<String> = header.iter().map(|&cell| cell.to_owned()).collect();
    for row in std::iter::once(&header).chain(rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:width$}"))
            .collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}
