//! Asking Stripe for what it did not deliver: a server that answers as Stripe's API does, over real HTTP.
#![expect(
    clippy::unused_async,
    reason = "a handler is asynchronous even if it waits for nothing"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::AppendHeaders;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tallybook_api::stripe::{Asking, StripeApi, sync};
use tallybook_api::tenants::Role;

use crate::client::{Answer, Client};
use crate::server::Server;

const KEY: &str = "sk_test_1";

/// What Stripe knows, and how it is asked.
#[derive(Clone, Default)]
struct Stripe {
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    objects: BTreeMap<String, Value>,
    /// Newest first.
    events: Vec<Value>,
    page: usize,
    /// Answers to give before any other.
    failures: Vec<StatusCode>,
    /// How many seconds those ask to be left alone for.
    retry_after: Option<u64>,
    asked: usize,
    /// When it last was.
    asked_at: Option<Instant>,
}

/// A status, and how long to wait if that is said.
type Refused = (StatusCode, AppendHeaders<Option<(HeaderName, String)>>);

fn refused(status: StatusCode) -> Refused {
    (status, AppendHeaders(None))
}

impl Stripe {
    async fn serve(&self) -> String {
        let routes = Router::new()
            .route("/v1/events", get(Self::events))
            .route("/v1/{resource}/{id}", get(Self::object))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    fn know<T>(&self, with: impl FnOnce(&mut Known) -> T) -> T {
        with(&mut self.known.lock().expect("not poisoned"))
    }

    fn refuse(&self, headers: &HeaderMap) -> Result<(), Refused> {
        self.know(|known| {
            known.asked += 1;
            known.asked_at = Some(Instant::now());
            let bearer = format!("Bearer {KEY}");
            let is_ours = headers.get("authorization").is_some_and(|it| *it == bearer);
            if let Some(status) = known.failures.pop() {
                let pause = known
                    .retry_after
                    .map(|seconds| (header::RETRY_AFTER, seconds.to_string()));
                return Err((status, AppendHeaders(pause)));
            }
            is_ours
                .then_some(())
                .ok_or_else(|| refused(StatusCode::UNAUTHORIZED))
        })
    }

    async fn object(
        State(stripe): State<Self>,
        Path((_, id)): Path<(String, String)>,
        headers: HeaderMap,
    ) -> Result<Json<Value>, Refused> {
        stripe.refuse(&headers)?;
        let object = stripe.know(|known| known.objects.get(&id).cloned());
        object.map(Json).ok_or_else(|| refused(StatusCode::NOT_FOUND))
    }

    async fn events(
        State(stripe): State<Self>,
        Query(query): Query<BTreeMap<String, String>>,
        headers: HeaderMap,
    ) -> Result<Json<Value>, Refused> {
        stripe.refuse(&headers)?;
        let since: i64 = query["created[gte]"].parse().expect("a number");
        let behind = query.get("starting_after");
        Ok(Json(stripe.know(|known| {
            let all = known
                .events
                .iter()
                .filter(|it| it["created"].as_i64() >= Some(since));
            let begin = behind.map_or(0, |id| {
                1 + all
                    .clone()
                    .position(|it| it["id"] == **id)
                    .expect("an event of ours")
            });
            let rest: Vec<_> = all.skip(begin).cloned().collect();
            let page = rest.len().min(known.page);
            json!({"object": "list", "has_more": rest.len() > page, "data": rest[..page]})
        })))
    }
}

fn payment(id: &str, account: &str) -> Value {
    json!({"object": "payment_intent", "id": id, "created": 100, "amount": 1000, "amount_received": 1000,
        "currency": "usd", "status": "succeeded", "livemode": false,
        "metadata": {"account_id": account, "credits": "100"}})
}

fn succeeded(event: usize, created: i64) -> Value {
    json!({"id": format!("evt_{event}"), "object": "event", "type": "payment_intent.succeeded", "created": created,
        "livemode": false, "data": {"object": payment(&format!("pi_{event}"), "buyer")}, "request": {"id": null}})
}

async fn served(stripe: &Stripe) -> (Server, Client) {
    let server = Server::asking(&stripe.serve().await).await;
    let client = server.tenant("t", Role::Admin).await;
    put_endpoint(&client, KEY).await;
    (server, client)
}

async fn put_endpoint(client: &Client, key: &str) {
    let body = json!({"secrets": ["whsec_1"], "api_key": key});
    let put = client.put("/v1/stripe/endpoints/main", body).await.accepted(200);
    assert_eq!(put["api_key"], json!(true), "it goes in and never comes out");
}

async fn settle(client: &Client, object: &str) -> Answer {
    client.post("/v1/stripe/settle", json!({"object": object})).await
}

#[tokio::test]
async fn a_success_page_that_is_before_the_webhook_gets_its_credits_from_what_stripe_says() {
    let stripe = Stripe::default();
    stripe.know(|known| known.objects.insert("pi_1".to_owned(), payment("pi_1", "buyer")));
    let (server, client) = served(&stripe).await;
    for _ in 0..3 {
        let settled = settle(&client, "pi_1").await.accepted(200);
        assert_eq!(settled["account"], json!("buyer"));
    }
    assert_eq!(client.available("buyer").await, "100");
    let deliveries = client
        .get("/v1/stripe/deliveries?object=pi_1")
        .await
        .accepted(200);
    assert_eq!(
        deliveries["data"].as_array().map(Vec::len),
        Some(1),
        "what says the same is stored once"
    );
    settle(&client, "pi_2").await.refused(404, "object_not_found");
    server.stop().await;
}

#[tokio::test]
async fn a_stripe_that_fails_is_asked_again_and_then_left_alone() {
    let stripe = Stripe::default();
    stripe.know(|known| {
        known.objects.insert("pi_1".to_owned(), payment("pi_1", "buyer"));
        known.failures = vec![StatusCode::SERVICE_UNAVAILABLE];
    });
    let (server, client) = served(&stripe).await;
    settle(&client, "pi_1").await.accepted(200);
    stripe.know(|known| known.failures = vec![StatusCode::BAD_GATEWAY; 100]);
    for _ in 0..4 {
        settle(&client, "pi_2").await.refused(503, "stripe_unavailable");
    }
    let asked = stripe.know(|known| known.asked);
    assert!(
        asked < 2 + 4 * 3,
        "left alone after five failures, and yet asked {asked} times"
    );
    // What was delivered can be settled without Stripe.
    settle(&client, "pi_1").await.accepted(200);
    server.stop().await;
}

#[tokio::test]
async fn stripe_is_not_asked_again_before_it_wants_to_be() {
    const PAUSE: Duration = Duration::from_secs(4);
    let stripe = Stripe::default();
    stripe.know(|known| {
        known.objects.insert("pi_1".to_owned(), payment("pi_1", "buyer"));
        known.failures = vec![StatusCode::TOO_MANY_REQUESTS];
        known.retry_after = Some(PAUSE.as_secs());
    });
    let (server, client) = served(&stripe).await;
    let begun = Instant::now();
    settle(&client, "pi_1").await.accepted(200);
    let (asked, last) = stripe.know(|known| (known.asked, known.asked_at.expect("asked")));
    assert_eq!(asked, 2, "once more, and then it answers");
    assert!(last - begun >= PAUSE, "asked again after {:?}", last - begun);

    // An hour is too long for whoever waits for an answer, and holds for the next who asks, too.
    stripe.know(|known| {
        known.failures = vec![StatusCode::TOO_MANY_REQUESTS];
        known.retry_after = Some(3_600);
    });
    for _ in 0..2 {
        let answer = settle(&client, "pi_2").await;
        let pause: u64 = answer
            .header("retry-after")
            .expect("it says when")
            .parse()
            .expect("seconds");
        assert!((3_000..=3_601).contains(&pause), "{pause} s");
        answer.refused(503, "stripe_unavailable");
    }
    assert_eq!(stripe.know(|known| known.asked), 3, "once");
    // Another key is another's business.
    put_endpoint(&client, "rk_test_other").await;
    settle(&client, "pi_2").await.refused(502, "stripe_refuses");
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_the_other_mode_or_of_no_shape_is_refused_and_a_wrong_one_is_told() {
    let stripe = Stripe::default();
    let (server, client) = served(&stripe).await;
    for key in ["sk_live_1", "pk_test_1", "whsec_1", "sk_test_\u{e9}"] {
        let body = json!({"secrets": ["whsec_1"], "api_key": key});
        let refused = client.put("/v1/stripe/endpoints/other", body).await;
        let problem = refused.refused(422, "invalid_field");
        assert_eq!(problem["field"], json!("api_key"), "{key}");
    }
    put_endpoint(&client, "rk_test_wrong").await;
    settle(&client, "pi_1").await.refused(502, "stripe_refuses");
    server.stop().await;
}

#[tokio::test]
async fn a_sync_reads_all_pages_and_one_that_was_cut_short_goes_on_where_it_stopped() {
    let stripe = Stripe::default();
    stripe.know(|known| {
        known.page = 2;
        known.events = (0..9)
            .rev()
            .map(|n| succeeded(n, 1_000 + i64::try_from(n).expect("small")))
            .collect();
    });
    let address = stripe.serve().await;
    let server = Server::asking(&address).await;
    let client = server.tenant("t", Role::Admin).await;
    put_endpoint(&client, KEY).await;
    let state = server.engine.state();
    let api = StripeApi::new(address.parse().expect("a URL")).expect("a client");
    let asking = Asking::of_tenant(&state.pool, "t").await.expect("read");

    // Three pages are read, then Stripe is gone.
    let mut pages = 0;
    let cut = sync(&state.stripe, &api, &asking[0], 1_001, |_| {
        pages += 1;
        if pages == 3 {
            stripe.know(|known| known.failures = vec![StatusCode::UNAUTHORIZED]);
        }
    })
    .await;
    assert!(cut.is_err());
    stripe.know(|known| known.events.insert(0, succeeded(9, 2_000)));
    let asked_before = stripe.know(|known| known.asked);
    let rest = sync(&state.stripe, &api, &asking[0], 1_001, |_| ())
        .await
        .expect("read to the end");
    assert_eq!(
        (rest.read, rest.new, rest.refused),
        (3, 3, 0),
        "the new one, and the two that were missing"
    );
    assert!(stripe.know(|known| known.asked) - asked_before <= 3);

    let again = sync(&state.stripe, &api, &asking[0], 0, |_| ())
        .await
        .expect("all of it");
    assert_eq!(
        (again.read, again.new),
        (10, 1),
        "what was delivered is counted, what is older is new"
    );
    server.stop().await;
}
