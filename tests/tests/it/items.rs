//! One thing, a hundred buyers, two server processes: one of them has it, the others paid nothing.

use std::collections::BTreeMap;

use futures::future::{join, join_all};
use serde_json::json;
use tallybook_tests::client::Client;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::scale::scaled;
use tallybook_tests::server::Server;

const BUYERS: usize = 100;
const ROUNDS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn case_22_of_100_buyers_of_one_thing_one_wins_and_99_pay_nothing() {
    let database = TestDatabase::create().await;
    let servers = [Server::start(&database).await, Server::start(&database).await];
    let one = servers[0].admin();
    let clients = [one.clone(), servers[1].client(one.api_key())];
    let rounds = scaled(ROUNDS);
    let purse = 2 * rounds;
    join_all((0..BUYERS).map(|buyer| open(&clients[buyer % 2], buyer, purse))).await;
    let opened = database.events().await;

    let mut won: BTreeMap<usize, usize> = BTreeMap::new();
    for round in 0..rounds {
        let item = format!("thing-{round}");
        let listed = json!({"id": item, "credits": "2"});
        one.post("/items", &item, &listed).await.expect(201);
        // The first to ask is another one each round, at the other server.
        let answers = join_all((0..BUYERS).map(|n| (n + round) % BUYERS).map(|buyer| {
            let (client, item) = (&clients[(buyer + round) % 2], &item);
            async move {
                let body = json!({"account": format!("buyer-{buyer}")});
                let path = format!("/items/{item}/buy");
                (buyer, client.post(&path, &format!("{item} {buyer}"), &body).await)
            }
        }))
        .await;
        let (winners, losers): (Vec<_>, Vec<_>) =
            answers.iter().partition(|(_, answer)| answer.status == 201);
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        let sold_at = winners[0].1.json()["sold_at"].clone();
        for (buyer, answer) in losers {
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (409, "item_already_sold"),
                "{buyer}"
            );
            assert_eq!(answer.json()["sold_at"], sold_at, "round {round}");
        }
        let shown = clients[round % 2]
            .get(&format!("/items/{item}"))
            .await
            .expect(200)
            .json();
        assert_eq!(
            shown["account"],
            format!("buyer-{}", winners[0].0),
            "round {round}"
        );
        *won.entry(winners[0].0).or_default() += 1;
    }

    for buyer in 0..BUYERS {
        let path = format!("/accounts/buyer-{buyer}/balance");
        let balance = clients[buyer % 2].get(&path).await.expect(200).json();
        let left = purse - 2 * won.get(&buyer).copied().unwrap_or_default();
        assert_eq!(
            balance["available"],
            left.to_string(),
            "buyer {buyer} paid for what they have"
        );
    }
    let written = i64::try_from(3 * rounds).expect("a small number");
    assert_eq!(
        database.events().await,
        opened + written,
        "listed, sold, paid: who lost left no trace"
    );
    assert_eq!(database.streams_with_a_gap().await, 0);
}

/// Two clerks give the same sale back while ten others want the thing: it is given back once, and sold again at most once.
#[tokio::test(flavor = "multi_thread")]
async fn case_21_a_refund_and_ten_new_buyers_at_once_end_with_one_return_and_one_owner() {
    let database = TestDatabase::create().await;
    let servers = [Server::start(&database).await, Server::start(&database).await];
    let one = servers[0].admin();
    let clients = [one.clone(), servers[1].client(one.api_key())];
    let rounds = scaled(ROUNDS);
    let purse = 2 * rounds;
    join_all((0..=10).map(|buyer| open(&clients[buyer % 2], buyer, purse))).await;
    let mut has: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds {
        let item = format!("returned-{round}");
        let listed = json!({"id": item, "credits": "2"});
        one.post("/items", &item, &listed).await.expect(201);
        let buy = format!("/items/{item}/buy");
        let body = json!({"account": "buyer-0"});
        let sold = one
            .post(&buy, &format!("{item} first"), &body)
            .await
            .expect(201)
            .json();
        let refund = async |clerk: usize| {
            let key = format!("{item} clerk {clerk}");
            let named = json!({"debit": sold["debit"]});
            clients[clerk]
                .post(&format!("/items/{item}/refund"), &key, &named)
                .await
        };
        let bought = async |buyer: usize| {
            let body = json!({"account": format!("buyer-{buyer}")});
            clients[(buyer + round) % 2]
                .post(&buy, &format!("{item} {buyer}"), &body)
                .await
        };
        let (refunds, sales) = join(
            join_all([refund(round % 2), refund(1 - round % 2)]),
            join_all((1..=10).map(bought)),
        )
        .await;
        let accepted = refunds.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(accepted, 1, "round {round}: {refunds:?}");
        let refused = refunds
            .iter()
            .find(|answer| answer.status != 200)
            .expect("the other clerk");
        assert_eq!(refused.code(), "item_already_returned");
        let winners = sales.iter().filter(|answer| answer.status == 201).count();
        assert!(winners <= 1, "round {round}: {sales:?}");
        let shown = one.get(&format!("/items/{item}")).await.expect(200).json();
        match shown["account"].as_str() {
            Some(owner) => {
                assert_eq!(winners, 1);
                assert_ne!(owner, "buyer-0", "who gave it back does not have it");
                *has.entry(owner.to_owned()).or_default() += 1;
            }
            None => assert_eq!(winners, 0),
        }
    }
    for buyer in 0..=10 {
        let path = format!("/accounts/buyer-{buyer}/balance");
        let balance = one.get(&path).await.expect(200).json();
        let left = purse - 2 * has.get(&format!("buyer-{buyer}")).copied().unwrap_or_default();
        assert_eq!(balance["available"], left.to_string(), "buyer {buyer}");
    }
    assert_eq!(database.streams_with_a_gap().await, 0);
}

async fn open(client: &Client, buyer: usize, purse: usize) {
    let id = format!("buyer-{buyer}");
    client
        .post("/accounts", &format!("open {id}"), &json!({"id": id}))
        .await
        .expect(201);
    let grant = json!({"credits": purse.to_string(), "source": "promotional"});
    client
        .post(&format!("/accounts/{id}/grants"), &format!("first {id}"), &grant)
        .await
        .expect(201);
}
