//! Two server processes on one database: no credit is spent twice, nothing is recorded twice, no answer is lost.

use futures::future::join_all;
use serde_json::json;
use tallybook_tests::client::{Answer, Client};
use tallybook_tests::database::TestDatabase;
use tallybook_tests::scale::scaled;
use tallybook_tests::server::Server;
use tallybook_tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Pair {
    pub(crate) database: TestDatabase,
    servers: [Option<Server>; 2],
    pub(crate) clients: [Client; 2],
}

impl Pair {
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::create().await;
        let first = Server::start(&database).await;
        let second = Server::start(&database).await;
        assert!(second.admin_key().is_none(), "the admin key is shown once");
        let one = first.admin();
        let other = second.client(one.api_key());
        Self {
            database,
            servers: [Some(first), Some(second)],
            clients: [one, other],
        }
    }

    /// An account with so many credits.
    pub(crate) async fn account(&self, id: &str, credits: u32) {
        let [one, _] = &self.clients;
        one.post("/accounts", &format!("open {id}"), &json!({"id": id}))
            .await
            .expect(201);
        let grant = json!({"credits": credits.to_string(), "source": "promotional"});
        one.post(&format!("/accounts/{id}/grants"), &format!("first {id}"), &grant)
            .await
            .expect(201);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_credit_is_spent_twice_by_200_debits_at_once() {
    let pair = Pair::start().await;
    pair.account("acme", 100).await;
    let debit = json!({"credits": "1"});
    let answers: Vec<Answer> = join_all((0..200).map(|number| {
        let (client, debit) = (&pair.clients[number % 2], &debit);
        async move {
            client
                .post("/accounts/acme/debits", &format!("debit {number}"), debit)
                .await
        }
    }))
    .await;

    let accepted: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 402).collect();
    assert_eq!((accepted.len(), refused.len()), (100, 100), "{answers:?}");
    for answer in &refused {
        let problem = answer.json();
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(
            (
                &problem["code"],
                &problem["required"],
                &problem["available"],
                &problem["shortfall"]
            ),
            (
                &json!("insufficient_credits"),
                &json!("1"),
                &json!("0"),
                &json!("1")
            )
        );
    }
    let mut left: Vec<u32> = accepted
        .iter()
        .map(|answer| {
            answer.json()["balance"]["available"]
                .as_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    left.sort_unstable();
    assert_eq!(
        left,
        (0..100).collect::<Vec<_>>(),
        "each debit was judged on what the one before left"
    );
    for client in &pair.clients {
        let balance = client.get("/accounts/acme/balance").await.expect(200).json();
        assert_eq!(balance["available"], "0");
    }
    assert_eq!(pair.database.events().await, 2 + 100, "a refusal leaves no trace");
    assert_eq!(pair.database.streams_with_a_gap().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_new_key_sent_50_times_at_once_gives_one_event_and_one_answer() {
    let pair = Pair::start().await;
    pair.account("acme", 100).await;
    for round in 0..scaled(5) {
        let before = pair.database.events().await;
        let key = format!("spend {round}");
        let debit = json!({"credits": "0.125", "feature": "render", "reference": format!("order-{round}")});
        let answers = join_all((0..50).map(|number| {
            let (client, key, debit) = (&pair.clients[number % 2], &key, &debit);
            async move { client.post("/accounts/acme/debits", key, debit).await }
        }))
        .await;
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &answers[0].body));
        }
        let first = answers.iter().filter(|answer| !answer.is_replayed()).count();
        let was_busy = answers.iter().any(|answer| answer.retried);
        assert!(first == 1 || (first == 0 && was_busy), "{first} first answers");
        let positions: Vec<_> = answers
            .iter()
            .map(|answer| answer.header("tallybook-position"))
            .collect();
        assert!(
            positions
                .iter()
                .all(|position| position.is_some() && *position == positions[0])
        );
        assert_eq!(pair.database.commands_under(&key).await, 1);
        assert_eq!(pair.database.events().await, before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_granted_the_other_never_refuses() {
    let pair = Pair::start().await;
    pair.account("acme", 7).await;
    // Down to nothing, so that every debit needs the grant just made.
    pair.clients[1]
        .post("/accounts/acme/debits", "empty", &json!({"credits": "7"}))
        .await
        .expect(201);
    let rounds = scaled(1_000);
    for round in 0..rounds {
        let (granting, spending) = (&pair.clients[round % 2], &pair.clients[(round + 1) % 2]);
        let credits = format!("{}.{}", 1 + round % 9, 1 + round % 7);
        let grant = json!({"credits": credits, "source": "paid"});
        granting
            .post("/accounts/acme/grants", &format!("grant {round}"), &grant)
            .await
            .expect(201);
        let debit = json!({"credits": credits});
        let answer = spending
            .post("/accounts/acme/debits", &format!("debit {round}"), &debit)
            .await;
        assert_eq!(answer.status, 201, "round {round}: {answer:?}");
        assert_eq!(answer.json()["balance"]["available"], "0", "round {round}");
    }
    let written = i64::try_from(2 * rounds + 3).unwrap();
    assert_eq!(pair.database.events().await, written);
    assert_eq!(pair.database.streams_with_a_gap().await, 0);
}

/// The worst moment: the debit is committed, its server dies before anybody read the answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_credit_spent_by_a_server_that_then_dies_is_answered_by_either() {
    let mut pair = Pair::start().await;
    for round in 0..scaled(6) {
        let account = format!("acme-{round}");
        pair.account(&account, 1).await;
        let path = format!("/accounts/{account}/debits");
        let key = format!("last of {account}");
        let debit = json!({"credits": "1", "reference": "the last one"});

        let dying = round % 2;
        let mut unread = send_and_do_not_read(&pair.clients[dying], &path, &key, &debit.to_string()).await;
        wait::until("the debit in the log", wait::PATIENCE, async || {
            (pair.database.commands_under(&key).await == 1).then_some(())
        })
        .await;
        pair.servers[dying].take().expect("it ran").kill().await;

        let survivor = pair.clients[1 - dying].clone();
        let by_survivor = survivor.post(&path, &key, &debit).await.expect(201);
        let reborn = Server::start(&pair.database).await;
        pair.clients[dying] = reborn.client(survivor.api_key());
        pair.servers[dying] = Some(reborn);
        let by_reborn = pair.clients[dying].post(&path, &key, &debit).await.expect(201);
        assert!(by_survivor.is_replayed() && by_reborn.is_replayed());
        assert_eq!(
            by_survivor.body, by_reborn.body,
            "either process gives the first answer"
        );
        assert_eq!(by_survivor.json()["balance"]["available"], "0");
        if let Some(first) = body_that_arrived(&mut unread).await {
            assert_eq!(first, by_survivor.body, "the retry's body is the first answer's");
        }
        assert_eq!(pair.database.commands_under(&key).await, 1);
        let another = survivor
            .post(&path, "one more", &json!({"credits": "1"}))
            .await
            .expect(402);
        assert_eq!(another.code(), "insufficient_credits");
        let reused = survivor
            .post(&path, &key, &json!({"credits": "0.5"}))
            .await
            .expect(409);
        assert_eq!(reused.code(), "idempotency_key_reused");
    }
}

/// Write a request to a connection of its own and leave the answer there.
async fn send_and_do_not_read(client: &Client, path: &str, key: &str, body: &str) -> TcpStream {
    let address = client.base().strip_prefix("http://").expect("plain HTTP");
    let request = format!(
        "POST /v1{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        client.api_key(),
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream
}

/// The body of the answer, if all of it had left the server.
async fn body_that_arrived(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut answer = Vec::new();
    // A reset by the death of the server: what came before it counts.
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    (length == Some(body.len())).then(|| body.as_bytes().to_vec())
}
