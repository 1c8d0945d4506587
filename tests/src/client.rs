//! A caller of the interface.

use std::time::Duration;

use bytes::Bytes;
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::wait::PATIENCE;

/// No answer of a server about a time limit of its own comes before this. On a busy machine it may run into one; a
/// caller then comes back with the same key. An answer that comes sooner is shown to the test as it is.
const OWN_LIMITS: Duration = Duration::from_secs(5);

/// How long a caller comes back: no longer than what Stripe signed is good.
const INSISTENCE: Duration = Duration::from_mins(4);

/// Talks to one server under one API key.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    api_key: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// Whether the server was too busy at first, and may have done what was asked without an answer.
    pub retried: bool,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Whether this is the answer to a retry of what was accepted before.
    pub fn is_replayed(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// A problem's stable code; empty if it has none.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// This, if the status is the one expected.
    ///
    /// # Panics
    /// When it is another.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often the status is all a test asks"
    )]
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Client {
    /// A caller of the server at `base` (`http://127.0.0.1:8420`).
    ///
    /// # Panics
    /// When no HTTP client can be made here.
    pub fn new(base: &str, api_key: &str) -> Self {
        Self::impatient(base, api_key, PATIENCE)
    }

    /// A caller who gives a request up after `limit`.
    ///
    /// # Panics
    /// When no HTTP client can be made here.
    pub fn impatient(base: &str, api_key: &str, limit: Duration) -> Self {
        // The client is built with TLS, as the engine's is, and wants to know by whom.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .timeout(limit)
            .no_proxy()
            .build()
            .expect("an HTTP client");
        Self {
            http,
            base: base.to_owned(),
            api_key: api_key.to_owned(),
        }
    }

    /// Write, whatever happens on the way. Paths are below `/v1`.
    pub async fn try_send(
        &self,
        method: reqwest::Method,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<Answer, reqwest::Error> {
        answer(self.write(method, path, key, body)).await
    }

    fn write(&self, method: reqwest::Method, path: &str, key: &str, body: &Value) -> RequestBuilder {
        self.http
            .request(method, format!("{}/v1{path}", self.base))
            .bearer_auth(&self.api_key)
            .header("Idempotency-Key", key)
            .json(body)
    }

    /// POST, whatever happens on the way.
    pub async fn try_post(&self, path: &str, key: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        self.try_send(reqwest::Method::POST, path, key, body).await
    }

    /// POST.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        insistently(self.write(reqwest::Method::POST, path, key, body)).await
    }

    /// PUT.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn put(&self, path: &str, key: &str, body: &Value) -> Answer {
        insistently(self.write(reqwest::Method::PUT, path, key, body)).await
    }

    /// GET.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn get(&self, path: &str) -> Answer {
        let request = self
            .http
            .get(format!("{}/v1{path}", self.base))
            .bearer_auth(&self.api_key);
        insistently(request).await
    }

    /// GET of what the read models say once they have seen a position.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn get_at(&self, path: &str, position: &str) -> Answer {
        let request = self
            .http
            .get(format!("{}/v1{path}", self.base))
            .bearer_auth(&self.api_key)
            .header("Tallybook-Min-Position", position);
        insistently(request).await
    }

    /// Deliver a signed body, as Stripe does: no key of ours.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn deliver(&self, endpoint: &str, signature: &str, body: Bytes) -> Answer {
        insistently(self.delivery(endpoint, signature, body)).await
    }

    /// Deliver a signed body, whatever happens on the way.
    pub async fn try_deliver(
        &self,
        endpoint: &str,
        signature: &str,
        body: Bytes,
    ) -> Result<Answer, reqwest::Error> {
        answer(self.delivery(endpoint, signature, body)).await
    }

    fn delivery(&self, endpoint: &str, signature: &str, body: Bytes) -> RequestBuilder {
        self.http
            .post(format!("{}/v1/stripe/webhook/{endpoint}", self.base))
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Stripe-Signature", signature)
            .body(body)
    }

    /// The server's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The API key.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }
}

/// Send, and again while the server takes its time and then asks for a retry.
async fn insistently(request: RequestBuilder) -> Answer {
    let begun = Instant::now();
    let mut retried = false;
    loop {
        let asked = Instant::now();
        let attempt = request.try_clone().expect("the body is in memory");
        let answer = answer(attempt)
            .await
            .unwrap_or_else(|error| panic!("{request:?}: {error:?}"));
        let is_late = [503, 504].contains(&answer.status) && asked.elapsed() >= OWN_LIMITS;
        if !is_late || begun.elapsed() > INSISTENCE {
            return Answer { retried, ..answer };
        }
        retried = true;
        sleep(Duration::from_millis(200)).await;
    }
}

async fn answer(request: RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await?,
        retried: false,
    })
}
