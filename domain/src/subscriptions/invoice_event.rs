//! What can happen to invoices: each event is a fact under a natural key, recorded once.

use serde::{Deserialize, Serialize};

use super::discount::Discount;
use super::tax::LineTax;
use crate::Timestamp;
use crate::calendar::Period;
use crate::credits::CreditsGranted;
use crate::event_family::event_family;
use crate::identity::{GrantId, InvoiceId, SubscriptionId};
use crate::money::{Money, released};
use crate::quantity::Units;

event_family! {
    /// The life of an invoice.
    InvoicesEvent {
        /// It was finalised: the customer owes it.
        InvoiceIssued(InvoiceIssued) = "InvoiceIssued" v 1,
        /// It was paid, wholly or in part.
        InvoicePaid(InvoicePaid) = "InvoicePaid" v 1,
        /// It was voided: nothing is owed any more.
        InvoiceVoided(InvoiceRelief) = "InvoiceVoided" v 1,
        /// It was given up as uncollectible.
        InvoiceWrittenOff(InvoiceRelief) = "InvoiceWrittenOff" v 1,
        /// Part of it was credited.
        CreditNoteIssued(CreditNoteIssued) = "CreditNoteIssued" v 1,
        /// A try to collect it failed. No money moves by this.
        CollectionFailed(CollectionFailed) = "CollectionFailed" v 1,
    }
}

/// One line of an invoice, as Stripe or Tallybook computed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// Stripe's line id (`<invoice>:other` for what no line accounts for, such as shipping).
    pub line: String,
    /// Net of discounts and tax, minor units of the invoice's currency. Negative for a proration credit.
    pub amount: i64,
    /// The subscription billed, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// Start of the service.
    pub period_start: Timestamp,
    /// End of the service.
    pub period_end: Timestamp,
    /// Whether it prorates a change within a period.
    #[serde(default)]
    pub proration: bool,
    /// What is billed, on an invoice of Tallybook's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<LineItem>,
    /// The lot it gives: once the invoice is paid, or at once on the invoice of a change within a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<Box<CreditsGranted>>,
    /// What it takes back from the lot that the unused time had given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revokes: Option<LineClawback>,
    /// What a coupon took off, so that `amount` is what is left of the price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// Its tax, beside `amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<LineTax>,
    /// The line that billed the time this one credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unused_of: Option<BilledLine>,
}

/// A line of an invoice of Tallybook's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledLine {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Its line.
    pub line: String,
}

impl InvoiceLine {
    /// An amount for a time, and nothing with it.
    pub fn plain(line: String, amount: i64, service: Period) -> Self {
        Self {
            line,
            amount,
            subscription: None,
            period_start: service.start,
            period_end: service.end,
            proration: false,
            of: None,
            credits: None,
            revokes: None,
            discount: None,
            tax: None,
            unused_of: None,
        }
    }

    /// Its tax.
    pub(crate) fn tax(&self) -> i64 {
        self.tax.map_or(0, |tax| tax.amount)
    }

    /// With its tax.
    pub(crate) fn gross(&self) -> i64 {
        self.amount + self.tax()
    }

    /// The lots it gives or takes from.
    pub(crate) fn lots(&self) -> impl Iterator<Item = &GrantId> {
        let given = self.credits.iter().map(|lot| &lot.grant);
        given.chain(self.revokes.iter().map(|revokes| &revokes.grant))
    }
}

/// What a line bills.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineItem {
    /// The subscription's item.
    pub item: String,
    /// The plan.
    pub plan: String,
    /// How many.
    pub quantity: u32,
}

/// Credits that go with time that is credited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineClawback {
    /// The lot.
    pub grant: GrantId,
    /// How many units of it, used ones included.
    pub units: Units,
}

