//! Spending between a grant and its refund, expiring, holding; and books that balance whatever happens.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use futures::future::{join, join_all};
use serde_json::{Value, json};
use tallybook_tests::binary;
use tallybook_tests::client::{Answer, Client};
use tallybook_tests::database::TestDatabase;
use tallybook_tests::deliveries::disturbed;
use tallybook_tests::server::Server;
use tallybook_tests::stripe_events::{charge, customer, event, payment_intent, refund};
use tallybook_tests::wait;
use tallybook_tests::webhook::{Feed, deliver, open_endpoint, settled_state};

/// A decimal number in millionths.
fn millionths(text: &str) -> i128 {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    sign * format!("{whole}{fraction:0<6}").parse::<i128>().expect("digits")
}

/// The trial balance as of the log's head, in millionths of each commodity: (account, commodity) to debit less credit.
async fn trial_balance(client: &Client, after: &Answer) -> BTreeMap<(String, String), i128> {
    let position = after
        .header("tallybook-position")
        .expect("a write says its position");
    let answer = client
        .get_at("/ledger/trial-balance", position)
        .await
        .expect(200)
        .json();
    let rows = answer["rows"].as_array().expect("rows");
    let text = |row: &Value, name: &str| row[name].as_str().expect("text").to_owned();
    let number = |row: &Value, name: &str| millionths(text(row, name).split(' ').next().unwrap_or_default());
    rows.iter()
        .map(|row| {
            let net = number(row, "closing_debit") - number(row, "closing_credit");
            ((text(row, "account"), text(row, "commodity")), net)
        })
        .collect()
}

fn assert_balanced(balance: &BTreeMap<(String, String), i128>) {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for ((_, commodity), net) in balance {
        *sums.entry(commodity).or_default() += net;
    }
    assert!(
        !sums.is_empty() && sums.values().all(|sum| *sum == 0),
        "{balance:?}"
    );
}

async fn balance(client: &Client, account: &str) -> Value {
    client
        .get(&format!("/accounts/{account}/balance"))
        .await
        .expect(200)
        .json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_takes_back_what_it_paid_for_even_if_it_was_spent() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    open_endpoint(&client).await;
    for (id, kind, object) in [
        ("evt_1", "customer.created", customer("cus_1", "acme")),
        (
            "evt_2",
            "payment_intent.succeeded",
            payment_intent("pi_1", "cus_1", 5_000, "500"),
        ),
        (
            "evt_3",
            "charge.succeeded",
            charge("pi_1", "cus_1", 5_000, 0, "500"),
        ),
    ] {
        deliver(&client, &event(id, kind, 1, &object)).await.expect(200);
    }
    settled_state(&database).await;
    assert_eq!(balance(&client, "acme").await["available"], "500");

    let spent = client
        .post("/accounts/acme/debits", "spend", &json!({"credits": "450"}))
        .await
        .expect(201);
    assert_eq!(
        spent.json()["slices"][0]["cost"],
        json!({"amount": 4_500, "currency": "usd"})
    );

    // 30% refunded takes 150 of the 500 credits back; 50 are left, so 100 are owed.
    deliver(
        &client,
        &event("evt_4", "refund.created", 60, &refund("re_1", "pi_1", 1_500, 60)),
    )
    .await
    .expect(200);
    let refunded = charge("pi_1", "cus_1", 5_000, 1_500, "500");
    deliver(&client, &event("evt_5", "charge.refunded", 60, &refunded))
        .await
        .expect(200);
    let state = settled_state(&database).await;
    let credits = &state["totals"]["credits"];
    assert_eq!(
        (&credits["clawed_back"], &credits["debt"]),
        (&json!("150"), &json!("100")),
        "{credits}"
    );
    let owing = balance(&client, "acme").await;
    assert_eq!(
        (&owing["available"], &owing["overdraft"]),
        (&json!("0"), &json!("100"))
    );

    let debit = json!({"credits": "1"});
    let refused = client
        .post("/accounts/acme/debits", "more", &debit)
        .await
        .expect(402);
    let problem = refused.json();
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
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
            &json!("-100"),
            &json!("101")
        )
    );
    // New credits cover the debt first.
    let gift = json!({"credits": "100.5", "source": "goodwill"});
    client
        .post("/accounts/acme/grants", "gift", &gift)
        .await
        .expect(201);
    let short = client
        .post("/accounts/acme/debits", "more", &debit)
        .await
        .expect(402)
        .json();
    assert_eq!(
        (&short["available"], &short["shortfall"]),
        (&json!("0.5"), &json!("0.5"))
    );
    let written = client
        .post("/accounts/acme/debits", "less", &json!({"credits": "0.5"}))
        .await
        .expect(201);

    let books = trial_balance(&client, &written).await;
    assert_balanced(&books);
    let usd = |account: &str| books.get(&(account.to_owned(), "USD".to_owned())).copied();
    assert_eq!(usd("1110"), Some(35_000_000), "50.00 came in, 15.00 went back");
    assert_eq!(usd("2135").unwrap_or(0), 0, "no cash is unapplied");
    binary::run(["verify", "--database-url", &database.url()])
        .await
        .succeeded();
}

