//! A client of Stripe's API, as small as it can be: read an object, read a page of events.
//!
//! A request that fails for a reason of the moment is repeated a few times, later each time and no earlier than Stripe
//! asks, which holds for every other request with that key, too. When one after the other fails, nobody is asked for a while (a circuit breaker): a Stripe that does not answer
//! must not make every success page wait.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use failsafe::futures::CircuitBreaker;
use failsafe::{Config, StateMachine, backoff, failure_policy};
use reqwest::{StatusCode, Url, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::pauses::Pauses;
use crate::outbound;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Requests that repeat one that failed.
const RETRIES: usize = 2;
/// After so many failures in a row nobody is asked for a while.
const FAILURES_MAX: u32 = 5;
const OPEN_FIRST: Duration = Duration::from_secs(5);
const OPEN_MAX: Duration = Duration::from_mins(1);
/// The longest that Stripe may have us wait before a request is repeated.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// Stripe: lists have at most 100 objects a page.
const PAGE: &str = "100";

type Breaker = StateMachine<failure_policy::ConsecutiveFailures<backoff::EqualJittered>, ()>;

/// Stripe's API, or a simulator of it. A clone shares the breaker.
#[derive(Clone)]
pub struct StripeApi {
    base: Url,
    http: reqwest::Client,
    breaker: Arc<Breaker>,
    pauses: Pauses,
}

/// A secret or restricted API key of Stripe's.
#[derive(Clone)]
pub struct StripeKey(String);

/// What was given is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StripeKeyError {
    /// Stripe's secret keys begin with `sk_`, restricted ones with `rk_`.
    #[error("an API key of Stripe's begins with sk_ or rk_")]
    Shape,
    /// The key opens the other mode.
    #[error("the key is of the other mode than the tenant")]
    Mode,
}

/// Stripe did not say.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AskError {
    /// No answer, an error of Stripe's own, or too many requests. Retryable.
    #[error("Stripe does not answer: {reason}")]
    Unavailable {
        /// What was seen.
        reason: String,
        /// How long Stripe wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// It has not answered for a while and is not asked at the moment. Retryable.
    #[error("Stripe has not answered for a while and is not asked at the moment")]
    LeftAlone,
    /// It said no: the key is wrong, or may not read this.
    #[error("Stripe refuses: {status} {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its words.
        message: String,
    },
    /// It answered something that is not its API's.
    #[error("what answers is not Stripe's API: {0}")]
    Unreadable(String),
    /// Nothing of Stripe's has such an id.
    #[error("{0} is no id of an object that can be asked for")]
    NotAnObject(String),
}

impl AskError {
    /// Whether the same may succeed later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::LeftAlone)
    }

    /// How long Stripe wants to be left alone, where it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// A page of events, newest first, each as Stripe wrote it.
#[derive(Debug, Deserialize)]
pub(super) struct EventsPage {
    pub(super) data: Vec<Box<RawValue>>,
    pub(super) has_more: bool,
}

impl StripeKey {
    /// A key for the mode.
    pub fn new(text: impl Into<String>, livemode: bool) -> Result<Self, StripeKeyError> {
        let text = text.into();
        let rest = text.strip_prefix("sk_").or_else(|| text.strip_prefix("rk_"));
        let rest = rest.ok_or(StripeKeyError::Shape)?;
        if text.chars().any(|character| !character.is_ascii_graphic()) {
            return Err(StripeKeyError::Shape);
        }
        let other = if livemode { "test_" } else { "live_" };
        if rest.starts_with(other) {
            return Err(StripeKeyError::Mode);
        }
        Ok(Self(text))
    }

    /// One that was checked when it was stored.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    /// The key itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StripeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StripeKey(..)")
    }
}

impl StripeApi {
    /// Where Stripe is.
    pub const BASE: &'static str = "https://api.stripe.com";

    /// The API at this address.
    ///
    /// # Errors
    /// This system has no TLS roots to trust.
    pub fn new(base: Url) -> Result<Self, reqwest::Error> {
        let open = backoff::equal_jittered(OPEN_FIRST, OPEN_MAX);
        let policy = failure_policy::consecutive_failures(FAILURES_MAX, open);
        Ok(Self {
            base,
            http: outbound::client().timeout(TIMEOUT).build()?,
            breaker: Arc::new(Config::new().failure_policy(policy).build()),
            pauses: Pauses::default(),
        })
    }

