//! Whose things are, and money that is nobody's.

use serde_json::json;

use super::harness::Expected::{Books, Is, Line, NoLine, Parked};
use super::harness::told;
use super::objects::{customer, event, payout, subscription, updated};

scenarios! {
    s12_a_customer_made_changed_and_deleted_in_one_second_is_deleted => told([
        event("customer.created", 5, customer(json!({}))),
        updated("customer.updated", 5, customer(json!({"balance": -100})), json!({"balance": 0})),
        event("customer.deleted", 5, customer(json!({"balance": -100}))),
    ])
    .of_strangers()
    .ends([Is("cus_1", "deleted", json!(true))]);

    s48_what_a_deleted_customer_had_is_kept_and_goes_on => told([
        event("customer.deleted", 150, customer(json!({}))),
        updated("customer.updated", 160, customer(json!({"balance": 5})), json!({"balance": 0})),
        event("customer.subscription.created", 100, subscription("active", json!({}))),
        event("customer.subscription.deleted", 151, subscription("canceled", json!({"ended_at": 151}))),
        event("payment_intent.succeeded", 12, super::objects::paid_intent()),
    ])
    .ends([
        Is("cus_1", "deleted", json!(true)),
        Is("sub_1", "status", json!("canceled")),
        Line("subscription cus_1 sub_1 "),
        Line("lot cus_1 grant_pi_1 "),
        Parked(&[]),
    ]);

    a_link_that_comes_late_moves_all_of_it => told([
        event("payment_intent.succeeded", 12, super::objects::paid_intent()),
        updated("customer.updated", 50, customer(json!({"metadata": {"account_id": "acct_1"}})), json!({"metadata": {"account_id": null}})),
    ])
    .ends([
        Line("lot acct_1 grant_pi_1 "),
        NoLine("lot cus_1 "),
        Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)]),
    ]);

    s49_a_payout_that_failed_after_it_arrived_is_back => told([
        event("payout.created", 10, payout("pending")),
        event("payout.paid", 20, payout("paid")),
        event("payout.failed", 90_000, payout("failed")),
    ])
    .of_strangers()
    .ends([
        Books(&[]),
        Line("ledger payout:po_1 1110 USD 1970-01-01 -700"),
        Line("ledger payout-failed:po_1 1110 USD 1970-01-02 700"),
        NoLine("ledger payout-paid:po_1"),
        Parked(&[]),
    ]);

    s49_a_payout_that_arrived_is_at_the_bank => told([
        event("payout.created", 10, payout("pending")),
        event("payout.paid", 20, payout("paid")),
    ])
    .of_strangers()
    .ends([Books(&[("1010", "USD", 700), ("1110", "USD", -700)])]);
}
