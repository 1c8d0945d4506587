//! What a change within a period gives and takes.

use std::sync::Arc;

use serde_json::{Value, json};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::Version;

use super::harness::Expected::{Credits as Has, Is, Line, NoLine, Parked};
use super::harness::{Credits, Scenario, told};
use super::objects::{body, event, invoice, item, line, paid_invoice, read, subscription, updated};

const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";

/// A line for the rest of the period from `start`, credited if the amount is negative.
fn rest(id: &str, amount: i64, price: &str, (start, end): (i64, i64)) -> Value {
    let mut line = line(id, amount, start, end);
    line["parent"]["subscription_item_details"]["proration"] = json!(true);
    line["pricing"]["price_details"]["price"] = json!(price);
    line
}

/// The invoice of a change at `second`, of 20.00 in all.
fn billed(id: &str, second: i64, lines: &[Value]) -> Value {
    json!({"id": id, "created": second, "billing_reason": "subscription_update", "amount_due": 2_000,
        "amount_remaining": 2_000, "total": 2_000, "subtotal": 2_000, "lines": {"object": "list", "data": lines},
        "status_transitions": {"finalized_at": second}})
}

fn paid(id: &str, second: i64, lines: &[Value]) -> Value {
    let mut changes = billed(id, second, lines);
    changes["amount_paid"] = json!(2_000);
    changes["amount_remaining"] = json!(0);
    changes["status_transitions"]["paid_at"] = json!(second);
    paid_invoice(changes)
}

/// From the small plan (10 credits) to the large one (49) in the middle of the period from 100 to 200.
fn upgrade() -> [Value; 2] {
    [
        rest("il_old", -500, "price_small", (150, 200)),
        rest("il_new", 2_500, "price_large", (150, 200)),
    ]
}

fn draft_of_upgrade() -> Value {
    let mut draft = invoice("draft", billed("in_2", 150, &upgrade()));
    draft["status_transitions"] = json!({});
    draft
}

fn of_plan(price: &str) -> Value {
    let mut item = item(100, 200);
    item["price"]["id"] = json!(price);
    subscription(
        "active",
        json!({"items": {"object": "list", "data": [item]}, "latest_invoice": "in_2"}),
    )
}

fn moved_to(price: &str, second: i64) -> Arc<Snapshot> {
    let before = json!({"items": {"object": "list", "data": [item(100, 200)]}, "latest_invoice": "in_1"});
    updated(UPDATED, second, of_plan(price), before)
}

fn upgraded(told_of_upgrade: impl IntoIterator<Item = Arc<Snapshot>>) -> Scenario {
    let before = [
        event(CREATED, 100, subscription("active", json!({}))),
        event("invoice.paid", 100, paid_invoice(json!({}))),
    ];
    told(before.into_iter().chain(told_of_upgrade)).with_plans()
}

