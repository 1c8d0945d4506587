use std::collections::BTreeMap;

use tallybook_stripe::object::{Object, ObjectKind};
use tallybook_stripe::replay::{Order, Perturbation, Recorded};
use tallybook_stripe::signature::{DEFAULT_TOLERANCE, Verifier, WebhookSecret, sign};

use crate::{data, deliver, recorded, settle};

fn stream() -> Vec<Recorded> {
    recorded(&data("localstripe.ndjson"))
}

/// The captured header is of its day; the replayer signs the captured bytes afresh.
#[test]
fn captured_bodies_are_signed_afresh_byte_for_byte() {
    let secret = WebhookSecret::new("whsec_replay").unwrap();
    let verifier = Verifier::new(vec![secret.clone()], DEFAULT_TOLERANCE).unwrap();
    let stream = stream();
    assert_eq!(stream.len(), 53);
    for delivery in &stream {
        assert!(
            delivery.body.starts_with(b"{\n  \"api_version\""),
            "the text as sent, not printed again"
        );
        let captured = delivery.signature.as_ref().unwrap();
        assert!(verifier.verify(captured.as_bytes(), &delivery.body, NOW).is_err());
        let fresh = sign(&secret, NOW, &delivery.body);
        assert!(verifier.verify(fresh.as_bytes(), &delivery.body, NOW).is_ok());
    }
}

const NOW: i64 = 1_800_000_000;

/// Shapes of 2017-08-15: periods and tax at the top level, plans instead of prices, charges within intents, no `request`,
/// no `amount_captured`, and everything in a few seconds without previous values.
#[test]
fn old_shapes_read_and_settle_to_one_state_in_any_order() {
    let stream = stream();
    let in_order = settle(&deliver(&stream, &Perturbation::default()));
    let mut statuses: BTreeMap<(ObjectKind, Option<&str>), usize> = BTreeMap::new();
    for object in in_order.values() {
        *statuses.entry((object.kind(), object.status())).or_default() += 1;
    }
    let expected = [
        ((ObjectKind::Customer, None), 4),
        ((ObjectKind::Subscription, Some("canceled")), 3),
        ((ObjectKind::Subscription, Some("incomplete")), 4),
        ((ObjectKind::Invoice, Some("draft")), 1),
        ((ObjectKind::Invoice, Some("paid")), 9),
        ((ObjectKind::PaymentIntent, Some("succeeded")), 12),
    ];
    assert_eq!(statuses, BTreeMap::from(expected));
    for object in in_order.values() {
        match object {
            Object::Subscription(it) => {
                assert!(it.current_period_start < it.current_period_end, "{it:?}");
                assert!(
                    it.items
                        .iter()
                        .all(|item| item.price.is_some() && item.current_period_end.is_some()),
                    "{it:?}"
                );
            }
            Object::Invoice(it) => {
                assert!(it.subscription.is_some() && it.lines[0].price.is_some(), "{it:?}");
            }
            Object::PaymentIntent(it) => {
                assert!(it.latest_charge.is_some() && it.amount_received > 0, "{it:?}");
            }
            _ => {}
        }
    }
    for seed in 1..=20 {
        let shuffled = Perturbation {
            seed,
            order: Order::Shuffled,
            duplicate: "0.2".parse().unwrap(),
            ..Perturbation::default()
        };
        assert_eq!(settle(&deliver(&stream, &shuffled)), in_order, "seed {seed}");
    }
}
