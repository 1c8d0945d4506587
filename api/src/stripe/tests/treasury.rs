use serde_json::{Value, json};
use tallybook_domain::treasury::{Treasury, TreasuryFact};

use super::{Bench, event};
use crate::stripe::Partition;

fn payout(id: &str, verb: &str, created: i64, status: &str) -> serde_json::Value {
    let object = json!({"object": "payout", "id": "po_1", "created": 100, "amount": 700, "currency": "usd",
        "status": status, "failure_balance_transaction": null});
    event(id, &format!("payout.{verb}"), created, object)
}

/// It is no customer's: nothing waits for an owner.
#[tokio::test(flavor = "multi_thread")]
async fn a_payout_is_settled_into_the_stripe_accounts_own_books() {
    let bench = Bench::new().await;
    let treasury = async || {
        let stream = Treasury::stream(&bench.partition.tenant, Partition::SELF);
        let loaded = bench.journal.load::<Treasury>(&stream).await.expect("it loads");
        let standing = loaded.state.standing("po_1");
        standing
            .map(|it| {
                let event = match it.fact {
                    TreasuryFact::PayoutRecorded(_) => "recorded",
                    TreasuryFact::PayoutPaid(_) => "paid",
                    TreasuryFact::PayoutFailed(_) => "failed",
                    _ => "another",
                };
                (event, it.effective_at.timestamp())
            })
            .collect::<Vec<_>>()
    };
    bench.deliver(&[payout("evt_2", "paid", 120, "paid")]).await;
    assert_eq!(treasury().await, [("paid", 120), ("recorded", 100)]);
    bench
        .deliver(&[
            payout("evt_3", "failed", 300, "failed"),
            payout("evt_1", "created", 100, "pending"),
        ])
        .await;
    assert_eq!(treasury().await, [("failed", 300), ("recorded", 100)]);
    for delivery in ["evt_1", "evt_2", "evt_3"] {
        assert_eq!(bench.fate(delivery).await.0, "settled");
    }
}

/// A payment of 9.00 whose charge is told with its booking.
fn charge(booking: Value) -> Value {
    let mut transaction = json!({"object": "balance_transaction", "id": "txn_1", "created": 100, "amount": 900, "fee": 56,
        "currency": "usd", "status": "pending", "type": "charge", "source": "ch_1", "exchange_rate": null});
    for (key, value) in booking.as_object().expect("a map") {
        transaction[key] = value.clone();
    }
    let object = json!({"object": "charge", "id": "ch_1", "created": 100, "amount": 900, "amount_captured": 900,
        "amount_refunded": 0, "captured": true, "currency": "usd", "status": "succeeded", "customer": "cus_1",
        "balance_transaction": transaction, "metadata": {"credits": "9"}});
    event("evt_ch", "charge.succeeded", 100, object)
}

fn customer() -> Value {
    event(
        "evt_cus",
        "customer.created",
        90,
        json!({"object": "customer", "id": "cus_1", "metadata": {}}),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_the_accounts_and_its_fee_the_stripe_accounts() {
    let bench = Bench::new().await;
    bench.deliver(&[customer(), charge(json!({}))]).await;
    let stream = Treasury::stream(&bench.partition.tenant, Partition::SELF);
    let treasury = bench.journal.load::<Treasury>(&stream).await.expect("it loads");
    let fees: Vec<_> = treasury.state.standing("txn_1").map(|it| &it.fact).collect();
    assert!(
        matches!(fees[..], [TreasuryFact::StripeFeeRecorded(fee)] if fee.amount.minor == 56),
        "{fees:?}"
    );
    let paid: Vec<_> = bench
        .account("cus_1")
        .await
        .groups()
        .keys()
        .map(ToString::to_string)
        .collect();
    assert_eq!(paid, ["pay:ch_1"]);
    assert_eq!(bench.fate("evt_ch").await.0, "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fee_that_cannot_be_booked_parks_the_charge_that_is() {
    let bench = Bench::new().await;
    bench
        .deliver(&[customer(), charge(json!({"currency": "eur", "exchange_rate": 1}))])
        .await;
    assert_eq!(bench.account("cus_1").await.groups().len(), 1);
    let (status, reason, _) = bench.fate("evt_ch").await;
    assert_eq!(
        (status.as_str(), reason.as_deref()),
        ("parked", Some("unbookable"))
    );
}
