use serde_json::{Value, json};

use super::event;
use crate::settlement::{Component, Mode, Owner, owner};
use crate::snapshot::Snapshot;

fn customer(n: u32, created: i64, account: Option<&str>) -> Snapshot {
    let metadata = account.map_or(json!({}), |account| json!({"account_id": account}));
    event(
        n,
        "customer.updated",
        created,
        json!({"object": "customer", "id": "cus_1", "metadata": metadata}),
    )
}

fn intent(customer: Value, metadata: Value) -> Snapshot {
    event(
        50,
        "payment_intent.succeeded",
        120,
        json!({"object": "payment_intent", "id": "pi_1", "amount": 1000,
        "amount_received": 1000, "currency": "usd", "status": "succeeded", "customer": customer, "metadata": metadata}),
    )
}

fn session(customer: Value) -> Snapshot {
    event(
        60,
        "checkout.session.completed",
        130,
        json!({"object": "checkout.session", "id": "cs_1", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_1", "customer": customer, "client_reference_id": "acct_session"}),
    )
}

/// Nothing of the customer.
const UNSEEN: &[Snapshot] = &[];

fn account(name: &str) -> Owner {
    Owner::Account(name.into())
}

#[test]
fn the_earliest_link_counts_whatever_arrived_first() {
    let paid = [intent(json!("cus_1"), json!({"account_id": "acct_meta"}))];
    let payment = Component::new(&paid);
    let links = [
        customer(2, 20, Some("acct_late")),
        customer(1, 10, Some("acct_early")),
        customer(3, 5, None),
    ];
    assert_eq!(owner(&payment, &links, Mode::Create), account("acct_early"));
    let links = [
        customer(2, 20, Some("no/account")),
        customer(3, 30, Some("acct_good")),
    ];
    assert_eq!(
        owner(&payment, &links, Mode::Create),
        account("acct_good"),
        "a slash is no account id"
    );
}

#[test]
fn without_a_link_the_session_then_the_metadata_names_the_account() {
    let paid = [
        intent(Value::Null, json!({"account_id": "acct_meta"})),
        session(Value::Null),
    ];
    let guest = Component::new(&paid);
    assert_eq!(owner(&guest, UNSEEN, Mode::Linked), account("acct_session"));
    let paid = [intent(Value::Null, json!({"account_id": "acct_meta"}))];
    let guest = Component::new(&paid);
    assert_eq!(owner(&guest, UNSEEN, Mode::Linked), account("acct_meta"));
}

#[test]
fn a_customer_without_a_link_is_its_own_account_or_waits() {
    let paid = [intent(json!("cus_1"), json!({}))];
    let payment = Component::new(&paid);
    let waits = |id: &str| Owner::Unknown {
        waits_for: id.to_owned(),
    };
    assert_eq!(
        owner(&payment, UNSEEN, Mode::Create),
        waits("cus_1"),
        "the customer itself was not seen yet"
    );
    assert_eq!(
        owner(&payment, &[customer(1, 10, None)], Mode::Create),
        account("cus_1")
    );
    assert_eq!(
        owner(&payment, &[customer(1, 10, None)], Mode::Linked),
        waits("cus_1")
    );
    let paid = [intent(Value::Null, json!({}))];
    let guest = Component::new(&paid);
    assert_eq!(owner(&guest, UNSEEN, Mode::Create), waits("pi_1"));
}

#[test]
fn a_session_with_a_customer_links_it() {
    let paid = [intent(json!("cus_1"), json!({}))];
    let payment = Component::new(&paid);
    assert_eq!(
        owner(&payment, &[session(json!("cus_1"))], Mode::Linked),
        account("acct_session")
    );
}
