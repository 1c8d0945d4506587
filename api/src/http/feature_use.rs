//! What a use of a feature takes: the catalog says how many credits one use is, the caller how many uses.

use axum::http::StatusCode;
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::Catalog;
use tallybook_domain::identity::{TenantId, UnitCode};
use tallybook_domain::quantity::{MICROS_PER_CREDIT, Units};

use super::problem::Problem;
use crate::AppState;

/// The credits that `quantity` of a feature takes by the terms in force at `at`; none if the catalog does not say.
pub(super) async fn price_of(
    state: &AppState,
    tenant: &TenantId,
    feature: &str,
    quantity: Units,
    at: Timestamp,
) -> Result<Option<(Units, UnitCode)>, Problem> {
    let stream = Catalog::stream(tenant);
    let catalog = state.journal.load::<Catalog>(&stream).await?.state;
    let Some(terms) = catalog.feature(feature, at) else {
        return Ok(None);
    };
    let Some(each) = terms.credits_per_use else {
        return Ok(None);
    };
    let credits = times(quantity, each).ok_or_else(|| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "quantity_not_priceable",
            "this quantity at the feature's credits per use is no number of millionths of a credit, or too many",
        )
        .with("field", "quantity")
        .with("credits_per_use", each.to_string())
    })?;
    Ok(Some((credits, terms.unit.clone())))
}

/// So many at so much each, exactly.
fn times(quantity: Units, each: Units) -> Option<Units> {
    let product = i128::from(quantity.micros()) * i128::from(each.micros());
    let scale = i128::from(MICROS_PER_CREDIT);
    let micros = (product % scale == 0).then_some(product / scale)?;
    let credits = Units::from_micros(i64::try_from(micros).ok()?);
    (credits <= Units::MAX).then_some(credits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_exact_or_there_is_none() {
        let units = |text: &str| text.parse::<Units>().unwrap();
        assert_eq!(times(units("3"), units("0.5")), Some(units("1.5")));
        assert_eq!(times(units("1"), units("0")), Some(Units::ZERO));
        assert_eq!(times(units("0.5"), units("0.000001")), None);
        assert_eq!(times(Units::MAX, units("2")), None);
    }
}
