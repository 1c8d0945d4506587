//! Replaying into a running server: over HTTP, signed afresh.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tallybook_stripe::replay::Step;
use tallybook_stripe::signature::{WebhookSecret, sign};

use super::run::body_of;
use super::source::Streams;
use crate::cli::CliError;
use crate::outbound;

/// How often a delivery is tried, as Stripe would: the server may be restarting.
const TRIES_MAX: u32 = 60;
const PAUSE: Duration = Duration::from_millis(500);

/// Send a plan's deliveries to a webhook address. How many were refused for good.
pub(super) async fn send(
    streams: &Streams,
    plan: &[Step],
    url: &str,
    secret: &WebhookSecret,
    workers: usize,
) -> Result<u64, CliError> {
    let client = outbound::client().build().map_err(CliError::from_error)?;
    let refused: Vec<u64> = stream::iter(plan)
        .map(|step| {
            let client = &client;
            async move {
                let body = body_of(streams, *step)?;
                let taken = post(client, url, secret, body).await?;
                if let Err(answer) = &taken {
                    eprintln!("{}: {answer}", streams.events[step.event].event_id);
                }
                Ok::<_, CliError>(u64::from(taken.is_err()))
            }
        })
        .buffer_unordered(workers.max(1))
        .try_collect()
        .await?;
    Ok(refused.iter().sum())
}

/// `Ok(Err(..))`: the server will not take it, however often it is sent.
async fn post(
    client: &reqwest::Client,
    url: &str,
    secret: &WebhookSecret,
    body: Vec<u8>,
) -> Result<Result<(), String>, CliError> {
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        let signature = sign(secret, chrono::Utc::now().timestamp(), &body);
        let sent = client
            .post(url)
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
    Err(CliError::new(format!("{url} does not take deliveries: {last}")))
}
