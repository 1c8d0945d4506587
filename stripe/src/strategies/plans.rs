//! Subscriptions and what they bill.

use serde_json::{Value, json};

use super::act::FirstPayment;
use super::catalog::PLANS;
use super::stripe::{Payment, Stripe, picked_of};

const DAY: i64 = 86_400;
const PERIOD: i64 = 30 * DAY;
const TRIAL: i64 = 14 * DAY;
/// An incomplete subscription expires after 23 hours.
const INCOMPLETE: i64 = 23 * 3_600;
/// Tries after which Stripe stops, as its settings may say.
const ATTEMPTS_MAX: i64 = 3;

/// A line of an invoice: the item's share of a period.
struct Line {
    amount: i64,
    quantity: i64,
    plan: usize,
    start: i64,
    end: i64,
    proration: bool,
}

impl Stripe {
    pub(super) fn subscribe(&mut self, plan: usize, quantity: i64, with_trial: bool, first: FirstPayment) {
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
        let price = if with_trial { 0 } else { PLANS[plan].1 * quantity };
        let line = Line {
            amount: price,
            quantity,
            plan,
            start: self.now,
            end,
            proration: false,
        };
        let invoice = self.bill(&subscription, "subscription_create", &[line]);
        self.finalize(&invoice);
        if with_trial || first == FirstPayment::Paid {
            return self.pay(&invoice);
        }
        self.decline(&invoice);
        if first == FirstPayment::Abandoned {
            self.by_itself_after(INCOMPLETE);
            self.set_status(&subscription, "incomplete_expired");
            self.void(&invoice);
        }
    }

    fn set_status(&mut self, subscription: &str, status: &str) {
        let types: &[&str] = &["customer.subscription.updated"];
        self.change(subscription, types, json!({"status": status}));
    }

    fn bill(&mut self, subscription: &str, reason: &str, lines: &[Line]) -> String {
        let item = self.value(subscription, "items")["data"][0]["id"].clone();
        let data: Vec<Value> = lines
            .iter()
            .map(|line| {
                let details = json!({"subscription": subscription, "subscription_item": item, "proration": line.proration});
                json!({"id": self.new_id("il"), "object": "line_item", "amount": line.amount, "currency": "usd",
                    "quantity": line.quantity, "period": {"start": line.start, "end": line.end},
                    "pricing": {"type": "price_details", "price_details": {"price": PLANS[line.plan].0}},
                    "parent": {"type": "subscription_item_details", "subscription_item_details": details},
                    "discount_amounts": [], "taxes": []})
            })
            .collect();
        let parent = json!({"type": "subscription_details", "subscription_details": {"subscription": subscription, "metadata": {}}});
        let invoice = self.draft(reason, &data, &parent);
        self.change(subscription, &[], json!({"latest_invoice": invoice}));
        self.invoices.push(invoice.clone());
        invoice
    }

    fn draft(&mut self, reason: &str, lines: &[Value], parent: &Value) -> String {
        let total: i64 = lines.iter().filter_map(|line| line["amount"].as_i64()).sum();
        let transitions = json!({"finalized_at": null, "paid_at": null, "voided_at": null, "marked_uncollectible_at": null});
        let invoice = json!({"object": "invoice", "customer": self.customer, "currency": "usd", "status": "draft",
            "billing_reason": reason, "amount_due": total, "amount_paid": 0, "amount_remaining": total, "total": total,
            "subtotal": total, "starting_balance": 0, "ending_balance": null, "attempt_count": 0, "attempted": false,
            "next_payment_attempt": null, "due_date": null, "amount_paid_off_stripe": 0, "total_taxes": [],
            "pre_payment_credit_notes_amount": 0, "post_payment_credit_notes_amount": 0, "parent": parent,
            "status_transitions": transitions, "lines": {"object": "list", "data": lines}, "metadata": {},
            "pre_basil": {"payment_intent": null, "charge": null}});
        self.create("in", &["invoice.created"], invoice)
    }

