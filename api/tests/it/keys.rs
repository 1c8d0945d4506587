//! Who may.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tallybook_api::tenants::{self, Role};

use crate::client::{Client, send};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_of_ours_nobody_gets_in() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Admin).await;
    let url = format!("http://{}/v1/accounts/acme", server.address);
    let http = tallybook_api::outbound::client().build().expect("a client");
    let answer = send(http.get(&url)).await;
    answer.refused(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    for header in [
        "Bearer",
        "Bearer ",
        "Basic dDp0",
        "Bearer tb_test_",
        &format!("Bearer tb_test_{}", "0".repeat(64)),
    ] {
        send(http.get(&url).header("authorization", header))
            .await
            .refused(401, "unauthenticated");
    }
    // Before anything else is looked at.
    send(http.post(&url).body("{"))
        .await
        .refused(405, "method_not_allowed");
    let open = format!("http://{}/v1/accounts", server.address);
    send(http.post(&open).body("{"))
        .await
        .refused(401, "unauthenticated");
    client
        .get("/v1/accounts/acme")
        .await
        .refused(404, "account_not_found");
    assert_eq!(server.events().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_includes_those_before_it_and_no_more() {
    let server = Server::start().await;
    let admin = server.tenant("t", Role::Admin).await;
    admin.account_with("acme", 10).await;
    let read = server.key("t", Role::Read).await;
    let write = server.key("t", Role::Write).await;
    let finance = server.key("t", Role::Finance).await;
    let events = server.events().await;
    let debit = json!({"credits": "1"});
    let refused = read
        .post("/v1/accounts/acme/debits", debit.clone())
        .await
        .refused(403, "forbidden");
    assert_eq!(refused["required_role"], "write");
    read.post("/v1/accounts", json!({}))
        .await
        .refused(403, "forbidden");
    let plan = json!({"name": "Pro"});
    write
        .put("/v1/catalog/plans/pro", plan.clone())
        .await
        .refused(403, "forbidden");
    assert_eq!(server.events().await, events);
    for client in [&read, &write, &finance, &admin] {
        assert_eq!(client.available("acme").await, "10");
    }
    finance.put("/v1/catalog/plans/pro", plan).await.accepted(200);
    write.post("/v1/accounts/acme/debits", debit).await.accepted(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_dead_within_a_second_at_every_server() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Read).await;
    client
        .get("/v1/accounts/a")
        .await
        .refused(404, "account_not_found");
    tenants::revoke_key(&server.engine.state().pool, &client.key_id)
        .await
        .unwrap();
    let revoked = Instant::now();
    loop {
        let asked = revoked.elapsed();
        if client.get("/v1/accounts/a").await.status == StatusCode::UNAUTHORIZED {
            break;
        }
        assert!(
            asked < Duration::from_secs(1),
            "still alive for who asks after {asked:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_stored_as_its_digest_alone() {
    let server = Server::start().await;
    let pool = &server.engine.state().pool;
    tenants::create_tenant(pool, &"t".into(), "T", tenants::Mode::Live, chrono_tz::UTC)
        .await
        .unwrap();
    let (key, secret) = tenants::create_key(pool, &"t".into(), Role::Read).await.unwrap();
    assert!(secret.reveal().starts_with("tb_live_"));
    let row: String = sqlx::query_scalar("select row_to_json(k)::text from api_keys k")
        .fetch_one(pool)
        .await
        .unwrap();
    assert!(!row.contains(&secret.reveal()["tb_live_".len()..]));
    let client = Client::new(server.address, secret.reveal(), key.id);
    send(client.request(Method::GET, "/v1/accounts/a"))
        .await
        .refused(404, "account_not_found");
}
