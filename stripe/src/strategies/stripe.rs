//! A customer at Stripe: the objects there are, and the events that told of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::act::{Act, Step, Terms};
use super::plan_credits::PlanCredits;
use super::plans::Line;
use super::told::Told;
use super::version::Version;

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
    pub(super) objects: BTreeMap<String, Map<String, Value>>,
    pub(super) events: Vec<Told>,
    pub(super) payments: Vec<Payment>,
    pub(super) disputes: Vec<String>,
    pub(super) subscriptions: Vec<String>,
    pub(super) invoices: Vec<String>,
    pub(super) notes: Vec<String>,
    /// What each subscription is billed by.
    pub(super) terms: BTreeMap<String, Terms>,
    /// Lines that the next invoice of a subscription bills.
    pub(super) unbilled: BTreeMap<String, Vec<Line>>,
    pub(super) plan_credits: PlanCredits,
    /// Balance transactions that were read, by themselves or in what they are of.
    pub(super) read_bookings: BTreeSet<String>,
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
    /// Money at Stripe (account 1110) by lower-case currency, less the fees that were read.
    pub at_stripe: BTreeMap<String, i64>,
    /// Money that came to the bank or left it (account 1010), by lower-case currency.
    pub at_bank: BTreeMap<String, i64>,
    /// What Stripe took for itself (account 5010) as far as it was read, by lower-case currency.
    pub fees: BTreeMap<String, i64>,
    /// What Stripe holds back (account 1140), by lower-case currency.
    pub reserved: BTreeMap<String, i64>,
    /// The customer's balance (account 2130) by lower-case currency; negative is the customer's.
    pub customer_balance: BTreeMap<String, i64>,
    /// What customers owe on invoices (account 1210), by lower-case currency.
    pub receivable: BTreeMap<String, i64>,
    /// Tax in packs that was not given back, by lower-case currency.
    pub tax: BTreeMap<String, i64>,
    /// Credits that packs and plans gave, in millionths.
    pub granted: i64,
    /// Credits that refunds, lost disputes and changes of plan took back, in millionths.
    pub clawed_back: i64,
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
            unbilled: BTreeMap::new(),
            plan_credits: PlanCredits::default(),
            read_bookings: BTreeSet::new(),
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
            Act::MoveOwnMoney { kind, amount } => self.move_own_money(kind, amount),
            Act::Look { object } => self.look(object),
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
                billed,
                names_credited,
            } => self.change_plan(subscription, (plan, quantity), billed, names_credited),
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

    /// Everything that was told, in the order in which it was.
    pub fn events(&self) -> &[Told] {
        &self.events
    }

    /// Every object as it is, in the shape of [`Version::Dahlia`].
    pub fn objects(&self) -> impl Iterator<Item = Map<String, Value>> {
        self.objects.values().map(|object| Version::Dahlia.object(object))
    }

    /// What the books must come to.
    pub fn sums(&self) -> Sums {
        let mut sums = self.sums.clone();
        sums.granted += self.plan_credits.given();
        sums.clawed_back += self.plan_credits.taken();
        let balance = self.int(&self.customer, "balance");
        sums.customer_balance.insert("usd".to_owned(), balance);
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
            let place = (self.number, self.events.len());
            let told = Told::event(
                event_type,
                place,
                (self.now, self.request.as_deref()),
                before,
                &object,
            );
            self.events.extend(told);
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

    pub(super) fn book_at_bank(&mut self, currency: &str, amount: i64) {
        *self.sums.at_bank.entry(currency.to_owned()).or_default() += amount;
    }

    pub(super) fn book_receivable(&mut self, amount: i64) {
        *self.sums.receivable.entry("usd".to_owned()).or_default() += amount;
    }

    /// So much more is owed by the customer; negative: to the customer.
    pub(super) fn move_balance(&mut self, amount: i64) {
        let customer = self.customer.clone();
        let balance = self.int(&customer, "balance") + amount;
        self.change(&customer, &["customer.updated"], json!({"balance": balance}));
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