    /// Its stamps with one more.
    fn stamped(&self, invoice: &str, stamp: &str) -> Value {
        let mut transitions = self.value(invoice, "status_transitions").clone();
        transitions[stamp] = json!(self.now);
        transitions
    }

    fn finalize(&mut self, invoice: &str) {
        let stamps = self.stamped(invoice, "finalized_at");
        let open = json!({"status": "open", "ending_balance": 0, "status_transitions": stamps});
        self.change(invoice, &["invoice.updated", "invoice.finalized"], open);
        self.book_receivable(self.int(invoice, "amount_remaining"));
    }

    /// Through Stripe: with an intent and a charge, unless there is nothing to pay.
    fn pay(&mut self, invoice: &str) {
        let remaining = self.int(invoice, "amount_remaining");
        if remaining > 0 {
            let intent = self.new_intent(remaining, "usd", &json!({}), Some(invoice));
            self.charge_paid(Some(&intent), None, remaining, "usd", &json!({}));
            self.note_payment(invoice, &intent);
        }
        let attempts = self.int(invoice, "attempt_count") + i64::from(remaining > 0);
        let paid = json!({"status": "paid", "amount_paid": remaining, "amount_remaining": 0, "attempted": true,
            "attempt_count": attempts, "next_payment_attempt": null,
            "status_transitions": self.stamped(invoice, "paid_at")});
        let types = &["invoice.updated", "invoice.paid", "invoice.payment_succeeded"];
        self.change(invoice, types, paid);
        self.book_receivable(-remaining);
        self.recover(invoice);
    }

    /// What versions before 2025-03-31 say of its payment.
    fn note_payment(&mut self, invoice: &str, intent: &str) {
        let charge = self.value(intent, "latest_charge").clone();
        let named = json!({"pre_basil": {"payment_intent": intent, "charge": charge}});
        self.change(invoice, &[], named);
    }

    fn decline(&mut self, invoice: &str) {
        let remaining = self.int(invoice, "amount_remaining");
        let intent = self.new_intent(remaining, "usd", &json!({}), Some(invoice));
        self.charge_declined(Some(&intent), remaining, "usd", &json!({}));
        self.note_payment(invoice, &intent);
        let failed = json!({"attempt_count": self.int(invoice, "attempt_count") + 1, "attempted": true,
            "next_payment_attempt": self.now + 3 * DAY});
        self.change(invoice, &["invoice.updated", "invoice.payment_failed"], failed);
    }

    fn subscription_of(&self, invoice: &str) -> Option<String> {
        let named = &self.value(invoice, "parent")["subscription_details"]["subscription"];
        named.as_str().map(str::to_owned)
    }

