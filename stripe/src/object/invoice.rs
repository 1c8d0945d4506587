use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fields, Unreadable};

/// An invoice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Invoice {
    /// `in_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// Who owes it.
    pub customer: Option<String>,
    /// The subscription it bills.
    pub subscription: Option<String>,
    /// `draft`, `open`, `paid`, `uncollectible`, `void`; `deleted` for a draft that is gone.
    pub status: String,
    /// Lower-case code.
    pub currency: String,
    /// Why it was made: `subscription_create`, `subscription_cycle`, `subscription_update`, `manual`, ..
    pub billing_reason: Option<String>,
    /// Total less what the customer's balance and credit notes before payment took.
    pub amount_due: i64,
    /// Paid, through Stripe and (since 2025-03-31, and here for all versions) outside it.
    pub amount_paid: i64,
    /// Still owed.
    pub amount_remaining: i64,
    /// The part of `amount_paid` that was paid outside Stripe.
    pub amount_paid_off_stripe: i64,
    /// Paid beyond what was due.
    pub amount_overpaid: i64,
    /// After discounts and tax.
    pub total: i64,
    /// Before discounts and tax.
    pub subtotal: i64,
    /// All taxes in the total, inclusive ones too.
    pub tax: i64,
    /// The customer's balance before it; negative is credit.
    pub starting_balance: i64,
    /// The customer's balance after it was finalised.
    pub ending_balance: Option<i64>,
    /// Credit notes before payment.
    pub pre_payment_credit_notes_amount: i64,
    /// Credit notes after payment.
    pub post_payment_credit_notes_amount: i64,
    /// Automatic collection attempts so far.
    pub attempt_count: i64,
    /// The next attempt.
    pub next_payment_attempt: Option<i64>,
    /// Payable until.
    pub due_date: Option<i64>,
    /// When its statuses were reached; monotone.
    pub status_transitions: StatusTransitions,
    /// Its lines.
    pub lines: Vec<InvoiceLine>,
    /// The list of lines was cut at a page: lines are missing here.
    pub lines_truncated: bool,
    /// Its payments: `payments.data`, on older versions `payment_intent` and `charge`. Often absent from events.
    pub payments: Vec<InvoicePayment>,
    /// The caller's metadata.
    pub metadata: BTreeMap<String, String>,
}

/// When an invoice reached its statuses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StatusTransitions {
    /// `open`
    pub finalized_at: Option<i64>,
    /// `paid`
    pub paid_at: Option<i64>,
    /// `void`
    pub voided_at: Option<i64>,
    /// `uncollectible`
    pub marked_uncollectible_at: Option<i64>,
}

/// One line of an invoice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InvoiceLine {
    /// `il_..`
    pub id: String,
    /// Before discounts; negative for credited proration.
    pub amount: i64,
    /// Sum of its discounts, positive.
    pub discount: i64,
    /// Taxes on top of the amount.
    pub tax_exclusive: i64,
    /// Taxes within the amount.
    pub tax_inclusive: i64,
    /// `price_..` or `plan_..`.
    pub price: Option<String>,
    /// Units.
    pub quantity: Option<i64>,
    /// Part of a period, because the plan changed within it.
    pub proration: bool,
    /// The lines that billed the time it credits, where it says so.
    pub credited_lines: Vec<String>,
    /// Half-open: start of what it pays for.
    pub period_start: Option<i64>,
    /// Half-open: end of what it pays for.
    pub period_end: Option<i64>,
    /// The subscription it bills.
    pub subscription: Option<String>,
    /// The item it bills.
    pub subscription_item: Option<String>,
}

/// One payment of an invoice: an element of its `payments`, or the object of an `invoice_payment.*` event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InvoicePayment {
    /// `inpay_..`; empty where an old invoice names its one payment intent or charge only.
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// The invoice it pays.
    pub invoice: Option<String>,
    /// The intent that pays.
    pub payment_intent: Option<String>,
    /// The charge that pays, where there is no intent.
    pub charge: Option<String>,
    /// Paid by it; none while open.
    pub amount_paid: Option<i64>,
    /// Lower-case code.
    pub currency: Option<String>,
    /// `open`, `paid`, `canceled`.
    pub status: String,
}

