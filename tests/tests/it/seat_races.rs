//! Seats assigned at once through two processes: never more than there are, in every round.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use tallybook_tests::client::Answer;
use tallybook_tests::scale::scaled;

use crate::two_servers::Pair;

/// A paid subscription `s` of so many seats on an account of its own.
async fn team(pair: &Pair, id: &str, quantity: u32) {
    let [one, _] = &pair.clients;
    one.post("/accounts", &format!("open {id}"), &json!({"id": id}))
        .await
        .expect(201);
    let order = json!({"id": "s", "plan": "seat", "quantity": quantity});
    let path = format!("/accounts/{id}/subscriptions");
    one.post(&path, &format!("start {id}"), &order).await.expect(201);
}

async fn publish(pair: &Pair) {
    let terms =
        json!({"name": "Seat", "price": {"kind": "per_unit", "currency": "usd", "unit_amount": "500"}});
    pair.clients[0]
        .put("/catalog/plans/seat", "seat", &terms)
        .await
        .expect(200);
}

/// Seats `<first>..`, so many at once, by turns through both processes.
async fn assign(pair: &Pair, id: &str, seats: std::ops::Range<usize>) -> Vec<Answer> {
    join_all(seats.map(|number| {
        let client = &pair.clients[number % 2];
        let path = format!("/accounts/{id}/subscriptions/s/seats/user-{number}");
        let key = format!("seat {id} {number}");
        async move { client.put(&path, &key, &json!({})).await }
    }))
    .await
}

/// How many seats are assigned, by the list of them.
async fn assigned(pair: &Pair, id: &str) -> usize {
    let path = format!("/accounts/{id}/subscriptions/s/seats");
    let seats = pair.clients[1].get(&path).await.expect(200).json();
    seats["data"].as_array().expect("a list").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn case_35_of_twelve_for_five_seats_five_get_one_and_the_others_are_told_how_many_there_are() {
    let pair = Pair::start().await;
    publish(&pair).await;
    for round in 0..scaled(50) {
        let id = format!("team-{round}");
        team(&pair, &id, 5).await;
        let answers = assign(&pair, &id, 0..12).await;
        let got = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(got, 5, "round {round}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            let problem = refused.json();
            assert_eq!(
                (refused.status, &problem["code"]),
                (409, &json!("seats_exhausted")),
                "round {round}: {problem}"
            );
            assert_eq!(
                (&problem["quantity"], &problem["assigned"]),
                (&json!(5), &json!(5))
            );
        }
        assert_eq!(assigned(&pair, &id).await, 5, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_35_a_decrease_while_seats_are_assigned_never_leaves_fewer_than_are_assigned() {
    let pair = Pair::start().await;
    publish(&pair).await;
    for round in 0..scaled(50) {
        let id = format!("shrinking-{round}");
        team(&pair, &id, 6).await;
        for answer in assign(&pair, &id, 0..3).await {
            answer.expect(200);
        }
        let path = format!("/accounts/{id}/subscriptions/s");
        let (key, fewer) = (format!("fewer {id}"), json!({"quantity": 4}));
        let decrease = pair.clients[1].try_send(Method::PATCH, &path, &key, &fewer);
        let (decreased, answers) = tokio::join!(decrease, assign(&pair, &id, 3..6));
        let decreased = decreased.expect("an answer");
        let seats = if decreased.status == 200 { 4 } else { 6 };
        if seats == 6 {
            let problem = decreased.expect(409).json();
            assert_eq!(
                (&problem["code"], &problem["quantity"]),
                (&json!("seats_in_use"), &json!(4))
            );
        }
        let got = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(assigned(&pair, &id).await, 3 + got, "round {round}");
        assert_eq!(3 + got, seats, "round {round}: as many as there are");
    }
}
