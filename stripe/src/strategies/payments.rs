//! Packs bought, refunded, disputed.

use serde_json::{Value, json};
use tallybook_domain::money::released;

use super::act::{Act, DisputeMove, PaymentEnds, RefundEnds, Through};
use super::stripe::{Payment, Stripe, Sums, picked, picked_of};

const CURRENCIES: [&str; 3] = ["usd", "eur", "jpy"];

/// What Stripe keeps of every dispute that takes money, in the currency of the payment.
const DISPUTE_FEE: i64 = 15;

impl Stripe {
    pub(super) fn buy(&mut self, act: &Act) {
        let Act::Buy {
            through,
            amount,
            currency,
            credits,
            tax,
            declined_first,
            ends,
        } = *act
        else {
            return;
        };
        let currency = CURRENCIES[currency % CURRENCIES.len()];
        let metadata = json!({"credits": credits.to_string()});
        let intent = (through != Through::Charge).then(|| self.new_intent(amount, currency, &metadata, None));
        let session = (through == Through::Checkout)
            .then(|| self.new_session((amount, tax), currency, &metadata, intent.as_deref()));
        let tax = session.as_ref().map_or(0, |_| tax);
        if declined_first {
            self.charge_declined(intent.as_deref(), amount, currency, &metadata);
        }
        let is_late = matches!(ends, PaymentEnds::PaidLater | PaymentEnds::FailsLater);
        let late = is_late.then(|| self.charge_pending(intent.as_deref(), amount, currency, &metadata));
        if let (true, Some(session)) = (is_late, &session) {
            self.change(
                session,
                &["checkout.session.completed"],
                json!({"status": "complete"}),
            );
        }
        if is_late {
            self.by_itself_after(172_800);
        }
        match ends {
            PaymentEnds::Paid | PaymentEnds::PaidLater => {
                let bought = Some((credits, tax_within(amount, tax)));
                self.charge_paid(intent.as_deref(), late, amount, currency, &metadata, bought);
            }
            PaymentEnds::FailsLater => self.charge_failed(intent.as_deref(), late.as_deref()),
            PaymentEnds::Canceled => {
                if let Some(intent) = &intent {
                    let canceled = json!({"status": "canceled", "canceled_at": self.now});
                    self.change(intent, &["payment_intent.canceled"], canceled);
                }
            }
        }
        if let Some(session) = &session {
            let (event_type, changes) = match ends {
                PaymentEnds::Paid => (
                    "completed",
                    json!({"status": "complete", "payment_status": "paid"}),
                ),
                PaymentEnds::PaidLater => ("async_payment_succeeded", json!({"payment_status": "paid"})),
                PaymentEnds::FailsLater => ("async_payment_failed", json!({})),
                PaymentEnds::Canceled => ("expired", json!({"status": "expired"})),
            };
            self.change(session, &[&format!("checkout.session.{event_type}")], changes);
        }
    }

    /// A payment intent, of an invoice if one is named.
    pub(super) fn new_intent(
        &mut self,
        amount: i64,
        currency: &str,
        metadata: &Value,
        invoice: Option<&str>,
    ) -> String {
        let intent = json!({"object": "payment_intent", "amount": amount, "amount_received": 0, "currency": currency,
            "status": "requires_payment_method", "customer": self.customer, "latest_charge": null,
            "last_payment_error": null, "canceled_at": null, "metadata": metadata, "pre_basil": {"invoice": invoice}});
        self.create("pi", &["payment_intent.created"], intent)
    }

    fn new_session(
        &mut self,
        (amount, tax): (i64, i64),
        currency: &str,
        metadata: &Value,
        intent: Option<&str>,
    ) -> String {
        let session = json!({"object": "checkout.session", "mode": "payment", "status": "open", "payment_status": "unpaid",
            "payment_intent": intent, "customer": self.customer, "client_reference_id": self.client_reference(),
            "amount_total": amount, "currency": currency, "metadata": metadata, "total_details": {"amount_tax": tax_within(amount, tax)}});
        self.create("cs", &[], session)
    }