scenarios! {
    s34_an_upgrade_moves_the_item_and_gives_and_takes_the_share_that_is_left => upgraded([
        moved_to("price_large", 150),
        event("invoice.created", 150, draft_of_upgrade()),
        event("invoice.finalized", 150, invoice("open", billed("in_2", 150, &upgrade()))),
        event("invoice.paid", 150, paid("in_2", 150, &upgrade())),
    ])
    .ends([
        Is("sub_1", "items", json!([{"id": "si_1", "price": "price_large", "quantity": 1}])),
        Line("lot cus_1 grant_si_1_100 CREDIT 10000000 5000000 0 0 0 0 5000000"),
        Line("lot cus_1 grant_in_2_il_new CREDIT 24500000 24500000 "),
        Line("ledger revoke:grant_si_1_100:inv:in_2/il_old 2110 USD 1970-01-01 250"),
        Line("ledger revoke:grant_si_1_100:inv:in_2/il_old 2120 USD 1970-01-01 -250"),
        Line("ledger grant:in_2_il_new 2110 USD 1970-01-01 -1250"),
        Parked(&[]),
    ]);

    s34_a_second_upgrade_takes_from_what_the_first_gave => upgraded([
        event("invoice.paid", 150, paid("in_2", 150, &upgrade())),
        event("invoice.paid", 175, paid("in_3", 175, &[
            rest("il_unused", -1_250, "price_large", (175, 200)),
            rest("il_rest", 3_250, "price_middle", (175, 200)),
        ])),
    ])
    .ends([
        Line("lot cus_1 grant_si_1_100 CREDIT 10000000 5000000 0 0 0 0 5000000"),
        Line("lot cus_1 grant_in_2_il_new CREDIT 24500000 12250000 0 0 0 0 12250000"),
        Line("lot cus_1 grant_in_3_il_rest CREDIT 5000000 5000000 "),
        Parked(&[]),
    ]);

    s34_an_upgrade_that_is_not_paid_gives_and_takes_nothing => upgraded([
        moved_to("price_large", 150),
        event("invoice.finalized", 150, invoice("open", billed("in_2", 150, &upgrade()))),
        event("invoice.payment_failed", 151, {
            let mut failed = invoice("open", billed("in_2", 150, &upgrade()));
            failed["attempt_count"] = json!(1);
            failed
        }),
    ])
    .ends([
        Has(Credits { granted: 10, available: 10, ..Credits::default() }),
        Line("ledger inv:in_2 1210 USD 1970-01-01 2000"),
    ]);

    s34_a_change_billed_with_the_next_period_counts_for_the_time_it_was => upgraded([
        moved_to("price_large", 150),
        event("invoice.paid", 200, paid("in_2", 200, &[
            rest("il_old", -500, "price_small", (150, 200)),
            rest("il_new", 2_500, "price_large", (150, 200)),
            { let mut next = line("il_next", 4_999, 200, 300);
              next["pricing"]["price_details"]["price"] = json!("price_large"); next },
        ])),
    ])
    .ends([
        Line("lot cus_1 grant_si_1_100 CREDIT 10000000 0 0 0 0 5000000 5000000"),
        Line("lot cus_1 grant_in_2_il_new CREDIT 24500000 0 0 0 0 24500000 0"),
        Line("lot cus_1 grant_si_1_200 CREDIT 49000000 49000000 "),
        Parked(&[]),
    ]);

    s34_the_rest_of_a_period_nobody_told_of_waits_for_it => told([
        event("invoice.paid", 150, paid("in_2", 150, &upgrade())),
    ])
    .with_plans()
    .ends([
        Parked(&[("in_2", "awaiting_period")]),
        NoLine("lot "),
        Line("ledger inv-paid:in_2 1210 USD 1970-01-01 -2000"),
    ]);

    s34_the_rest_of_a_period_that_only_the_subscription_tells_is_its_share => told([
        event("invoice.paid", 150, paid("in_2", 150, &upgrade())),
        moved_to("price_large", 150),
    ])
    .with_plans()
    .ends([Line("lot cus_1 grant_in_2_il_new CREDIT 24500000 "), NoLine("lot cus_1 grant_si_1_100"), Parked(&[])]);

    s34_time_that_cost_nothing_is_credited_by_what_the_line_names => upgraded([
        event("invoice.paid", 150, paid("in_2", 150, &{
            let mut lines = upgrade();
            lines[0]["amount"] = json!(0);
            lines[0]["parent"]["subscription_item_details"]["proration_details"] =
                json!({"credited_items": {"invoice": "in_1", "invoice_line_items": ["il_1"]}});
            lines
        })),
    ])
    .ends([Line("lot cus_1 grant_si_1_100 CREDIT 10000000 5000000 0 0 0 0 5000000"), Parked(&[])]);

    s39_an_upgrade_in_old_and_new_shapes_is_one => upgraded([
        read(Version::Acacia.render(&body("invoice.paid", 150, &paid("in_2", 150, &upgrade()), None))),
        read(body("invoice.paid", 150, &paid("in_2", 150, &upgrade()), None)),
    ])
    .ends([
        Line("lot cus_1 grant_si_1_100 CREDIT 10000000 5000000 0 0 0 0 5000000"),
        Line("lot cus_1 grant_in_2_il_new CREDIT 24500000 "),
    ]);
}
