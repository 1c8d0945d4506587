//! Subscriptions: their periods, plans and ends.

use serde_json::{Value, json};

use super::act::{Billed, FirstPayment, Terms};
use super::catalog::PLANS;
use super::invoices::LineAmounts;
use super::stripe::{Stripe, picked_of};

const DAY: i64 = 86_400;
pub(super) const PERIOD: i64 = 30 * DAY;
const TRIAL: i64 = 14 * DAY;
/// An incomplete subscription expires after 23 hours.
const INCOMPLETE: i64 = 23 * 3_600;

/// A line of an invoice: the item's share of a period.
#[derive(Debug, Clone)]
pub(super) struct Line {
    amount: i64,
    quantity: i64,
    plan: usize,
    start: i64,
    end: i64,
    proration: bool,
    /// Whether it says which line billed the time that it credits.
    names_credited: bool,
}

impl Line {
    fn of_period((plan, quantity): (usize, i64), (start, end): (i64, i64)) -> Self {
        Self {
            amount: PLANS[plan].1 * quantity,
            quantity,
            plan,
            start,
            end,
            proration: false,
            names_credited: false,
        }
    }

    /// The rest of this period from now on.
    fn of_rest(of: (usize, i64), now: i64, (start, end): (i64, i64)) -> Self {
        let whole = Self::of_period(of, (now, end));
        Self {
            amount: whole.amount * (end - now) / (end - start),
            proration: true,
            ..whole
        }
    }
}

impl Stripe {
    pub(super) fn subscribe(
        &mut self,
        (plan, quantity): (usize, i64),
        with_trial: bool,
        first: FirstPayment,
        terms: Terms,
    ) {
        let plan = plan % PLANS.len();
        let end = self.now + if with_trial { TRIAL } else { PERIOD };
        let trial = with_trial.then_some((self.now, end));
        let item = self.new_id("si");
        let subscription = json!({"object": "subscription", "customer": self.customer,
            "status": if with_trial { "trialing" } else { "incomplete" }, "start_date": self.now,
            "cancel_at_period_end": false, "cancel_at": null, "canceled_at": null, "ended_at": null,
            "trial_start": trial.map(|it| it.0), "trial_end": trial.map(|it| it.1), "pause_collection": null,
            "latest_invoice": null, "metadata": {}, "items": items(&item, plan, quantity, (self.now, end))});
        let types: &[&str] = &["customer.subscription.created"];
        let subscription = self.create("sub", types, subscription);
        self.subscriptions.push(subscription.clone());
        self.terms.insert(subscription.clone(), terms);
        let mut line = Line::of_period((plan, quantity), (self.now, end));
        if with_trial {
            line.amount = 0;
        }
        let invoice = self.bill(&subscription, "subscription_create", &[line]);
        self.finalize(&invoice);
        self.collect(&invoice, first == FirstPayment::Paid);
        if first == FirstPayment::Abandoned && self.status(&invoice) == "open" {
            self.by_itself_after(INCOMPLETE);
            self.set_status(&subscription, "incomplete_expired");
            self.void(&invoice);
        }
    }

    pub(super) fn set_status(&mut self, subscription: &str, status: &str) {
        let types: &[&str] = &["customer.subscription.updated"];
        self.change(subscription, types, json!({"status": status}));
    }

    fn bill(&mut self, subscription: &str, reason: &str, lines: &[Line]) -> String {
        let item = self.value(subscription, "items")["data"][0]["id"].clone();
        let terms = self.terms_of(subscription);
        let data: Vec<Value> = lines
            .iter()
            .map(|line| {
                let mut details = json!({"subscription": subscription, "subscription_item": item, "proration": line.proration});
                if line.names_credited {
                    let (item, price) = (item.as_str().unwrap_or_default(), PLANS[line.plan].0);
                    let rest = (line.start, line.end);
                    details["proration_details"] = self.plan_credits.credited(item, (price, line.quantity), rest);
                }
                let mut data = json!({"id": self.new_id("il"), "object": "line_item", "currency": "usd",
                    "quantity": line.quantity, "period": {"start": line.start, "end": line.end},
                    "pricing": {"type": "price_details", "price_details": {"price": PLANS[line.plan].0}},
                    "parent": {"type": "subscription_item_details", "subscription_item_details": details}});
                LineAmounts::on(line.amount, terms).say(&mut data);
                data
            })
            .collect();
        let parent = json!({"type": "subscription_details", "subscription_details": {"subscription": subscription, "metadata": {}}});
        let invoice = self.draft(reason, &data, &parent);
        self.plan_credits.billed(&invoice, &data);
        self.change(subscription, &[], json!({"latest_invoice": invoice}));
        self.invoices.push(invoice.clone());
        invoice
    }

    fn terms_of(&self, subscription: &str) -> Terms {
        self.terms.get(subscription).copied().unwrap_or_default()
    }

    /// The subscription of an invoice that was paid runs again, if that was its newest.
    pub(super) fn recover(&mut self, invoice: &str) {
        let Some(subscription) = self.subscription_of(invoice) else {
            return;
        };
        let is_newest = self.text(&subscription, "latest_invoice") == invoice;
        let was_waiting = matches!(self.status(&subscription), "incomplete" | "past_due" | "unpaid");
        if is_newest && was_waiting {
            self.set_status(&subscription, "active");
        }
    }

    fn picked_subscription(&self, pick: usize, statuses: &[&str]) -> Option<String> {
        picked_of(&self.subscriptions, pick, |id| {
            statuses.contains(&self.status(id))
        })
    }