    fn charge(&self, intent: Option<&str>, amount: i64, currency: &str, metadata: &Value) -> Value {
        let invoice = intent.and_then(|intent| self.value(intent, "pre_basil")["invoice"].as_str());
        json!({"object": "charge", "amount": amount, "amount_captured": amount, "amount_refunded": 0, "refunded": false,
            "captured": true, "paid": true, "currency": currency, "status": "succeeded", "disputed": false,
            "payment_intent": intent, "customer": self.customer, "balance_transaction": null, "metadata": metadata,
            "failure_code": null, "pre_basil": {"invoice": invoice}})
    }

    pub(super) fn charge_declined(
        &mut self,
        intent: Option<&str>,
        amount: i64,
        currency: &str,
        metadata: &Value,
    ) {
        let mut charge = self.charge(intent, amount, currency, metadata);
        for (field, value) in [
            ("status", json!("failed")),
            ("captured", json!(false)),
            ("paid", json!(false)),
            ("amount_captured", json!(0)),
            ("failure_code", json!("card_declined")),
        ] {
            charge[field] = value;
        }
        let charge = self.create("ch", &["charge.failed"], charge);
        self.intent_failed(intent, &charge);
    }

    fn intent_failed(&mut self, intent: Option<&str>, charge: &str) {
        if let Some(intent) = intent {
            let failed = json!({"status": "requires_payment_method", "latest_charge": charge,
                "last_payment_error": {"code": "card_declined"}});
            self.change(intent, &["payment_intent.payment_failed"], failed);
        }
    }

    fn charge_pending(
        &mut self,
        intent: Option<&str>,
        amount: i64,
        currency: &str,
        metadata: &Value,
    ) -> String {
        let mut charge = self.charge(intent, amount, currency, metadata);
        for (field, value) in [
            ("status", json!("pending")),
            ("paid", json!(false)),
            ("amount_captured", json!(0)),
        ] {
            charge[field] = value;
        }
        let charge = self.create("ch", &["charge.pending"], charge);
        if let Some(intent) = intent {
            let processing = json!({"status": "processing", "latest_charge": charge});
            self.change(intent, &["payment_intent.processing"], processing);
        }
        charge
    }

    fn charge_failed(&mut self, intent: Option<&str>, charge: Option<&str>) {
        if let Some(charge) = charge {
            let failed =
                json!({"status": "failed", "captured": false, "failure_code": "debit_not_authorized"});
            self.change(charge, &["charge.failed"], failed);
            self.intent_failed(intent, charge);
        }
    }

    /// Money comes in: by a new charge, or by one that was pending.
    pub(super) fn charge_paid(
        &mut self,
        intent: Option<&str>,
        pending: Option<String>,
        amount: i64,
        currency: &str,
        metadata: &Value,
        bought: Option<(i64, i64)>,
    ) {
        let booking = self.book("charge", (amount, fee_of(amount)), currency);
        let charge = if let Some(charge) = pending {
            let changes = json!({"status": "succeeded", "paid": true, "amount_captured": amount,
                "balance_transaction": booking});
            self.change(&charge, &["charge.succeeded"], changes);
            charge
        } else {
            let mut paid = self.charge(intent, amount, currency, metadata);
            paid["balance_transaction"] = json!(booking);
            self.create("ch", &["charge.succeeded"], paid)
        };
        self.name_source(&booking, &charge);
        if let Some(intent) = intent {
            let succeeded = json!({"status": "succeeded", "amount_received": amount, "latest_charge": charge,
                "last_payment_error": null});
            self.change(intent, &["payment_intent.succeeded"], succeeded);
        }
        self.book_at_stripe(currency, amount);
        self.payments.push(Payment {
            intent: intent.map(str::to_owned),
            charge,
            bought,
        });
    }

    /// What a pack gave, and what of it and of its tax was given back.
    pub(super) fn add_pack(&self, payment: &Payment, sums: &mut Sums) {
        let Some((credits, tax)) = payment.bought else {
            return;
        };
        let charge = &payment.charge;
        let lost: i64 = self
            .disputes_of(charge)
            .filter(|dispute| self.status(dispute) == "lost")
            .map(|dispute| self.taken_by(dispute))
            .sum();
        let amount = self.int(charge, "amount");
        let given_back = (self.int(charge, "amount_refunded") + lost).min(amount);
        let granted = credits * 1_000_000;
        sums.granted += granted;
        sums.clawed_back += granted * given_back / amount;
        let currency = self.text(charge, "currency").to_owned();
        *sums.tax.entry(currency).or_default() += tax - released(tax, given_back, amount);
    }

