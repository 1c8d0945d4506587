//! What was sold, as its payment books it: the purchase, and a lot for each kind of credits.

use std::collections::BTreeSet;

use super::event::{PaidCredits, PurchasePaid};
use crate::aggregate::Timestamp;
use crate::catalog::PackLine;
use crate::credits::{CreditsGranted, GrantSource};
use crate::identity::{GrantId, GroupId, PaymentId};
use crate::money::Money;

/// Something sold for one price, of one kind of credits or several.
#[derive(Debug, Clone)]
pub struct Sold {
    /// The purchase: what its lots are named after.
    pub purchase: PaymentId,
    /// The catalog's pack, if it is one.
    pub pack: Option<String>,
    /// What it costs, tax included.
    pub gross: Money,
    /// The tax in it, minor units.
    pub tax: i64,
    /// Each kind; their nets and the tax sum to the gross. There is one at least.
    pub lines: Vec<PackLine>,
    /// Lower is spent first.
    pub priority: i32,
    /// Until when they can be spent.
    pub expires_at: Option<Timestamp>,
    /// The caller's own note.
    pub reference: Option<String>,
}

impl Sold {
    /// What a payment of it says, and the lots it gives.
    ///
    /// # Panics
    /// If it has no line.
    pub fn paid(self, payment: &PaymentId) -> (PurchasePaid, Vec<CreditsGranted>) {
        let own = GrantId(format!("grant_{}", self.purchase));
        let lots: Vec<CreditsGranted> = self
            .lines
            .iter()
            .enumerate()
            .map(|(number, line)| CreditsGranted {
                grant: match number {
                    0 => own.clone(),
                    _ => GrantId(format!("{own}_{}", line.unit)),
                },
                unit: line.unit.clone(),
                units: line.units,
                source: GrantSource::Paid,
                cost: Some(Money::new(line.net, self.gross.currency)),
                priority: self.priority,
                expires_at: self.expires_at,
                purchase: Some(self.purchase.clone()),
                invoice_line: None,
                group: Some(GroupId(format!("pay:{payment}"))),
                reference: self.reference.clone(),
                scope: BTreeSet::new(),
                rollover: None,
            })
            .collect();
        let (first, others) = lots.split_first().expect("something is sold");
        let paid = PurchasePaid {
            payment: payment.clone(),
            grant: first.grant.clone(),
            gross: self.gross,
            tax: self.tax,
            units: first.units,
            unit: first.unit.clone(),
            pack: self.pack,
            purchase: (*payment != self.purchase).then_some(self.purchase),
            bundled: others
                .iter()
                .map(|lot| PaidCredits {
                    grant: lot.grant.clone(),
                    unit: lot.unit.clone(),
                    units: lot.units,
                    net: lot.cost.map_or(0, |cost| cost.minor),
                })
                .collect(),
        };
        (paid, lots)
    }
}
