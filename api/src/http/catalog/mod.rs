//! What is sold: plans, packs, features, and what is taken off: coupons. Publishing is a write to the tenant's catalog stream.

mod coupons;
mod features;
mod packs;
mod plans;
mod price;
mod versions;

use coupons::CouponBody;
use features::FeatureBody;
use packs::PackBody;
use plans::PlanBody;
use tallybook_domain::catalog::{Coupon, Feature, Pack, Plan};
use versions::{HistoryBody, VersionBody};

use super::openapi::{Routes, answers};
use super::page::Page;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/catalog/plans",
            versions::list::<Plan>,
            answers::<Page<HistoryBody<PlanBody>>>("Plans"),
        )
        .get(
            "/catalog/plans/{plan}",
            versions::show::<Plan>,
            answers::<HistoryBody<PlanBody>>("A plan and its versions"),
        )
        .put(
            "/catalog/plans/{plan}",
            plans::publish,
            answers::<VersionBody<PlanBody>>("Publish a version of a plan"),
        )
        .get(
            "/catalog/packs",
            versions::list::<Pack>,
            answers::<Page<HistoryBody<PackBody>>>("Packs and priced units"),
        )
        .get(
            "/catalog/packs/{pack}",
            versions::show::<Pack>,
            answers::<HistoryBody<PackBody>>("A pack and its versions"),
        )
        .put(
            "/catalog/packs/{pack}",
            packs::publish,
            answers::<VersionBody<PackBody>>("Publish a version of a pack"),
        )
        .get(
            "/catalog/features",
            versions::list::<Feature>,
            answers::<Page<HistoryBody<FeatureBody>>>("Features"),
        )
        .get(
            "/catalog/features/{feature}",
            versions::show::<Feature>,
            answers::<HistoryBody<FeatureBody>>("A feature and its versions"),
        )
        .put(
            "/catalog/features/{feature}",
            features::publish,
            answers::<VersionBody<FeatureBody>>("Publish a version of a feature"),
        )
        .get(
            "/catalog/coupons",
            versions::list::<Coupon>,
            answers::<Page<HistoryBody<CouponBody>>>("Coupons"),
        )
        .get(
            "/catalog/coupons/{coupon}",
            versions::show::<Coupon>,
            answers::<HistoryBody<CouponBody>>("A coupon and its versions"),
        )
        .put(
            "/catalog/coupons/{coupon}",
            coupons::publish,
            answers::<VersionBody<CouponBody>>("Publish a version of a coupon"),
        )
}
