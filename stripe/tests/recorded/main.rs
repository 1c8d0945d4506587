//! Recorded streams, in order and disturbed, against what two simulators say the world was.

mod books;
mod localstripe;
mod world_7;

use std::collections::BTreeMap;

use tallybook_stripe::event::{self, Delivery};
use tallybook_stripe::object::{Invoice, Object, ObjectKind};
use tallybook_stripe::replay::{Line, Perturbation, Recorded, StreamReader, twin_of};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::winner::{winner, with_renewals};

/// The stored events of each object: the set that settlement reads.
type Inbox = BTreeMap<String, Vec<Snapshot>>;

fn data(name: &str) -> String {
    let path = format!("{}/../tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).expect("the recorded streams are in tests/data")
}

fn recorded(stream: &str) -> Vec<Recorded> {
    let lines = StreamReader::new(stream.as_bytes()).map(|line| line.expect("a slice does not fail to read"));
    lines
        .map(|line| match line {
            Line::Delivery(recorded) => *recorded,
            Line::Refused(refused) => panic!("{refused}"),
        })
        .collect()
}

/// Delivers the stream as the perturbation says, and stores what an inbox would: each (event id, content hash) once.
fn deliver(stream: &[Recorded], perturbation: &Perturbation) -> Inbox {
    let mut inbox = Inbox::new();
    for step in perturbation.plan(u32::try_from(stream.len()).expect("a short stream")) {
        let original = &stream[step.event as usize];
        let snapshot = if step.twin {
            snapshot(event::parse(&twin_of(&original.body).expect("an event")).expect("a twin reads"))
        } else {
            snapshot(original.delivery.clone())
        };
        let stored = inbox
            .entry(snapshot.object_id.clone().expect("an object with an id"))
            .or_default();
        let key = |it: &Snapshot| (it.event_id.clone(), it.content_hash.clone());
        if !stored.iter().any(|it| key(it) == key(&snapshot)) {
            stored.push(snapshot);
        }
    }
    inbox
}

fn snapshot(delivery: Delivery) -> Snapshot {
    match delivery {
        Delivery::Event(event) => event.snapshot,
        Delivery::Thin(hint) => panic!("a thin event: {hint:?}"),
    }
}

/// Every settled object: winners, with the periods of renewals that sent no event.
fn settle(inbox: &Inbox) -> BTreeMap<String, Object> {
    let mut settled = BTreeMap::new();
    for (id, snapshots) in inbox {
        for kind in ObjectKind::ALL {
            settled.extend(winner(kind, snapshots).map(|winner| (id.clone(), winner.object().clone())));
        }
    }
    let invoices: Vec<Invoice> = settled.values().filter_map(invoice).cloned().collect();
    for object in settled.values_mut() {
        if let Object::Subscription(subscription) = object {
            *subscription = with_renewals(subscription, &invoices);
        }
    }
    settled
}

fn invoice(object: &Object) -> Option<&Invoice> {
    match object {
        Object::Invoice(invoice) => Some(invoice),
        _ => None,
    }
}
