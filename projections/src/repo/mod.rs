//! All SQL of this crate.
//!
//! Statements that write name tables plainly: the engine's transaction puts the schema of the build it keeps first in
//! `search_path`. Statements that read see the live builds through the views of `public`.
//!
//! Rows travel as one JSON parameter read by `json_to_recordset`: a fixed number of statements a batch, whatever its size.

pub(crate) mod builds;
pub(crate) mod check;
pub(crate) mod read;
pub(crate) mod write;
