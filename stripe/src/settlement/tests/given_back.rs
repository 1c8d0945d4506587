//! Refunds, disputes and captures of one payment, delivered in every order: they end in the same books.

use serde_json::{Value, json};
use tallybook_domain::credits::Lot;
use tallybook_domain::identity::AccountId;

use super::{Books, event, in_every_order, settled};
use crate::settlement::{Unbookable, Waiting};
use crate::snapshot::Snapshot;

fn acct() -> AccountId {
    AccountId::from("a")
}

/// 1,000 credits for 10.00, of which a tenth is tax.
fn paid() -> Snapshot {
    let session = json!({"object": "checkout.session", "id": "cs_1", "created": 90, "mode": "payment",
        "status": "complete", "payment_status": "paid", "payment_intent": "pi_1", "customer": "cus_1",
        "amount_total": 1000, "total_details": {"amount_tax": 100}, "currency": "usd",
        "metadata": {"credits": "1000"}});
    event(1, "checkout.session.completed", 100, session)
}

fn charge(captured: i64, refunded: i64) -> Value {
    json!({"object": "charge", "id": "ch_1", "created": 100, "amount": 1000, "amount_captured": captured,
        "amount_refunded": refunded, "captured": captured > 0, "currency": "usd", "status": "succeeded",
        "disputed": false, "payment_intent": "pi_1", "customer": "cus_1", "metadata": {"credits": "1000"}})
}

fn refund(id: &str, created: i64, amount: i64, status: &str) -> Value {
    json!({"object": "refund", "id": id, "created": created, "amount": amount, "currency": "usd", "status": status,
        "charge": "ch_1", "payment_intent": "pi_1", "balance_transaction": format!("txn_{id}"),
        "failure_balance_transaction": if status == "failed" { Some(format!("txn_{id}_back")) } else { None }})
}

fn moved(id: &str, amount: i64, created: i64) -> Value {
    json!({"id": id, "amount": amount, "fee": 0, "net": amount, "currency": "usd", "created": created,
        "reporting_category": if amount < 0 { "dispute" } else { "dispute_reversal" }})
}

fn dispute(id: &str, status: &str, transactions: &[Value]) -> Value {
    json!({"object": "dispute", "id": id, "created": 300, "amount": 1000, "currency": "usd", "status": status,
        "charge": "ch_1", "payment_intent": "pi_1", "balance_transactions": transactions})
}

/// Clawed back, frozen and owed in whole credits, and what the books say of Stripe's balance, disputed funds and tax.
fn ends(told: &[Snapshot]) -> ([i64; 3], [i64; 3]) {
    let books = in_every_order(&acct(), Books::default, told);
    let lot = books.account.credits().lot(&"grant_pi_1".into()).expect("paid");
    let whole = [lot.revoked, lot.frozen, lot.overdrawn].map(|units| units.micros() / 1_000_000);
    (
        whole,
        ["1110", "1130", "2210"].map(|code| books.balance(&acct(), code)),
    )
}

#[test]
fn case_19_cumulative_amounts_out_of_order_end_at_what_the_refunds_are() {
    let told = [
        paid(),
        event(2, "charge.refunded", 203, charge(1000, 500)),
        event(3, "charge.refunded", 201, charge(1000, 300)),
        event(4, "refund.created", 201, refund("re_1", 201, 300, "succeeded")),
        event(5, "refund.created", 203, refund("re_2", 203, 200, "succeeded")),
    ];
    assert_eq!(ends(&told), ([500, 0, 0], [500, 0, -50]));
    assert_eq!(
        ends(&told[..3]),
        ([0, 0, 0], [1000, 0, -100]),
        "a charge's counter moves nothing by itself"
    );
}

#[test]
fn case_19_a_refund_that_bounces_is_undone_whatever_of_it_comes_first() {
    let told = [
        paid(),
        event(2, "refund.created", 201, refund("re_1", 201, 300, "pending")),
        event(3, "refund.updated", 202, refund("re_1", 201, 300, "succeeded")),
        event(4, "refund.failed", 209, refund("re_1", 201, 300, "failed")),
        event(5, "refund.created", 205, refund("re_2", 205, 200, "succeeded")),
    ];
    assert_eq!(ends(&told), ([200, 0, 0], [800, 0, -80]));
}

