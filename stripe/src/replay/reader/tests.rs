use std::io::Cursor;

use serde_json::{Value, json};

use super::*;

fn event(id: &str) -> Value {
    json!({"id": id, "object": "event", "type": "customer.created", "created": 5,
        "data": {"object": {"id": "cus_1", "object": "customer"}}})
}

/// Ids of what reads, `line:code` of what does not; and every body reads the same from its place.
fn read(stream: &[u8]) -> Vec<String> {
    let mut again = Cursor::new(stream);
    StreamReader::new(stream)
        .map(|line| match line.unwrap() {
            Line::Delivery(recorded) => {
                assert_eq!(recorded.place.read(&mut again).unwrap(), recorded.body);
                match recorded.delivery {
                    Delivery::Event(event) => event.snapshot.event_id,
                    Delivery::Thin(hint) => format!("thin {}", hint.event_id),
                }
            }
            Line::Refused(refused) => format!("{}:{}", refused.line, refused.code),
        })
        .collect()
}

#[test]
fn an_event_a_line_with_blank_lines_crlf_and_a_byte_order_mark() {
    let stream = format!(
        "\u{feff}{}\r\n\n  {}  \n{}",
        event("evt_1"),
        event("evt_2"),
        event("evt_3")
    );
    assert_eq!(read(stream.as_bytes()), ["evt_1", "evt_2", "evt_3"]);
}

#[test]
fn captured_deliveries_give_the_bytes_that_were_signed() {
    let body = format!("{:#}", event("evt_1"));
    let captured = json!({"n": 0, "sig": "t=1,v1=00", "raw": body, "event": event("evt_other")}).to_string();
    assert_eq!(read(captured.as_bytes()), ["evt_1"]);
    let Some(Ok(Line::Delivery(recorded))) = StreamReader::new(captured.as_bytes()).next() else {
        panic!()
    };
    assert_eq!(recorded.body, body.as_bytes());
    assert_eq!(recorded.signature.as_deref(), Some("t=1,v1=00"));
}

#[test]
fn pages_of_the_events_api_on_one_line_or_pretty_printed() {
    let page = |first: &str, second: &str| json!({"object": "list", "data": [event(first), event(second)], "has_more": true});
    let stream = format!(
        "{}\n{:#}\n{}\n",
        page("evt_4", "evt_3"),
        page("evt_2", "evt_1"),
        event("evt_0")
    );
    assert_eq!(
        read(stream.as_bytes()),
        ["evt_4", "evt_3", "evt_2", "evt_1", "evt_0"]
    );
}

#[test]
fn arrays_with_an_event_a_line() {
    let stream = format!("[\n{},\n{}\n]\n", event("evt_1"), event("evt_2"));
    assert_eq!(read(stream.as_bytes()), ["evt_1", "evt_2"]);
}

#[test]
fn envelopes_of_event_buses() {
    let bridge = json!({"version": "0", "id": "not-this", "detail-type": "customer.created", "detail": event("evt_1")});
    let grid = json!({"specversion": "1.0", "id": "nor-this", "type": "x", "data": event("evt_2")});
    assert_eq!(
        read(format!("{bridge}\n{grid}\n{:#}", json!([grid])).as_bytes()),
        ["evt_1", "evt_2", "evt_2"]
    );
}

#[test]
fn what_stripe_listen_says_beside_the_events_is_passed_over() {
    let stream = format!(
        "> Ready! You are using Stripe API Version [2026-08-26.dahlia]. Your webhook signing secret is whsec_x\n\
         2026-01-01 10:00:00   --> customer.created [evt_1]\n{:#}\n\
         2026-01-01 10:00:00  <--  [200] POST http://localhost/ [evt_1]\n{}\n",
        event("evt_1"),
        event("evt_2")
    );
    assert_eq!(read(stream.as_bytes()), ["evt_1", "evt_2"]);
}

#[test]
fn a_bad_line_is_named_and_costs_no_other() {
    let good = event("evt_1").to_string();
    let other = event("evt_2").to_string();
    let cuts = (1..good.len()).filter(|cut| good.is_char_boundary(*cut));
    for cut in cuts {
        let stream = format!("{}\n{other}\n", &good[..cut]);
        assert_eq!(
            read(stream.as_bytes()),
            ["1:body_not_json", "evt_2"],
            "cut at {cut}"
        );
    }
    let stream = [
        b"\xff\xfe\n{\"a\":1,\"a\":2}\n\"text\"\nnot json\n".as_slice(),
        other.as_bytes(),
    ]
    .concat();
    let codes = [
        "1:body_not_utf8",
        "2:body_duplicate_key",
        "3:body_not_an_object",
        "4:body_not_json",
        "evt_2",
    ];
    assert_eq!(read(&stream), codes);
}

#[test]
fn a_line_cut_within_an_array_costs_no_other() {
    let stream = format!(
        "{{\"object\":\"list\",\"data\":[1,\n{}\n{}\n",
        event("evt_1"),
        event("evt_2")
    );
    assert_eq!(read(stream.as_bytes()), ["1:body_not_json", "evt_1", "evt_2"]);
}

#[test]
fn the_line_of_an_element_is_its_own() {
    let page = json!({"object": "list", "data": [event("evt_1"), {"object": "event"}]});
    let text = format!("\n{page:#}");
    let starts = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| *line == "    {")
        .map(|(_, number)| number);
    let second: u64 = starts.last().unwrap();
    assert_eq!(
        read(text.as_bytes()),
        ["evt_1".to_owned(), format!("{second}:event_without_id")]
    );
}
