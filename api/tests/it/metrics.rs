//! What a process tells Prometheus is what happened.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;
use tallybook_api::tenants::Role;

use crate::client::Client;
use crate::server::Server;

/// A scrape, read line by line: series to value.
async fn scrape(client: &Client) -> BTreeMap<String, String> {
    let answer = client.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let media_type = answer.header("content-type").unwrap_or_default();
    assert!(
        media_type.starts_with("application/openmetrics-text"),
        "{media_type}"
    );
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a series and its value");
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_batches_read_models_and_pools_are_told_and_nothing_of_a_tenant() {
    let server = Server::start().await;
    let client = server.tenant("secretive", Role::Write).await;
    client.account_with("hidden", 5).await;
    let debit = json!({"credits": "9"});
    client
        .post("/v1/accounts/hidden/debits", debit)
        .await
        .refused(402, "insufficient_credits");
    client.get("/v1/nowhere").await.refused(404, "not_found");

    let deadline = Instant::now() + Duration::from_mins(2);
    let told = loop {
        let told = scrape(&client).await;
        let behind = told
            .iter()
            .any(|(series, value)| series.starts_with("tallybook_projection_lag{") && value != "0");
        if !behind {
            break told;
        }
        assert!(Instant::now() < deadline, "the read models catch up: {told:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let value = |series: &str| told.get(series).map(String::as_str);
    let requests = |route: &str, status: u16, method: &str| {
        format!("tallybook_http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
    };
    assert_eq!(
        value(&requests("/v1/accounts", 201, "POST")),
        Some("1"),
        "{told:?}"
    );
    assert_eq!(
        value(&requests("/v1/accounts/{account}/debits", 402, "POST")),
        Some("1")
    );
    assert_eq!(value(&requests("none", 404, "GET")), Some("1"));
    let timed =
        "tallybook_http_request_seconds_count{method=\"POST\",route=\"/v1/accounts/{account}/debits\"}";
    assert_eq!(value(timed), Some("1"));
    let number = |series: &str| value(series).and_then(|value| value.parse::<u64>().ok());
    // Opened, given, refused; the timers' worker may have asked too.
    assert!(number("tallybook_writer_commands_total").is_some_and(|commands| commands >= 3));
    assert!(number("tallybook_writer_batches_total").is_some_and(|batches| batches >= 1));
    assert_eq!(value("tallybook_database_up"), Some("1"));
    assert_eq!(
        value("tallybook_log_position").map(str::to_owned),
        Some(server.events().await.to_string())
    );
    assert_eq!(value("tallybook_timers_overdue"), Some("0"));
    assert_eq!(value("tallybook_stripe_deliveries{status=\"parked\"}"), Some("0"));
    assert!(
        told.keys()
            .any(|series| series.starts_with("tallybook_projection_position{projection="))
    );
    assert!(told.contains_key("tallybook_database_connections{pool=\"journal\",state=\"idle\"}"));
    for series in told.keys() {
        assert!(
            !series.contains("secretive") && !series.contains("hidden"),
            "{series}"
        );
    }
}