impl Invoice {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let gone = fields
            .flag("deleted")
            .filter(|is_gone| *is_gone)
            .map(|_| "deleted".to_owned());
        let status = gone
            .or_else(|| fields.text("status"))
            .or_else(|| status_before_2018(fields));
        let status = status.ok_or(Unreadable {
            field: "status".into(),
        })?;
        let lines: Vec<_> = fields.list("lines").filter_map(InvoiceLine::read).collect();
        let named = fields
            .path(&["parent", "subscription_details"])
            .and_then(|it| it.id("subscription"));
        let subscription = named
            .or_else(|| fields.id("subscription"))
            .or_else(|| lines.iter().find_map(|line| line.subscription.clone()));
        let amounts = Amounts::read(fields, &status)?;
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created").or_else(|| fields.int("date")),
            customer: fields.id("customer"),
            subscription,
            currency: fields.required_text("currency")?,
            billing_reason: fields.text("billing_reason"),
            amount_due: amounts.due,
            amount_paid: amounts.paid,
            amount_remaining: amounts.remaining,
            amount_paid_off_stripe: amounts.paid_off_stripe,
            amount_overpaid: fields.int("amount_overpaid").unwrap_or(0),
            total: fields.required_int("total")?,
            subtotal: fields.required_int("subtotal")?,
            tax: invoice_tax(fields),
            starting_balance: fields.int("starting_balance").unwrap_or(0),
            ending_balance: fields.int("ending_balance"),
            pre_payment_credit_notes_amount: fields.int("pre_payment_credit_notes_amount").unwrap_or(0),
            post_payment_credit_notes_amount: fields.int("post_payment_credit_notes_amount").unwrap_or(0),
            attempt_count: fields.int("attempt_count").unwrap_or(0),
            next_payment_attempt: fields.int("next_payment_attempt"),
            due_date: fields.int("due_date"),
            status_transitions: StatusTransitions::read(fields),
            lines,
            lines_truncated: fields.has_more("lines"),
            payments: payments(fields, &status),
            metadata: fields.metadata(),
            status,
        })
    }
}

/// Invoices had no status before 2018-11-08 but three flags.
fn status_before_2018(fields: Fields<'_>) -> Option<String> {
    let paid = fields.flag("paid")?;
    let forgiven = fields.flag("forgiven").unwrap_or(false);
    let closed = fields.flag("closed").unwrap_or(false);
    let status = match (paid, forgiven, closed) {
        (true, ..) => "paid",
        (_, true, _) => "uncollectible",
        (.., true) => "void",
        _ => "open",
    };
    Some(status.to_owned())
}

struct Amounts {
    due: i64,
    paid: i64,
    remaining: i64,
    paid_off_stripe: i64,
}

impl Amounts {
    /// One meaning for all versions: `paid` includes what was paid outside Stripe. Before 2025-03-31 it did not, and a
    /// flag said that the whole rest was.
    fn read(fields: Fields<'_>, status: &str) -> Result<Self, Unreadable> {
        let due = fields.required_int("amount_due")?;
        let paid = fields
            .int("amount_paid")
            .unwrap_or(if status == "paid" { due } else { 0 });
        if status == "paid"
            && fields.flag("paid_out_of_band") == Some(true)
            && !fields.has("amount_paid_off_stripe")
        {
            return Ok(Self {
                due,
                paid: due,
                remaining: 0,
                paid_off_stripe: due.saturating_sub(paid),
            });
        }
        Ok(Self {
            due,
            paid,
            remaining: fields
                .int("amount_remaining")
                .unwrap_or_else(|| due.saturating_sub(paid)),
            paid_off_stripe: fields.int("amount_paid_off_stripe").unwrap_or(0),
        })
    }
}

/// `total_taxes` (2025-03-31), `total_tax_amounts`, `tax`: whichever the rendering has.
fn invoice_tax(fields: Fields<'_>) -> i64 {
    let listed = fields
        .sum("total_taxes", "amount")
        .or_else(|| fields.sum("total_tax_amounts", "amount"));
    listed
        .filter(|sum| *sum != 0)
        .or_else(|| fields.int("tax"))
        .unwrap_or(0)
}