    /// What of a charge is neither given back nor taken by its disputes.
    pub(super) fn left_of(&self, charge: &str) -> i64 {
        let taken: i64 = self
            .disputes_of(charge)
            .map(|dispute| self.taken_by(dispute))
            .sum();
        self.int(charge, "amount") - self.int(charge, "amount_refunded") - taken
    }

    fn disputes_of<'a>(&'a self, charge: &'a str) -> impl Iterator<Item = &'a String> {
        self.disputes
            .iter()
            .filter(move |dispute| self.text(dispute, "charge") == charge)
    }

    fn taken_by(&self, dispute: &str) -> i64 {
        let transactions = self.value(dispute, "balance_transactions").as_array();
        let amounts = transactions
            .into_iter()
            .flatten()
            .filter_map(|it| it["amount"].as_i64());
        -amounts.sum::<i64>()
    }

    /// Stripe refuses refunds of what is charged back.
    pub(super) fn may_be_refunded(&self, charge: &str) -> bool {
        let stands = |dispute: &String| {
            let status = self.status(dispute);
            !matches!(
                status,
                "won" | "warning_closed" | "warning_needs_response" | "warning_under_review"
            )
        };
        !self.disputes_of(charge).any(stands)
    }

    pub(super) fn refund(&mut self, payment: usize, percent: i64, ends: RefundEnds) {
        let Some(index) = picked(payment, self.payments.len()) else {
            return;
        };
        let charge = self.payments[index].charge.clone();
        let asked = self.int(&charge, "amount") * percent / 100;
        let amount = asked.min(self.left_of(&charge));
        if amount <= 0 || !self.may_be_refunded(&charge) {
            return;
        }
        let is_pending = matches!(ends, RefundEnds::SucceedsLater | RefundEnds::Canceled);
        let status = if is_pending { "pending" } else { "succeeded" };
        let refund = self.give_back(index, amount, status);
        let undone = match ends {
            RefundEnds::Succeeds => return,
            RefundEnds::SucceedsLater => {
                self.by_itself_after(3_600);
                return self.change(&refund, &["refund.updated"], json!({"status": "succeeded"}));
            }
            RefundEnds::Bounces => "failed",
            RefundEnds::Canceled => "canceled",
        };
        self.by_itself_after(86_400);
        let types: &[&str] = if undone == "failed" {
            &["refund.updated", "refund.failed", "charge.refund.updated"]
        } else {
            &["refund.updated"]
        };
        let currency = self.text(&charge, "currency").to_owned();
        let back = self.book("refund_failure", (amount, 0), &currency);
        self.name_source(&back, &refund);
        let changes = json!({"status": undone, "failure_balance_transaction": back});
        self.change(&refund, types, changes);
        self.move_refunded(&charge, &["charge.updated"], -amount);
    }

    /// A refund, and what it does to its charge.
    pub(super) fn give_back(&mut self, payment: usize, amount: i64, status: &str) -> String {
        let Payment { intent, charge, .. } = self.payments[payment].clone();
        let currency = self.text(&charge, "currency").to_owned();
        let booking = self.book("refund", (-amount, amount % 4), &currency);
        let refund = json!({"object": "refund", "amount": amount, "currency": currency, "status": status,
            "charge": charge, "payment_intent": intent, "balance_transaction": booking,
            "failure_balance_transaction": null, "metadata": {}});
        let refund = self.create("re", &["refund.created"], refund);
        self.name_source(&booking, &refund);
        self.move_refunded(&charge, &["charge.refunded"], amount);
        refund
    }

    fn move_refunded(&mut self, charge: &str, types: &[&str], amount: i64) {
        let refunded = self.int(charge, "amount_refunded") + amount;
        let is_whole = refunded == self.int(charge, "amount");
        let changes = json!({"amount_refunded": refunded, "refunded": is_whole});
        self.change(charge, types, changes);
        let currency = self.text(charge, "currency").to_owned();
        self.book_at_stripe(&currency, -amount);
    }

