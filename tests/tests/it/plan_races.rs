//! What plans let use, under requests at once through two processes: right every time, in every round.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tallybook_tests::client::Answer;
use tallybook_tests::scale::scaled;

use crate::two_servers::Pair;

/// Plans by name, with their price.
const PLANS: [(&str, i64); 3] = [("basic", 1_000), ("pro", 4_000), ("max", 9_000)];

async fn publish(pair: &Pair) {
    for (plan, amount) in PLANS {
        let terms = json!({
            "name": plan, "price": {"kind": "flat", "currency": "usd", "amount": amount},
            "trial": {"days": 7, "credits": "100", "at_end": {"action": "cancel"}},
            "features": {"export": {"limit": "5"}},
        });
        pair.clients[0]
            .put(&format!("/catalog/plans/{plan}"), plan, &terms)
            .await
            .expect(200);
    }
}

/// An account with 100 credits and a subscription `s-<id>` to the basic plan, paid.
async fn subscriber(pair: &Pair, id: &str) {
    pair.account(id, 100).await;
    let [one, _] = &pair.clients;
    let order = json!({"id": format!("s-{id}"), "plan": "basic"});
    let started = one
        .post(
            &format!("/accounts/{id}/subscriptions"),
            &format!("start {id}"),
            &order,
        )
        .await
        .expect(201)
        .json();
    let invoice = started["invoices"][0]["id"].as_str().expect("an invoice");
    one.post(
        &format!("/accounts/{id}/invoices/{invoice}/pay"),
        &format!("pay {id}"),
        &json!({}),
    )
    .await
    .expect(200);
}

/// So many exports of one credit at once, by turns through both processes.
async fn exports(pair: &Pair, id: &str, count: usize) -> Vec<Answer> {
    let path = format!("/accounts/{id}/debits");
    let export = json!({"credits": "1", "feature": "export"});
    join_all((0..count).map(|number| {
        let (client, path, export) = (&pair.clients[number % 2], &path, &export);
        async move { client.post(path, &format!("export {id} {number}"), export).await }
    }))
    .await
}

fn with_status(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_five_lets_five_of_twelve_through() {
    let pair = Pair::start().await;
    publish(&pair).await;
    for round in 0..scaled(50) {
        let id = format!("limited-{round}");
        subscriber(&pair, &id).await;
        let answers = exports(&pair, &id, 12).await;
        assert_eq!(
            (with_status(&answers, 201), with_status(&answers, 402)),
            (5, 7),
            "round {round}"
        );
        for refused in answers.iter().filter(|answer| answer.status == 402) {
            let problem = refused.json();
            assert_eq!(
                (&problem["code"], &problem["limit"], &problem["remaining"]),
                (&json!("limit_reached"), &json!("5"), &json!("0"))
            );
        }
        let balance = pair.clients[1].get(&format!("/accounts/{id}/balance")).await;
        assert_eq!(balance.expect(200).json()["available"], "95", "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_spent_while_a_trial_ends_is_spent_before_its_end_or_not_at_all() {
    let pair = Pair::start().await;
    publish(&pair).await;
    for round in 0..scaled(50) {
        let id = format!("trying-{round}");
        let [one, other] = &pair.clients;
        one.post("/accounts", &format!("open {id}"), &json!({"id": id}))
            .await
            .expect(201);
        let trial = json!({"id": "t", "plan": "pro"});
        one.post(&format!("/accounts/{id}/trials"), &format!("try {id}"), &trial)
            .await
            .expect(201);
        let (path, key, now) = (
            format!("/accounts/{id}/trials/t/cancel"),
            format!("end {id}"),
            json!({"when": "now"}),
        );
        let (answers, ended) = tokio::join!(exports(&pair, &id, 4), other.post(&path, &key, &now));
        ended.expect(200);
        let accepted = with_status(&answers, 201);
        let expired = answers.iter().filter(|answer| answer.status == 402);
        for refused in expired.clone() {
            assert_eq!(refused.code(), "trial_expired", "round {round}");
        }
        assert_eq!(accepted + expired.count(), answers.len(), "round {round}");
        let history: Vec<String> = sqlx::query_scalar(
            "select event_type from events where aggregate_type = 'account' and aggregate_id like '%/' || $1 \
             order by sequence",
        )
        .bind(&id)
        .fetch_all(pair.database.pool())
        .await
        .expect("the log can be read");
        let end = history.iter().position(|event| event == "TrialCancelled");
        let before = history[..end.expect("the trial ended")].iter();
        assert_eq!(
            before.filter(|event| *event == "CreditsConsumed").count(),
            accepted,
            "round {round}: {history:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_upgrades_at_once_the_later_stands_and_each_is_charged_for_what_it_changed() {
    let pair = Pair::start().await;
    publish(&pair).await;
    for round in 0..scaled(50) {
        let id = format!("rising-{round}");
        subscriber(&pair, &id).await;
        let path = format!("/accounts/{id}/subscriptions/s-{id}");
        let upgrades = ["pro", "max"].map(|plan| (plan, format!("{plan} {id}"), json!({"plan": plan})));
        let answers = join_all(
            upgrades
                .iter()
                .zip(&pair.clients)
                .map(|((_, key, body), client)| {
                    let path = &path;
                    async move {
                        client
                            .try_send(Method::PATCH, path, key, body)
                            .await
                            .expect("an answer")
                    }
                }),
        )
        .await;
        let changed: Vec<Value> = answers
            .into_iter()
            .map(|answer| answer.expect(200).json())
            .collect();
        let last = changed
            .iter()
            .max_by_key(|it| it["version"].as_u64())
            .expect("two");
        let shown = pair.clients[0].get(&path).await.expect(200).json();
        assert_eq!(shown["items"], last["items"], "round {round}");
        let plan = shown["items"][0]["plan"].as_str().expect("a plan");
        let price = PLANS
            .iter()
            .find(|(name, _)| *name == plan)
            .expect("one of ours")
            .1;
        let invoices = pair.clients[1].get(&format!("/accounts/{id}/invoices")).await;
        let invoices = invoices.expect(200).json();
        let invoices = invoices["data"].as_array().expect("a list");
        let billed: i64 = invoices
            .iter()
            .flat_map(|invoice| invoice["lines"].as_array().expect("lines"))
            .map(|line| line["amount"]["amount"].as_i64().expect("an amount"))
            .sum();
        assert_eq!(invoices.len(), 3, "round {round}: {invoices:?}");
        assert!(
            (billed - price).abs() <= 3,
            "round {round}: within the first seconds of a month the whole of it costs {price}, not {billed}"
        );
    }
}
