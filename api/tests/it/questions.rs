//! Questions about what was: balances as of an instant and as known by another, what made them, and statements.

use chrono::{DateTime, Duration, TimeZone, Utc};
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::Client;
use crate::server::Server;

fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

fn micros(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or("0");
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let fraction: i64 = format!("{rest:0<6}").parse().expect("digits");
    whole.parse::<i64>().expect("digits") * 1_000_000 + sign * fraction
}

/// Five days: two lots, one of which ends, a hold that times out, debits.
async fn history(server: &Server) -> Client {
    let client = server.tenant("t", Role::Admin).await;
    client
        .post("/v1/accounts", json!({"id": "a"}))
        .await
        .accepted(201);
    let post = async |path: &str, body: Value| client.post(&format!("/v1/accounts/a/{path}"), body).await;
    let ending =
        json!({"credits": "10.5", "source": "promotional", "expires_at": noon() + Duration::days(3)});
    post("grants", ending).await.accepted(201);
    post("grants", json!({"credits": "100", "source": "goodwill"}))
        .await
        .accepted(201);
    server.clock.set(noon() + Duration::days(1));
    post("debits", json!({"credits": "63"})).await.accepted(201);
    post("holds", json!({"credits": "4", "expires_in_seconds": 86_400}))
        .await
        .accepted(201);
    server.clock.set(noon() + Duration::days(4));
    post(
        "grants",
        json!({"credits": "2", "source": "promotional", "expires_at": noon() + Duration::days(5)}),
    )
    .await
    .accepted(201);
    server.clock.set(noon() + Duration::days(6));
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_explained_by_the_events_that_made_it_and_every_figure_foots() {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon())).await;
    let client = history(&server).await;
    let debit = client
        .post("/v1/accounts/a/debits", json!({"credits": "1"}))
        .await;
    debit.accepted(201);
    let request = debit.header("x-request-id").expect("a name").to_owned();

    for query in [
        String::new(),
        format!(
            "?as_of={}",
            (noon() + Duration::days(2)).to_rfc3339().replace('+', "%2B")
        ),
    ] {
        let shown = client
            .get(&format!("/v1/accounts/a/balance{query}"))
            .await
            .accepted(200);
        let explained = client
            .get(&format!("/v1/accounts/a/explain{query}"))
            .await
            .accepted(200);
        for figure in ["available", "held", "frozen", "overdraft"] {
            assert_eq!(explained["balance"][figure], shown[figure], "{figure}{query}");
        }
        let lots = explained["lots"].as_array().expect("lots");
        for figure in ["granted", "available", "held", "consumed", "expired"] {
            let mut total = 0;
            for lot in lots {
                let events = lot["events"].as_array().expect("events");
                let sum: i64 = events.iter().map(|event| micros(&event["change"][figure])).sum();
                assert_eq!(sum, micros(&lot[figure]), "{figure} of {lot}");
                total += sum;
            }
            assert_eq!(total, micros(&explained["total"][figure]), "{figure}{query}");
        }
    }
    let explained = client.get("/v1/accounts/a/explain").await.accepted(200);
    let events = || {
        explained["lots"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|lot| lot["events"].as_array().unwrap())
    };
    let own = events()
        // What was due before the debit is written in its append, unless the timer was faster.
        .find(|event| event["request_id"] == json!(request) && event["type"] == "CreditsConsumed")
        .expect("the debit is named by its request");
    assert_eq!(own["change"]["consumed"], "1");
    assert!(
        own["natural_key"]
            .as_str()
            .is_some_and(|key| key.starts_with("debit:"))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_by_an_instant_is_what_was_recorded_by_then() {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon())).await;
    let client = history(&server).await;
    let events = client.get("/v1/accounts/a/events?limit=200").await.accepted(200);
    let events = events["data"].as_array().expect("events").clone();
    let debit = events
        .iter()
        .position(|event| event["type"] == "CreditsConsumed")
        .expect("a debit");
    let ask = async |query: &str| {
        client
            .get(&format!("/v1/accounts/a/balance?{query}"))
            .await
            .accepted(200)
    };
    let as_of = format!(
        "as_of={}",
        (noon() + Duration::days(1)).format("%Y-%m-%dT%H:%M:%SZ")
    );

    let before = events[debit - 1]["recorded_at"].as_str().expect("an instant");
    let then = ask(&format!("{as_of}&known_at={before}")).await;
    assert_eq!(
        (&then["available"], &then["version"]),
        (&json!("110.5"), &json!(debit))
    );
    let after = events[debit]["recorded_at"].as_str().expect("an instant");
    let then = ask(&format!("{as_of}&known_at={after}")).await;
    assert_eq!(
        (&then["available"], &then["version"]),
        (&json!("47.5"), &json!(debit + 1))
    );
    assert_eq!(
        ask(&as_of).await["held"],
        "4",
        "by all that is known now, the hold stood"
    );

    let long_ago = "known_at=2000-01-01T00:00:00Z";
    for path in ["balance", "explain"] {
        let path = format!("/v1/accounts/a/{path}?{long_ago}");
        client.get(&path).await.refused(404, "account_not_found");
    }
    client
        .get(&format!("/v1/accounts/a?{long_ago}"))
        .await
        .refused(404, "account_not_found");
    let account = client
        .get(&format!("/v1/accounts/a?{as_of}&known_at={before}"))
        .await
        .accepted(200);
    assert_eq!(account["balance"]["available"], "110.5");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ties_to_the_balance_at_both_ends_and_line_by_line_however_it_is_paged() {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon())).await;
    let client = history(&server).await;
    let at = |days: i64| {
        (noon() + Duration::days(days))
            .format("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    };
    let just_before = |days: i64| {
        let instant = noon() + Duration::days(days) - Duration::microseconds(1);
        instant.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    };
    let whole = client.get("/v1/accounts/a/statement").await.accepted(200);
    assert_eq!(whole["data"].as_array().map(Vec::len), Some(9), "{whole}");
    for (from, to) in [(0, 6), (1, 2), (1, 4), (3, 5)] {
        let base = format!("/v1/accounts/a/statement?from={}&to={}&limit=2", at(from), at(to));
        let mut lines = Vec::new();
        let mut path = base.clone();
        loop {
            let page = client.get(&path).await.accepted(200);
            lines.extend(page["data"].as_array().expect("lines").clone());
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("{base}&cursor={cursor}"),
                None => break,
            }
        }
        let (opening, closing) = (&lines[0], lines.last().expect("a closing line"));
        assert_eq!(
            (&opening["line"], &closing["line"]),
            (&json!("opening"), &json!("closing"))
        );
        for (line, instant) in [(opening, just_before(from)), (closing, just_before(to))] {
            let balance = client
                .get(&format!("/v1/accounts/a/balance?as_of={instant}"))
                .await
                .accepted(200);
            for figure in ["available", "held", "frozen", "overdraft"] {
                assert_eq!(line["balance"][figure], balance[figure], "{figure} at {instant}");
            }
        }
        for pair in lines.windows(2) {
            for figure in ["available", "held"] {
                let moved = micros(&pair[1]["change"][figure]);
                assert_eq!(
                    micros(&pair[0]["balance"][figure]) + moved,
                    micros(&pair[1]["balance"][figure]),
                    "{pair:?}"
                );
            }
        }
    }
    let backwards = format!("/v1/accounts/a/statement?from={}&to={}", at(2), at(1));
    assert_eq!(
        client.get(&backwards).await.refused(422, "invalid_field")["field"],
        "from"
    );
    server.stop().await;
}