/// A finalised invoice (`inv:<invoice>`). `amount_due + applied_balance = sum(lines) + tax`. Where unused time is worth more
/// than what is charged, that sum is negative: the invoice's total is nothing, and the rest goes to the customer's balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceIssued {
    /// The invoice.
    pub invoice: InvoiceId,
    /// What the customer has to pay.
    pub amount_due: Money,
    /// What their balance paid (negative: what went to their balance, or is collected of what they owe on it), minor units
    /// of the same currency.
    #[serde(default)]
    pub applied_balance: i64,
    /// Tax, minor units of the same currency.
    #[serde(default)]
    pub tax: i64,
    /// What it is for.
    pub lines: Vec<InvoiceLine>,
    /// The subscription it bills, when Tallybook issued it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<SubscriptionId>,
    /// When it is due, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
}

impl InvoiceIssued {
    /// Lines and tax.
    fn net(&self) -> i64 {
        self.lines.iter().map(|line| line.amount).sum::<i64>() + self.tax
    }

    /// What it asks for; nothing where unused time is worth more than what is charged.
    pub fn total(&self) -> i64 {
        self.net().max(0)
    }

    /// What unused time is worth beyond what is charged.
    pub fn credited_to_balance(&self) -> i64 {
        (-self.net()).max(0)
    }

    /// What the customer's balance paid of the total (negative: what is collected of what they owe on it).
    pub fn drawn_from_balance(&self) -> i64 {
        self.applied_balance + self.credited_to_balance()
    }
}

/// Money applied to an invoice (`inv-paid:<invoice>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoicePaid {
    /// The invoice.
    pub invoice: InvoiceId,
    /// How much in all.
    pub amount: Money,
    /// The part of it paid outside Stripe, minor units of the same currency.
    #[serde(default)]
    pub paid_off_stripe: i64,
}

/// A step of an invoice's dunning, once per try that failed (`dun:<invoice>:<attempt>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionFailed {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Which try, from 1.
    pub attempt: i64,
}

/// What is taken back from one invoice line's deferred revenue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRelief {
    /// The line's id.
    pub line: String,
    /// How much, without tax: minor units.
    pub amount: i64,
    /// The tax in addition to it, where lines have a tax of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tax: i64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_zero(minor: &i64) -> bool {
    *minor == 0
}

impl LineRelief {
    /// With its tax.
    pub(crate) fn gross(&self) -> i64 {
        self.amount + self.tax
    }

    /// So much of it, tax included; not more than it has.
    pub(crate) fn part(&self, gross: i64) -> Self {
        let tax = if gross == 0 {
            0
        } else {
            released(self.tax, gross, self.gross())
        };
        Self {
            line: self.line.clone(),
            amount: gross - tax,
            tax,
        }
    }
}

/// An invoice that will not be paid (`inv-void:<invoice>`, `inv-write-off:<invoice>`).
/// `amount + applied_balance = sum(lines) + tax`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceRelief {
    /// The invoice.
    pub invoice: InvoiceId,
    /// What was still owed.
    pub amount: Money,
    /// What goes back to the customer's balance, minor units of the same currency (negative: what is taken off it, because
    /// a later bill had credited unused time that was never paid for).
    #[serde(default)]
    pub applied_balance: i64,
    /// The tax in it, minor units of the same currency.
    #[serde(default)]
    pub tax: i64,
    /// From which lines.
    pub lines: Vec<LineRelief>,
    /// Whether the change it billed is taken back, and with it the credits that change gave and took.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rolls_back: bool,
}

/// A credit note (`cn:<id>`). `to_receivable + to_balance + to_refund + off_stripe = sum(lines) + tax`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNoteIssued {
    /// Stripe's id.
    pub credit_note: String,
    /// The invoice credited.
    pub invoice: InvoiceId,
    /// The whole amount, tax included.
    pub amount: Money,
    /// The tax in it, minor units of the same currency (as the amounts below).
    #[serde(default)]
    pub tax: i64,
    /// The part that lowers what is owed.
    #[serde(default)]
    pub to_receivable: i64,
    /// The part put on the customer's balance.
    #[serde(default)]
    pub to_balance: i64,
    /// The part given back by refunds, whose own facts book the money.
    #[serde(default)]
    pub to_refund: i64,
    /// The part given back outside Stripe.
    #[serde(default)]
    pub off_stripe: i64,
    /// From which lines.
    pub lines: Vec<LineRelief>,
}