    pub(super) fn dispute(&mut self, payment: usize, is_inquiry: bool) {
        let Some(index) = picked(payment, self.payments.len()) else {
            return;
        };
        let Payment { intent, charge, .. } = self.payments[index].clone();
        let amount = self.left_of(&charge);
        let is_open = |dispute: &String| !matches!(self.status(dispute), "won" | "lost" | "warning_closed");
        if amount <= 0 || !self.may_be_refunded(&charge) || self.disputes_of(&charge).any(is_open) {
            return;
        }
        self.by_itself_after(1);
        let status = if is_inquiry {
            "warning_needs_response"
        } else {
            "needs_response"
        };
        let dispute = json!({"object": "dispute", "amount": amount, "currency": self.text(&charge, "currency"),
            "status": status, "reason": "fraudulent", "charge": charge, "payment_intent": intent,
            "is_charge_refundable": is_inquiry, "balance_transactions": [], "metadata": {}});
        let dispute = self.create("du", &["charge.dispute.created"], dispute);
        self.disputes.push(dispute.clone());
        self.change(&charge, &["charge.updated"], json!({"disputed": true}));
        if !is_inquiry {
            self.move_funds(&dispute, -amount, &["charge.dispute.funds_withdrawn"], json!({}));
        }
    }

    fn move_funds(&mut self, dispute: &str, amount: i64, types: &[&str], mut changes: Value) {
        let fee = if amount < 0 { DISPUTE_FEE } else { 0 };
        let category = if amount < 0 { "dispute" } else { "dispute_reversal" };
        let currency = self.text(dispute, "currency").to_owned();
        let booking = self.book("adjustment", (amount, fee), &currency);
        self.name_source(&booking, dispute);
        self.change(&booking, &[], json!({"reporting_category": category}));
        let transaction = Value::Object(self.objects[&booking].clone());
        let mut transactions = self.value(dispute, "balance_transactions").clone();
        if let Some(list) = transactions.as_array_mut() {
            list.push(transaction);
        }
        changes["balance_transactions"] = transactions;
        self.change(dispute, types, changes);
        self.book_at_stripe(&currency, amount - fee);
    }

    pub(super) fn move_dispute(&mut self, dispute: usize, to: DisputeMove) {
        let may_move = |dispute: &str| next(self.status(dispute), to).is_some();
        let Some(dispute) = picked_of(&self.disputes, dispute, may_move) else {
            return;
        };
        let Some(status) = next(self.status(&dispute), to) else {
            return;
        };
        self.by_itself_after(1);
        let amount = self.int(&dispute, "amount");
        let changes = json!({"status": status});
        match status {
            "needs_response" => {
                let charge = self.text(&dispute, "charge").to_owned();
                if amount <= self.left_of(&charge) {
                    let types = &["charge.dispute.updated", "charge.dispute.funds_withdrawn"];
                    let changes = json!({"status": status, "is_charge_refundable": false});
                    self.move_funds(&dispute, -amount, types, changes);
                }
            }
            "won" => {
                let types = &[
                    "charge.dispute.updated",
                    "charge.dispute.funds_reinstated",
                    "charge.dispute.closed",
                ];
                self.move_funds(&dispute, amount, types, changes);
            }
            "lost" | "warning_closed" => {
                let types = &["charge.dispute.updated", "charge.dispute.closed"];
                self.change(&dispute, types, changes);
            }
            _ => self.change(&dispute, &["charge.dispute.updated"], changes),
        }
    }
}

/// What Stripe keeps of a charge.
fn fee_of(amount: i64) -> i64 {
    amount * 29 / 1_000 + 30
}

/// The tax within an amount, so many per cent on top of the rest of it.
fn tax_within(amount: i64, per_cent: i64) -> i64 {
    amount * per_cent / (100 + per_cent)
}

/// The status that a move leads to; none where it cannot be made.
fn next(status: &str, to: DisputeMove) -> Option<&'static str> {
    match (status, to) {
        ("warning_needs_response", DisputeMove::Review) => Some("warning_under_review"),
        ("warning_needs_response" | "warning_under_review", DisputeMove::Win) => Some("warning_closed"),
        ("warning_needs_response" | "warning_under_review", DisputeMove::Escalate) => Some("needs_response"),
        ("needs_response", DisputeMove::Review) => Some("under_review"),
        ("lost", DisputeMove::Appeal) => Some("appeal_under_review"),
        ("needs_response" | "under_review" | "appeal_under_review", DisputeMove::Lose) => Some("lost"),
        ("needs_response" | "under_review" | "appeal_under_review", DisputeMove::Win) => Some("won"),
        _ => None,
    }
}
