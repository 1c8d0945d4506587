use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::object::ObjectKind;

fn body() -> Value {
    json!({
        "id": "evt_1", "object": "event", "api_version": "2026-08-26.dahlia", "created": 5, "type": "refund.updated",
        "livemode": true, "pending_webhooks": 2, "account": "acct_1",
        "request": {"id": "req_1", "idempotency_key": "key-1"},
        "data": {
            "object": {"id": "re_1", "object": "refund", "amount": 300, "currency": "usd", "status": "succeeded", "charge": "ch_1"},
            "previous_attributes": {"status": "pending"},
        },
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut body = body();
    for (key, value) in changes {
        body[*key] = value.clone();
    }
    body
}

fn without(key: &str) -> Value {
    let mut body = body();
    body.as_object_mut().unwrap().remove(key);
    body
}

fn event(body: &Value) -> Event {
    match parse(body.to_string().as_bytes()).unwrap() {
        Delivery::Event(event) => *event,
        Delivery::Thin(hint) => panic!("thin: {hint:?}"),
    }
}

fn code(body: impl AsRef<[u8]>) -> &'static str {
    parse(body.as_ref()).unwrap_err().code()
}

#[test]
fn an_event_is_read_whole() {
    let event = event(&body());
    assert_eq!(event.account.as_deref(), Some("acct_1"));
    assert!(event.livemode);
    assert_eq!(event.pending_webhooks, Some(2));
    assert_eq!(event.idempotency_key.as_deref(), Some("key-1"));
    let snapshot = event.snapshot;
    assert_eq!((snapshot.event_id.as_str(), snapshot.created), ("evt_1", 5));
    assert_eq!(
        (snapshot.event_type.as_str(), snapshot.verb()),
        ("refund.updated", "updated")
    );
    assert_eq!(snapshot.request_id.as_deref(), Some("req_1"));
    assert_eq!(snapshot.api_version.as_deref(), Some("2026-08-26.dahlia"));
    assert_eq!(snapshot.object_id.as_deref(), Some("re_1"));
    assert_eq!(
        (snapshot.kind(), snapshot.status()),
        (Some(ObjectKind::Refund), Some("succeeded"))
    );
    assert!(snapshot.previous.is_some());
}

#[test]
fn request_is_an_object_a_bare_id_or_nothing() {
    let request = |value: Value| event(&with(&[("request", value)])).snapshot.request_id;
    assert_eq!(request(json!("req_2")).as_deref(), Some("req_2"));
    assert_eq!(
        request(json!({"id": "req_3", "idempotency_key": null})).as_deref(),
        Some("req_3")
    );
    assert_eq!(request(json!({"id": null})), None);
    assert_eq!(request(Value::Null), None);
    assert_eq!(request(json!(17)), None);
}

#[test]
fn what_is_not_needed_may_be_missing_unknown_or_strange() {
    let strange = with(&[
        ("api_version", Value::Null),
        ("account", json!(5)),
        ("livemode", json!("yes")),
        ("pending_webhooks", json!("many")),
        ("context", json!({"new": [1, 2, {"deep": null}]})),
        ("type", json!("never.heard.of")),
    ]);
    let event = event(&strange);
    assert_eq!(
        (event.account, event.livemode, event.pending_webhooks),
        (None, false, None)
    );
    assert_eq!(event.snapshot.api_version, None);
    assert_eq!(
        event.snapshot.kind(),
        Some(ObjectKind::Refund),
        "the object says what it is, not the type"
    );
}

#[test]
fn an_unknown_status_and_40_kb_of_metadata_are_kept() {
    let mut long = body();
    long["data"]["object"]["status"] = json!("on_the_moon");
    long["data"]["object"]["metadata"] = json!({ "k": "v".repeat(40_000) });
    long["id"] = json!(format!("evt_{}", "x".repeat(251)));
    let snapshot = event(&long).snapshot;
    assert_eq!(snapshot.status(), Some("on_the_moon"));
    assert_eq!(snapshot.event_id.len(), 255);
}

#[test]
fn unknown_objects_are_stored_without_effect() {
    let mut unknown = body();
    unknown["data"]["object"] = json!({"object": "balance", "available": []});
    let snapshot = event(&unknown).snapshot;
    assert_eq!(
        (snapshot.object_id, snapshot.object, snapshot.unreadable),
        (None, None, None)
    );
    assert_eq!(snapshot.object_type.as_deref(), Some("balance"));
    assert!(snapshot.fields.is_empty());
}

#[test]
fn a_known_object_without_its_money_has_no_effect_and_says_why() {
    let mut broken = body();
    broken["data"]["object"]["amount"] = json!("300");
    let snapshot = event(&broken).snapshot;
    assert_eq!(snapshot.object, None);
    assert_eq!(snapshot.unreadable.unwrap().field, "amount");
    assert_eq!(
        snapshot.object_id.as_deref(),
        Some("re_1"),
        "still told which object it was"
    );
}

#[test]
fn each_refusal_has_its_code() {
    assert_eq!(code(b"\xff\xfe{}"), "body_not_utf8");
    assert_eq!(code(""), "body_not_json");
    assert_eq!(code(&body().to_string()[..80]), "body_not_json");
    assert_eq!(code(format!("{}{}", body(), body())), "body_not_json");
    assert_eq!(code("\u{feff}{}"), "body_not_json");
    assert_eq!(code(r#"{"id":"evt_1","id":"evt_2"}"#), "body_duplicate_key");
    assert_eq!(code("[]"), "body_not_an_object");
    assert_eq!(code("null"), "body_not_an_object");
    assert_eq!(code(without("id").to_string()), "event_without_id");
    assert_eq!(code(with(&[("id", json!(""))]).to_string()), "event_without_id");
    assert_eq!(
        code(with(&[("id", json!("x".repeat(256)))]).to_string()),
        "event_id_too_long"
    );
    assert_eq!(code(without("type").to_string()), "event_without_type");
    assert_eq!(code(without("created").to_string()), "event_without_created");
    assert_eq!(
        code(with(&[("created", json!("2026-01-01"))]).to_string()),
        "event_without_created"
    );
    assert_eq!(code(without("data").to_string()), "event_without_data_object");
    assert_eq!(
        code(with(&[("data", json!({"object": "re_1"}))]).to_string()),
        "event_without_data_object"
    );
}

/// As the `emulate` simulator sends: a type and an object, and nothing to tell a redelivery by.
#[test]
fn bodies_without_ids_are_refused_whole() {
    for object in [
        "customer",
        "product",
        "price",
        "checkout.session",
        "payment_intent",
        "charge",
    ] {
        let created = json!({"id": "x_1", "object": object, "created": 1_795_247_312, "livemode": false});
        let body = json!({"type": format!("{object}.created"), "data": {"object": created}});
        assert_eq!(code(body.to_string()), "event_without_id");
    }
}

#[test]
fn envelopes_of_event_buses_are_taken_off() {
    let plain = event(&body());
    let bridge = json!({"version": "0", "id": "b-1", "detail-type": "refund.updated", "account": "123", "detail": body()});
    let grid = json!({"specversion": "1.0", "id": "g-1", "type": "refund.updated", "data": body()});
    assert_eq!(event(&bridge), plain);
    assert_eq!(event(&grid), plain);
}

#[test]
fn a_thin_event_is_a_hint_with_its_own_outcome() {
    let thin = json!({
        "id": "evt_2", "object": "v2.core.event", "type": "v1.customer.subscription.past_due",
        "created": "2026-10-01T10:00:00.123Z", "livemode": false, "context": "acct_1", "snapshot_event": "evt_1",
        "related_object": {"id": "sub_1", "type": "subscription", "url": "/v1/subscriptions/sub_1"},
    });
    let Ok(Delivery::Thin(hint)) = parse(thin.to_string().as_bytes()) else {
        panic!()
    };
    assert_eq!(
        (hint.event_id.as_str(), hint.object_id.as_deref()),
        ("evt_2", Some("sub_1"))
    );
    assert_eq!(hint.snapshot_event.as_deref(), Some("evt_1"));
    let bridge = json!({"detail": thin}).to_string();
    assert!(matches!(parse(bridge.as_bytes()), Ok(Delivery::Thin(_))));
    assert_eq!(code(r#"{"object":"v2.core.event"}"#), "event_without_id");
}

#[test]
fn redeliveries_have_one_content_hash_and_other_renderings_another() {
    let hash = |body: &Value| event(body).snapshot.content_hash;
    assert_eq!(hash(&body()), hash(&with(&[("pending_webhooks", json!(0))])));
    assert_eq!(hash(&body()), hash(&without("pending_webhooks")));
    let pretty = format!("{:#}", body());
    let Ok(Delivery::Event(reprinted)) = parse(pretty.as_bytes()) else {
        panic!()
    };
    assert_eq!(
        reprinted.snapshot.content_hash,
        hash(&body()),
        "spacing is no content"
    );
    assert_ne!(
        hash(&body()),
        hash(&with(&[("api_version", json!("2024-04-10"))]))
    );
}

#[test]
fn twins_have_one_data_hash() {
    let hash = |body: &Value| event(body).snapshot.data_hash;
    assert_eq!(hash(&body()), hash(&with(&[("id", json!("evt_9"))])));
    let mut other = body();
    other["data"]["previous_attributes"]["status"] = json!("requires_action");
    assert_ne!(hash(&body()), hash(&other));
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
    }

    /// Damage to a real event: the parser gets past the first gate, and every branch behind it.
    #[test]
    fn a_damaged_event_gives_an_answer(position in 0_usize..600, with in any::<u8>(), cut in 0_usize..600) {
        let mut bytes = body().to_string().into_bytes();
        let length = bytes.len();
        bytes[position % length] = with;
        bytes.truncate(length - cut % length);
        let _ = parse(&bytes);
    }

    #[test]
    fn any_value_in_any_place_gives_an_answer(value in json_value(), place in 0_usize..6) {
        let mut body = body();
        match place {
            0 => body["data"]["object"] = value,
            1 => body["data"]["object"]["status"] = value,
            2 => body["data"]["previous_attributes"] = value,
            3 => body["request"] = value,
            4 => body["data"] = value,
            _ => body = value,
        }
        let _ = parse(body.to_string().as_bytes());
    }

    /// Every field of every kind of object, with any value: reading is total.
    #[test]
    fn any_object_of_a_known_kind_gives_an_answer(kind in 0_usize..11, fields in object_fields()) {
        let mut object: Map<String, Value> = fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        object.insert("object".into(), json!(ObjectKind::ALL[kind].name()));
        if let Ok(Some(read)) = Object::read(&object) {
            prop_assert_eq!(read.kind(), ObjectKind::ALL[kind]);
            let stored = serde_json::to_string(&read).unwrap();
            prop_assert_eq!(serde_json::from_str::<Object>(&stored).unwrap(), read);
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z_]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((prop::sample::select(KEYS), inner), 0..6).prop_map(|entries| entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

fn object_fields() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let text = "[a-z]{1,4}".prop_map(Value::from);
    let value = prop_oneof![json_value(), any::<i64>().prop_map(Value::from), text];
    proptest::collection::vec((prop::sample::select(KEYS), value), 0..40)
}

const KEYS: &[&str] = &[
    "id",
    "object",
    "status",
    "amount",
    "amount_due",
    "amount_paid",
    "amount_captured",
    "currency",
    "total",
    "subtotal",
    "data",
    "items",
    "lines",
    "period",
    "start",
    "end",
    "price",
    "plan",
    "parent",
    "subscription_details",
    "subscription",
    "metadata",
    "account_id",
    "payments",
    "payment",
    "payment_intent",
    "charge",
    "charges",
    "refunds",
    "refund",
    "taxes",
    "total_taxes",
    "discount_amounts",
    "balance_transactions",
    "fee",
    "net",
    "status_transitions",
    "paid_at",
    "paid",
    "paid_out_of_band",
    "current_period_start",
    "current_period_end",
    "pause_collection",
    "behavior",
    "has_more",
];
