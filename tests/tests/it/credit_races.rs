//! Many uses of one account's credits at once, through two processes: right every time, in every round.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};
use tallybook_tests::binary;
use tallybook_tests::client::Answer;
use tallybook_tests::scale::scaled;

use crate::two_servers::Pair;

const ROUNDS: usize = 50;
const SPENDERS: usize = 100;

/// So many debits of one credit at once, by turns through both processes; which one begins is another one each round.
async fn spend_at_once(pair: &Pair, round: usize, count: usize) -> Vec<Answer> {
    let debit = json!({"credits": "1"});
    join_all((0..count).map(|number| {
        let (client, debit) = (&pair.clients[(number + round) % 2], &debit);
        async move {
            let key = format!("spend {round} {number}");
            client.post("/accounts/acme/debits", &key, debit).await
        }
    }))
    .await
}

/// What each process says is available now.
async fn available(pair: &Pair) -> [Value; 2] {
    let [one, other] = &pair.clients;
    let path = "/accounts/acme/balance";
    let (one, other) = tokio::join!(one.get(path), other.get(path));
    [one, other].map(|answer| answer.expect(200).json()["available"].clone())
}

async fn verify(pair: &Pair) {
    binary::run(["verify", "--database-url", &pair.database.url()])
        .await
        .succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_100_spenders_at_the_last_credit_one_wins_and_99_are_told_what_is_missing() {
    let pair = Pair::start().await;
    pair.account("acme", 1).await;
    let rounds = scaled(ROUNDS);
    for round in 0..rounds {
        let answers = spend_at_once(&pair, round, SPENDERS).await;
        let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        for refused in losers {
            let problem = refused.json();
            let told = ["code", "required", "available", "shortfall"].map(|name| problem[name].clone());
            assert_eq!(refused.status, 402, "round {round}: {problem}");
            assert_eq!(told, ["insufficient_credits", "1", "0", "1"], "round {round}");
        }
        assert_eq!(available(&pair).await, ["0", "0"], "round {round}");
        let next = json!({"credits": "1", "source": "paid"});
        pair.clients[round % 2]
            .post("/accounts/acme/grants", &format!("next {round}"), &next)
            .await
            .expect(201);
    }
    assert_eq!(
        available(&pair).await,
        ["1", "1"],
        "the last one granted is all that is left"
    );
    let written = i64::try_from(2 + 2 * rounds).expect("a small number");
    assert_eq!(pair.database.events().await, written, "a refusal leaves no trace");
    assert_eq!(pair.database.streams_with_a_gap().await, 0);
    verify(&pair).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_14_however_many_uses_cross_the_threshold_through_two_processes_one_top_up_is_asked() {
    let pair = Pair::start().await;
    pair.account("acme", 20).await;
    let policy = json!({"top_up": {"threshold": "10", "credits": "15"}});
    pair.clients[0]
        .put("/accounts/acme/policy", "policy", &policy)
        .await
        .expect(200);
    let mut asked = BTreeSet::new();
    for round in 0..scaled(ROUNDS) {
        for answer in spend_at_once(&pair, round, 15).await {
            answer.expect(201);
        }
        assert_eq!(available(&pair).await, ["5", "5"], "round {round}");
        let shown = pair.clients[round % 2].get("/accounts/acme/policy").await;
        let pending = shown.expect(200).json()["top_up"]["pending"].clone();
        let pending = pending.as_str().expect("a request waits").to_owned();
        assert!(
            asked.insert(pending.clone()),
            "round {round}: a new request, not one that was met: {pending}"
        );
        let requests = "select count(*) from events where event_type = 'TopUpRequested'";
        let requests = usize::try_from(pair.database.number(requests).await).expect("a count");
        assert_eq!(requests, asked.len(), "round {round}: one crossing, one request");
        // The payment arrives at the other process and names what it is for.
        let met = json!({"credits": "15", "source": "paid", "reference": pending});
        pair.clients[(round + 1) % 2]
            .post("/accounts/acme/grants", &format!("met {round}"), &met)
            .await
            .expect(201);
    }
    let path = "/accounts/acme/top-ups?limit=200";
    let listed = pair.clients[0].get(path).await.expect(200).json();
    for request in listed["data"].as_array().expect("a list") {
        assert_eq!(
            (&request["available"], &request["status"]),
            (&json!("9"), &json!("completed")),
            "asked by the use that crossed, and met once: {request}"
        );
    }
    verify(&pair).await;
}