    /// An object as it is now, by its id. None if Stripe has no such object.
    pub(super) async fn object(
        &self,
        key: &StripeKey,
        account: Option<&str>,
        id: &str,
    ) -> Result<Option<Map<String, Value>>, AskError> {
        let resource = resource_of(id).ok_or_else(|| AskError::NotAnObject(id.to_owned()))?;
        // The fee of what moves money is on its balance transaction alone.
        let is_booked = matches!(resource, "charges" | "refunds" | "payouts");
        let expanded = [("expand[]", "balance_transaction")];
        let query = if is_booked { &expanded[..] } else { &[] };
        self.get(key, account, &format!("v1/{resource}/{id}"), query)
            .await
    }

    /// Events made at or after `since` (Unix seconds), newest first, those before `before` if it is given.
    pub(super) async fn events(
        &self,
        key: &StripeKey,
        account: Option<&str>,
        since: i64,
        before: Option<&str>,
    ) -> Result<EventsPage, AskError> {
        let since = since.to_string();
        let mut query = vec![("limit", PAGE), ("created[gte]", since.as_str())];
        query.extend(before.map(|event| ("starting_after", event)));
        let page = self.get(key, account, "v1/events", &query).await?;
        page.ok_or_else(|| AskError::Unreadable("there is no list of events".to_owned()))
    }

    /// None on 404.
    async fn get<T: DeserializeOwned>(
        &self,
        key: &StripeKey,
        account: Option<&str>,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, AskError> {
        let url = self
            .base
            .join(path)
            .map_err(|_| AskError::NotAnObject(path.to_owned()))?;
        let once = || async {
            let mut request = self.http.get(url.clone()).bearer_auth(key.reveal()).query(query);
            if let Some(account) = account {
                request = request.header("stripe-account", account);
            }
            let answer = request.send().await.map_err(unavailable)?;
            read(answer).await
        };
        let guarded = || async {
            if let Some(left) = self.pauses.left(key) {
                return Err(AskError::Unavailable {
                    reason: "it asked to be left alone".to_owned(),
                    retry_after: Some(left),
                });
            }
            let failure = |error: &AskError| matches!(error, AskError::Unavailable { .. });
            let outcome = self.breaker.call_with(failure, once()).await;
            outcome.map_err(|error| match error {
                failsafe::Error::Inner(error) => {
                    if let Some(pause) = error.retry_after() {
                        self.pauses.begin(key, pause);
                    }
                    error
                }
                failsafe::Error::Rejected => AskError::LeftAlone,
            })
        };
        let repeated = ExponentialBuilder::default()
            .with_jitter()
            .with_max_times(RETRIES);
        guarded
            .retry(repeated)
            .when(|error| matches!(error, AskError::Unavailable { .. }))
            .adjust(|error, pause| {
                let asked = error.retry_after().unwrap_or_default();
                pause
                    .map(|pause| pause.max(asked))
                    .filter(|pause| *pause <= RETRY_AFTER_MAX)
            })
            .await
    }
}

async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> Result<Option<T>, AskError> {
    let status = answer.status();
    if status == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    // Stripe: 409 is a request that met another of the same moment, 429 too many of them.
    let is_of_the_moment =
        status.is_server_error() || matches!(status, StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS);
    if is_of_the_moment {
        let seconds = answer.headers().get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok());
        return Err(AskError::Unavailable {
            reason: status.to_string(),
            retry_after: seconds.map(Duration::from_secs),
        });
    }
    let body = answer.bytes().await.map_err(unavailable)?;
    if !status.is_success() {
        return Err(AskError::Refused {
            status: status.as_u16(),
            message: message_of(&body),
        });
    }
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| AskError::Unreadable(error.to_string()))
}

/// Stripe's words for what is wrong.
fn message_of(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = value.pointer("/error/message").and_then(Value::as_str);
    message.unwrap_or("without a reason").to_owned()
}

fn unavailable(error: reqwest::Error) -> AskError {
    AskError::Unavailable {
        reason: error.without_url().to_string(),
        retry_after: None,
    }
}

/// Where objects of this id's kind are. Stripe: an id's prefix tells its kind.
fn resource_of(id: &str) -> Option<&'static str> {
    let (prefix, rest) = id.split_once('_')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if rest.is_empty() || !rest.chars().all(is_plain) {
        return None;
    }
    Some(match prefix {
        "cs" => "checkout/sessions",
        "pi" => "payment_intents",
        "ch" | "py" => "charges",
        "re" | "pyr" => "refunds",
        "dp" | "du" => "disputes",
        "in" => "invoices",
        "sub" => "subscriptions",
        "cus" => "customers",
        "cn" => "credit_notes",
        "po" => "payouts",
        "txn" => "balance_transactions",
        _ => return None,
    })
}
