//! One thing, a hundred buyers, two server processes: one of them has it, the others paid nothing.

use std::collections::BTreeMap;

use futures::future::join_all;
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
