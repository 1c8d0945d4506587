//! Rows that stand for events, compared one by one in the order of the log.

use futures::stream::{BoxStream, StreamExt};
use serde_json::Value;

use super::{Check, Finding};
use crate::repo::check::EventRow;

/// A model of one row an event, read beside the log.
pub(super) struct Lockstep<'a> {
    check: Check,
    stored: BoxStream<'a, sqlx::Result<EventRow>>,
    /// The next stored row.
    next: Option<EventRow>,
    began: bool,
    /// How far the model is.
    through: i64,
    compared: u64,
}

impl<'a> Lockstep<'a> {
    pub(super) fn new(check: Check, stored: BoxStream<'a, sqlx::Result<EventRow>>, through: i64) -> Self {
        Self {
            check,
            stored,
            next: None,
            began: false,
            through,
            compared: 0,
        }
    }

    async fn advance(&mut self) -> Result<Option<EventRow>, sqlx::Error> {
        if !self.began {
            self.began = true;
            self.next = self.stored.next().await.transpose()?;
        }
        let row = self.next.take();
        if row.is_some() {
            self.next = self.stored.next().await.transpose()?;
        }
        Ok(row)
    }

    async fn peek_position(&mut self) -> Result<Option<i64>, sqlx::Error> {
        if !self.began {
            self.began = true;
            self.next = self.stored.next().await.transpose()?;
        }
        Ok(self.next.as_ref().map(|row| row.position))
    }

    /// The log has this event, for which the model has to have this row, or none.
    pub(super) async fn expect(
        &mut self,
        position: i64,
        expected: Option<Value>,
        findings: &mut Vec<Finding>,
    ) -> Result<(), sqlx::Error> {
        while self
            .peek_position()
            .await?
            .is_some_and(|stored| stored < position)
        {
            self.surplus(findings).await?;
        }
        if position > self.through {
            return Ok(());
        }
        let stored = if self.peek_position().await? == Some(position) {
            self.advance().await?
        } else {
            None
        };
        let detail = match (expected, stored) {
            (None, None) => return Ok(()),
            (Some(expected), Some(stored)) => {
                self.compared += 1;
                if expected == stored.facts {
                    return Ok(());
                }
                format!("has {}, the log says {expected}", stored.facts)
            }
            (Some(expected), None) => format!("has no row, the log says {expected}"),
            (None, Some(stored)) => format!("has {}, the log says nothing", stored.facts),
        };
        findings.push(self.finding(position, detail));
        Ok(())
    }

    async fn surplus(&mut self, findings: &mut Vec<Finding>) -> Result<(), sqlx::Error> {
        if let Some(row) = self.advance().await? {
            let detail = format!("has {}, the log has no such event", row.facts);
            findings.push(self.finding(row.position, detail));
        }
        Ok(())
    }

    fn finding(&self, position: i64, detail: String) -> Finding {
        Finding {
            check: self.check,
            position: Some(position),
            subject: "read model".to_owned(),
            detail,
        }
    }

    /// The log has no more events. How many rows were compared.
    pub(super) async fn end(mut self, findings: &mut Vec<Finding>) -> Result<u64, sqlx::Error> {
        while self.peek_position().await?.is_some() {
            self.surplus(findings).await?;
        }
        Ok(self.compared)
    }
}
