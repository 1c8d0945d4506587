//! What Stripe may tell of payments.

use std::collections::BTreeSet;

use chrono::{Duration, DurationRound};
use proptest::option;
use proptest::prelude::*;

use super::act::{Act, picked};
use super::payment::{Lot, Payment};
use super::spending::{scope, unit};
use crate::Timestamp;
use crate::credits::Rollover;
use crate::identity::UnitCode;
use crate::quantity::Units;

/// Something that becomes of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentAct {
    /// A pack is paid.
    Pay(PayAct),
    /// Part of it is given back.
    Refund {
        /// Which payment.
        payment: usize,
        /// Per cent of what was paid; beyond what is left, all that is left.
        percent: i64,
    },
    /// Its last refund fails, or turns out not to have failed.
    FailRefund {
        /// Which payment.
        payment: usize,
    },
    /// It is disputed and its funds withdrawn.
    Dispute {
        /// Which payment.
        payment: usize,
    },
    /// Its dispute ends.
    CloseDispute {
        /// Which payment.
        payment: usize,
        /// For the merchant: the funds come back.
        is_won: bool,
    },
    /// What was said of its credits was wrong by so much.
    Correct {
        /// Which payment.
        payment: usize,
        /// Millionths, signed.
        micros: i64,
    },
    /// What was said of their going on was wrong.
    CorrectRollover {
        /// Which payment.
        payment: usize,
        /// By which rule they do.
        rollover: Option<RolloverAct>,
    },
}

/// The terms of a paid pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayAct {
    /// Minor units, tax included.
    pub gross: i64,
    /// Of them, per cent that are tax.
    pub tax_percent: i64,
    /// The kind of credit.
    pub unit: UnitCode,
    /// Millionths of a credit.
    pub micros: i64,
    /// Which features may spend them.
    pub scope: BTreeSet<String>,
    /// How many hours they can be spent.
    pub lasts: Option<i64>,
    /// What goes on at the end of that.
    pub rollover: Option<RolloverAct>,
    /// How many hours ago it was paid.
    pub ago: i64,
}

/// A rule for what is left at the end. Lots that go on end at the end of one of the periods of ten days, so that some end
/// together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloverAct {
    /// The most that goes on, in millionths.
    pub cap: Option<i64>,
    /// For how many hours.
    pub lasts: Option<i64>,
}

impl RolloverAct {
    fn rule(&self, ends: Timestamp) -> Rollover {
        Rollover {
            series: "pack".to_owned(),
            cap: self.cap.map(Units::from_micros),
            expires_at: self.lasts.map(|hours| ends + Duration::hours(hours)),
        }
    }
}

impl PayAct {
    fn lot(&self, paid_at: Timestamp) -> Lot {
        let ends = self.lasts.map(|hours| paid_at + Duration::hours(hours));
        let period = Duration::days(10);
        let ends = match (&self.rollover, ends) {
            (Some(_), Some(end)) => Some(end.duration_trunc(period).unwrap_or(end) + period),
            (_, ends) => ends,
        };
        Lot {
            unit: self.unit.clone(),
            units: Units::from_micros(self.micros),
            scope: self.scope.clone(),
            expires_at: ends,
            rollover: self.rollover.as_ref().zip(ends).map(|(rule, end)| rule.rule(end)),
        }
    }
}

fn rollover() -> impl Strategy<Value = Option<RolloverAct>> {
    let rule = (option::of(1..4_000_i64), option::of(1..300_i64))
        .prop_map(|(cap, lasts)| RolloverAct { cap, lasts });
    option::of(rule)
}

fn payment() -> impl Strategy<Value = PayAct> {
    let money = (1..1_999_i64, 0..25_i64, 0..60_i64);
    let lot = (unit(), 1..4_000_i64, scope(), option::of(1..300_i64), rollover());
    (money, lot).prop_map(
        |((gross, tax_percent, ago), (unit, micros, scope, lasts, rollover))| PayAct {
            gross,
            tax_percent,
            unit,
            micros,
            scope,
            lasts,
            rollover,
            ago,
        },
    )
}

fn of_a_payment() -> impl Strategy<Value = PaymentAct> {
    let one = 0..3_usize;
    prop_oneof![
        3 => (one.clone(), 1..120_i64).prop_map(|(payment, percent)| PaymentAct::Refund { payment, percent }),
        1 => one.clone().prop_map(|payment| PaymentAct::FailRefund { payment }),
        2 => one.clone().prop_map(|payment| PaymentAct::Dispute { payment }),
        2 => (one.clone(), any::<bool>()).prop_map(|(payment, is_won)| PaymentAct::CloseDispute { payment, is_won }),
        1 => (one.clone(), -900..900_i64).prop_map(|(payment, micros)| PaymentAct::Correct { payment, micros }),
        1 => (one, rollover()).prop_map(|(payment, rollover)| PaymentAct::CorrectRollover { payment, rollover }),
    ]
}

/// Packs paid through Stripe, refunded, disputed, corrected.
pub fn payments() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => payment().prop_map(PaymentAct::Pay),
        4 => of_a_payment(),
    ]
    .prop_map(Act::Payment)
}

/// The payment an act is about as it is after it; none if there is none. `n` names what is new.
pub(super) fn after<'a>(
    payments: &'a mut Vec<Payment>,
    act: &PaymentAct,
    n: usize,
    at: Timestamp,
) -> Option<&'a Payment> {
    let pick = match act {
        PaymentAct::Pay(terms) => {
            let paid_at = at - Duration::hours(terms.ago);
            let tax = terms.gross * terms.tax_percent / (100 + terms.tax_percent);
            let money = (terms.gross, tax);
            payments.push(Payment::new(
                &format!("pi_{n}"),
                paid_at,
                money,
                terms.lot(paid_at),
            ));
            0
        }
        PaymentAct::Refund { payment, .. }
        | PaymentAct::FailRefund { payment }
        | PaymentAct::Dispute { payment }
        | PaymentAct::CloseDispute { payment, .. }
        | PaymentAct::Correct { payment, .. }
        | PaymentAct::CorrectRollover { payment, .. } => *payment,
    };
    let id = picked(payments, pick)?.id.clone();
    let payment = payments.iter_mut().find(|payment| payment.id == id)?;
    match act {
        PaymentAct::Pay(_) => {}
        PaymentAct::Refund { percent, .. } => payment.refund(*percent, at),
        PaymentAct::FailRefund { .. } => payment.fail_refund(at),
        PaymentAct::Dispute { .. } => payment.dispute(at),
        PaymentAct::CloseDispute { is_won, .. } => payment.close_dispute(at, *is_won),
        PaymentAct::Correct { micros, .. } => {
            let corrected = payment.lot.units.micros() + micros;
            payment.lot.units = Units::from_micros(corrected.max(1));
        }
        PaymentAct::CorrectRollover { rollover, .. } => {
            let rule = rollover.as_ref().zip(payment.lot.expires_at);
            payment.lot.rollover = rule.map(|(rule, end)| rule.rule(end));
        }
    }
    Some(payment)
}
