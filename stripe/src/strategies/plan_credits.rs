//! What plans gave and took back of credits, reckoned line by line as invoices are paid.

use serde_json::Value;

use super::catalog::PLANS;
use super::plans::PERIOD;

/// Credits in a trial.
const OF_TRIAL: i64 = 10;

/// Lots in millionths of a credit.
#[derive(Debug, Clone, Default)]
pub(super) struct PlanCredits {
    lots: Vec<Lot>,
    has_tried: bool,
    taken: i64,
}

#[derive(Debug, Clone)]
struct Lot {
    item: String,
    price: String,
    quantity: i64,
    start: i64,
    units: i64,
}

impl PlanCredits {
    pub(super) fn given(&self) -> i64 {
        let trial = if self.has_tried { OF_TRIAL * 1_000_000 } else { 0 };
        trial + self.lots.iter().map(|lot| lot.units).sum::<i64>()
    }

    pub(super) fn taken(&self) -> i64 {
        self.taken
    }

    /// An invoice of these lines was paid.
    pub(super) fn paid(&mut self, lines: &Value) {
        for line in lines.as_array().into_iter().flatten() {
            self.line_paid(line);
        }
    }

    fn line_paid(&mut self, line: &Value) {
        let int = |value: &Value| value.as_i64().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let details = &line["parent"]["subscription_item_details"];
        let lot = Lot {
            item: text(&details["subscription_item"]),
            price: text(&line["pricing"]["price_details"]["price"]),
            quantity: int(&line["quantity"]),
            start: int(&line["period"]["start"]),
            units: 0,
        };
        let rest = int(&line["period"]["end"]) - lot.start;
        let price = PLANS
            .iter()
            .find(|plan| plan.0 == lot.price)
            .map_or(0, |plan| plan.1);
        let whole = price / 100 * lot.quantity * 1_000_000;
        let share = if details["proration"] == true {
            whole * rest / PERIOD
        } else {
            whole
        };
        match int(&line["amount"]) {
            0 => self.has_tried = true,
            1.. => self.lots.push(Lot { units: share, ..lot }),
            _ => {
                let had =
                    |it: &&Lot| it.item == lot.item && it.price == lot.price && it.quantity == lot.quantity;
                if self.lots.iter().any(|it| had(&it) && it.start <= lot.start) {
                    self.taken += share;
                }
            }
        }
    }
}
