//! Balance transactions: what Stripe keeps of every movement of money, and what it moves for no customer. No event tells
//! of them: somebody has to look.

use serde_json::{Value, json};

use super::act::OwnMoney;
use super::stripe::{Stripe, picked_of};
use super::told::Told;

/// Ids of what is asked for begin so. Refunds are left out: where a read tells a failure before its event comes, the account
/// keeps corrections on two dates that depend on the order, of which the sum alone is right.
const READABLE: [&str; 10] = ["ch", "cn", "cs", "cus", "du", "in", "pi", "po", "sub", "txn"];

impl Stripe {
    /// The booking of a movement of money, of which Stripe keeps a fee. Its source is named when that is there.
    pub(super) fn book(&mut self, kind: &str, (amount, fee): (i64, i64), currency: &str) -> String {
        let booking = json!({"object": "balance_transaction", "amount": amount, "fee": fee, "net": amount - fee,
            "currency": currency, "status": "pending", "type": kind, "source": null, "exchange_rate": null});
        self.create("txn", &[], booking)
    }

    pub(super) fn name_source(&mut self, booking: &str, source: &str) {
        self.change(booking, &[], json!({"source": source}));
    }

    /// Asks about one of the objects there are.
    pub(super) fn look(&mut self, object: usize) {
        let ids: Vec<String> = self.objects.keys().cloned().collect();
        if let Some(id) = picked_of(&ids, object, |id| self.may_be_read(id)) {
            self.read(&id);
        }
    }

    fn may_be_read(&self, id: &str) -> bool {
        let kind = id.split('_').next().unwrap_or_default();
        READABLE.contains(&kind) && self.value(id, "deleted") != &json!(true)
    }

    /// What is read shares its second with nothing: it was so after all that happened before, and before all that did after.
    fn read(&mut self, id: &str) {
        self.by_itself_after(1);
        if self.text(id, "object") == "balance_transaction" && self.read_bookings.contains(id) {
            self.change(id, &[], json!({"status": "available"}));
        }
        let mut object = self.objects[id].clone();
        let booking = match self.text(id, "object") {
            "balance_transaction" => Some(id.to_owned()),
            "charge" | "refund" | "payout" => {
                self.value(id, "balance_transaction").as_str().map(str::to_owned)
            }
            _ => None,
        };
        if let Some(booking) = booking {
            if booking != id {
                let expanded = Value::Object(self.objects[&booking].clone());
                object.insert("balance_transaction".to_owned(), expanded);
            }
            self.reckon_booking(booking);
        }
        self.events.push(Told::read(object, self.now));
        self.now += 1;
    }

    /// What the books learn from a booking, once: the fee, and what moved for no customer.
    fn reckon_booking(&mut self, booking: String) {
        let (amount, fee) = (self.int(&booking, "amount"), self.int(&booking, "fee"));
        let currency = self.text(&booking, "currency").to_owned();
        let kind = self.text(&booking, "type").to_owned();
        if !self.read_bookings.insert(booking) || kind == "adjustment" {
            return;
        }
        let taken = if kind == "stripe_fee" { fee - amount } else { fee };
        *self.sums.fees.entry(currency.clone()).or_default() += taken;
        self.book_at_stripe(&currency, -taken);
        match kind.as_str() {
            "topup" => {
                self.book_at_stripe(&currency, amount);
                self.book_at_bank(&currency, -amount);
            }
            "reserve_transaction" => {
                self.book_at_stripe(&currency, amount);
                *self.sums.reserved.entry(currency).or_default() -= amount;
            }
            _ => {}
        }
    }

    pub(super) fn move_own_money(&mut self, kind: OwnMoney, amount: i64) {
        let (kind, amount) = match kind {
            OwnMoney::Fee => ("stripe_fee", -amount),
            OwnMoney::Reserve => ("reserve_transaction", -amount),
            OwnMoney::TopUp => ("topup", amount),
        };
        let booking = self.book(kind, (amount, 0), "usd");
        self.read(&booking);
    }

    pub(super) fn pay_out(&mut self, amount: i64, fails: bool) {
        let booking = self.book("payout", (-amount, amount % 5), "usd");
        let payout = json!({"object": "payout", "amount": amount, "currency": "usd", "status": "pending",
            "arrival_date": self.now, "balance_transaction": booking, "failure_balance_transaction": null});
        let id = self.create("po", &["payout.created"], payout);
        self.name_source(&booking, &id);
        self.book_at_stripe("usd", -amount);
        self.by_itself_after(3_600);
        self.change(&id, &["payout.updated", "payout.paid"], json!({"status": "paid"}));
        if fails {
            self.by_itself_after(86_400);
            let back = self.book("payout_failure", (amount, 0), "usd");
            self.name_source(&back, &id);
            let failed = json!({"status": "failed", "failure_balance_transaction": back});
            self.change(&id, &["payout.updated", "payout.failed"], failed);
            self.book_at_stripe("usd", amount);
        } else {
            self.book_at_bank("usd", amount);
        }
    }
}
