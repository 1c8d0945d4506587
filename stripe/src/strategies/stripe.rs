//! A customer at Stripe: the objects there are, and the events that told of them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::act::{Act, Step, Terms};
use super::plan_credits::PlanCredits;
use super::version::Version;
use crate::event::{Delivery, from_value};
use crate::json::sha256_hex;
use crate::snapshot::Snapshot;

/// Stripe as one customer sees it. Acts are played on it; it keeps the objects as they are and every event as it was
/// made, so that what is delivered can be compared with what is.
#[derive(Debug, Clone)]
pub struct Stripe {
    number: usize,
    pub(super) customer: String,
    pub(super) is_deleted: bool,
    pub(super) now: i64,
    /// The API request that makes the next events; none for what Stripe does by itself.
    pub(super) request: Option<String>,
    serial: usize,
    objects: BTreeMap<String, Map<String, Value>>,
    events: Vec<Told>,
    pub(super) payments: Vec<Payment>,
    pub(super) disputes: Vec<String>,
    pub(super) subscriptions: Vec<String>,
    pub(super) invoices: Vec<String>,
    pub(super) notes: Vec<String>,
    /// What each subscription is billed by.
    pub(super) terms: BTreeMap<String, Terms>,
    pub(super) plan_credits: PlanCredits,
    pub(super) sums: Sums,
}

/// A payment that was captured.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) intent: Option<String>,
    pub(super) charge: String,
    /// Credits it bought, and the tax in it; none if it pays an invoice.
    pub(super) bought: Option<(i64, i64)>,
}

/// What the books must come to, reckoned act by act and not from events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Money at Stripe (account 1110) by lower-case currency, before fees on charges.
    pub at_stripe: BTreeMap<String, i64>,
    /// What customers owe on invoices (account 1210), by lower-case currency.
    pub receivable: BTreeMap<String, i64>,
    /// Tax in packs that was not given back, by lower-case currency.
    pub tax: BTreeMap<String, i64>,
    /// Credits that packs and plans gave, in millionths.
    pub granted: i64,
    /// Credits that refunds, lost disputes and changes of plan took back, in millionths.
    pub clawed_back: i64,
}

/// An event as Stripe knows it, before a version renders it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    event: Value,
}

impl Told {
    /// The body that an endpoint of this version is sent.
    pub fn rendered(&self, version: Version) -> Value {
        version.render(&self.event)
    }

    /// That body as it is stored.
    pub fn snapshot(&self, version: Version) -> Snapshot {
        match from_value(self.rendered(version)) {
            Ok(Delivery::Event(event)) => event.snapshot,
            other => unreachable!("an event with all it needs: {other:?}"),
        }
    }

    /// When it was made, Unix seconds.
    pub fn created(&self) -> i64 {
        self.event["created"].as_i64().unwrap_or_default()
    }

    /// The id of the object it is about.
    pub fn object_id(&self) -> &str {
        self.event["data"]["object"]["id"].as_str().unwrap_or_default()
    }
}

/// The second in which every life begins.
const BEGINNING: i64 = 1_780_000_000;

impl Stripe {
    /// A new customer. Every third names its account itself, every third is linked by its checkout sessions, every third is
    /// an account of its own name.
    pub fn of_customer(number: usize) -> Self {
        let mut stripe = Self {
            number,
            customer: String::new(),
            is_deleted: false,
            now: BEGINNING,
            request: None,
            serial: 0,
            objects: BTreeMap::new(),
            events: Vec::new(),
            payments: Vec::new(),
            disputes: Vec::new(),
            subscriptions: Vec::new(),
            invoices: Vec::new(),
            notes: Vec::new(),
            terms: BTreeMap::new(),
            plan_credits: PlanCredits::default(),
            sums: Sums::default(),
        };
        stripe.by_request();
        let metadata = if number.is_multiple_of(3) {
            json!({"account_id": format!("acct_{number}")})
        } else {
            json!({})
        };
        let customer = json!({"object": "customer", "metadata": metadata, "balance": 0, "delinquent": false});
        stripe.customer = stripe.create("cus", &["customer.created"], customer);
        stripe
    }

    /// A whole life.
    pub fn lived(number: usize, steps: &[Step]) -> Self {
        let mut stripe = Self::of_customer(number);
        for step in steps {
            stripe.play(step);
        }
        stripe
    }

