use serde_json::{Value, json};

use super::{Books, event, facts, settled};
use crate::settlement::Waiting;
use crate::snapshot::Snapshot;
use tallybook_domain::identity::AccountId;

fn intent(status: &str, received: i64, credits: &str) -> Value {
    json!({"object": "payment_intent", "id": "pi_1", "created": 100, "amount": 1000, "amount_received": received,
        "currency": "usd", "status": status, "customer": "cus_1", "latest_charge": null, "metadata": {"credits": credits}})
}

fn charge(captured: bool) -> Value {
    json!({"object": "charge", "id": "ch_1", "created": 100, "amount": 1000, "amount_captured": if captured {1000} else {0},
        "amount_refunded": 0, "captured": captured, "currency": "usd", "status": "succeeded", "disputed": false,
        "payment_intent": "pi_1", "customer": "cus_1", "metadata": {"credits": "100"}})
}

fn session(payment_status: &str, tax: i64) -> Value {
    json!({"object": "checkout.session", "id": "cs_1", "created": 90, "mode": "payment", "status": "complete",
        "payment_status": payment_status, "payment_intent": "pi_1", "customer": "cus_1", "amount_total": 1000,
        "total_details": {"amount_tax": tax}, "currency": "usd", "metadata": {"credits": "100"}})
}

fn refund(id: &str, created: i64, amount: i64, status: &str) -> Value {
    json!({"object": "refund", "id": id, "created": created, "amount": amount, "currency": "usd", "status": status,
        "charge": "ch_1", "payment_intent": "pi_1", "balance_transaction": format!("txn_{id}"),
        "failure_balance_transaction": if status == "failed" { Some("txn_back") } else { None }})
}

fn dispute(status: &str, transactions: Value) -> Value {
    json!({"object": "dispute", "id": "du_1", "created": 150, "amount": 1000, "currency": "usd", "status": status,
        "charge": "ch_1", "payment_intent": "pi_1", "balance_transactions": transactions})
}

fn paid() -> Snapshot {
    event(
        1,
        "payment_intent.succeeded",
        120,
        intent("succeeded", 1000, "100"),
    )
}

#[test]
fn every_subset_of_session_intent_and_charge_grants_once() {
    let all = [
        event(
            1,
            "payment_intent.succeeded",
            120,
            intent("succeeded", 1000, "100"),
        ),
        event(2, "charge.succeeded", 119, charge(true)),
        event(3, "checkout.session.completed", 121, session("paid", 0)),
    ];
    for mask in 1..8_u32 {
        let subset: Vec<_> = (0..3)
            .filter(|i| mask & (1 << i) != 0)
            .map(|i| all[i].clone())
            .collect();
        let [derived] = settled(&subset).try_into().expect("one group");
        assert_eq!(derived.facts.group.as_str(), "pay:pi_1", "{mask}");
        assert_eq!(derived.waiting, None);
        assert_eq!(derived.facts.lots.len(), 1, "{mask}");
        let lot = &derived.facts.lots[0].granted;
        assert_eq!(
            (lot.grant.as_str(), lot.units.to_string().as_str()),
            ("grant_pi_1", "100")
        );
        assert_eq!(lot.cost.map(|it| it.minor), Some(1000));
        let facts = super::by_key(&derived.facts.facts);
        assert_eq!(
            facts.keys().map(String::as_str).collect::<Vec<_>>(),
            ["pay:pi_1", "purchase:pi_1"]
        );
        let expected = if mask & 1 != 0 {
            120
        } else if mask & 2 != 0 {
            119
        } else {
            121
        };
        assert_eq!(
            facts["pay:pi_1"].0, expected,
            "intent before charge before session: {mask}"
        );
    }
}

#[test]
fn an_unpaid_session_is_nothing_until_it_is_paid() {
    let unpaid = event(1, "checkout.session.completed", 121, session("unpaid", 0));
    assert!(facts(std::slice::from_ref(&unpaid)).is_empty());
    let later = event(
        2,
        "checkout.session.async_payment_succeeded",
        9_000,
        session("paid", 0),
    );
    assert_eq!(facts(&[later, unpaid])["purchase:pi_1"].0, 9_000);
}

#[test]
fn metadata_edited_after_the_payment_changes_nothing() {
    let edited = event(9, "payment_intent.updated", 500, intent("succeeded", 1000, "900"));
    for set in [[paid(), edited.clone()], [edited, paid()]] {
        assert_eq!(settled(&set)[0].facts.lots[0].granted.units.to_string(), "100");
    }
}

#[test]
fn unreadable_credits_book_the_money_and_wait() {
    for text in ["-5", "0", "0.0000001", "many", "1e3", "99999999999999999999"] {
        let set = [event(
            1,
            "payment_intent.succeeded",
            120,
            intent("succeeded", 1000, text),
        )];
        let [derived] = settled(&set).try_into().expect("one group");
        assert!(
            matches!(derived.waiting, Some(Waiting::UnreadableCredits { .. })),
            "{text}"
        );
        assert!(derived.facts.lots.is_empty());
        let facts = super::by_key(&derived.facts.facts);
        assert_eq!(facts.keys().collect::<Vec<_>>(), ["pay:pi_1"], "{text}");
    }
}

