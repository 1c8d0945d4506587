//! Sets of events, settled in every order they can arrive in.

mod order;
mod scenarios;

use serde_json::{Map, Value, json};

use super::*;
use crate::event::{Delivery, parse};

/// A set of events, built one by one.
struct Scenario {
    kind: ObjectKind,
    object: Value,
    snapshots: Vec<Snapshot>,
}

impl Scenario {
    fn subscription() -> Self {
        Self::of(json!({
            "id": "sub_1", "object": "subscription", "status": "incomplete", "cancel_at_period_end": false,
            "customer": "cus_1", "metadata": {}, "latest_invoice": "in_1", "cancel_at": null,
            "items": {"data": [item(0, 100)]},
        }))
    }

    fn invoice() -> Self {
        Self::of(json!({
            "id": "in_1", "object": "invoice", "status": "draft", "currency": "usd", "amount_due": 1000, "amount_paid": 0,
            "amount_remaining": 1000, "total": 1000, "subtotal": 1000, "attempt_count": 0, "status_transitions": {},
        }))
    }

    fn refund() -> Self {
        Self::of(
            json!({"id": "re_1", "object": "refund", "amount": 300, "currency": "usd", "status": "pending", "charge": "ch_1"}),
        )
    }

    fn customer() -> Self {
        Self::of(
            json!({"id": "cus_1", "object": "customer", "metadata": {"account_id": "acct_1"}, "balance": 0}),
        )
    }

    fn of(object: Value) -> Self {
        let kind = ObjectKind::from_name(object["object"].as_str().unwrap()).unwrap();
        Self {
            kind,
            object,
            snapshots: Vec::new(),
        }
    }

    /// An event at `second` that changes these fields. With `previous`, it says what they were, as `*.updated` does.
    fn event(self, event_type: &str, second: i64, changes: &[(&str, Value)]) -> Self {
        self.push(event_type, second, changes, false, None)
    }

    fn update(self, event_type: &str, second: i64, changes: &[(&str, Value)]) -> Self {
        self.push(event_type, second, changes, true, None)
    }

    fn requested(self, request: &str, event_type: &str, second: i64, changes: &[(&str, Value)]) -> Self {
        self.push(event_type, second, changes, true, Some(request))
    }

    fn push(
        mut self,
        event_type: &str,
        second: i64,
        changes: &[(&str, Value)],
        says: bool,
        request: Option<&str>,
    ) -> Self {
        let mut previous = serde_json::Map::new();
        for (key, value) in changes {
            previous.insert((*key).to_owned(), self.object[*key].clone());
            self.object[*key] = value.clone();
        }
        let mut data = json!({"object": self.object});
        if says {
            data["previous_attributes"] = Value::Object(previous);
        }
        // Ids that do not sort in the order of happening: the last resort must not be what decides.
        let id = format!(
            "evt_{}",
            crate::json::sha256_hex(format!("{}", self.snapshots.len()).as_bytes())
        );
        let body = json!({"id": id, "type": event_type, "created": second, "data": data,
            "request": request.map(|id| json!({"id": id}))});
        self.snapshots.push(read(&body));
        self
    }

    /// The last event once more under another id, as Stripe makes now and then.
    fn twin(mut self) -> Self {
        let mut twin = self.snapshots.last().unwrap().clone();
        twin.event_id = format!("{}x", twin.event_id);
        self.snapshots.push(twin);
        self
    }

    /// The winner's normalised fields, the same in every order, each event once or twice.
    fn settles(&self) -> Map<String, Value> {
        let first = self.winner_of(&self.snapshots);
        for order in permutations(self.snapshots.len()) {
            let mut set: Vec<Snapshot> = order.iter().map(|index| self.snapshots[*index].clone()).collect();
            assert_eq!(self.winner_of(&set), first, "{order:?}");
            set.push(set[0].clone());
            assert_eq!(self.winner_of(&set), first, "{order:?} with a duplicate");
        }
        first.1
    }

    fn status(&self) -> String {
        self.settles()["status"].as_str().unwrap().to_owned()
    }

    fn winner_of(&self, set: &[Snapshot]) -> (Vec<String>, Map<String, Value>) {
        let winner = winner(self.kind, set).unwrap();
        let history = winner
            .history
            .iter()
            .map(|event| event.event_id.clone())
            .collect();
        (history, winner.object().normalised())
    }

    fn types(&self) -> Vec<&str> {
        let winner = winner(self.kind, &self.snapshots).unwrap();
        winner
            .history
            .iter()
            .map(|event| event.event_type.rsplit('.').next().unwrap())
            .collect()
    }
}

fn read(body: &Value) -> Snapshot {
    match parse(body.to_string().as_bytes()).unwrap() {
        Delivery::Event(event) => event.snapshot,
        Delivery::Thin(hint) => panic!("thin: {hint:?}"),
    }
}

fn item(start: i64, end: i64) -> Value {
    json!({"id": "si_1", "price": {"id": "price_1"}, "quantity": 1, "current_period_start": start, "current_period_end": end})
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    assert!(count <= 7, "5,040 orders are enough");
    let mut orders = vec![Vec::new()];
    for next in 0..count {
        let longer = |order: Vec<usize>| {
            (0..=order.len()).map(move |place| {
                let mut order = order.clone();
                order.insert(place, next);
                order
            })
        };
        orders = orders.into_iter().flat_map(longer).collect();
    }
    orders
}

fn status(status: &str) -> (&'static str, Value) {
    ("status", json!(status))
}

const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
