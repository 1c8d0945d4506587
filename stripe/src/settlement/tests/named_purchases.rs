//! Payments that name a purchase begun at Tallybook, delivered in every order.

use serde_json::{Value, json};
use tallybook_domain::Refusal;
use tallybook_domain::account::{Account, AccountCommand, OpenAccount};
use tallybook_domain::catalog::Pack;
use tallybook_domain::identity::{AccountId, UnitCode};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::purchases::{PayPurchase, PurchaseCommand, StartPurchase, Unapplied};
use tallybook_domain::quantity::Units;

use super::{Books, event, in_every_order, orders, settled};
use crate::settlement::Waiting;
use crate::snapshot::Snapshot;

fn intent(id: &str, amount: i64, metadata: Value) -> Value {
    json!({"object": "payment_intent", "id": id, "created": 100, "amount": amount, "amount_received": amount,
        "currency": "usd", "status": "succeeded", "customer": "cus_1", "latest_charge": null, "metadata": metadata})
}

fn session(id: &str, payment: &str, payment_status: &str) -> Value {
    json!({"object": "checkout.session", "id": id, "created": 90, "mode": "payment", "status": "complete",
        "payment_status": payment_status, "payment_intent": payment, "customer": "cus_1", "amount_total": 1000,
        "currency": "usd", "metadata": {"purchase_id": "pur_1"}})
}

fn refund(id: &str, payment: &str, amount: i64, status: &str) -> Value {
    json!({"object": "refund", "id": id, "created": 300, "amount": amount, "currency": "usd", "status": status,
        "charge": null, "payment_intent": payment, "balance_transaction": format!("txn_{id}"),
        "failure_balance_transaction": if status == "failed" { Some(format!("txn_{id}_back")) } else { None }})
}

fn dispute(payment: &str, status: &str) -> Value {
    let withdrawn = json!({"id": "txn_du", "amount": -1000, "fee": 1500, "net": -2500, "currency": "usd", "created": 401,
        "reporting_category": "dispute"});
    json!({"object": "dispute", "id": "du_1", "created": 400, "amount": 1000, "currency": "usd", "status": status,
        "charge": null, "payment_intent": payment, "balance_transactions": [withdrawn]})
}

fn acct() -> AccountId {
    AccountId::from("acct")
}

/// Books of an account that has begun to buy 100 credits for 8.00 and 2.00 of tax.
fn begun() -> Books {
    let mut books = Books::default();
    let open = AccountCommand::Open(OpenAccount {
        account: acct(),
        external_id: None,
        stripe_customer: None,
        time_zone: chrono_tz::Tz::UTC,
        test_clock: None,
    });
    books.run(open).expect("new");
    let start = AccountCommand::Purchase(PurchaseCommand::Start(StartPurchase {
        purchase: "pur_1".into(),
        pack: "hundred".to_owned(),
        terms: Some(Box::new(Pack {
            id: "hundred".to_owned(),
            name: "A hundred".to_owned(),
            prices: std::collections::BTreeSet::new(),
            price: Money::new(800, Currency::USD),
            unit_price: None,
            quantity: None,
            unit: UnitCode::default(),
            credits: Units::from_credits(100).expect("few"),
            expires_after: None,
            priority: 0,
            standalone_price: None,
            bundled: Vec::new(),
        })),
        quantity: 1,
        tax: Some(Money::new(200, Currency::USD)),
        reference: None,
    }));
    books.run(start).expect("sold");
    books
}

fn by_hand() -> AccountCommand {
    AccountCommand::Purchase(PurchaseCommand::Pay(PayPurchase {
        purchase: "pur_1".into(),
        amount: None,
        paid_at: None,
        method: None,
        reference: None,
    }))
}

fn granted(account: &Account) -> i64 {
    account
        .credits()
        .lots()
        .map(|lot| lot.granted.micros() / 1_000_000)
        .sum()
}

/// Deliver one by one; each settles what is known of its payment by then.
fn deliver(books: &mut Books, payments: &[&[Snapshot]], order: &[(usize, usize)]) {
    let mut known: Vec<Vec<Snapshot>> = vec![Vec::new(); payments.len()];
    for (payment, n) in order {
        known[*payment].push(payments[*payment][*n].clone());
        books.settle(&acct(), &known[*payment]);
    }
}

#[test]
fn session_intent_refund_and_dispute_of_one_payment_in_every_order_pay_the_purchase_once() {
    let told = [
        event(
            1,
            "checkout.session.completed",
            121,
            session("cs_1", "pi_1", "paid"),
        ),
        event(
            2,
            "payment_intent.succeeded",
            120,
            intent("pi_1", 1000, json!({})),
        ),
        event(3, "refund.failed", 350, refund("re_1", "pi_1", 600, "failed")),
        event(4, "refund.created", 300, refund("re_2", "pi_1", 250, "succeeded")),
        event(5, "charge.dispute.closed", 500, dispute("pi_1", "lost")),
    ];
    let books = in_every_order(&acct(), begun, &told);
    assert_eq!(books.account.unapplied(&"pi_1".into()), None);
    assert_eq!(granted(&books.account), 100);
    let lot = books.account.credits().lot(&"grant_pur_1".into()).expect("paid");
    assert_eq!(
        lot.revoked, lot.granted,
        "250 and 1000 of 1000 claim back no more than all"
    );
}

