//! A caller.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tallybook_api::outbound;

use crate::document;

/// A caller with a key.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    pub(crate) key: String,
    pub(crate) key_id: String,
    http: reqwest::Client,
}

/// No answer of the server about a time limit of its own comes before this. On a busy machine it may run into one; a
/// caller then comes back with the same key.
const OWN_LIMITS: Duration = Duration::from_secs(5);

/// How long a caller comes back to a server that is too busy.
const PATIENCE_WITH_503: Duration = Duration::from_mins(5);

/// How long a caller comes back for a position that is not there yet. For one that will not be there: [`send_once`].
const PATIENCE_WITH_504: Duration = Duration::from_mins(1);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn position(&self) -> i64 {
        self.header("tallybook-position")
            .expect("a position")
            .parse()
            .expect("a number")
    }

    pub(crate) fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The body of an accepted request.
    #[track_caller]
    pub(crate) fn accepted(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert!(self.header("x-request-id").is_some());
        self.json()
    }

    /// The problem of a refused request.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status.as_u16(), self.json()["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text()
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert!(problem["type"].is_string() && problem["title"].is_string() && problem["detail"].is_string());
        problem
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr, key: &str, key_id: String) -> Self {
        Self {
            base: format!("http://{address}"),
            key: key.to_owned(),
            key_id,
            http: outbound::client().build().expect("a client"),
        }
    }

    /// The same caller at another server.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self {
            base: format!("http://{address}"),
            ..self.clone()
        }
    }

    /// A request with the key, to fill in.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.request(Method::GET, path)).await
    }

    /// A write under a key of its own.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.post_as(&unused_key(), path, body).await
    }

    pub(crate) async fn post_as(&self, key: &str, path: &str, body: Value) -> Answer {
        send(
            self.request(Method::POST, path)
                .header("idempotency-key", key)
                .json(&body),
        )
        .await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        send(
            self.request(Method::PUT, path)
                .header("idempotency-key", unused_key())
                .json(&body),
        )
        .await
    }

    /// Open an account and give it credits that cost a cent each.
    pub(crate) async fn account_with(&self, id: &str, credits: u32) {
        self.post("/v1/accounts", serde_json::json!({"id": id}))
            .await
            .accepted(201);
        if credits > 0 {
            let grant = serde_json::json!({
                "credits": credits.to_string(), "source": "paid", "cost": {"amount": credits, "currency": "usd"},
            });
            self.post(&format!("/v1/accounts/{id}/grants"), grant)
                .await
                .accepted(201);
        }
    }

    /// What an account may spend.
    pub(crate) async fn available(&self, id: &str) -> String {
        let balance = self
            .get(&format!("/v1/accounts/{id}/balance"))
            .await
            .accepted(200);
        balance["available"].as_str().expect("a quantity").to_owned()
    }
}

/// Send, and again while the server takes its time and then asks for a retry.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let begun = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = send_once(request.try_clone().expect("the body is in memory")).await;
        let patience = match answer.status.as_u16() {
            503 => PATIENCE_WITH_503,
            504 => PATIENCE_WITH_504,
            _ => return answer,
        };
        if asked.elapsed() < OWN_LIMITS || begun.elapsed() > patience {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Send, and take what comes.
pub(crate) async fn send_once(request: RequestBuilder) -> Answer {
    let asked = request.try_clone().and_then(|request| request.build().ok());
    let response = request.send().await.expect("an answer");
    let answer = Answer {
        status: response.status(),
        headers: response.headers().clone(),
        bytes: response.bytes().await.expect("a whole answer").to_vec(),
    };
    if let Some(asked) = asked {
        document::assert_conforms(asked.method(), asked.url().path(), &answer);
    }
    answer
}

pub(crate) fn unused_key() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("key-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}
