//! Money that pays for nothing here is the customer's, and so is what is given back of it.

use serde_json::{Value, json};

use super::harness::Expected::{Books, Line, Parked};
use super::harness::told;
use super::objects::{
    dispute, event, intent, invoice, paid_intent, paid_invoice, refund, session, withdrawal,
};

/// A payment that names nothing.
fn plain() -> Value {
    let mut intent = paid_intent();
    intent["metadata"] = json!({});
    intent
}

/// What says that it pays the invoice.
fn payment_of_invoice() -> Value {
    json!({"object": "invoice_payment", "id": "inpay_1", "invoice": "in_1", "status": "paid", "amount_paid": 1000,
        "currency": "usd", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}})
}

scenarios! {
    what_is_given_back_of_a_payment_for_nothing_comes_off_the_customers_cash => told([
        event("payment_intent.succeeded", 12, plain()),
        event("checkout.session.completed", 12, session(json!({"metadata": {}, "total_details": {"amount_tax": 160}}))),
        event("refund.created", 30, refund("re_1", 30, 400, json!({}))),
    ])
    .ends([Books(&[("1110", "USD", 600), ("2135", "USD", -600)]), Parked(&[])]);

    what_a_lost_dispute_takes_of_it_does_too => told([
        event("payment_intent.succeeded", 12, plain()),
        event("charge.dispute.closed", 60, dispute("lost", &[withdrawal()], json!({}))),
    ])
    .ends([Books(&[("1110", "USD", -1500), ("5020", "USD", 1500)])]);

    what_is_given_back_of_an_invoices_payment_is_revenue_given_up => told([
        event("payment_intent.succeeded", 100, plain()),
        event("invoice.finalized", 100, invoice("open", json!({}))),
        event("invoice.paid", 100, paid_invoice(json!({}))),
        event("invoice_payment.paid", 100, payment_of_invoice()),
        event("refund.created", 300, refund("re_1", 300, 400, json!({}))),
    ])
    .ends([Books(&[("1110", "USD", 600), ("4020", "USD", -1000), ("4110", "USD", 400)]), Parked(&[])]);

    the_tax_in_what_a_dispute_lost_is_owed_no_more => told([
        event("payment_intent.succeeded", 12, intent(json!({"status": "succeeded", "amount_received": 1000}))),
        event("checkout.session.completed", 12, session(json!({"total_details": {"amount_tax": 160}}))),
        event("refund.created", 30, refund("re_1", 30, 250, json!({}))),
        event("charge.dispute.closed", 60, {
            let mut taken = withdrawal();
            taken["amount"] = json!(-750);
            taken["fee"] = json!(0);
            dispute("lost", &[taken], json!({"amount": 750}))
        }),
    ])
    .ends([Books(&[]), Line("ledger dispute-closed:du_1 2210 USD 1970-01-01 120")]);
}