#[test]
fn an_authorisation_is_no_cash() {
    assert!(facts(&[event(2, "charge.succeeded", 119, charge(false))]).is_empty());
}

#[test]
fn a_failed_refund_seen_alone_implies_all_its_facts() {
    let set = [event(5, "refund.failed", 300, refund("re_1", 200, 400, "failed"))];
    let facts = facts(&set);
    let keys: Vec<_> = facts.iter().map(|(key, (at, _))| (key.as_str(), *at)).collect();
    assert_eq!(
        keys,
        [
            ("refund-failed:re_1", 300),
            ("refund-paid:re_1", 300),
            ("refund-returned:re_1", 300),
            ("refund:re_1", 200)
        ]
    );
    let mut books = Books::default();
    let account = AccountId::from("a");
    books.settle(&account, &set);
    assert_eq!(books.balance(&account, "1110"), 0);
    assert_eq!(books.balance(&account, "2140"), 0);
}

#[test]
fn refunds_share_the_tax_to_the_cent_and_a_failed_one_takes_none() {
    let set = [
        paid(),
        event(2, "checkout.session.completed", 121, session("paid", 100)),
        event(3, "refund.created", 201, refund("re_1", 201, 333, "succeeded")),
        event(4, "refund.created", 202, refund("re_2", 202, 333, "succeeded")),
        event(5, "refund.failed", 204, refund("re_0", 203, 1000, "failed")),
        event(6, "refund.created", 205, refund("re_3", 205, 334, "succeeded")),
    ];
    let facts = facts(&set);
    let tax = |key: &str| facts[key].1["tax"].as_i64();
    assert_eq!(
        [tax("refund:re_1"), tax("refund:re_2"), tax("refund:re_3")],
        [Some(33), Some(34), Some(33)]
    );
    assert_eq!(tax("refund:re_0"), tax("refund-failed:re_0"));
    assert_eq!(facts["purchase:pi_1"].1["tax"], 100);
}

#[test]
fn an_inquiry_moves_no_money_and_a_lost_dispute_keeps_its_fee() {
    let inquiry = event(
        5,
        "charge.dispute.funds_withdrawn",
        150,
        dispute("warning_needs_response", json!([])),
    );
    assert_eq!(
        facts(&[paid(), inquiry])
            .keys()
            .filter(|it| it.starts_with("dispute"))
            .collect::<Vec<_>>(),
        ["dispute:du_1"]
    );

    let withdrawal = json!({"id": "txn_1", "amount": -1000, "fee": 1500, "net": -2500, "currency": "usd", "created": 151,
        "reporting_category": "dispute"});
    let reinstatement = json!({"id": "txn_2", "amount": 1000, "fee": 0, "net": 1000, "currency": "usd", "created": 400,
        "reporting_category": "dispute_reversal"});
    let account = AccountId::from("a");
    let set = [
        paid(),
        event(
            6,
            "charge.dispute.closed",
            300,
            dispute("lost", json!([withdrawal])),
        ),
    ];
    assert_eq!(facts(&set)["dispute-closed:du_1"].1["lost"]["minor"], 1000);
    let mut books = Books::default();
    books.settle(&account, &set);
    assert_eq!(books.balance(&account, "1110"), 1000 - 2500);
    assert_eq!(books.balance(&account, "1130"), 0);
    assert_eq!(
        books.balance(&account, "U930"),
        100_000_000,
        "all credits are clawed back"
    );

    let won = event(
        7,
        "charge.dispute.closed",
        400,
        dispute("won", json!([withdrawal, reinstatement])),
    );
    books.settle(&account, &[set[0].clone(), set[1].clone(), won]);
    assert_eq!(books.balance(&account, "1110"), 1000 - 1500);
    assert_eq!(books.balance(&account, "1130"), 0);
    assert_eq!(
        books.balance(&account, "U930"),
        0,
        "a win on appeal gives them back"
    );
}

#[test]
fn a_payment_of_an_invoice_sells_no_pack() {
    let mut object = intent("succeeded", 1000, "100");
    object["invoice"] = json!("in_1");
    let [derived] = settled(&[event(1, "payment_intent.succeeded", 120, object)])
        .try_into()
        .expect("one group");
    assert!(derived.facts.lots.is_empty());
    assert_eq!(derived.facts.facts.len(), 1);
}

#[test]
fn a_refund_is_its_charges_until_the_charge_names_its_intent() {
    let mut object = refund("re_1", 200, 400, "succeeded");
    object["payment_intent"] = Value::Null;
    let alone = event(3, "refund.created", 200, object);
    assert_eq!(
        settled(std::slice::from_ref(&alone))[0].facts.group.as_str(),
        "pay:ch_1"
    );
    let groups = settled(&[alone, event(2, "charge.succeeded", 119, charge(true))]);
    assert_eq!(
        groups
            .iter()
            .map(|it| it.facts.group.as_str())
            .collect::<Vec<_>>(),
        ["pay:pi_1"]
    );
}
