//! What is compared.

mod rows;
mod stock;
mod tallybook;

pub(super) use rows::{Inserter, MultiRow, SingleRow, audit, bare_table};
pub(super) use stock::Stock;
pub(super) use tallybook::Tallybook;
