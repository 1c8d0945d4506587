//! Replaying into a running server: over HTTP, signed afresh.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use tallybook_stripe::replay::Step;
use tallybook_stripe::signature::{WebhookSecret, sign};
use tokio::time::Instant;

use super::run::body_of;
use super::source::Streams;
use crate::cli::CliError;
use crate::outbound;

/// How often a delivery is tried, as Stripe would: the server may be restarting.
const TRIES_MAX: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// Where deliveries go, and how.
pub(super) struct Destination<'a> {
    /// The webhook's address.
    pub(super) url: &'a str,
    /// What they are signed with.
    pub(super) secret: &'a WebhookSecret,
    /// Deliveries at once.
    pub(super) workers: usize,
    /// Deliveries a second, at most.
    pub(super) rate: Option<u32>,
}

/// Send a plan's deliveries. How many were refused for good.
pub(super) async fn send(
    streams: &Streams,
    plan: &[Step],
    to: &Destination<'_>,
    progress: &ProgressBar,
) -> Result<u64, CliError> {
    let client = outbound::client().build().map_err(CliError::from_error)?;
    let refused = AtomicU64::new(0);
    let started = Instant::now();
    stream::iter(plan.iter().zip(0_u32..))
        .then(|(step, number)| async move {
            if let Some(rate) = to.rate {
                tokio::time::sleep_until(started + turn(number, rate)).await;
            }
            Ok(step)
        })
        .try_for_each_concurrent(to.workers.max(1), |step| {
            let (client, refused) = (&client, &refused);
            async move {
                let body = body_of(streams, *step)?;
                if let Err(answer) = post(client, to, body).await? {
                    eprintln!("{}: {answer}", streams.event_id(step.event));
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                progress.inc(1);
                Ok(())
            }
        })
        .await?;
    Ok(refused.into_inner())
}

/// When a delivery's turn is, after the first one's.
fn turn(number: u32, rate: u32) -> Duration {
    Duration::from_secs(1) * number / rate
}

/// `Ok(Err(..))`: the server will not take it, however often it is sent.
async fn post(
    client: &reqwest::Client,
    to: &Destination<'_>,
    body: Vec<u8>,
) -> Result<Result<(), String>, CliError> {
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        let signature = sign(to.secret, chrono::Utc::now().timestamp(), &body);
        let sent = client
            .post(to.url)
            .header("content-type", "application/json")
            .header("stripe-signature", signature)
            .body(body.clone())
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => return Ok(Ok(())),
            Ok(answer) if answer.status().is_client_error() => {
                let status = answer.status();
                return Ok(Err(format!(
                    "{status}: {}",
                    answer.text().await.unwrap_or_default()
                )));
            }
            Ok(answer) => last = answer.status().to_string(),
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(CliError::new(format!(
        "{} does not take deliveries: {last}",
        to.url
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_rate_each_delivery_has_its_turn() {
        assert_eq!(turn(0, 3), Duration::ZERO);
        assert_eq!(turn(1, 4), Duration::from_millis(250));
        assert_eq!(turn(1_000_000_000, 1_000), Duration::from_secs(1_000_000));
    }
}