    /// The next act. One that its time does not allow does nothing.
    pub fn play(&mut self, step: &Step) {
        self.now += step.after;
        self.by_request();
        match step.act {
            Act::Refund {
                payment,
                percent,
                ends,
            } => self.refund(payment, percent, ends),
            Act::Dispute { payment, is_inquiry } => self.dispute(payment, is_inquiry),
            Act::MoveDispute { dispute, to } => self.move_dispute(dispute, to),
            Act::PayOut { amount, fails } => self.pay_out(amount, fails),
            _ if self.is_deleted => {}
            Act::Buy { .. } => self.buy(&step.act),
            Act::Subscribe {
                plan,
                quantity,
                with_trial,
                first,
                terms,
            } => self.subscribe((plan, quantity), with_trial, first, terms),
            Act::EndPeriod {
                subscription,
                is_paid,
                is_announced,
            } => self.end_period(subscription, is_paid, is_announced),
            Act::Retry { invoice, is_paid } => self.retry(invoice, is_paid),
            Act::GiveUp { invoice, is_void } => self.give_up(invoice, is_void),
            Act::PayOutside { invoice } => self.pay_outside(invoice),
            Act::ChangePlan {
                subscription,
                plan,
                quantity,
            } => self.change_plan(subscription, plan, quantity),
            Act::Flip { subscription, times } => self.flip(subscription, times),
            Act::PauseOrResume { subscription } => self.pause_or_resume(subscription),
            Act::Cancel { subscription } => {
                self.cancel(subscription);
            }
            Act::DraftAndDelete => self.draft_and_delete(),
            Act::CreditNote { invoice, percent } => self.credit_note(invoice, percent),
            Act::VoidCreditNote { note } => self.void_credit_note(note),
            Act::UpdateCustomer => self.update_customer(),
            Act::DeleteCustomer => self.delete_customer(),
        }
    }

    /// Every event, in the order in which they were made.
    pub fn events(&self) -> &[Told] {
        &self.events
    }

    /// Every object as it is, in the shape of [`Version::Dahlia`].
    pub fn objects(&self) -> impl Iterator<Item = Map<String, Value>> {
        self.objects.values().map(Version::dahlia_object)
    }

    /// What the books must come to.
    pub fn sums(&self) -> Sums {
        let mut sums = self.sums.clone();
        sums.granted += self.plan_credits.given();
        sums.clawed_back += self.plan_credits.taken();
        for payment in &self.payments {
            self.add_pack(payment, &mut sums);
        }
        sums
    }

    /// The account that is the customer's in the end.
    pub fn account(&self) -> String {
        let is_linked = self.number.is_multiple_of(3) || (self.links_by_session() && self.has_session());
        if is_linked {
            format!("acct_{}", self.number)
        } else {
            self.customer.clone()
        }
    }

    pub(super) fn links_by_session(&self) -> bool {
        self.number % 3 == 1
    }

    fn has_session(&self) -> bool {
        let is_session = |event: &Told| event.object_id().starts_with("cs_");
        self.events.iter().any(is_session)
    }

    pub(super) fn client_reference(&self) -> Option<String> {
        self.links_by_session().then(|| format!("acct_{}", self.number))
    }

    /// The next events are one request's.
    pub(super) fn by_request(&mut self) {
        self.serial += 1;
        self.request = Some(format!("req_{}_{}", self.number, self.serial));
    }

    /// The next events are Stripe's own doing, so many seconds later: what it does by itself shares no second with what
    /// it waited for.
    pub(super) fn by_itself_after(&mut self, seconds: i64) {
        self.now += seconds.max(1);
        self.request = None;
    }

    pub(super) fn new_id(&mut self, prefix: &str) -> String {
        self.serial += 1;
        format!("{prefix}_{}_{}", self.number, self.serial)
    }

    /// Make an object, and tell it by events of these types.
    pub(super) fn create(&mut self, prefix: &str, types: &[&str], object: Value) -> String {
        let id = self.new_id(prefix);
        let Value::Object(mut object) = object else {
            unreachable!("objects are built as maps")
        };
        object.insert("id".to_owned(), json!(id));
        object.insert("created".to_owned(), json!(self.now));
        object.insert("livemode".to_owned(), json!(false));
        self.objects.insert(id.clone(), object.clone());
        self.tell(types, &id, &object);
        id
    }

    /// Change an object, and tell it by events of these types; those that say so carry the previous values.
    pub(super) fn change(&mut self, id: &str, types: &[&str], changes: Value) {
        let before = self.objects[id].clone();
        let Value::Object(changes) = changes else {
            unreachable!("changes are built as maps")
        };
        let object = self.objects.entry(id.to_owned()).or_default();
        object.extend(changes);
        self.tell(types, id, &before);
    }