    /// The subscription of an invoice that was paid runs again, if that was its newest.
    fn recover(&mut self, invoice: &str) {
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

    fn picked_invoice(&self, pick: usize, statuses: &[&str]) -> Option<String> {
        picked_of(&self.invoices, pick, |id| statuses.contains(&self.status(id)))
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
        let line = Line {
            amount: PLANS[plan].1 * quantity,
            quantity,
            plan,
            start,
            end: start + PERIOD,
            proration: false,
        };
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
        let invoice = self.bill(&subscription, "subscription_cycle", &[line]);
        self.by_itself_after(3_600);
        self.finalize(&invoice);
        if is_paid {
            self.pay(&invoice);
        } else {
            self.decline(&invoice);
            self.set_status(&subscription, "past_due");
        }
    }

    pub(super) fn retry(&mut self, invoice: usize, is_paid: bool) {
        let Some(invoice) = self.picked_invoice(invoice, &["open"]) else {
            return;
        };
        self.by_itself_after(1);
        if is_paid {
            return self.pay(&invoice);
        }
        if self.int(&invoice, "attempt_count") < ATTEMPTS_MAX {
            self.decline(&invoice);
            let given_up = self.int(&invoice, "attempt_count") == ATTEMPTS_MAX;
            let subscription = self.subscription_of(&invoice);
            if let Some(subscription) = subscription.filter(|it| given_up && self.status(it) == "past_due") {
                self.set_status(&subscription, "unpaid");
            }
        }
    }

    fn void(&mut self, invoice: &str) {
        let stamps = self.stamped(invoice, "voided_at");
        self.book_receivable(-self.int(invoice, "amount_remaining"));
        let voided = json!({"status": "void", "status_transitions": stamps});
        self.change(invoice, &["invoice.updated", "invoice.voided"], voided);
    }

    pub(super) fn give_up(&mut self, invoice: usize, is_void: bool) {
        let Some(invoice) = self.picked_invoice(invoice, &["open"]) else {
            return;
        };
        if is_void {
            return self.void(&invoice);
        }
        let stamps = self.stamped(&invoice, "marked_uncollectible_at");
        self.book_receivable(-self.int(&invoice, "amount_remaining"));
        let types = &["invoice.updated", "invoice.marked_uncollectible"];
        let given_up = json!({"status": "uncollectible", "status_transitions": stamps});
        self.change(&invoice, types, given_up);
    }

    pub(super) fn pay_outside(&mut self, invoice: usize) {
        let Some(invoice) = self.picked_invoice(invoice, &["open", "uncollectible"]) else {
            return;
        };
        let remaining = self.int(&invoice, "amount_remaining");
        if self.status(&invoice) == "open" {
            self.book_receivable(-remaining);
        }
        let paid = json!({"status": "paid", "amount_paid": remaining, "amount_remaining": 0,
            "amount_paid_off_stripe": remaining, "next_payment_attempt": null,
            "status_transitions": self.stamped(&invoice, "paid_at"),
            "pre_basil": {"payment_intent": null, "charge": null}});
        self.change(&invoice, &["invoice.updated", "invoice.paid"], paid);
        self.recover(&invoice);
    }

    pub(super) fn change_plan(&mut self, subscription: usize, plan: usize, quantity: i64) {
        let Some(subscription) = self.picked_subscription(subscription, &["active", "trialing"]) else {
            return;
        };
        let (start, end) = self.period(&subscription);
        if !(start..end).contains(&self.now) {
            return;
        }
        let plan = plan % PLANS.len();
        let (old_plan, old_quantity) = self.plan(&subscription);
        let item = self.value(&subscription, "items")["data"][0]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let types: &[&str] = &["customer.subscription.updated"];
        let changes = json!({"items": items(&item, plan, quantity, (start, end))});
        self.change(&subscription, types, changes);
        let share = |price: i64| price * (end - self.now) / (end - start);
        let [unused, rest] = [(old_plan, old_quantity), (plan, quantity)].map(|(plan, quantity)| Line {
            amount: share(PLANS[plan].1 * quantity),
            quantity,
            plan,
            start: self.now,
            end,
            proration: true,
        });
        let is_more = rest.amount > unused.amount;
        if is_more && self.status(&subscription) == "active" {
            let unused = Line {
                amount: -unused.amount,
                ..unused
            };
            let invoice = self.bill(&subscription, "subscription_update", &[unused, rest]);
            self.finalize(&invoice);
            self.pay(&invoice);
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
        if let Some(subscription) = self.picked_subscription(subscription, &["active"]) {
            let types: &[&str] = &["customer.subscription.updated", "customer.subscription.paused"];
            self.change(&subscription, types, json!({"status": "paused"}));
        } else if let Some(subscription) = self.picked_subscription(subscription, &["paused"]) {
            let types: &[&str] = &["customer.subscription.updated", "customer.subscription.resumed"];
            self.change(&subscription, types, json!({"status": "active"}));
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

    pub(super) fn draft_and_delete(&mut self) {
        let draft = self.draft("manual", &[], &Value::Null);
        self.delete(&draft, "invoice.deleted");
    }

    /// Before payment it lowers what is due; after payment it goes to the customer's balance, or back by a refund.
    pub(super) fn credit_note(&mut self, invoice: usize, percent: i64) {
        let open = self.picked_invoice(invoice, &["open"]);
        let Some(invoice) = open.or_else(|| self.picked_invoice(invoice, &["paid"])) else {
            return;
        };
        let is_open = self.status(&invoice) == "open";
        let noted = self.int(&invoice, "post_payment_credit_notes_amount");
        let field = if is_open {
            "amount_remaining"
        } else {
            "amount_paid"
        };
        let amount = (self.int(&invoice, field) - noted) * percent / 100;
        if amount <= 0 {
            return;
        }
        let mut note = json!({"object": "credit_note", "customer": self.customer, "invoice": invoice, "amount": amount,
            "currency": "usd", "status": "issued", "type": "post_payment", "pre_payment_amount": 0,
            "post_payment_amount": amount, "out_of_band_amount": 0, "refunds": [], "total_taxes": [],
            "customer_balance_transaction": null, "voided_at": null});
        if is_open {
            note["type"] = json!("pre_payment");
            note["pre_payment_amount"] = json!(amount);
            note["post_payment_amount"] = json!(0);
            self.credit_before_payment(&invoice, amount);
        } else {
            let refund = self
                .refund_of_invoice(&invoice, amount)
                .filter(|_| percent % 2 == 0);
            match refund {
                Some(payment) => {
                    let refund = self.give_back(payment, amount, "succeeded");
                    note["refunds"] = json!([{"refund": refund, "amount_refunded": amount}]);
                }
                None => note["customer_balance_transaction"] = json!("cbtxn_1"),
            }
            let changes = json!({"post_payment_credit_notes_amount": noted + amount});
            self.change(&invoice, &["invoice.updated"], changes);
        }
        let note = self.create("cn", &["credit_note.created"], note);
        self.notes.push(note);
    }

    fn credit_before_payment(&mut self, invoice: &str, amount: i64) {
        let field = |field: &str, by: i64| self.int(invoice, field) + by;
        let changes = json!({"amount_due": field("amount_due", -amount),
            "amount_remaining": field("amount_remaining", -amount),
            "pre_payment_credit_notes_amount": field("pre_payment_credit_notes_amount", amount)});
        self.change(invoice, &["invoice.updated"], changes);
        self.book_receivable(-amount);
    }

    /// The payment of an invoice, if so much of it can be given back.
    fn refund_of_invoice(&self, invoice: &str, amount: i64) -> Option<usize> {
        let intent = self.value(invoice, "pre_basil")["payment_intent"].as_str()?;
        let paid = |it: &Payment| it.intent.as_deref() == Some(intent);
        let payment = self.payments.iter().position(paid)?;
        let charge = &self.payments[payment].charge;
        (self.left_of(charge) >= amount && self.may_be_refunded(charge)).then_some(payment)
    }

    pub(super) fn void_credit_note(&mut self, note: usize) {
        let may_be_voided = |note: &str| {
            let is_before_payment = self.text(note, "type") == "pre_payment";
            let is_open = self.status(self.text(note, "invoice")) == "open";
            is_before_payment && is_open && self.status(note) == "issued"
        };
        let Some(note) = picked_of(&self.notes, note, may_be_voided) else {
            return;
        };
        let voided = json!({"status": "void", "voided_at": self.now});
        self.change(&note, &["credit_note.voided"], voided);
        let invoice = self.text(&note, "invoice").to_owned();
        self.credit_before_payment(&invoice, -self.int(&note, "pre_payment_amount"));
    }
}

fn items(item: &str, plan: usize, quantity: i64, (start, end): (i64, i64)) -> Value {
    let (price, amount) = PLANS[plan];
    json!({"object": "list", "data": [{"id": item, "object": "subscription_item", "quantity": quantity,
        "price": {"id": price, "object": "price", "unit_amount": amount, "currency": "usd"},
        "current_period_start": start, "current_period_end": end}]})
}
