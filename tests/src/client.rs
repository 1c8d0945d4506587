//! A caller of the interface.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;

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
        let http = reqwest::Client::builder()
            .timeout(std::time::Duration::from_mins(1))
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
        let url = format!("{}/v1{path}", self.base);
        let request = self
            .http
            .request(method, url)
            .bearer_auth(&self.api_key)
            .header("Idempotency-Key", key)
            .json(body);
        answer(request).await
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
        self.try_post(path, key, body)
            .await
            .unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// PUT.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn put(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.try_send(reqwest::Method::PUT, path, key, body)
            .await
            .unwrap_or_else(|error| panic!("PUT {path}: {error:?}"))
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
        answer(request)
            .await
            .unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
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
        answer(request)
            .await
            .unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
    }

    /// Deliver a signed body, as Stripe does: no key of ours.
    pub async fn try_deliver(
        &self,
        endpoint: &str,
        signature: &str,
        body: Bytes,
    ) -> Result<Answer, reqwest::Error> {
        let request = self
            .http
            .post(format!("{}/v1/stripe/webhook/{endpoint}", self.base))
            .header("Content-Type", "application/json; charset=utf-8")
            .header("Stripe-Signature", signature)
            .body(body);
        answer(request).await
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

async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.bytes().await?,
    })
}
