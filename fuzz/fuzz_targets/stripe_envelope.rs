//! An event in the envelope of an event bus is the event itself, and its twin is the same change under another id.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tallybook_stripe::event::{self, Delivery};
use tallybook_stripe::replay::twin_of;

fuzz_target!(|body: &str| {
    let Ok(Value::Object(map)) = serde_json::from_str::<Value>(body) else { return };
    let is_event = matches!(map.get("object").and_then(Value::as_str), Some("event" | "v2.core.event"));
    let Ok(bare) = event::parse(body.as_bytes()) else { return };
    check_twin(body, &bare);
    if !is_event || map.contains_key("detail") || map.contains_key("specversion") {
        return;
    }
    for envelope in [
        format!(r#"{{"version":"0","id":"bus","detail-type":"x","source":"aws.partner/stripe.com","detail":{body}}}"#),
        format!(r#"{{"specversion":"1.0","id":"bus","type":"x","source":"/stripe","data":{body}}}"#),
    ] {
        assert_eq!(event::parse(envelope.as_bytes()).expect("what is in it reads"), bare);
        check_twin(&envelope, &bare);
    }
});

fn check_twin(body: &str, original: &Delivery) {
    let Delivery::Event(original) = original else { return };
    let twin = twin_of(body.as_bytes()).expect("an event has an id");
    let Ok(Delivery::Event(twin)) = event::parse(&twin) else { panic!("a twin is an event") };
    assert_ne!(twin.snapshot.event_id, original.snapshot.event_id);
    assert_eq!(twin.snapshot.data_hash, original.snapshot.data_hash);
    assert_eq!((twin.account, twin.livemode), (original.account.clone(), original.livemode));
}