/// A server with three plans of one family, one of them with a trial, one with a trial that needs a card, one without; and
/// two accounts.
async fn offers() -> (Server, Client) {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon())).await;
    let client = server.tenant("t", Role::Admin).await;
    for (plan, trial) in [
        ("basic", json!({"days": 7, "at_end": {"action": "cancel"}})),
        (
            "pro",
            json!({"days": 7, "card_required": true, "at_end": {"action": "convert"}}),
        ),
        ("plain", Value::Null),
    ] {
        let price = json!({"currency": "usd", "kind": "flat", "amount": 1000});
        let mut terms = json!({"name": plan, "family": "all", "price": price});
        if !trial.is_null() {
            terms["trial"] = trial;
        }
        client
            .put(&format!("/v1/catalog/plans/{plan}"), terms)
            .await
            .accepted(200);
    }
    client.account_with("first", 0).await;
    client.account_with("second", 0).await;
    (server, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_trial_is_not_given_is_told_by_rule_earlier_trial_and_claim_or_that_it_would_be() {
    let (server, client) = offers().await;
    let reader = server.key("t", Role::Read).await;
    let ask = async |account: &str, query: &str| {
        let path = format!("/v1/accounts/{account}/explain?question=trial&{query}");
        reader.get(&path).await.accepted(200)
    };
    let would = ask("first", "plan=basic&fingerprint=card-1").await;
    assert_eq!(
        (
            &would["allowed"],
            &would["code"],
            &would["reasons"],
            &would["family"]
        ),
        (&json!(true), &Value::Null, &json!([]), &json!("all"))
    );

    let order = json!({"id": "s", "plan": "basic", "fingerprints": ["card-1"]});
    client
        .post("/v1/accounts/first/trials", order)
        .await
        .accepted(201);
    server.clock.set(noon() + Duration::days(9));
    let used = ask("first", "plan=pro").await;
    let rules: Vec<_> = used["reasons"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|reason| json!([reason["rule"], reason["code"]]))
        .collect();
    assert_eq!(
        (&used["allowed"], &used["code"], rules),
        (
            &json!(false),
            &json!("trial_used"),
            vec![
                json!(["once_per_account_and_family", "trial_used"]),
                json!(["card_required", "payment_method_required"])
            ]
        )
    );
    let refused = client.post("/v1/accounts/first/trials", json!({"plan": "pro"}));
    refused.await.refused(409, "trial_used");
    let earlier = &used["reasons"][0]["earlier_trial"];
    assert_eq!(
        (&earlier["subscription"], &earlier["plan"], &earlier["started_at"]),
        (&json!("s"), &json!("basic"), &json!("2026-03-01T12:00:00Z"))
    );
    let first = &earlier["events"][0];
    let stream = reader
        .get("/v1/accounts/first/events?limit=200")
        .await
        .accepted(200);
    let told = stream["data"].as_array().expect("a list").iter();
    let started = told.clone().find(|event| event["type"] == "TrialStarted");
    assert_eq!(
        (&first["type"], &first["sequence"]),
        (&json!("TrialStarted"), &started.expect("it started")["sequence"])
    );

    let taken = ask("second", "plan=pro&card_on_file=true&fingerprint=card-1").await;
    let reason = &taken["reasons"][0];
    assert_eq!(
        (
            &reason["rule"],
            &reason["claim"]["kind"],
            &reason["claim"]["taken_at"]
        ),
        (
            &json!("once_per_fingerprint"),
            &json!("trial-fingerprint"),
            &json!("2026-03-01T12:00:00Z")
        )
    );
    let text = taken.to_string();
    assert!(!text.contains("card-1") && !text.contains("first"), "{text}");
    assert_eq!(ask("second", "plan=plain").await["code"], "trial_not_offered");
    for (query, field) in [
        ("question=weather", "question"),
        ("question=trial", "plan"),
        ("question=trial&plan=pro&card_on_file=perhaps", "card_on_file"),
    ] {
        let refused = reader.get(&format!("/v1/accounts/first/explain?{query}")).await;
        assert_eq!(refused.refused(422, "invalid_field")["field"], field, "{query}");
    }
}
