//! What tells alarms, until it is told to stop. The rule stands in the module above.

use std::time::Duration;

use futures::{StreamExt, stream};
use tallybook_stripe::signature::sign;

use super::address::Address;
use super::repo::{self, AlarmView, Untold};
use crate::{AppState, outbound};

/// Proves who posts: `t=<unix seconds>,v1=<hex>`, HMAC-SHA256 over `<t>.<body>`, as Stripe signs.
pub(super) const SIGNATURE: &str = "tallybook-signature";
/// Alarms taken at once.
const BATCH: i64 = 16;
/// How long an address may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle worker waits before it looks again.
const IDLE: Duration = Duration::from_secs(1);

/// Tell what is raised until [`AppState::stop`] is requested.
pub(crate) async fn work(state: AppState) {
    let mut stop = state.stop.clone();
    let client = match outbound::client().timeout(TIMEOUT).build() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "alarms cannot be posted from here; they are listed only");
            return;
        }
    };
    while !stop.is_requested() {
        let now = state.present.of_server().timestamp();
        if let Err(error) = tell_due(&state.pool, &client, now).await {
            tracing::warn!(%error, "alarms cannot be told");
        }
        tokio::select! {
            () = stop.requested() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }
}

/// Tell what is due. `now` signs: Unix seconds.
pub(super) async fn tell_due(pool: &sqlx::PgPool, client: &reqwest::Client, now: i64) -> sqlx::Result<()> {
    let due = repo::take_untold(pool, TIMEOUT, BATCH).await?;
    let told: Vec<i64> = stream::iter(due)
        .map(|alarm| async move {
            let id = alarm.id;
            match post(client, alarm, now).await {
                Ok(()) => Some(id),
                Err(reason) => {
                    tracing::warn!(alarm = id, reason, "an alarm was not taken");
                    None
                }
            }
        })
        .buffer_unordered(usize::try_from(BATCH).unwrap_or(1))
        .filter_map(std::future::ready)
        .collect()
        .await;
    for id in told {
        repo::told(pool, id).await?;
    }
    Ok(())
}

async fn post(client: &reqwest::Client, alarm: Untold, now: i64) -> Result<(), String> {
    let address = Address::new(&alarm.url, &alarm.secret).map_err(|error| error.to_string())?;
    let view = AlarmView {
        id: alarm.id,
        kind: alarm.kind,
        subject: alarm.subject,
        detail: alarm.detail,
        raised_at: alarm.raised_at,
        cleared_at: alarm.cleared_at,
        told_at: None,
    };
    let body = serde_json::to_vec(&view).map_err(|error| error.to_string())?;
    let answer = client
        .post(address.url().clone())
        .header("content-type", "application/json")
        .header(SIGNATURE, sign(address.secret(), now, &body))
        .body(body)
        .send()
        .await
        .map_err(|error| error.to_string())?;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(answer.status().to_string())
    }
}
