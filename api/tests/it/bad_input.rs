//! What is refused, with its code, and without a trace in the log.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::json;
use tallybook_api::tenants::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, send, unused_key};
use crate::server::Server;

/// Send `body` as it is.
async fn raw(client: &Client, path: &str, body: impl Into<reqwest::Body>) -> crate::client::Answer {
    let request = client
        .request(Method::POST, path)
        .header("idempotency-key", unused_key())
        .header("content-type", "application/json")
        .body(body);
    send(request).await
}

const GRANTS: &str = "/v1/accounts/acme/grants";
const DEBITS: &str = "/v1/accounts/acme/debits";
const HOLDS: &str = "/v1/accounts/acme/holds";

/// Where, what, and the field that is wrong with it.
const INVALID: &[(&str, &str, &str)] = &[
    (DEBITS, r#"{"credits": "1", "extra": true}"#, "extra"),
    (DEBITS, r"{}", "credits"),
    (DEBITS, r#"{"credits": 1}"#, "credits"),
    (DEBITS, r#"{"credits": "-1"}"#, "credits"),
    (DEBITS, r#"{"credits": "0"}"#, "credits"),
    (DEBITS, r#"{"credits": "0.0000001"}"#, "credits"),
    (DEBITS, r#"{"credits": "1000000000000.000001"}"#, "credits"),
    (DEBITS, r#"{"credits": "99999999999999999999999999"}"#, "credits"),
    (DEBITS, r#"{"credits": "1e3"}"#, "credits"),
    (DEBITS, r#"{"credits": "NaN"}"#, "credits"),
    (DEBITS, r#"{"credits": "1", "unit": "lower"}"#, "unit"),
    (DEBITS, r#"{"credits": "1", "feature": "a\u0000b"}"#, "feature"),
    (DEBITS, r#"{"credits": "1", "reference": ""}"#, "reference"),
    (GRANTS, r#"{"credits": "1", "source": "stolen"}"#, "source"),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "cost": {"amount": 1, "currency": "zzz"}}"#,
        "cost.currency",
    ),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "cost": {"amount": 1.5, "currency": "usd"}}"#,
        "cost.amount",
    ),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "cost": {"amount": 92233720368547758070, "currency": "usd"}}"#,
        "cost.amount",
    ),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "cost": {"amount": 501, "currency": "isk"}}"#,
        "cost",
    ),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "cost": {"amount": 1, "currency": "usd", "x": 1}}"#,
        "cost.x",
    ),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "priority": 3000000000}"#,
        "priority",
    ),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "expires_at": "tomorrow"}"#,
        "expires_at",
    ),
    (
        GRANTS,
        r#"{"credits": "1", "source": "paid", "effective_at": "-0001-01-01T00:00:00Z"}"#,
        "effective_at",
    ),
    (HOLDS, r#"{"credits": "1"}"#, "expires_in_seconds"),
    (
        HOLDS,
        r#"{"credits": "1", "expires_in_seconds": 0}"#,
        "expires_in_seconds",
    ),
    (
        HOLDS,
        r#"{"credits": "1", "expires_in_seconds": 99999999999999}"#,
        "expires_in_seconds",
    ),
    ("/v1/accounts", r#"{"id": "a/b"}"#, "id"),
    ("/v1/accounts", r#"{"id": ""}"#, "id"),
    (
        "/v1/accounts",
        r#"{"stripe_customer": "sub_1"}"#,
        "stripe_customer",
    ),
    ("/v1/accounts", r#"{"profile": {"name": 7}}"#, "profile.name"),
    (
        "/v1/accounts/acme/debits/batch",
        r#"{"debits": [{"credits": "1"}, {"credits": "x"}]}"#,
        "debits[1].credits",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_refused_by_field_and_leave_no_trace() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Admin).await;
    client.account_with("acme", 10).await;
    let events = server.events().await;
    for &(path, body, field) in INVALID {
        let problem = raw(&client, path, body).await.refused(422, "invalid_field");
        assert_eq!(problem["field"], field, "{body}");
    }
    for (body, code) in [
        (
            r#"{"credits": "1", "source": "paid", "cost": {"amount": -1, "currency": "usd"}}"#,
            "cost_negative",
        ),
        (
            r#"{"credits": "1", "source": "paid", "effective_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}"#,
            "expires_before_effective",
        ),
        (
            r#"{"credits": "1000000000000", "source": "paid"}"#,
            "credits_out_of_range",
        ),
    ] {
        raw(&client, GRANTS, body).await.refused(422, code);
    }
    assert_eq!(server.events().await, events);
    assert_eq!(client.available("acme").await, "10");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_is_told_so() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let events = server.events().await;
    let path = "/v1/accounts/acme/debits";
    let not_utf8: &[u8] = b"{\"credits\": \"1\xff\"}";
    for body in [
        &b""[..],
        b"{",
        b"nonsense",
        br#"{"credits": "1"} {}"#,
        br#"{"credits": "1", "credits": "2"}"#,
        br#"{"credits": "\ud800"}"#,
        not_utf8,
    ] {
        raw(&client, path, body.to_vec())
            .await
            .refused(400, "malformed_json");
    }
    raw(&client, path, "[".repeat(500_000))
        .await
        .refused(400, "malformed_json");
    for media_type in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let request = client
            .request(Method::POST, path)
            .header("idempotency-key", "k")
            .header("content-type", media_type)
            .body(r#"{"credits": "1"}"#);
        send(request).await.refused(415, "unsupported_media_type");
    }
    assert_eq!(server.events().await, events);
}

/// Send a body in chunks, without a length announced.
async fn chunked(client: &Client, address: SocketAddr, path: &str, body: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).await.expect("it listens");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nidempotency-key: {}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        client.key,
        unused_key(),
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    for chunk in body.chunks(100_000) {
        connection
            .write_all(format!("{:x}\r\n", chunk.len()).as_bytes())
            .await
            .expect("sent");
        connection.write_all(chunk).await.expect("sent");
        connection.write_all(b"\r\n").await.expect("sent");
    }
    connection.write_all(b"0\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_ten_megabytes_is_refused_however_it_is_sent() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let events = server.events().await;
    let ten_megabytes = vec![b' '; 10_000_000];
    let problem = raw(&client, "/v1/accounts/acme/debits", ten_megabytes.clone()).await;
    assert_eq!(problem.refused(413, "body_too_large")["limit_bytes"], 1_048_576);
    let answer = chunked(
        &client,
        server.address,
        "/v1/accounts/acme/debits",
        &ten_megabytes,
    )
    .await;
    assert!(
        answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"),
        "{answer}"
    );
    // Just within: read, and then judged as JSON.
    raw(&client, "/v1/accounts/acme/debits", vec![b' '; 1024 * 1024])
        .await
        .refused(400, "malformed_json");
    assert_eq!(server.events().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_idempotency_are_required_and_printable() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let events = server.events().await;
    let body = json!({"credits": "1"});
    let path = "/v1/accounts/acme/debits";
    send(client.request(Method::POST, path).json(&body))
        .await
        .refused(400, "idempotency_key_required");
    let twice = client
        .request(Method::POST, path)
        .header("idempotency-key", "a")
        .header("idempotency-key", "b");
    send(twice.json(&body))
        .await
        .refused(400, "idempotency_key_required");
    for key in ["", &"k".repeat(256), "t\tb"] {
        let request = client.request(Method::POST, path).header("idempotency-key", key);
        send(request.json(&body))
            .await
            .refused(400, "idempotency_key_invalid");
    }
    let umlaut = client
        .request(Method::POST, path)
        .header("idempotency-key", "schl\u{fc}ssel".as_bytes());
    send(umlaut.json(&body))
        .await
        .refused(400, "idempotency_key_invalid");
    assert_eq!(server.events().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_in_paths_name_one_stream_or_none() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let events = server.events().await;
    for id in ["a%2Fb", "..%2Fother", "acme%00", "%20", "a%0Ab", "%C3%BC", "a%25"] {
        let problem = client
            .post(&format!("/v1/accounts/{id}/debits"), json!({"credits": "1"}))
            .await;
        assert_eq!(problem.refused(422, "invalid_id")["field"], "account");
        client
            .get(&format!("/v1/accounts/{id}"))
            .await
            .refused(422, "invalid_id");
    }
    client.get("/v1/accounts/%FF").await.refused(422, "invalid_id");
    client
        .post("/v1/accounts/a/b/debits", json!({"credits": "1"}))
        .await
        .refused(404, "not_found");
    client
        .get("/v1/accounts//balance")
        .await
        .refused(422, "invalid_id");
    client
        .post("/v1/accounts/nobody/debits", json!({"credits": "1"}))
        .await
        .refused(404, "account_not_found");
    // The same account, spelled otherwise, is the same request.
    let first = client
        .post_as("k", "/v1/accounts/acme/debits", json!({"credits": "1"}))
        .await;
    let again = client
        .post_as("k", "/v1/accounts/acm%65/debits", json!({"credits": "1"}))
        .await;
    assert!(again.is_replay());
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(server.events().await, events + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_name_and_unknown_things_are_problems() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Read).await;
    client.get("/").await.refused(404, "not_found");
    client.get("/v1/nothing").await.refused(404, "not_found");
    client.get("/v2/accounts").await.refused(404, "not_found");
    let refused = send(client.request(Method::DELETE, "/v1/accounts/acme")).await;
    refused.refused(405, "method_not_allowed");
    assert!(refused.header("allow").is_some());
    let named = send(
        client
            .request(Method::GET, "/v1/nothing")
            .header("x-request-id", "order:17"),
    )
    .await;
    assert_eq!(named.header("x-request-id"), Some("order:17"));
    let forged = send(
        client
            .request(Method::GET, "/healthz")
            .header("x-request-id", "a b\"c"),
    )
    .await;
    assert!(forged.header("x-request-id").unwrap().starts_with("req_"));
    assert_eq!(client.get("/healthz").await.accepted(200)["status"], "alive");
    assert_eq!(client.get("/readyz").await.accepted(200)["status"], "ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_named() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 1).await;
    for (query, field) in [
        ("balance?as_of=yesterday", "as_of"),
        ("balance?asof=2026-01-01T00:00:00Z", "asof"),
        ("balance?unit=credit", "unit"),
        ("events?limit=0", "limit"),
        ("events?limit=201", "limit"),
        ("events?limit=1&limit=2", "limit"),
        ("events?cursor=zz", "cursor"),
        ("events?cursor=7a7a", "cursor"),
        ("grants?cursor=ff", "cursor"),
    ] {
        let problem = client
            .get(&format!("/v1/accounts/acme/{query}"))
            .await
            .refused(422, "invalid_field");
        assert_eq!(problem["field"], field, "{query}");
    }
    let conflict = client
        .request(Method::POST, "/v1/accounts/acme/debits")
        .header("idempotency-key", "k")
        .header("tallybook-expect-version", "two")
        .json(&json!({"credits": "1"}));
    assert_eq!(
        send(conflict).await.refused(400, "invalid_header")["header"],
        "tallybook-expect-version"
    );
}
