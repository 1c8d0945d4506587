//! Deliveries over several connections at once, each answered before the next, as Stripe sends them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tallybook_stripe::signature::{WebhookSecret, sign};

use crate::cli::CliError;
use crate::outbound;

/// How long a delivery that was not taken is left alone.
const PAUSE: Duration = Duration::from_millis(50);
/// How often one is tried.
const TRIES_MAX: u32 = 1_000;

/// What sending came to.
pub(super) struct Sent {
    /// From the first delivery to the last answer.
    pub(super) elapsed: Duration,
    /// How long each 2xx took, the shortest first.
    pub(super) answered: Vec<Duration>,
    /// Answers that asked to come back later.
    pub(super) repeated: u64,
}

impl Sent {
    /// Deliveries answered 2xx a second.
    pub(super) fn rate(&self) -> u64 {
        per_second(self.answered.len(), self.elapsed)
    }

    /// What so many in a thousand took at most.
    pub(super) fn per_mille(&self, share: usize) -> Duration {
        let rank = (self.answered.len() * share).div_ceil(1_000).max(1);
        self.answered.get(rank - 1).copied().unwrap_or_default()
    }
}

/// So many in a time, a second.
pub(super) fn per_second(count: usize, elapsed: Duration) -> u64 {
    let micros = elapsed.as_micros().max(1);
    u64::try_from(count as u128 * 1_000_000 / micros).unwrap_or(u64::MAX)
}

/// Send these bodies to a webhook address, signed as they go, until each was answered 2xx.
pub(super) async fn send(
    url: &str,
    secret: &WebhookSecret,
    bodies: Arc<Vec<String>>,
    connections: usize,
) -> Result<Sent, CliError> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let senders: Vec<_> = (0..connections)
        .map(|_| {
            // A client each: its pool holds one connection, and keeps it.
            let client = outbound::client().pool_max_idle_per_host(1).build();
            let (url, secret) = (url.to_owned(), secret.clone());
            let (bodies, next) = (Arc::clone(&bodies), Arc::clone(&next));
            tokio::spawn(async move {
                let client = client.map_err(CliError::from_error)?;
                let mut sender = Sender {
                    client,
                    url,
                    secret,
                    answered: Vec::new(),
                    repeated: 0,
                };
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    sender.deliver(body).await?;
                }
                Ok::<_, CliError>(sender)
            })
        })
        .collect();
    let mut sent = Sent {
        elapsed: Duration::ZERO,
        answered: Vec::new(),
        repeated: 0,
    };
    for sender in senders {
        let sender = sender.await.map_err(CliError::from_error)??;
        sent.answered.extend(sender.answered);
        sent.repeated += sender.repeated;
    }
    sent.elapsed = started.elapsed();
    sent.answered.sort_unstable();
    Ok(sent)
}

/// One connection.
struct Sender {
    client: reqwest::Client,
    url: String,
    secret: WebhookSecret,
    answered: Vec<Duration>,
    repeated: u64,
}

impl Sender {
    async fn deliver(&mut self, body: &str) -> Result<(), CliError> {
        for _ in 0..TRIES_MAX {
            let signature = sign(&self.secret, chrono::Utc::now().timestamp(), body.as_bytes());
            let asked = Instant::now();
            let response = self
                .client
                .post(&self.url)
                .header("content-type", "application/json")
                .header("stripe-signature", signature)
                .body(body.to_owned())
                .send()
                .await
                .map_err(CliError::from_error)?;
            let status = response.status();
            let text = response.text().await.map_err(CliError::from_error)?;
            if status.is_success() {
                self.answered.push(asked.elapsed());
                return Ok(());
            }
            if status.is_client_error() {
                return Err(CliError::new(format!("a delivery was answered {status}: {text}")));
            }
            self.repeated += 1;
            tokio::time::sleep(PAUSE).await;
        }
        Err(CliError::new("the server does not take a delivery"))
    }
}