    /// An object is gone: the event that tells it carries the object as it was.
    pub(super) fn delete(&mut self, id: &str, event_type: &str) {
        self.change(id, &[event_type], json!({}));
        self.change(id, &[], json!({"deleted": true}));
    }

    fn tell(&mut self, types: &[&str], id: &str, before: &Map<String, Value>) {
        let object = self.objects[id].clone();
        for event_type in types {
            let mut data = json!({"object": object});
            if says_previous(event_type) {
                let previous = previous_values(before, &object);
                if previous.is_empty() {
                    continue;
                }
                data["previous_attributes"] = Value::Object(previous);
            }
            // Ids do not sort in the order of happening: the last resort must not be what decides.
            let digest = sha256_hex(format!("{}/{}", self.number, self.events.len()).as_bytes());
            let event = json!({"id": format!("evt_{}", &digest[..24]), "object": "event", "type": event_type,
                "api_version": Version::Dahlia.name(), "created": self.now, "livemode": false, "pending_webhooks": 1,
                "data": data, "request": {"id": self.request, "idempotency_key": null}});
            self.events.push(Told { event });
        }
    }

    pub(super) fn text(&self, id: &str, field: &str) -> &str {
        self.objects[id]
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub(super) fn int(&self, id: &str, field: &str) -> i64 {
        self.objects[id]
            .get(field)
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }

    pub(super) fn value(&self, id: &str, field: &str) -> &Value {
        self.objects[id].get(field).unwrap_or(&Value::Null)
    }

    pub(super) fn status(&self, id: &str) -> &str {
        self.text(id, "status")
    }

    pub(super) fn book_at_stripe(&mut self, currency: &str, amount: i64) {
        *self.sums.at_stripe.entry(currency.to_owned()).or_default() += amount;
    }

    pub(super) fn book_receivable(&mut self, amount: i64) {
        *self.sums.receivable.entry("usd".to_owned()).or_default() += amount;
    }

    fn update_customer(&mut self) {
        let customer = self.customer.clone();
        let is_delinquent = self.value(&customer, "delinquent") == &json!(true);
        self.change(
            &customer,
            &["customer.updated"],
            json!({"delinquent": !is_delinquent}),
        );
    }

    fn delete_customer(&mut self) {
        while self.cancel(0) {}
        self.is_deleted = true;
        let customer = self.customer.clone();
        self.delete(&customer, "customer.deleted");
    }

    fn pay_out(&mut self, amount: i64, fails: bool) {
        let payout = json!({"object": "payout", "amount": amount, "currency": "usd", "status": "pending",
            "arrival_date": self.now, "balance_transaction": "txn_out", "failure_balance_transaction": null});
        let id = self.create("po", &["payout.created"], payout);
        self.book_at_stripe("usd", -amount);
        self.by_itself_after(3_600);
        self.change(&id, &["payout.updated", "payout.paid"], json!({"status": "paid"}));
        if fails {
            self.by_itself_after(86_400);
            let failed = json!({"status": "failed", "failure_balance_transaction": "txn_back"});
            self.change(&id, &["payout.updated", "payout.failed"], failed);
            self.book_at_stripe("usd", amount);
        }
    }
}

/// Which of so many things a number picks.
pub(super) fn picked(pick: usize, count: usize) -> Option<usize> {
    pick.checked_rem(count)
}

/// One of those that may be picked.
pub(super) fn picked_of(ids: &[String], pick: usize, may_be: impl Fn(&str) -> bool) -> Option<String> {
    let possible: Vec<&String> = ids.iter().filter(|id| may_be(id)).collect();
    Some(possible[picked(pick, possible.len())?].clone())
}

fn says_previous(event_type: &str) -> bool {
    event_type.ends_with(".updated") || event_type == "charge.refunded"
}

/// As Stripe says them: of a map only the keys that changed, null where there was none, arrays whole.
pub(super) fn previous_values(before: &Map<String, Value>, after: &Map<String, Value>) -> Map<String, Value> {
    let mut previous = Map::new();
    for key in before.keys().chain(after.keys()) {
        let (old, new) = (before.get(key), after.get(key));
        if old == new || previous.contains_key(key) {
            continue;
        }
        let value = match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => Value::Object(previous_values(old, new)),
            (old, _) => old.cloned().unwrap_or(Value::Null),
        };
        previous.insert(key.clone(), value);
    }
    previous
}