fn payments(fields: Fields<'_>, status: &str) -> Vec<InvoicePayment> {
    let invoice = fields.text("id");
    let listed: Vec<_> = fields
        .list("payments")
        .map(|it| InvoicePayment {
            invoice: it.id("invoice").or_else(|| invoice.clone()),
            ..InvoicePayment::from_fields(it)
        })
        .collect();
    if !listed.is_empty() {
        return listed;
    }
    let single = InvoicePayment {
        invoice,
        payment_intent: fields.id("payment_intent"),
        charge: fields.id("charge"),
        status: if status == "paid" { "paid" } else { "open" }.to_owned(),
        ..InvoicePayment::default()
    };
    let names_one = single.payment_intent.is_some() || single.charge.is_some();
    names_one.then_some(single).into_iter().collect()
}

impl StatusTransitions {
    fn read(invoice: Fields<'_>) -> Self {
        let at = |key| invoice.map("status_transitions").and_then(|it| it.int(key));
        Self {
            finalized_at: at("finalized_at"),
            paid_at: at("paid_at"),
            voided_at: at("voided_at"),
            marked_uncollectible_at: at("marked_uncollectible_at"),
        }
    }

    /// How many were reached: they only ever grow, so more is newer.
    pub fn count(&self) -> usize {
        [
            self.finalized_at,
            self.paid_at,
            self.voided_at,
            self.marked_uncollectible_at,
        ]
        .iter()
        .flatten()
        .count()
    }
}

impl InvoiceLine {
    /// Whether it gives unused time back: most do by a negative amount, those of time that cost nothing by what they name.
    pub fn credits_unused_time(&self) -> bool {
        self.proration && (self.amount < 0 || !self.credited_lines.is_empty())
    }

    fn read(line: Fields<'_>) -> Option<Self> {
        let parent = line.map("parent");
        let details = parent.and_then(|it| {
            it.map("subscription_item_details")
                .or_else(|| it.map("invoice_item_details"))
        });
        let parent_id = |key| details.and_then(|it| it.id(key)).or_else(|| line.id(key));
        let priced = line
            .path(&["pricing", "price_details"])
            .and_then(|it| it.id("price"));
        let (tax_exclusive, tax_inclusive) = line_taxes(line);
        Some(Self {
            id: line.text("id")?,
            amount: line.int("amount")?,
            discount: line.sum("discount_amounts", "amount").unwrap_or(0),
            tax_exclusive,
            tax_inclusive,
            price: priced.or_else(|| line.id("price")).or_else(|| line.id("plan")),
            quantity: line.int("quantity"),
            proration: details
                .and_then(|it| it.flag("proration"))
                .or_else(|| line.flag("proration"))
                .unwrap_or(false),
            credited_lines: credited_lines(details.unwrap_or(line)),
            period_start: line.map("period").and_then(|it| it.int("start")),
            period_end: line.map("period").and_then(|it| it.int("end")),
            subscription: parent_id("subscription"),
            subscription_item: parent_id("subscription_item"),
        })
    }
}

/// `proration_details.credited_items`, of the line's parent or, before 2025-03-31, of the line.
fn credited_lines(details: Fields<'_>) -> Vec<String> {
    let items = details.path(&["proration_details", "credited_items"]);
    let ids = items
        .and_then(|it| it.values("invoice_line_items"))
        .unwrap_or_default();
    ids.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `taxes[].tax_behavior`, before that `tax_amounts[].inclusive`.
fn line_taxes(line: Fields<'_>) -> (i64, i64) {
    let key = if line.values("taxes").is_some() {
        "taxes"
    } else {
        "tax_amounts"
    };
    line.list(key)
        .fold((0, 0), |(exclusive, inclusive): (i64, i64), tax| {
            let amount = tax.int("amount").unwrap_or(0);
            let within = tax.text("tax_behavior").as_deref() == Some("inclusive")
                || tax.flag("inclusive") == Some(true);
            if within {
                (exclusive, inclusive.saturating_add(amount))
            } else {
                (exclusive.saturating_add(amount), inclusive)
            }
        })
}

impl InvoicePayment {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        fields.required_text("id")?;
        fields.required_text("status")?;
        Ok(Self::from_fields(fields))
    }

    fn from_fields(fields: Fields<'_>) -> Self {
        let payment = fields.map("payment");
        Self {
            id: fields.text("id").unwrap_or_default(),
            created: fields.int("created"),
            invoice: fields.id("invoice"),
            payment_intent: payment.and_then(|it| it.id("payment_intent")),
            charge: payment.and_then(|it| it.id("charge")),
            amount_paid: fields.int("amount_paid"),
            currency: fields.text("currency"),
            status: fields.text("status").unwrap_or_default(),
        }
    }
}
