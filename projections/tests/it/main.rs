//! The read models on a real PostgreSQL.

mod engine;
mod history;
mod poison;
mod reads;
mod rebuild;
mod reports;
mod tables;
mod verify;
