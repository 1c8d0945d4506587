//! What a caller orders, with the catalog's terms: the version in force when it is ordered travels with the order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::catalog::{Catalog, Coupon, Plan};
use tallybook_domain::identity::{SubscriptionId, TenantId};
use tallybook_domain::subscriptions::{ContractItem, ItemOrder, ItemTerms};

use crate::AppState;
use crate::http::problem::Problem;
use crate::http::wire::CallerId;

/// The name of the item that a plan ordered without one is.
const BASE: &str = "base";

/// Plans and quantities: one plan, or items by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OrderRequest {
    #[serde(default)]
    pub(super) plan: Option<CallerId>,
    #[serde(default)]
    pub(super) quantity: Option<u32>,
    /// All that is to run; an item keeps its name through changes.
    #[serde(default)]
    pub(super) items: Option<Vec<ItemRequest>>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemRequest {
    /// Its name; the plan's id if none.
    #[serde(default)]
    item: Option<CallerId>,
    plan: CallerId,
    #[serde(default)]
    quantity: Option<u32>,
}

impl OrderRequest {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.plan.is_none() && self.quantity.is_none() && self.items.is_none()
    }

    /// The items of a new subscription.
    pub(super) fn first(&self, catalog: &Catalog, at: Timestamp) -> Result<Vec<ItemOrder>, Problem> {
        self.orders(&[], catalog, at)
    }

    /// The items that are to run in place of a subscription's own. An item that stays with its plan keeps the terms it has.
    pub(super) fn instead(
        &self,
        account: &Account,
        subscription: &SubscriptionId,
        catalog: &Catalog,
        at: Timestamp,
    ) -> Result<Vec<ItemOrder>, Problem> {
        let state = account.subscriptions().get(subscription);
        let contract = state.and_then(|state| state.contract.as_deref());
        match contract {
            Some(contract) => self.orders(&contract.items, catalog, at),
            // Not Tallybook's, or not there: the judgement says so, whatever is ordered.
            None => Ok(Vec::new()),
        }
    }

    fn orders(
        &self,
        running: &[ContractItem],
        catalog: &Catalog,
        at: Timestamp,
    ) -> Result<Vec<ItemOrder>, Problem> {
        if let Some(items) = &self.items {
            if self.plan.is_some() || self.quantity.is_some() {
                let detail = "say plan and quantity, or items, not both";
                return Err(Problem::invalid_field("items", detail));
            }
            let order = |it: &ItemRequest| {
                let name = it.item.as_ref().unwrap_or(&it.plan).0.clone();
                let known = running.iter().find(|running| running.item == name);
                order(name, &it.plan.0, it.quantity.unwrap_or(1), known, catalog, at)
            };
            return items.iter().map(order).collect();
        }
        let known = match running {
            [] => None,
            [one] => Some(one),
            _ => running.iter().find(|it| it.item == BASE),
        };
        let plan = self.plan.as_ref().map(|plan| plan.0.as_str());
        let plan = plan.or(known.map(|known| known.terms.plan.as_str()));
        let Some(plan) = plan.filter(|_| running.is_empty() || known.is_some()) else {
            let detail = "say which plan, or all the items that are to run";
            return Err(Problem::invalid_field("plan", detail));
        };
        let name = known.map_or(BASE, |known| known.item.as_str()).to_owned();
        let quantity = self.quantity.or(known.map(|known| known.quantity)).unwrap_or(1);
        let changed = order(name.clone(), plan, quantity, known, catalog, at)?;
        let others = running.iter().filter(|other| other.item != name);
        let kept = others.map(|other| ItemOrder {
            item: other.item.clone(),
            quantity: other.quantity,
            terms: other.terms.clone(),
        });
        Ok(kept.chain([changed]).collect())
    }
}

fn order(
    item: String,
    plan: &str,
    quantity: u32,
    running: Option<&ContractItem>,
    catalog: &Catalog,
    at: Timestamp,
) -> Result<ItemOrder, Problem> {
    let terms = match running.filter(|running| running.terms.plan == plan) {
        Some(running) => running.terms.clone(),
        None => ItemTerms::of(plan_of(catalog, plan, at)?),
    };
    Ok(ItemOrder {
        item,
        quantity,
        terms,
    })
}

/// A plan's terms in force.
pub(super) fn plan_of<'a>(catalog: &'a Catalog, plan: &str, at: Timestamp) -> Result<&'a Plan, Problem> {
    catalog.plan(plan, at).ok_or_else(|| {
        Problem::not_found("plan_not_found", format!("the catalog has no plan {plan} now")).with("plan", plan)
    })
}

/// A coupon's terms in force.
pub(super) fn coupon_of(catalog: &Catalog, coupon: &str, at: Timestamp) -> Result<Coupon, Problem> {
    catalog.coupon(coupon, at).cloned().ok_or_else(|| {
        let detail = format!("the catalog has no coupon {coupon} now");
        Problem::not_found("coupon_not_found", detail).with("coupon", coupon)
    })
}

/// The tenant's catalog.
pub(super) async fn catalog(state: &AppState, tenant: &TenantId) -> Result<Catalog, Problem> {
    Ok(state
        .journal
        .load::<Catalog>(&Catalog::stream(tenant))
        .await?
        .state)
}
