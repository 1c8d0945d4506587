//! Read models of the log, the engine that keeps them, what is read from them, reports and checks.
//!
//! Start with [`Engine`], which keeps [`models`] in step with the log, each exactly once and each for itself.
//! Everything here is derived: drop it, rebuild it, and the rows are equal.

mod batch;
pub mod engine;
pub mod exports;
pub mod models;
pub mod projection;
pub mod reads;
mod repo;
pub mod reports;
mod storable;
pub mod verify;

pub use batch::{AccountRecord, Batch, Content, Record};
pub use engine::{
    CatchUpError, Engine, EngineConfig, ProjectionStatus, RebuildError, Rebuilt, StatusError, Stop,
    WaitError, status,
};
pub use exports::{ExportError, ExportQuery};
pub use projection::{ApplyError, Bulk, Projection};
pub use reads::{Cursor, Page, ReadModelError, Reads, Rows};
pub use reports::{Cell, Known, Report, ReportError, ReportName, ReportQuery};
pub use verify::{Check, Finding, Verified, VerifyError, verify};
