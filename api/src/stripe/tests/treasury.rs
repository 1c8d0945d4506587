use serde_json::json;
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
