use serde::{Deserialize, Serialize};

use super::{Fields, Unreadable};

/// A credit note on an invoice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreditNote {
    /// `cn_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// The invoice it corrects.
    pub invoice: Option<String>,
    /// Whose invoice.
    pub customer: Option<String>,
    /// Credited, with tax.
    pub amount: i64,
    /// Tax within the amount.
    pub tax: i64,
    /// Lower-case code.
    pub currency: String,
    /// `pre_payment`, `post_payment`, `mixed`.
    pub r#type: Option<String>,
    /// `issued`, `void`.
    pub status: String,
    /// The part that lowered what was due.
    pub pre_payment_amount: i64,
    /// The part given back after payment.
    pub post_payment_amount: i64,
    /// The part given back outside Stripe.
    pub out_of_band_amount: i64,
    /// The booking on the customer's balance, for the part credited there.
    pub customer_balance_transaction: Option<String>,
    /// The refunds that paid the rest.
    pub refunds: Vec<CreditNoteRefund>,
    /// When it was voided.
    pub voided_at: Option<i64>,
}

/// A refund that a credit note was paid with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CreditNoteRefund {
    /// `re_..`
    pub refund: String,
    /// The part of it that belongs to the note; older versions name the refund alone.
    pub amount_refunded: Option<i64>,
}

impl CreditNote {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let amount = fields.required_int("amount")?;
        let note_type = fields.text("type");
        // Before the amounts were split (2024-06), a note was of one type and its whole amount of that kind.
        let post_payment = note_type.as_deref() == Some("post_payment");
        let whole_if = |kind: bool| if kind { amount } else { 0 };
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            invoice: fields.id("invoice"),
            customer: fields.id("customer"),
            amount,
            tax: tax(fields),
            currency: fields.required_text("currency")?,
            status: fields.required_text("status")?,
            pre_payment_amount: fields
                .int("pre_payment_amount")
                .unwrap_or_else(|| whole_if(!post_payment)),
            post_payment_amount: fields
                .int("post_payment_amount")
                .unwrap_or_else(|| whole_if(post_payment)),
            out_of_band_amount: fields.int("out_of_band_amount").unwrap_or(0),
            customer_balance_transaction: fields.id("customer_balance_transaction"),
            refunds: refunds(fields),
            voided_at: fields.int("voided_at"),
            r#type: note_type,
        })
    }
}

fn tax(fields: Fields<'_>) -> i64 {
    let old = || fields.sum("tax_amounts", "amount");
    fields.sum("total_taxes", "amount").or_else(old).unwrap_or(0)
}

/// `refunds[].refund`, before that one `refund`.
fn refunds(fields: Fields<'_>) -> Vec<CreditNoteRefund> {
    let listed: Vec<_> = fields
        .list("refunds")
        .filter_map(|it| {
            Some(CreditNoteRefund {
                refund: it.id("refund")?,
                amount_refunded: it.int("amount_refunded"),
            })
        })
        .collect();
    if listed.is_empty() {
        let single = fields.id("refund").map(|refund| CreditNoteRefund {
            refund,
            amount_refunded: None,
        });
        return single.into_iter().collect();
    }
    listed
}