#[test]
fn case_20_a_dispute_after_a_refund_claws_only_what_was_not_refunded() {
    let out = moved("txn_1", -600, 301);
    let told = [
        paid(),
        event(2, "refund.created", 201, refund("re_1", 201, 400, "succeeded")),
        event(
            3,
            "charge.dispute.created",
            300,
            dispute("du_1", "needs_response", &[]),
        ),
        event(
            4,
            "charge.dispute.funds_withdrawn",
            301,
            dispute("du_1", "needs_response", std::slice::from_ref(&out)),
        ),
        event(5, "charge.dispute.closed", 400, dispute("du_1", "lost", &[out])),
    ];
    assert_eq!(ends(&told[..4]).0, [400, 600, 0], "open: frozen, not clawed back");
    assert_eq!(ends(&told), ([1000, 0, 0], [0, 0, 0]));
}

#[test]
fn case_20_a_refund_during_an_open_dispute_takes_from_what_is_frozen() {
    let out = moved("txn_1", -1000, 301);
    let told = [
        paid(),
        event(
            2,
            "charge.dispute.created",
            300,
            dispute("du_1", "needs_response", &[out]),
        ),
        event(3, "refund.created", 310, refund("re_1", 310, 400, "succeeded")),
    ];
    assert_eq!(ends(&told).0, [400, 600, 0]);
}

#[test]
fn case_20_a_dispute_lost_claws_once_and_one_won_on_appeal_gives_all_back_until_it_is_refunded() {
    let (out, back) = (moved("txn_1", -1000, 301), moved("txn_2", 1000, 501));
    let told = [
        paid(),
        event(
            2,
            "charge.dispute.created",
            300,
            dispute("du_1", "needs_response", std::slice::from_ref(&out)),
        ),
        event(
            3,
            "charge.dispute.closed",
            400,
            dispute("du_1", "lost", std::slice::from_ref(&out)),
        ),
        event(
            4,
            "charge.dispute.closed",
            501,
            dispute("du_1", "won", &[out, back]),
        ),
        event(5, "refund.created", 600, refund("re_1", 600, 1000, "succeeded")),
    ];
    assert_eq!(ends(&told[..3]), ([1000, 0, 0], [0, 0, 0]));
    assert_eq!(ends(&told[..4]), ([0, 0, 0], [1000, 0, -100]));
    assert_eq!(ends(&told), ([1000, 0, 0], [0, 0, 0]));
}

#[test]
fn case_20_two_disputes_of_one_payment_are_two_and_each_ends_by_itself() {
    let (first, second) = (moved("txn_1", -400, 301), moved("txn_2", -600, 302));
    let back = moved("txn_3", 400, 401);
    let told = [
        paid(),
        event(
            2,
            "charge.dispute.created",
            301,
            dispute("du_1", "needs_response", std::slice::from_ref(&first)),
        ),
        event(
            3,
            "charge.dispute.created",
            302,
            dispute("du_2", "needs_response", std::slice::from_ref(&second)),
        ),
        event(
            4,
            "charge.dispute.closed",
            401,
            dispute("du_1", "won", &[first, back]),
        ),
        event(
            5,
            "charge.dispute.closed",
            402,
            dispute("du_2", "lost", &[second]),
        ),
    ];
    assert_eq!(ends(&told[..3]).0, [0, 1000, 0]);
    assert_eq!(ends(&told), ([600, 0, 0], [400, 0, -40]));
}

#[test]
fn case_20_a_dispute_closed_before_it_was_created_is_closed() {
    let out = moved("txn_1", -1000, 301);
    let closed = event(2, "charge.dispute.closed", 400, dispute("du_1", "lost", &[out]));
    let created = event(
        3,
        "charge.dispute.created",
        300,
        dispute("du_1", "needs_response", &[]),
    );
    assert_eq!(ends(&[paid(), closed, created]), ([1000, 0, 0], [0, 0, 0]));
}

