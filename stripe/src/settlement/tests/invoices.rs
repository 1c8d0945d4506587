use serde_json::{Value, json};

use super::{Books, event, facts, settled};
use crate::settlement::Waiting;
use tallybook_domain::identity::AccountId;

fn line(id: &str, amount: i64) -> Value {
    json!({"id": id, "amount": amount, "period": {"start": 1000, "end": 2000}, "discount_amounts": [],
        "parent": {"type": "subscription_item_details", "subscription_item_details":
            {"subscription": "sub_1", "subscription_item": "si_1", "proration": amount < 0}},
        "pricing": {"price_details": {"price": "price_1"}}})
}

fn invoice(status: &str, changes: Value) -> Value {
    let mut object = json!({"object": "invoice", "id": "in_1", "created": 1000, "customer": "cus_1", "currency": "usd",
        "status": status, "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000, "total": 2000, "subtotal": 2000,
        "starting_balance": 0, "ending_balance": 0, "attempt_count": 0,
        "status_transitions": {"finalized_at": 1001, "paid_at": null, "voided_at": null, "marked_uncollectible_at": null},
        "lines": {"data": [line("il_1", 2000)]}, "total_taxes": []});
    for (key, value) in changes.as_object().expect("an object") {
        object[key] = value.clone();
    }
    object
}

