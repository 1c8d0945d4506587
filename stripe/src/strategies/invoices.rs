//! Invoices: drafted, tried, paid, given up, credited.

use serde_json::{Value, json};

use super::act::Terms;
use super::stripe::{Payment, Stripe, picked_of};

const DAY: i64 = 86_400;
/// Tries after which Stripe stops, as its settings may say.
const ATTEMPTS_MAX: i64 = 3;

impl Stripe {
    pub(super) fn draft(&mut self, reason: &str, lines: &[Value], parent: &Value) -> String {
        let amounts: Vec<_> = lines.iter().map(LineAmounts::of).collect();
        let sum = |of: fn(&LineAmounts) -> i64| amounts.iter().map(of).sum::<i64>();
        let (total, tax) = (sum(LineAmounts::total), sum(|it| it.on_top + it.within));
        let behavior = if sum(|it| it.within) == 0 {
            "exclusive"
        } else {
            "inclusive"
        };
        let taxes = json!([{"amount": tax, "tax_behavior": behavior}]);
        let transitions = json!({"finalized_at": null, "paid_at": null, "voided_at": null, "marked_uncollectible_at": null});
        let invoice = json!({"object": "invoice", "customer": self.customer, "currency": "usd", "status": "draft",
            "billing_reason": reason, "amount_due": total, "amount_paid": 0, "amount_remaining": total, "total": total,
            "subtotal": sum(|it| it.amount), "starting_balance": self.int(&self.customer, "balance"), "ending_balance": null,
            "attempt_count": 0, "attempted": false,
            "next_payment_attempt": null, "due_date": null, "amount_paid_off_stripe": 0, "total_taxes": taxes,
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

    /// The customer's balance pays as much of it as it can, and takes what the invoice gives back. Where nothing is left to
    /// pay it is paid.
    pub(super) fn finalize(&mut self, invoice: &str) {
        let (total, balance) = (self.int(invoice, "total"), self.int(&self.customer, "balance"));
        let applied = total.min(-balance.min(0));
        let due = total - applied;
        let open = json!({"status": "open", "starting_balance": balance, "ending_balance": balance + applied,
            "amount_due": due, "amount_remaining": due, "status_transitions": self.stamped(invoice, "finalized_at")});
        self.change(invoice, &["invoice.updated", "invoice.finalized"], open);
        if applied != 0 {
            self.move_balance(applied);
        }
        self.book_receivable(due);
        if due == 0 {
            self.pay(invoice);
        }
    }

    /// Tries to collect what is left to pay.
    pub(super) fn collect(&mut self, invoice: &str, is_paid: bool) {
        if self.status(invoice) != "open" {
            return;
        }
        if is_paid {
            self.pay(invoice);
        } else {
            self.decline(invoice);
        }
    }

    /// Through Stripe: with an intent and a charge, unless there is nothing to pay.
    pub(super) fn pay(&mut self, invoice: &str) {
        let remaining = self.int(invoice, "amount_remaining");
        if remaining > 0 {
            let intent = self.new_intent(remaining, "usd", &json!({}), Some(invoice));
            self.charge_paid(Some(&intent), None, remaining, "usd", &json!({}), None);
            self.note_payment(invoice, &intent);
            let payment = json!({"object": "invoice_payment", "invoice": invoice, "amount_paid": remaining,
                "currency": "usd", "status": "paid", "is_default": true,
                "payment": {"type": "payment_intent", "payment_intent": intent}});
            self.create("inpay", &["invoice_payment.paid"], payment);
        }
        let attempts = self.int(invoice, "attempt_count") + i64::from(remaining > 0);
        let paid = json!({"status": "paid", "amount_paid": remaining, "amount_remaining": 0, "attempted": true,
            "attempt_count": attempts, "next_payment_attempt": null,
            "status_transitions": self.stamped(invoice, "paid_at")});
        let types = &["invoice.updated", "invoice.paid", "invoice.payment_succeeded"];
        self.change(invoice, types, paid);
        self.book_receivable(-remaining);
        self.plan_credits.paid(invoice);
        self.recover(invoice);
    }

    /// What versions before 2025-03-31 say of its payment.
    fn note_payment(&mut self, invoice: &str, intent: &str) {
        let charge = self.value(intent, "latest_charge").clone();
        let named = json!({"pre_basil": {"payment_intent": intent, "charge": charge}});
        self.change(invoice, &[], named);
    }

    pub(super) fn decline(&mut self, invoice: &str) {
        let remaining = self.int(invoice, "amount_remaining");
        let intent = self.new_intent(remaining, "usd", &json!({}), Some(invoice));
        self.charge_declined(Some(&intent), remaining, "usd", &json!({}));
        self.note_payment(invoice, &intent);
        let failed = json!({"attempt_count": self.int(invoice, "attempt_count") + 1, "attempted": true,
            "next_payment_attempt": self.now + 3 * DAY});
        self.change(invoice, &["invoice.updated", "invoice.payment_failed"], failed);
    }

    pub(super) fn subscription_of(&self, invoice: &str) -> Option<String> {
        let named = &self.value(invoice, "parent")["subscription_details"]["subscription"];
        named.as_str().map(str::to_owned)
    }

    fn picked_invoice(&self, pick: usize, statuses: &[&str]) -> Option<String> {
        picked_of(&self.invoices, pick, |id| statuses.contains(&self.status(id)))
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

    pub(super) fn void(&mut self, invoice: &str) {
        let stamps = self.stamped(invoice, "voided_at");
        self.book_receivable(-self.int(invoice, "amount_remaining"));
        let voided = json!({"status": "void", "status_transitions": stamps});
        self.change(invoice, &["invoice.updated", "invoice.voided"], voided);
        let applied = self.int(invoice, "ending_balance") - self.int(invoice, "starting_balance");
        if applied != 0 {
            self.move_balance(-applied);
        }
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
        self.book_at_bank("usd", remaining);
        let paid = json!({"status": "paid", "amount_paid": remaining, "amount_remaining": 0,
            "amount_paid_off_stripe": remaining, "next_payment_attempt": null,
            "status_transitions": self.stamped(&invoice, "paid_at"),
            "pre_basil": {"payment_intent": null, "charge": null}});
        self.change(&invoice, &["invoice.updated", "invoice.paid"], paid);
        self.plan_credits.paid(&invoice);
        self.recover(&invoice);
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
        let tax = &self.value(&invoice, "total_taxes")[0]["amount"];
        let tax = tax.as_i64().unwrap_or_default() * amount / self.int(&invoice, "total");
        let mut note = json!({"object": "credit_note", "customer": self.customer, "invoice": invoice, "amount": amount,
            "currency": "usd", "status": "issued", "type": "post_payment", "pre_payment_amount": 0,
            "post_payment_amount": amount, "out_of_band_amount": 0, "refunds": [], "total_taxes": [{"amount": tax, "tax_behavior": "exclusive"}],
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
            if let Some(payment) = refund {
                let refund = self.give_back(payment, amount, "succeeded");
                note["refunds"] = json!([{"refund": refund, "amount_refunded": amount}]);
            } else {
                note["customer_balance_transaction"] = json!("cbtxn_1");
                self.move_balance(-amount);
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

/// What a line comes to.
pub(super) struct LineAmounts {
    amount: i64,
    discount: i64,
    /// Tax beside the amount.
    on_top: i64,
    /// Tax within it.
    within: i64,
}

impl LineAmounts {
    fn of(line: &Value) -> Self {
        let sum = |list: &str, counts: fn(&Value) -> bool| {
            let parts = line[list].as_array().into_iter().flatten();
            parts
                .filter(|part| counts(part))
                .filter_map(|part| part["amount"].as_i64())
                .sum()
        };
        Self {
            amount: line["amount"].as_i64().unwrap_or_default(),
            discount: sum("discount_amounts", |_| true),
            on_top: sum("taxes", |tax| tax["tax_behavior"] == "exclusive"),
            within: sum("taxes", |tax| tax["tax_behavior"] == "inclusive"),
        }
    }

    /// What an amount comes to on these terms. Unused time is credited without a discount.
    pub(super) fn on(amount: i64, terms: Terms) -> Self {
        let discount = amount.max(0) * terms.discount / 100;
        let net = amount - discount;
        let (on_top, within) = if terms.is_inclusive {
            (0, net * terms.tax / (100 + terms.tax))
        } else {
            (net * terms.tax / 100, 0)
        };
        Self {
            amount,
            discount,
            on_top,
            within,
        }
    }

    /// What is asked for it.
    pub(super) fn total(&self) -> i64 {
        self.amount - self.discount + self.on_top
    }

    /// The fields of a line that say so.
    pub(super) fn say(&self, line: &mut Value) {
        line["amount"] = json!(self.amount);
        let discount = json!({"amount": self.discount, "discount": "di_1"});
        line["discount_amounts"] = if self.discount == 0 {
            json!([])
        } else {
            json!([discount])
        };
        let tax = |amount: i64, behavior: &str| json!([{"amount": amount, "tax_behavior": behavior, "taxable_amount": self.amount - self.discount}]);
        line["taxes"] = match (self.on_top, self.within) {
            (0, 0) => json!([]),
            (on_top, 0) => tax(on_top, "exclusive"),
            (_, within) => tax(within, "inclusive"),
        };
    }
}