#[test]
fn case_22_two_sessions_paid_for_one_purchase_in_every_order_grant_once_and_one_is_given_back() {
    let first = [
        event(
            1,
            "payment_intent.succeeded",
            120,
            intent("pi_1", 1000, json!({})),
        ),
        event(
            2,
            "checkout.session.completed",
            121,
            session("cs_1", "pi_1", "paid"),
        ),
    ];
    let second = [
        event(
            3,
            "payment_intent.succeeded",
            130,
            intent("pi_2", 1000, json!({})),
        ),
        event(
            4,
            "checkout.session.completed",
            131,
            session("cs_2", "pi_2", "paid"),
        ),
        event(
            5,
            "refund.created",
            300,
            refund("re_1", "pi_2", 1000, "succeeded"),
        ),
    ];
    let deliveries = [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)];
    let mut ends = Vec::new();
    for order in orders(deliveries.len()) {
        let mut books = begun();
        let order: Vec<_> = order.into_iter().map(|n| deliveries[n]).collect();
        deliver(&mut books, &[&first, &second], &order);
        let paid = books.account.payment(&"pur_1".into()).expect("paid");
        assert_eq!(
            paid.bought.payment.as_str(),
            "pi_1",
            "the earlier one, whatever came first"
        );
        assert!(matches!(
            books.account.unapplied(&"pi_2".into()),
            Some(Unapplied::Paid { .. })
        ));
        ends.push((books.nets(&acct()), books.account.credits().clone()));
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]));
    let mut books = begun();
    deliver(&mut books, &[&first, &second], &deliveries);
    assert_eq!(granted(&books.account), 100);
    let codes = ["1110", "2110", "2135", "2140", "2210", "4110"];
    assert_eq!(
        codes.map(|code| books.balance(&acct(), code)),
        [1000, -800, 0, 0, -200, 0]
    );
}

#[test]
fn paid_by_hand_and_at_stripe_in_either_order_is_granted_once() {
    let paid = [event(
        1,
        "payment_intent.succeeded",
        120,
        intent("pi_1", 1000, json!({"purchase_id": "pur_1"})),
    )];
    let mut hand_first = begun();
    hand_first.run(by_hand()).expect("not paid yet");
    hand_first.settle(&acct(), &paid);
    assert_eq!(granted(&hand_first.account), 100);
    assert_eq!(hand_first.balance(&acct(), "2135"), -1000, "to be refunded");

    let mut stripe_first = begun();
    stripe_first.settle(&acct(), &paid);
    let refused = stripe_first.run(by_hand()).expect_err("paid at Stripe");
    assert_eq!(refused.code(), "purchase_paid");
    assert_eq!(granted(&stripe_first.account), 100);
    assert_eq!(stripe_first.balance(&acct(), "2135"), 0);
}

#[test]
fn a_session_that_is_not_paid_pays_nothing_until_its_bank_says_so() {
    let unpaid = event(
        1,
        "checkout.session.completed",
        121,
        session("cs_1", "pi_1", "unpaid"),
    );
    let later = event(
        2,
        "checkout.session.async_payment_succeeded",
        9_000,
        session("cs_1", "pi_1", "paid"),
    );
    let mut failed = session("cs_1", "pi_1", "unpaid");
    failed["status"] = json!("complete");
    let failed = event(2, "checkout.session.async_payment_failed", 9_000, failed);
    let mut books = begun();
    books.settle(&acct(), std::slice::from_ref(&unpaid));
    books.settle(&acct(), &[unpaid.clone(), failed]);
    assert_eq!(granted(&books.account), 0);
    assert!(books.account.payment(&"pur_1".into()).is_none());
    books.settle(&acct(), &[later, unpaid]);
    let paid = books.account.payment(&"pur_1".into()).expect("paid");
    assert_eq!(paid.paid_at.timestamp(), 9_000);
}

#[test]
fn a_named_purchase_counts_before_credits_and_packs_whoever_names_them() {
    let words = [
        json!({"purchase_id": "pur_1", "credits": "900", "pack": "other"}),
        json!({"credits": "900"}),
    ];
    for metadata in words {
        let set = [
            event(1, "payment_intent.succeeded", 120, intent("pi_1", 1000, metadata)),
            event(
                2,
                "checkout.session.completed",
                121,
                session("cs_1", "pi_1", "paid"),
            ),
        ];
        let mut books = begun();
        books.settle(&acct(), &set[..1]);
        books.settle(&acct(), &set);
        assert_eq!(granted(&books.account), 100);
        assert!(
            books
                .account
                .credits()
                .lot(&"grant_pi_1".into())
                .is_none_or(|lot| !lot.granted.is_positive())
        );
    }
}

#[test]
fn a_capture_of_less_than_is_due_waits() {
    let mut partial = intent("pi_1", 1000, json!({"purchase_id": "pur_1"}));
    partial["amount_received"] = json!(700);
    let set = [event(1, "payment_intent.succeeded", 120, partial)];
    let mut books = begun();
    books.settle(&acct(), &set);
    assert_eq!(
        (granted(&books.account), books.balance(&acct(), "2135")),
        (0, -700)
    );
    let reason = books.account.unapplied(&"pi_1".into()).expect("it waits");
    assert_eq!(reason.code(), "amount_mismatch");
}

#[test]
fn a_name_that_can_be_no_purchase_books_the_money_and_waits() {
    let set = [event(
        1,
        "payment_intent.succeeded",
        120,
        intent("pi_1", 1000, json!({"purchase_id": "jane@example.com"})),
    )];
    let [derived] = settled(&set).try_into().expect("one group");
    assert!(matches!(
        derived.waiting,
        Some(Waiting::UnreadablePurchase { .. })
    ));
    assert_eq!(derived.facts.facts.len(), 1);
    let written = serde_json::to_string(&derived.facts.facts[0].fact).expect("JSON");
    assert!(
        !written.contains("jane"),
        "what may be a person's is not recorded: {written}"
    );
}
