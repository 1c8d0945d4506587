//! Balances, lots and holds: what each event moves, summed up, then written.

mod moves;
mod rows;
mod write;

use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_domain::account::AccountFact;

use self::rows::Changes;
use self::write::write;
use crate::batch::Batch;
use crate::projection::{ApplyError, Bulk, Projection};

/// Where the units of every lot are.
#[derive(Debug, Clone, Copy)]
pub struct Credits;

impl Changes {
    fn note_all(&mut self, batch: Batch<'_>) -> Result<(), ApplyError> {
        for record in batch.account_events()? {
            if let AccountFact::Credits(event) = &record.event.fact {
                self.note(record, event)?;
            }
        }
        Ok(())
    }
}

impl Projection for Credits {
    fn name(&self) -> &'static str {
        "credits"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["lots", "balances", "holds"]
    }

    fn bulk(&self, _: usize) -> Option<Box<dyn Bulk + '_>> {
        Some(Box::new(Changes::default()))
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut changes = Changes::default();
            changes.note_all(batch)?;
            write(connection, &changes).await
        })
    }
}

impl Bulk for Changes {
    fn take<'a>(
        &'a mut self,
        _: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { self.note_all(batch) })
    }

    fn weight(&self) -> usize {
        Changes::weight(self)
    }

    fn write<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { write(connection, &std::mem::take(self)).await })
    }
}
