//! Balances, lots and holds: what each event moves, summed over a batch.

mod moves;
mod rows;

use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_domain::account::AccountFact;

use self::rows::{Changes, write};
use crate::batch::Batch;
use crate::projection::{ApplyError, Projection};

/// Where the units of every lot are.
#[derive(Debug, Clone, Copy)]
pub struct Credits;

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

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut changes = Changes::default();
            for record in batch.account_events()? {
                if let AccountFact::Credits(event) = &record.event.fact {
                    changes.note(record, event);
                }
            }
            write(connection, changes).await
        })
    }
}