fn assert_foots(fact: &Value) {
    let lines: i64 = fact["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["amount"].as_i64().unwrap())
        .sum();
    let of = |key: &str| fact[key].as_i64().unwrap_or(0);
    assert_eq!(
        fact["amount_due"]["minor"].as_i64().unwrap() + of("applied_balance"),
        lines + of("tax"),
        "{fact}"
    );
}

#[test]
fn amount_due_and_balance_equal_lines_and_tax_in_every_shape() {
    let discounted = json!({"id": "il_1", "amount": 2000, "discount_amounts": [{"amount": 500}],
        "taxes": [{"amount": 300, "tax_behavior": "exclusive"}]});
    let shapes = [
        json!({}),
        json!({"starting_balance": -300, "ending_balance": 0, "amount_due": 1700, "amount_remaining": 1700}),
        json!({"total": -500, "subtotal": -500, "amount_due": 0, "amount_remaining": 0, "ending_balance": -500,
            "lines": {"data": [line("il_1", -1500), line("il_2", 1000)]}}),
        json!({"total": 1800, "amount_due": 1800, "total_taxes": [{"amount": 300}], "lines": {"data": [discounted]}}),
        json!({"total": 2500, "amount_due": 2500, "lines": {"data": [line("il_1", 2000)], "has_more": true}}),
        json!({"starting_balance": null, "ending_balance": null, "amount_due": 1500, "total": 2000}),
        json!({"ending_balance": null, "amount_due": 1500, "pre_payment_credit_notes_amount": 500}),
        json!({"total_taxes": null, "tax": 200, "total": 2200, "amount_due": 2200}),
    ];
    for shape in shapes {
        let facts = facts(&[event(
            1,
            "invoice.finalized",
            1001,
            invoice("open", shape.clone()),
        )]);
        assert_eq!(facts["inv:in_1"].0, 1001);
        assert_foots(&facts["inv:in_1"].1);
        let mut books = Books::default();
        let account = AccountId::from("a");
        let set = [event(1, "invoice.finalized", 1001, invoice("open", shape))];
        books.settle(&account, &set);
        let sum: i64 = books.nets(&account).values().sum();
        assert_eq!(sum, 0);
    }
}

#[test]
fn a_draft_is_nothing_and_finalised_once_is_for_good() {
    let draft = event(
        1,
        "invoice.created",
        1000,
        invoice("draft", json!({"status_transitions": {}})),
    );
    assert!(facts(std::slice::from_ref(&draft)).is_empty());
    let old = json!({"status_transitions": null, "ending_balance": null});
    let open = event(2, "invoice.updated", 1003, invoice("open", old));
    assert_eq!(
        facts(&[open, draft])["inv:in_1"].0,
        1003,
        "an old shape has no stamp: the earliest sight counts"
    );
}

#[test]
fn void_and_write_off_clear_what_is_owed() {
    for (status, key) in [("void", "inv-void:in_1"), ("uncollectible", "inv-write-off:in_1")] {
        let partly = json!({"amount_paid": 500, "amount_remaining": 1500, "total": 2200, "amount_due": 2200,
            "total_taxes": [{"amount": 200}]});
        let set = [event(1, "invoice.updated", 1500, invoice(status, partly))];
        assert_eq!(facts(&set)[key].1["amount"]["minor"], 1700);
        let mut books = Books::default();
        let account = AccountId::from("a");
        books.settle(&account, &set);
        assert_eq!(books.balance(&account, "1210"), 0, "{status}");
    }
}

#[test]
fn paid_after_uncollectible_leaves_no_write_off() {
    let given_up = event(
        1,
        "invoice.marked_uncollectible",
        1500,
        invoice("uncollectible", json!({})),
    );
    let paid = json!({"amount_paid": 2000, "amount_remaining": 0, "amount_paid_off_stripe": 2000});
    let paid = event(2, "invoice.paid", 1600, invoice("paid", paid));
    let account = AccountId::from("a");
    let mut books = Books::default();
    books.settle(&account, std::slice::from_ref(&given_up));
    books.settle(&account, &[paid.clone(), given_up.clone()]);
    let mut at_once = Books::default();
    at_once.settle(&account, &[given_up, paid]);
    assert_eq!(books.nets(&account), at_once.nets(&account));
    assert_eq!(
        books.balance(&account, "1010"),
        2000,
        "paid outside Stripe is at the bank"
    );
    assert_eq!(books.balance(&account, "1210"), 0);
}

fn note(status: &str, changes: Value) -> Value {
    let mut object = json!({"object": "credit_note", "id": "cn_1", "created": 1700, "customer": "cus_1", "invoice": "in_1",
        "amount": 300, "currency": "usd", "status": status, "type": "post_payment", "pre_payment_amount": 0,
        "post_payment_amount": 300, "refunds": [], "out_of_band_amount": null});
    for (key, value) in changes.as_object().expect("an object") {
        object[key] = value.clone();
    }
    object
}

#[test]
fn a_credit_note_waits_for_its_invoice_and_a_voided_one_never_was() {
    let alone = [event(3, "credit_note.created", 1700, note("issued", json!({})))];
    assert!(matches!(
        settled(&alone)[0].waiting,
        Some(Waiting::AwaitingInvoice { .. })
    ));
    let paid = json!({"amount_paid": 2000, "amount_remaining": 0});
    let invoice = event(1, "invoice.paid", 1600, invoice("paid", paid));
    let facts_now = facts(&[alone[0].clone(), invoice.clone()]);
    assert_eq!(facts_now["cn:cn_1"].1["to_balance"], 300);
    let voided = event(4, "credit_note.voided", 1800, note("void", json!({})));
    assert!(!facts(&[alone[0].clone(), invoice, voided]).contains_key("cn:cn_1"));
}

#[test]
fn a_credit_note_before_payment_lowers_the_receivable_once() {
    let lowered =
        json!({"amount_due": 1700, "amount_remaining": 1700, "pre_payment_credit_notes_amount": 300});
    let pre = json!({"type": "pre_payment", "pre_payment_amount": 300, "post_payment_amount": 0});
    let set = [
        event(1, "invoice.updated", 1600, invoice("open", lowered)),
        event(2, "credit_note.created", 1600, note("issued", pre)),
    ];
    assert_eq!(facts(&set)["inv:in_1"].1["amount_due"]["minor"], 2000);
    let mut books = Books::default();
    let account = AccountId::from("a");
    books.settle(&account, &set);
    assert_eq!(books.balance(&account, "1210"), 1700);
}
