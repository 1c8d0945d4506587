//! How API versions render one event.

use serde_json::{Map, Value, json};

use super::told::previous_values;

/// The shape of an endpoint's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Before 2022-11-15: as [`Self::Acacia`], but an intent has its charges, newest first, and a charge its refunds.
    Y2020,
    /// Before 2025-03-31 ("basil"): periods at the top of a subscription, an invoice names its subscription, intent and
    /// charge itself, intents and charges name their invoice, lines have a price.
    Acacia,
    /// Since: periods on items, `parent` and `pricing`, and payments that do not know their invoice.
    Dahlia,
}

/// Fields that only versions before basil have, held beside the others until a version renders them.
const PRE_BASIL: &str = "pre_basil";

impl Version {
    /// As `api_version` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Y2020 => "2020-08-27",
            Self::Acacia => "2024-09-30.acacia",
            Self::Dahlia => "2026-08-26.dahlia",
        }
    }

    /// An event in the shape of dahlia, as this version renders it. Of what dahlia no longer says (which invoice a
    /// payment is for), the older rendering says nothing either, unless the event came from [`super::Stripe`].
    pub fn render(self, event: &Value) -> Value {
        let mut rendered = event.clone();
        rendered["api_version"] = json!(self.name());
        let Some(object) = event["data"]["object"].as_object() else {
            return rendered;
        };
        let now = self.object(object);
        if let Some(previous) = event["data"]["previous_attributes"].as_object() {
            let mut before = object.clone();
            overlay(&mut before, previous);
            rendered["data"]["previous_attributes"] =
                Value::Object(previous_values(&self.object(&before), &now));
        }
        rendered["data"]["object"] = Value::Object(now);
        rendered
    }

    /// An object in the shape of dahlia, as this version renders it.
    pub(super) fn object(self, object: &Map<String, Value>) -> Map<String, Value> {
        let mut rendered = object.clone();
        let held = rendered.remove(PRE_BASIL);
        if self == Self::Dahlia {
            return rendered;
        }
        if let Some(Value::Object(held)) = held {
            rendered.extend(held);
        }
        match rendered.get("object").and_then(Value::as_str) {
            Some("subscription") => subscription(&mut rendered),
            Some("invoice") => invoice(&mut rendered),
            Some("credit_note") => credit_note(&mut rendered),
            Some("payment_intent") if self == Self::Y2020 => payment_intent(&mut rendered),
            Some("charge") if self == Self::Y2020 => {
                rendered.insert(
                    "refunds".to_owned(),
                    json!({"object": "list", "data": [], "has_more": false}),
                );
            }
            _ => {}
        }
        rendered
    }
}

/// What an object was before: the previous values in place of its own.
fn overlay(object: &mut Map<String, Value>, previous: &Map<String, Value>) {
    for (key, value) in previous {
        match (object.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => overlay(inner, value),
            _ => {
                object.insert(key.clone(), value.clone());
            }
        }
    }
}

fn elements<'a>(
    object: &'a mut Map<String, Value>,
    list: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let data = object.get_mut(list).and_then(|list| list.get_mut("data"));
    data.and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

fn subscription(object: &mut Map<String, Value>) {
    let mut periods = Vec::new();
    for item in elements(object, "items") {
        let mut take = |key: &str| item.remove(key).and_then(|it| it.as_i64());
        periods.push((take("current_period_start"), take("current_period_end")));
        if let Some(price) = item.get("price").cloned() {
            item.insert("plan".to_owned(), price);
        }
    }
    let start = periods.iter().filter_map(|period| period.0).min();
    let end = periods.iter().filter_map(|period| period.1).max();
    object.insert("current_period_start".to_owned(), json!(start));
    object.insert("current_period_end".to_owned(), json!(end));
}

fn payment_intent(object: &mut Map<String, Value>) {
    let latest = object.remove("latest_charge").unwrap_or_default();
    let charges: Vec<Value> = latest
        .as_str()
        .map(|id| json!({"id": id, "object": "charge"}))
        .into_iter()
        .collect();
    object.insert("charges".to_owned(), json!({"object": "list", "data": charges}));
}

fn invoice(object: &mut Map<String, Value>) {
    let parent = object.remove("parent").unwrap_or_default();
    let details = &parent["subscription_details"];
    object.insert("subscription".to_owned(), details["subscription"].clone());
    object.insert(
        "subscription_details".to_owned(),
        json!({"metadata": details["metadata"]}),
    );
    let taxes = object.remove("total_taxes").unwrap_or_default();
    object.insert("total_tax_amounts".to_owned(), old_taxes(&taxes));
    let outside = object.remove("amount_paid_off_stripe");
    object.remove("amount_overpaid");
    object.remove("payments");
    let int = |object: &Map<String, Value>, key: &str| object.get(key).and_then(Value::as_i64).unwrap_or(0);
    let is_paid = object.get("status") == Some(&json!("paid"));
    let outside = outside.and_then(|it| it.as_i64()).unwrap_or(0);
    if outside > 0 {
        let paid = int(object, "amount_paid") - outside;
        object.insert("amount_paid".to_owned(), json!(paid));
        let remaining = int(object, "amount_remaining") + outside;
        object.insert("amount_remaining".to_owned(), json!(remaining));
    }
    object.insert("paid".to_owned(), json!(is_paid));
    object.insert("paid_out_of_band".to_owned(), json!(outside > 0));
    for line in elements(object, "lines") {
        invoice_line(line);
    }
}

fn invoice_line(line: &mut Map<String, Value>) {
    let parent = line.remove("parent").unwrap_or_default();
    let pricing = line.remove("pricing").unwrap_or_default();
    let taxes = line.remove("taxes").unwrap_or_default();
    let is_item = parent["invoice_item_details"].is_object();
    let details = if is_item {
        &parent["invoice_item_details"]
    } else {
        &parent["subscription_item_details"]
    };
    for key in [
        "subscription",
        "subscription_item",
        "proration",
        "proration_details",
        "invoice_item",
    ] {
        line.insert(key.to_owned(), details[key].clone());
    }
    let kind = if is_item { "invoiceitem" } else { "subscription" };
    line.insert("type".to_owned(), json!(kind));
    let price = &pricing["price_details"]["price"];
    let id = price.as_str().or_else(|| price["id"].as_str());
    for key in ["price", "plan"] {
        line.insert(
            key.to_owned(),
            id.map_or(Value::Null, |id| json!({"id": id, "object": key})),
        );
    }
    line.insert("tax_amounts".to_owned(), old_taxes(&taxes));
}

fn old_taxes(taxes: &Value) -> Value {
    let old = |tax: &Value| {
        json!({"amount": tax["amount"], "inclusive": tax["tax_behavior"] == "inclusive",
            "taxable_amount": tax["taxable_amount"]})
    };
    Value::Array(taxes.as_array().into_iter().flatten().map(old).collect())
}

fn credit_note(object: &mut Map<String, Value>) {
    let taxes = object.remove("total_taxes").unwrap_or_default();
    object.insert("tax_amounts".to_owned(), old_taxes(&taxes));
}
