//! Coupons: what is taken off subscriptions, and of how many of their periods.

use std::num::NonZeroU32;

use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::{Catalog, CatalogCommand, CatalogFact, Coupon, CouponDuration, History, Off};

use super::versions::{self, Dated, Terms};
use crate::AppState;
use crate::http::caller::Finance;
use crate::http::problem::Problem;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{Instant, MoneyBody, PercentText, Text};
use crate::http::write::Write;

/// The words are Stripe's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DurationBody {
    Once,
    Repeating,
    Forever,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CouponRequest {
    name: Text,
    #[serde(default)]
    percent_off: Option<PercentText>,
    #[serde(default)]
    amount_off: Option<MoneyBody>,
    duration: DurationBody,
    #[serde(default)]
    duration_in_months: Option<NonZeroU32>,
    #[serde(default)]
    redeem_by: Option<Instant>,
    #[serde(default)]
    effective_from: Option<Instant>,
}

impl CouponRequest {
    fn off(&self) -> Result<Off, Problem> {
        match (self.percent_off, self.amount_off) {
            (Some(percent), None) => Ok(Off::Percent { percent: percent.0 }),
            (None, Some(amount)) => Ok(Off::Amount { amount: amount.0 }),
            _ => Err(Problem::invalid_field(
                "percent_off",
                "say percent_off or amount_off",
            )),
        }
    }

    fn lasts(&self) -> Result<CouponDuration, Problem> {
        match (self.duration, self.duration_in_months) {
            (DurationBody::Once, None) => Ok(CouponDuration::Once),
            (DurationBody::Forever, None) => Ok(CouponDuration::Forever),
            (DurationBody::Repeating, Some(months)) => Ok(CouponDuration::Repeating { months }),
            _ => Err(Problem::invalid_field(
                "duration_in_months",
                "of a repeating coupon, and of no other",
            )),
        }
    }
}

impl Dated for CouponRequest {
    fn effective_from(&self) -> Option<Timestamp> {
        self.effective_from.map(|instant| instant.0)
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CouponBody {
    id: String,
    name: String,
    percent_off: Option<PercentText>,
    amount_off: Option<MoneyBody>,
    duration: DurationBody,
    duration_in_months: Option<NonZeroU32>,
    redeem_by: Option<Instant>,
}

impl Terms for Coupon {
    type Body = CouponBody;
    const NAME: &'static str = "coupon";
    const NOT_FOUND: &'static str = "coupon_not_found";

    fn body(&self) -> CouponBody {
        let (percent_off, amount_off) = match self.off {
            Off::Percent { percent } => (Some(PercentText(percent)), None),
            Off::Amount { amount } => (None, Some(MoneyBody(amount))),
        };
        let (duration, duration_in_months) = match self.duration {
            CouponDuration::Once => (DurationBody::Once, None),
            CouponDuration::Repeating { months } => (DurationBody::Repeating, Some(months)),
            CouponDuration::Forever => (DurationBody::Forever, None),
        };
        CouponBody {
            id: self.id.clone(),
            name: self.name.clone(),
            percent_off,
            amount_off,
            duration,
            duration_in_months,
            redeem_by: self.redeem_by.map(Instant),
        }
    }

    fn published(fact: &CatalogFact) -> Option<&Self> {
        match fact {
            CatalogFact::CouponPublished(coupon) => Some(coupon),
            _ => None,
        }
    }

    fn all(catalog: &Catalog) -> impl Iterator<Item = (&str, &History<Self>)> {
        catalog.coupons()
    }
}

pub(super) async fn publish(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<CouponRequest>,
) -> Result<Response, Problem> {
    let coupon = Coupon {
        id: ids.id(Coupon::NAME)?.to_owned(),
        name: request.name.0.clone(),
        off: request.off()?,
        duration: request.lasts()?,
        redeem_by: request.redeem_by.map(|instant| instant.0),
    };
    versions::publish::<Coupon, _>(&state, &write, &request, |effective_from| {
        CatalogCommand::PublishCoupon {
            coupon,
            effective_from,
        }
    })
    .await
}
