//! Subscriptions that Tallybook drives: start, renewal, the clock.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::*;
use crate::calendar::Interval;
use crate::catalog::{Collection, Price, PriceScheme};
use crate::identity::{InvoiceId, SubscriptionId};
use crate::subscriptions::{
    InvoiceCommand, InvoiceStatus, ItemOrder, ItemTerms, PayInvoice, StartSubscription, SubscriptionCommand,
    SubscriptionRefusal, SubscriptionState, SubscriptionStatus as Status,
};

pub(super) fn months(n: u32) -> Interval {
    Interval::Months(NonZeroU32::new(n).unwrap())
}

/// A plan at so many cents a month with so many credits.
pub(super) fn plan(id: &str, cents: i64, units: i64) -> ItemTerms {
    ItemTerms {
        plan: id.to_owned(),
        family: "plans".to_owned(),
        price: Some(Price {
            currency: Currency::USD,
            scheme: PriceScheme::PerUnit {
                unit_amount: cents.into(),
            },
        }),
        interval: months(1),
        unit: UnitCode::default(),
        credits: credits(units),
        grants_on_zero_amount: false,
        credits_value: None,
        rollover: None,
        scope: std::collections::BTreeSet::new(),
        features: BTreeMap::new(),
        collection: Collection::default(),
    }
}

pub(super) fn one(terms: ItemTerms) -> Vec<ItemOrder> {
    of(terms, 1)
}

pub(super) fn of(terms: ItemTerms, quantity: u32) -> Vec<ItemOrder> {
    vec![ItemOrder {
        item: "main".to_owned(),
        quantity,
        terms,
    }]
}

pub(super) fn sub() -> SubscriptionId {
    "sub_1".into()
}

pub(super) fn start(items: Vec<ItemOrder>) -> AccountCommand {
    subscription(SubscriptionCommand::Start(StartSubscription {
        subscription: sub(),
        items,
        trial: None,
        card_on_file: true,
    }))
}

pub(super) fn subscription(command: SubscriptionCommand) -> AccountCommand {
    AccountCommand::Subscription(Box::new(command))
}

pub(super) fn pay(invoice: &InvoiceId) -> AccountCommand {
    AccountCommand::Invoice(InvoiceCommand::Pay(PayInvoice {
        invoice: invoice.clone(),
        amount: None,
        through_stripe: false,
    }))
}

impl World {
    pub(super) fn subscription(&self) -> &SubscriptionState {
        &self.account.subscriptions()[&sub()]
    }

    /// The last invoice.
    pub(super) fn last_invoice(&self) -> InvoiceId {
        self.account.invoices().last().unwrap().invoice.clone()
    }

    pub(super) fn pay_last(&mut self, at: Timestamp) {
        let invoice = self.last_invoice();
        self.run(pay(&invoice), at).unwrap();
    }

    pub(super) fn credits_at(&self, at: Timestamp) -> Units {
        self.account.balance(&UnitCode::default(), at).available
    }
}

#[test]
fn a_period_is_billed_at_once_and_gives_its_credits_once_it_is_paid() {
    let mut world = World::new();
    world.run(start(one(plan("pro", 1000, 100))), day(0)).unwrap();
    assert_eq!(world.subscription().status, Status::Active);
    assert_eq!(world.subscription().period_end, day(31));
    assert_eq!(
        world.credits_at(day(1)),
        Units::ZERO,
        "nothing before the payment"
    );
    let invoice = world.account.invoices().remove(0);
    assert_eq!(
        (invoice.status, invoice.amount_remaining),
        (InvoiceStatus::Open, 1000)
    );
    world.pay_last(day(2));
    assert_eq!(world.credits_at(day(2)), credits(100));
    assert_eq!(
        world.run(pay(&invoice.invoice), day(3)),
        Err(AccountRefusal::Subscription(
            SubscriptionRefusal::InvoiceNotOpen {
                invoice: invoice.invoice.clone(),
                status: InvoiceStatus::Paid
            }
        ))
    );
    world.run(AccountCommand::WriteDue, day(31)).unwrap();
    assert_eq!(
        world.credits_at(day(31)),
        Units::ZERO,
        "they end with the period, the next one's wait"
    );
    assert_eq!(world.subscription().period_start, day(31));
    world.pay_last(day(31));
    assert_eq!(world.credits_at(day(31)), credits(100));
}
