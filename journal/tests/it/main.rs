//! The journal against a real PostgreSQL.

mod commands;
mod compatibility;
mod embedded;
mod races;
mod schema;
mod seals;
mod snapshots;
mod wallet;
