//! Balance transactions: what Stripe takes for itself, and what moves for no customer.

use std::sync::Arc;

use serde_json::{Value, json};
use tallybook_stripe::snapshot::Snapshot;

use super::harness::Expected::{Books, Line, NoLine, Parked};
use super::harness::told;
use super::objects::{charge, event, fetched, paid_intent, payout, refund};

/// The booking of the pack's charge: 10.00, of which Stripe takes 0.59.
fn booking(changes: Value) -> Value {
    let mut booking = json!({"object": "balance_transaction", "id": "txn_1", "created": 11, "amount": 1000, "fee": 59,
        "net": 941, "currency": "usd", "status": "pending", "type": "charge", "source": "ch_1", "exchange_rate": null});
    for (key, value) in changes.as_object().expect("changes are a map") {
        booking[key] = value.clone();
    }
    booking
}

/// One that is of nothing else.
fn own(kind: &str, amount: i64) -> Arc<Snapshot> {
    let own = json!({"id": format!("txn_{kind}"), "type": kind, "source": null, "amount": amount, "fee": 0});
    fetched(booking(own), 20)
}

scenarios! {
    the_fee_of_a_charge_is_booked_once_however_it_is_told => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        event("charge.succeeded", 11, charge(json!({}))),
        fetched(charge(json!({"balance_transaction": booking(json!({}))})), 15),
        fetched(booking(json!({"status": "available"})), 16),
    ])
    .ends([
        Books(&[("1110", "USD", 941), ("2110", "USD", -1000), ("5010", "USD", 59)]),
        Line("ledger fee:txn_1 5010 USD 1970-01-01 59"),
        Parked(&[]),
    ]);

    the_fee_of_a_charge_that_never_came_is_the_stripe_accounts_own => told([fetched(booking(json!({})), 15)])
        .of_strangers()
        .ends([Books(&[("1110", "USD", -59), ("5010", "USD", 59)]), Parked(&[])]);

    the_fee_of_a_refund_and_of_a_payout_is_booked_beside_them => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        fetched(refund("re_1", 30, 400, json!({"balance_transaction":
            booking(json!({"id": "txn_re", "type": "refund", "amount": -400, "fee": 7, "source": "re_1"}))})), 31),
        fetched({
            let mut payout = payout("paid");
            payout["balance_transaction"] =
                booking(json!({"id": "txn_po", "type": "payout", "amount": -700, "fee": 10, "source": "po_1"}));
            payout
        }, 40),
    ])
    .ends([
        Books(&[("1010", "USD", 700), ("1110", "USD", -117), ("2110", "USD", -600), ("5010", "USD", 17)]),
        Parked(&[]),
    ]);

    what_stripe_takes_tops_up_and_reserves_for_itself_is_booked_by_its_kind => told([
        own("stripe_fee", -250),
        own("topup", 5_000),
        own("reserve_transaction", -900),
        own("anticipation_repayment", -33),
    ])
    .of_strangers()
    .ends([
        Books(&[("1010", "USD", -5_000), ("1110", "USD", 3_817), ("1140", "USD", 900), ("1190", "USD", 33), ("5010", "USD", 250)]),
        Line("ledger unmatched:txn_anticipation_repayment 1190 USD 1970-01-01 33"),
        Parked(&[]),
    ]);

    a_disputes_booking_is_booked_with_the_dispute_alone => told([
        fetched(booking(json!({"id": "txn_out", "type": "adjustment", "source": "du_1", "amount": -1000, "fee": 1500})), 52),
    ])
    .of_strangers()
    .ends([Books(&[])]);

    what_stripe_converted_is_not_booked_and_waits => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        fetched(charge(json!({"balance_transaction": booking(json!({"currency": "eur", "exchange_rate": 0.9}))})), 15),
    ])
    .ends([
        Parked(&[("ch_1", "unbookable"), ("pi_1", "unbookable")]),
        Line("ledger pay:pi_1 1110 USD 1970-01-01 1000"),
        NoLine("ledger fee:"),
    ]);
}
