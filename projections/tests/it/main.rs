//! The read models on a real PostgreSQL.

mod engine;
mod history;
mod poison;
mod reads;
mod rebuild;
mod tables;
mod verify;