#[test]
fn case_23_an_authorisation_that_lapses_is_no_cash_and_its_release_no_refund() {
    let intent = |status: &str| {
        json!({"object": "payment_intent", "id": "pi_1", "created": 100, "amount": 1000, "amount_received": 0,
            "currency": "usd", "status": status, "customer": "cus_1", "latest_charge": "ch_1",
            "metadata": {"credits": "1000"}})
    };
    // Before 2025-03-31 a lapse is told as a refund, without a booking.
    let mut released = refund("re_1", 700, 1000, "succeeded");
    released["balance_transaction"] = Value::Null;
    let told = [
        event(
            1,
            "payment_intent.amount_capturable_updated",
            101,
            intent("requires_capture"),
        ),
        event(2, "charge.succeeded", 101, charge(0, 0)),
        event(3, "payment_intent.canceled", 700, intent("canceled")),
        event(4, "charge.refunded", 700, charge(0, 1000)),
        event(5, "refund.created", 700, released),
    ];
    let books = in_every_order(&acct(), Books::default, &told);
    assert!(books.nets(&acct()).is_empty(), "{:?}", books.nets(&acct()));
    assert_eq!(
        books
            .account
            .credits()
            .lots()
            .filter(|lot| lot.granted.is_positive())
            .count(),
        0
    );
}

#[test]
fn case_23_what_was_captured_is_what_was_paid_and_the_rest_is_let_go() {
    let intent = json!({"object": "payment_intent", "id": "pi_1", "created": 100, "amount": 1000,
        "amount_received": 700, "currency": "usd", "status": "succeeded", "customer": "cus_1",
        "latest_charge": "ch_1", "metadata": {"credits": "1000"}});
    let mut rest = refund("re_1", 200, 300, "succeeded");
    rest["balance_transaction"] = Value::Null;
    let told = [
        event(1, "charge.succeeded", 101, charge(0, 0)),
        event(2, "charge.captured", 200, charge(700, 300)),
        event(3, "payment_intent.succeeded", 200, intent),
        event(4, "refund.created", 200, rest),
        event(5, "refund.created", 300, refund("re_2", 300, 350, "succeeded")),
    ];
    let books = in_every_order(&acct(), Books::default, &told);
    assert_eq!(books.balance(&acct(), "1110"), 350, "700 came, 350 went");
    let lot: &Lot = books.account.credits().lot(&"grant_pi_1".into()).expect("paid");
    assert_eq!(lot.cost(), 700);
    assert_eq!(
        lot.revoked.micros(),
        500_000_000,
        "half of what was captured was given back"
    );
}

#[test]
fn case_23_money_of_another_currency_is_not_booked_against_the_payment() {
    let mut foreign = refund("re_1", 201, 300, "succeeded");
    foreign["currency"] = json!("eur");
    let set = [paid(), event(2, "refund.created", 201, foreign)];
    let [derived] = settled(&set).try_into().expect("one group");
    assert!(matches!(
        derived.waiting,
        Some(Waiting::Unbookable(Unbookable::ForeignCurrency { .. }))
    ));
    assert_eq!(
        ends(&set),
        ([0, 0, 0], [1000, 0, -100]),
        "the payment stands meanwhile"
    );
}

#[test]
fn case_24_whatever_fails_and_in_whatever_order_no_more_tax_goes_back_than_was_charged() {
    let told = [
        paid(),
        event(2, "refund.created", 201, refund("re_1", 201, 333, "succeeded")),
        event(3, "refund.failed", 402, refund("re_2", 202, 667, "failed")),
        event(4, "refund.created", 203, refund("re_3", 203, 334, "succeeded")),
        event(5, "refund.created", 204, refund("re_4", 204, 333, "succeeded")),
    ];
    assert_eq!(ends(&told), ([1000, 0, 0], [0, 0, 0]));
    for without in 1..told.len() {
        let some: Vec<_> = (0..told.len())
            .filter(|n| *n != without)
            .map(|n| told[n].clone())
            .collect();
        let (_, [_, _, tax]) = ends(&some);
        assert!((-100..=0).contains(&tax), "without {without}: {tax}");
    }
}
