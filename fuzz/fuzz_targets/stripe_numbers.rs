//! Numbers in a delivery are exact 64-bit integers or not there, however they are written; shares are decimals.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tallybook_stripe::event::{self, Delivery, Rejection};
use tallybook_stripe::replay::Probability;

fuzz_target!(|text: &str| {
    if text.parse::<Probability>().is_ok() {
        assert!(text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{text:?}");
    }
    let body = format!(
        r#"{{"id":"evt_1","type":"charge.updated","created":{text},"data":{{"object":{{"object":"charge","id":"ch_1",
            "amount":{text},"amount_refunded":{text},"currency":"usd","status":"succeeded","captured":true}}}}}}"#
    );
    let delivery = event::parse(body.as_bytes());
    let Ok(Value::Number(number)) = serde_json::from_str::<Value>(text) else { return };
    match (number.as_i64(), delivery) {
        (Some(exact), Ok(Delivery::Event(event))) => {
            assert_eq!(event.snapshot.created, exact);
            let read = event.snapshot.object.expect("a charge with all it needs");
            assert_eq!(read.normalised()["amount"], exact);
        }
        (None, Err(rejection)) => assert_eq!(rejection, Rejection::NoCreated, "{text}"),
        (_, other) => panic!("{text}: {other:?}"),
    }
});
