use std::collections::BTreeMap;

use tallybook_stripe::object::{Object, ObjectKind};
use tallybook_stripe::replay::{Expectation, Order, Perturbation};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::winner::winner;

use crate::{data, deliver, recorded, settle};

fn oracle() -> Expectation {
    Expectation::read(&data("world-7.expected.json")).expect("the oracle reads")
}

#[test]
fn winners_equal_the_oracle_in_every_field_we_read() {
    let settled = settle(&deliver(
        &recorded(&data("world-7.ndjson")),
        &Perturbation::default(),
    ));
    let mut compared: BTreeMap<ObjectKind, usize> = BTreeMap::new();
    for (id, expected) in oracle().objects() {
        let [mut got, mut expected] = [settled[id].clone(), expected.clone()];
        assert_eq!(got.normalised(), expected.normalised(), "{id}");
        // The one field that changes without an event of its object: a credit note says it.
        for object in [&mut got, &mut expected] {
            if let Object::Invoice(invoice) = object {
                invoice.post_payment_credit_notes_amount = 0;
            }
        }
        assert_eq!(got, expected, "{id}");
        *compared.entry(got.kind()).or_default() += 1;
    }
    let counts = [
        (ObjectKind::Customer, 54),
        (ObjectKind::Subscription, 39),
        (ObjectKind::Invoice, 69),
        (ObjectKind::PaymentIntent, 24),
        (ObjectKind::Charge, 86),
        (ObjectKind::Refund, 9),
        (ObjectKind::Dispute, 9),
        (ObjectKind::CreditNote, 3),
    ];
    assert_eq!(
        compared,
        BTreeMap::from(counts),
        "an oracle that names fewer objects proves less"
    );
}

#[test]
fn customers_the_oracle_no_longer_has_are_deleted() {
    let inbox = deliver(&recorded(&data("world-7.ndjson")), &Perturbation::default());
    let oracle = oracle();
    let mut deleted = 0;
    for winner in inbox
        .values()
        .filter_map(|snapshots| winner(ObjectKind::Customer, snapshots))
    {
        assert_eq!(
            winner.is_deleted(),
            !oracle.objects().contains_key(winner.object().id())
        );
        deleted += usize::from(winner.is_deleted());
    }
    assert_eq!(deleted, 3);
}

#[test]
fn twenty_shuffles_with_duplicates_and_twins_settle_to_the_oracle() {
    let stream = recorded(&data("world-7.ndjson"));
    let oracle = oracle();
    for seed in 1..=20 {
        let perturbation = Perturbation {
            seed,
            order: Order::Shuffled,
            duplicate: "0.2".parse().unwrap(),
            twins: "0.05".parse().unwrap(),
            ..Perturbation::default()
        };
        let settled = settle(&deliver(&stream, &perturbation));
        let differences = oracle.differences(|id| settled.get(id).map(Object::normalised));
        assert_eq!(differences, [], "seed {seed}");
    }
}

/// Stored snapshots are all that an erasure leaves; settling them again must not need more.
#[test]
fn snapshots_settle_the_same_from_their_stored_form() {
    let inbox = deliver(&recorded(&data("world-7.ndjson")), &Perturbation::default());
    for snapshots in inbox.values() {
        for snapshot in snapshots {
            let stored = serde_json::to_string(snapshot).unwrap();
            let read: Snapshot = serde_json::from_str(&stored).unwrap();
            assert_eq!(&read, snapshot);
            assert!(
                !stored.contains("@example.com"),
                "an e-mail address would outlive its erasure: {stored}"
            );
        }
    }
}

/// Every event with previous values follows a snapshot that shows them: the fingerprints lose nothing the rule needs.
#[test]
fn previous_values_are_found_in_the_snapshot_before() {
    let inbox = deliver(&recorded(&data("world-7.ndjson")), &Perturbation::default());
    let mut explained = 0;
    for (id, snapshots) in &inbox {
        let winners = ObjectKind::ALL
            .into_iter()
            .filter_map(|kind| winner(kind, snapshots));
        for winner in winners {
            for pair in winner.history.windows(2) {
                if let Some(previous) = &pair[1].previous {
                    assert!(
                        previous.were_those_of(&pair[0].fields),
                        "{id}: {}",
                        pair[1].event_type
                    );
                    explained += 1;
                }
            }
        }
    }
    assert_eq!(
        explained, 110,
        "as many as the stream has with more than personal fields"
    );
}
