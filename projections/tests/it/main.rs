//! The read models on a real PostgreSQL.

mod engine;
mod history;
mod pace;
mod poison;
mod reads;
mod rebuild;
mod reports;
mod tables;
mod verify;
