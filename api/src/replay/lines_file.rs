//! The lines of a state, kept on disk: to be printed, and compared with another run's.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use super::gathering::Gathered;

/// A file of lines in byte order; it is gone once this is dropped.
#[derive(Debug)]
pub(super) struct LinesFile(File);

impl LinesFile {
    /// Write the lines of a state, and hash them.
    pub(super) fn write(state: Gathered) -> io::Result<(String, Self)> {
        let mut file = BufWriter::new(tempfile::tempfile()?);
        let hash = state.hash(|line| writeln!(file, "{line}"))?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok((hash, Self(file)))
    }

    /// The lines, one at a time. One reader at a time: they share a place in the file.
    pub(super) fn lines(&mut self) -> io::Result<impl Iterator<Item = io::Result<String>> + '_> {
        self.0.rewind()?;
        Ok(BufReader::new(&self.0).lines())
    }
}