    fn period(&self, subscription: &str) -> (i64, i64) {
        let item = &self.value(subscription, "items")["data"][0];
        let at = |field: &str| item[field].as_i64().unwrap_or_default();
        (at("current_period_start"), at("current_period_end"))
    }

    fn plan(&self, subscription: &str) -> (usize, i64) {
        let item = &self.value(subscription, "items")["data"][0];
        let plan = PLANS.iter().position(|plan| item["price"]["id"] == plan.0);
        (
            plan.unwrap_or_default(),
            item["quantity"].as_i64().unwrap_or_default(),
        )
    }

    pub(super) fn end_period(&mut self, subscription: usize, is_paid: bool, is_announced: bool) {
        let Some(subscription) = self.picked_subscription(subscription, &["trialing", "active", "past_due"])
        else {
            return;
        };
        let (_, start) = self.period(&subscription);
        self.by_itself_after(start - self.now);
        if self.value(&subscription, "cancel_at_period_end") == &json!(true) {
            return self.end(&subscription);
        }
        let (plan, quantity) = self.plan(&subscription);
        let item = self.value(&subscription, "items")["data"][0]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let ends_trial = self.status(&subscription) == "trialing";
        let line = Line::of_period((plan, quantity), (start, start + PERIOD));
        let mut changes = json!({"items": items(&item, plan, quantity, (line.start, line.end))});
        if ends_trial {
            changes["status"] = json!("active");
        }
        let types: &[&str] = if is_announced || ends_trial {
            &["customer.subscription.updated"]
        } else {
            &[]
        };
        self.change(&subscription, types, changes);
        let mut lines = self.unbilled.remove(&subscription).unwrap_or_default();
        lines.push(line);
        let invoice = self.bill(&subscription, "subscription_cycle", &lines);
        self.by_itself_after(3_600);
        self.finalize(&invoice);
        self.collect(&invoice, is_paid);
        if self.status(&invoice) == "open" {
            self.set_status(&subscription, "past_due");
        }
    }

    pub(super) fn change_plan(
        &mut self,
        subscription: usize,
        (plan, quantity): (usize, i64),
        billed: Billed,
        names_credited: bool,
    ) {
        let Some(subscription) = self.picked_subscription(subscription, &["active", "trialing"]) else {
            return;
        };
        let (start, end) = self.period(&subscription);
        if !(start..end).contains(&self.now) {
            return;
        }
        let (old, new) = (self.plan(&subscription), (plan % PLANS.len(), quantity));
        let item = self.value(&subscription, "items")["data"][0]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let types: &[&str] = &["customer.subscription.updated"];
        let changes = json!({"items": items(&item, new.0, new.1, (start, end))});
        self.change(&subscription, types, changes);
        if self.status(&subscription) == "trialing" || old == new {
            return;
        }
        let mut unused = Line::of_rest(old, self.now, (start, end));
        unused.amount = -unused.amount;
        unused.names_credited = names_credited;
        let lines = [unused, Line::of_rest(new, self.now, (start, end))];
        match billed {
            Billed::AtOnce { is_paid } => {
                let invoice = self.bill(&subscription, "subscription_update", &lines);
                self.finalize(&invoice);
                self.collect(&invoice, is_paid);
            }
            Billed::WithTheNext => self.unbilled.entry(subscription).or_default().extend(lines),
            Billed::Never => {}
        }
    }

    pub(super) fn flip(&mut self, subscription: usize, times: usize) {
        let Some(subscription) = self.picked_subscription(subscription, &["active", "trialing", "past_due"])
        else {
            return;
        };
        for _ in 0..times {
            self.by_request();
            let is_set = self.value(&subscription, "cancel_at_period_end") == &json!(true);
            let types: &[&str] = &["customer.subscription.updated"];
            self.change(&subscription, types, json!({"cancel_at_period_end": !is_set}));
        }
    }

    pub(super) fn pause_or_resume(&mut self, subscription: usize) {
        if let Some(subscription) = self.picked_subscription(subscription, &["paused"]) {
            let types: &[&str] = &["customer.subscription.updated", "customer.subscription.resumed"];
            self.change(&subscription, types, json!({"status": "active"}));
        } else if let Some(subscription) = self.picked_subscription(subscription, &["active"]) {
            let types: &[&str] = &["customer.subscription.updated", "customer.subscription.paused"];
            self.change(&subscription, types, json!({"status": "paused"}));
        }
    }

    /// Whether there was one to cancel.
    pub(super) fn cancel(&mut self, subscription: usize) -> bool {
        let alive = &["incomplete", "trialing", "active", "past_due", "unpaid", "paused"];
        let subscription = self.picked_subscription(subscription, alive);
        if let Some(subscription) = &subscription {
            self.end(subscription);
        }
        subscription.is_some()
    }

    fn end(&mut self, subscription: &str) {
        let ended = json!({"status": "canceled", "ended_at": self.now, "canceled_at": self.now});
        self.change(subscription, &["customer.subscription.deleted"], ended);
    }
}

fn items(item: &str, plan: usize, quantity: i64, (start, end): (i64, i64)) -> Value {
    let (price, amount) = PLANS[plan];
    json!({"object": "list", "data": [{"id": item, "object": "subscription_item", "quantity": quantity,
        "price": {"id": price, "object": "price", "unit_amount": amount, "currency": "usd"},
        "current_period_start": start, "current_period_end": end}]})
}