/// Ten packs of 100 are bought and half of each refunded, in any order, while two servers spend what there is.
#[tokio::test(flavor = "multi_thread")]
async fn spending_while_packs_are_bought_and_refunded_conserves_every_credit() {
    let database = TestDatabase::create().await;
    let first = Server::start(&database).await;
    let second = Server::start(&database).await;
    let client = first.admin();
    let clients = [client.clone(), second.client(client.api_key())];
    open_endpoint(&client).await;
    client
        .post("/accounts", "open", &json!({"id": "acme"}))
        .await
        .expect(201);

    let mut bodies = vec![event("evt_0", "customer.created", 0, &customer("cus_1", "acme"))];
    for pack in 0..10 {
        let intent = format!("pi_{pack}");
        let paid = payment_intent(&intent, "cus_1", 1_000, "100");
        bodies.push(event(
            &format!("evt_paid{pack}"),
            "payment_intent.succeeded",
            1,
            &paid,
        ));
        let charged = charge(&intent, "cus_1", 1_000, 0, "100");
        bodies.push(event(
            &format!("evt_charged{pack}"),
            "charge.succeeded",
            1,
            &charged,
        ));
        let back = refund(&format!("re_{pack}"), &intent, 500, 9);
        bodies.push(event(&format!("evt_back{pack}"), "refund.created", 9, &back));
        let refunded = charge(&intent, "cus_1", 1_000, 500, "100");
        bodies.push(event(
            &format!("evt_refunded{pack}"),
            "charge.refunded",
            9,
            &refunded,
        ));
    }
    let feed = Feed::new(disturbed(&bodies, 5, 0.3), clients.to_vec());
    let (total, deadline) = (AtomicI64::new(0), Instant::now() + wait::PATIENCE);
    let spending = join_all((0..6).map(|caller| {
        let (client, total) = (&clients[caller % 2], &total);
        async move {
            let (mut spent, mut number) = (0, 0);
            // On until something was there to spend, for any of them.
            while number < 60 || (total.load(Ordering::Relaxed) == 0 && Instant::now() < deadline) {
                let debit = json!({"credits": "5"});
                let answer = client
                    .post("/accounts/acme/debits", &format!("{caller} {number}"), &debit)
                    .await;
                assert!([201, 402].contains(&answer.status), "{answer:?}");
                if answer.status == 201 {
                    spent += 5;
                    total.fetch_add(5, Ordering::Relaxed);
                }
                number += 1;
            }
            spent
        }
    }));
    let (spent, ()) = join(spending, feed.deliver()).await;
    let spent: i128 = spent.into_iter().sum();
    assert!(spent > 0, "the packs and their refunds met spending");
    let credits = settled_state(&database).await["totals"]["credits"].clone();
    let of = |name: &str| millionths(credits[name].as_str().expect("text"));
    assert_eq!(
        (of("granted"), of("clawed_back")),
        (1_000_000_000, 500_000_000),
        "{credits}"
    );
    assert_eq!(of("consumed"), spent * 1_000_000, "{credits}");
    assert_eq!(
        of("available") + of("consumed") - of("debt"),
        500_000_000,
        "{credits}"
    );
    let grant = json!({"credits": "1000", "source": "goodwill"});
    let written = client
        .post("/accounts/acme/grants", "last", &grant)
        .await
        .expect(201);
    let books = trial_balance(&client, &written).await;
    assert_balanced(&books);
    assert_eq!(
        books.get(&("1110".to_owned(), "USD".to_owned())),
        Some(&50_000_000),
        "10 x (10.00 - 5.00)"
    );
    binary::run(["verify", "--database-url", &database.url()])
        .await
        .succeeded();
}

