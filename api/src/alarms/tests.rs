//! Alarms on a real database, posted over real HTTP.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tallybook_domain::identity::TenantId;
use tallybook_journal::testing;
use tallybook_stripe::signature::{DEFAULT_TOLERANCE, Verifier, WebhookSecret};

use super::repo::{self, Raised};
use super::worker::{SIGNATURE, tell_due};
use super::{Address, Kind};
use crate::outbound;
use crate::tenants::{self, Mode};

const TENANT: &str = "t";
const SECRET: &str = "whsec_alarms";
const NOW: i64 = 1_900_000_000;

/// What was posted, with its signature.
type Posts = Arc<Mutex<Vec<(String, Bytes)>>>;

/// An address that answers the statuses given, then 204.
async fn listen(answers: Vec<StatusCode>) -> (String, Posts) {
    let posts = Posts::default();
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let app = Router::new().route(
        "/alarms",
        post({
            let posts = Arc::clone(&posts);
            move |headers: HeaderMap, body: Bytes| async move {
                let signature = headers[SIGNATURE].to_str().expect("ASCII").to_owned();
                posts.lock().expect("not poisoned").push((signature, body));
                let next = answers.lock().expect("not poisoned").next();
                next.unwrap_or(StatusCode::NO_CONTENT)
            }
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}/alarms", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, posts)
}

async fn pool_with_tenant() -> sqlx::PgPool {
    let journal = testing::fresh_journal().await;
    tenants::create_tenant(
        journal.pool(),
        &TenantId::from(TENANT),
        "T",
        Mode::Test,
        chrono_tz::UTC,
    )
    .await
    .expect("a new tenant");
    journal.pool().clone()
}

async fn raise(pool: &sqlx::PgPool) {
    let alarm = Raised {
        kind: Kind::DeliveryFailed,
        subject: "pi_1",
        detail: &json!({"reason": "why"}),
    };
    repo::raise(pool, TENANT, &alarm).await.expect("raised");
}

async fn tell(pool: &sqlx::PgPool) {
    sqlx::query("update alarms set retry_at = clock_timestamp()")
        .execute(pool)
        .await
        .expect("the database answers");
    let client = outbound::client().build().expect("a client");
    tell_due(pool, &client, NOW).await.expect("told");
}

#[tokio::test]
async fn an_alarm_is_posted_signed_until_it_is_taken_and_then_no_more() {
    let pool = pool_with_tenant().await;
    raise(&pool).await;
    raise(&pool).await;
    tell(&pool).await;
    let (url, posts) = listen(vec![
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::TOO_MANY_REQUESTS,
    ])
    .await;
    repo::set_address(&pool, TENANT, &url, SECRET).await.expect("set");
    for _ in 0..5 {
        tell(&pool).await;
    }
    let posts = posts.lock().expect("not poisoned").clone();
    assert_eq!(posts.len(), 3, "twice refused, once taken");
    let verifier = Verifier::new(
        vec![WebhookSecret::new(SECRET).expect("a secret")],
        DEFAULT_TOLERANCE,
    )
    .expect("one secret");
    for (signature, body) in &posts {
        verifier.verify(signature.as_bytes(), body, NOW).expect("ours");
        let told: Value = serde_json::from_slice(body).expect("JSON");
        assert_eq!(
            (&told["kind"], &told["subject"], &told["detail"]),
            (
                &json!("delivery_failed"),
                &json!("pi_1"),
                &json!({"reason": "why"})
            )
        );
    }
}

#[tokio::test]
async fn what_was_over_and_comes_again_is_another_alarm() {
    let pool = pool_with_tenant().await;
    raise(&pool).await;
    let subjects = ["pi_1".to_owned()];
    repo::clear(&pool, TENANT, &[Kind::DeliveryParked], &subjects)
        .await
        .expect("nothing to clear");
    raise(&pool).await;
    repo::clear(&pool, TENANT, &[Kind::DeliveryFailed], &subjects)
        .await
        .expect("cleared");
    raise(&pool).await;
    let list = |open_only| repo::alarms(&pool, TENANT, open_only, i64::MAX, 10);
    let all = list(false).await.expect("listed");
    assert_eq!(all.len(), 2);
    let open = list(true).await.expect("listed");
    assert_eq!(
        open.iter().map(|alarm| alarm.id).collect::<Vec<_>>(),
        [all[0].id],
        "the newest lasts"
    );
}

#[test]
fn an_address_is_http_and_its_secret_proves_something() {
    for url in ["ftp://a/b", "nothing", "http://", "file:///etc/passwd"] {
        assert!(Address::new(url, SECRET).is_err(), "{url}");
    }
    assert!(Address::new("https://example.com/alarms", " ").is_err());
    assert!(Address::new("https://example.com/alarms", SECRET).is_ok());
}
