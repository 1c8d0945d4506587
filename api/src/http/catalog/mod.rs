//! What is sold: plans, packs, features, and what is taken off: coupons. Publishing is a write to the tenant's catalog stream.

mod coupons;
mod features;
mod packs;
mod plans;
mod price;
mod versions;

use axum::Router;
use axum::routing::get;

use crate::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/catalog/plans", get(plans::list))
        .route("/catalog/plans/{plan}", get(plans::show).put(plans::publish))
        .route("/catalog/packs", get(packs::list))
        .route("/catalog/packs/{pack}", get(packs::show).put(packs::publish))
        .route("/catalog/features", get(features::list))
        .route(
            "/catalog/features/{feature}",
            get(features::show).put(features::publish),
        )
        .route("/catalog/coupons", get(coupons::list))
        .route(
            "/catalog/coupons/{coupon}",
            get(coupons::show).put(coupons::publish),
        )
}