/// An account with 5 credits that last and 10 that expire, 8 of which are held beyond that.
struct Expiring {
    database: TestDatabase,
    client: Client,
    /// What runs it.
    _server: Server,
    expires_at: i64,
    hold: String,
}

impl Expiring {
    /// With credits that live as long as all of this takes here.
    async fn open() -> Self {
        for seconds in [3, 15, 75, 375] {
            if let Some(opened) = Self::open_for(seconds).await {
                return opened;
            }
        }
        panic!("four requests take more than six minutes");
    }

    /// With credits that live so long; nothing if they expired on the way.
    async fn open_for(seconds: i64) -> Option<Self> {
        let database = TestDatabase::create().await;
        let server = Server::start(&database).await;
        let client = server.admin();
        client
            .post("/accounts", "open", &json!({"id": "acme"}))
            .await
            .expect(201);
        let expires_at = now_in_seconds() + seconds;
        let grant = |credits: &str, expires_at: Option<String>| json!({"credits": credits, "source": "paid", "cost": {"amount": 1_000, "currency": "usd"}, "expires_at": expires_at});
        let lasting = client
            .post("/accounts/acme/grants", "lasting", &grant("5", None))
            .await;
        let passing = grant("10", Some(rfc3339(expires_at)));
        let passing = client.post("/accounts/acme/grants", "passing", &passing).await;
        // From what expires first: 8 of the 10.
        let held = json!({"credits": "8", "expires_in_seconds": seconds * 3 / 2});
        let held = client.post("/accounts/acme/holds", "hold", &held).await;
        let refused = json!({"credits": "7.000001"});
        let refused = client.post("/accounts/acme/debits", "too much", &refused).await;
        if now_in_seconds() >= expires_at {
            return None;
        }
        lasting.expect(201);
        passing.expect(201);
        let held = held.expect(201).json();
        assert_eq!(
            (&held["balance"]["available"], &held["balance"]["held"]),
            (&json!("7"), &json!("8"))
        );
        assert_eq!(refused.expect(402).json()["shortfall"], "0.000001");
        Some(Self {
            database,
            client,
            _server: server,
            expires_at,
            hold: held["id"].as_str().expect("an id").to_owned(),
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_expire_on_the_instant_and_a_hold_ends_by_itself() {
    let Expiring {
        database,
        client,
        _server,
        expires_at,
        hold,
    } = Expiring::open().await;
    // At the expiry the 2 that are not held go; what is held outlives it until the hold ends.
    wait::until("the credits to expire", wait::PATIENCE, async || {
        (balance(&client, "acme").await["available"] == "5").then_some(())
    })
    .await;
    let at_expiry = rfc3339(expires_at);
    let as_of = client
        .get(&format!("/accounts/acme/balance?as_of={at_expiry}"))
        .await
        .expect(200)
        .json();
    assert_eq!((&as_of["available"], &as_of["held"]), (&json!("5"), &json!("8")));
    wait::until("the hold to end", wait::PATIENCE, async || {
        (balance(&client, "acme").await["held"] == "0").then_some(())
    })
    .await;
    assert_eq!(
        balance(&client, "acme").await["available"],
        "5",
        "what returns to an expired lot expires at once"
    );
    let late = client
        .post(
            &format!("/accounts/acme/holds/{hold}/capture"),
            "late",
            &json!({}),
        )
        .await
        .expect(409);
    assert_eq!(late.code(), "hold_ended");
    assert_eq!(database.commands_under("late").await, 0, "refusing wrote nothing");

    let debit = json!({"credits": "5"});
    let spent = client
        .post("/accounts/acme/debits", "all", &debit)
        .await
        .expect(201);
    assert_eq!(spent.json()["balance"]["available"], "0");
    client
        .post(
            "/accounts/acme/debits",
            "none left",
            &json!({"credits": "0.000001"}),
        )
        .await
        .expect(402);
    let books = trial_balance(&client, &spent).await;
    assert_balanced(&books);
    let breakage: i128 = books
        .iter()
        .filter(|((account, _), _)| account == "U920")
        .map(|(_, net)| net)
        .sum();
    assert_eq!(breakage, 10_000_000, "all 10 expired: {books:?}");
    binary::run(["verify", "--database-url", &database.url()])
        .await
        .succeeded();
}

fn now_in_seconds() -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_secs()).expect("before the sun burns out")
}

fn rfc3339(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0)
        .expect("in the calendar")
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}
