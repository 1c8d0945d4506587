//! A test clock moved by one process while the other judges: what happens at an instant happens in one order.

use futures::future::join_all;
use serde_json::{Value, json};
use tallybook_tests::scale::scaled;

use crate::two_servers::Pair;

/// An account on a clock of its own, with a trial of a week and 100 credits that ends without a plan.
async fn trying(pair: &Pair, id: &str) -> String {
    let [one, _] = &pair.clients;
    let clock = one
        .post(
            "/test-clocks",
            &format!("clock {id}"),
            &json!({"now": "2026-03-01T12:00:00Z"}),
        )
        .await
        .expect(201)
        .json();
    let clock = clock["id"].as_str().expect("an id").to_owned();
    let open = json!({"id": id, "test_clock": clock});
    one.post("/accounts", &format!("open {id}"), &open)
        .await
        .expect(201);
    let trial = json!({"id": "t", "plan": "pro"});
    let path = format!("/accounts/{id}/trials");
    one.post(&path, &format!("try {id}"), &trial).await.expect(201);
    clock
}

/// The account's events, type by type with the instant each is true from, and their bodies.
async fn stream(pair: &Pair, id: &str) -> Vec<Value> {
    let events = pair.clients[1]
        .get(&format!("/accounts/{id}/events?limit=200"))
        .await;
    events.expect(200).json()["data"]
        .as_array()
        .expect("a list")
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_while_a_clock_moves_past_a_trials_end_is_spent_before_it_or_not_at_all() {
    let pair = Pair::start().await;
    let terms = json!({
        "name": "Pro", "effective_from": "2026-01-01T00:00:00Z", "trial": {"days": 7, "credits": "100", "at_end": {"action": "cancel"}},
    });
    pair.clients[0]
        .put("/catalog/plans/pro", "pro", &terms)
        .await
        .expect(200);
    let end = "2026-03-08T12:00:00Z";
    for round in 0..scaled(50) {
        let id = format!("ticking-{round}");
        let clock = trying(&pair, &id).await;
        let spends = join_all((0..6).map(|number| {
            let client = &pair.clients[number % 2];
            let (path, key) = (format!("/accounts/{id}/debits"), format!("spend {id} {number}"));
            async move { client.post(&path, &key, &json!({"credits": "3"})).await }
        }));
        let (path, key, to) = (
            format!("/test-clocks/{clock}/advance"),
            format!("advance {id}"),
            json!({"to": end}),
        );
        let (answers, arrived) = tokio::join!(spends, pair.clients[1].post(&path, &key, &to));
        arrived.expect(200);
        let accepted = answers.iter().filter(|answer| answer.status == 201).count();
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            let problem = refused.json();
            assert_eq!(
                (refused.status, &problem["code"], &problem["trial_ended_at"]),
                (402, &json!("trial_expired"), &json!(end)),
                "round {round}: {problem}"
            );
        }
        let events = stream(&pair, &id).await;
        let ends: Vec<usize> = (0..events.len())
            .filter(|n| events[*n]["type"] == "TrialExpired")
            .collect();
        assert_eq!(ends.len(), 1, "round {round}: one end");
        let spent: Vec<usize> = (0..events.len())
            .filter(|n| events[*n]["type"] == "CreditsConsumed")
            .collect();
        assert_eq!(spent.len(), accepted, "round {round}");
        assert!(
            spent.iter().all(|n| *n < ends[0]),
            "round {round}: all before the end"
        );
        let expired = events
            .iter()
            .find(|event| event["type"] == "CreditsExpired")
            .expect("the rest ends");
        let left = i64::try_from(100 - 3 * accepted).expect("small");
        assert_eq!(
            expired["data"]["units"],
            json!(left * 1_000_000),
            "round {round}: conserved"
        );
    }
    let balance = pair.clients[0]
        .get("/accounts/ticking-0/balance")
        .await
        .expect(200)
        .json();
    assert_eq!(balance["available"], "0");
}
