//! Subscriptions that Tallybook drives: start, renewal, the clock.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::*;
use crate::calendar::Interval;
use crate::catalog::{Collection, Price, PriceScheme, Uncollected};
use crate::identity::{InvoiceId, SubscriptionId};
use crate::subscriptions::{
    ChangeSubscription, CreditInvoice, CreditTo, Driver, InvoiceCommand, InvoiceIssued, InvoiceStatus,
    InvoicesEvent, ItemOrder, ItemTerms, PayInvoice, StartSubscription, SubscriptionCommand,
    SubscriptionItem, SubscriptionRefusal, SubscriptionState, SubscriptionStatus as Status, When,
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
        coupon: None,
        tax: None,
    }))
}

pub(super) fn subscription(command: SubscriptionCommand) -> AccountCommand {
    AccountCommand::Subscription(Box::new(command))
}

pub(super) fn change(items: Vec<ItemOrder>, when: When) -> AccountCommand {
    subscription(SubscriptionCommand::Change(ChangeSubscription {
        subscription: sub(),
        items,
        when,
    }))
}

pub(super) fn cancel(when: When) -> AccountCommand {
    subscription(SubscriptionCommand::Cancel {
        subscription: sub(),
        when,
    })
}

pub(super) fn pause(until: Option<Timestamp>) -> AccountCommand {
    subscription(SubscriptionCommand::Pause {
        subscription: sub(),
        until,
    })
}

pub(super) fn resume() -> AccountCommand {
    subscription(SubscriptionCommand::Resume(sub()))
}

pub(super) fn refused(refusal: SubscriptionRefusal) -> AccountRefusal {
    AccountRefusal::Subscription(refusal)
}

/// What happened, but for revenue that time earned: `revenue` tells of that.
pub(super) fn names(events: &[AccountEvent]) -> Vec<&'static str> {
    let told = events
        .iter()
        .filter(|event| !matches!(event.fact, AccountFact::Recognition(_)));
    told.map(event_name).collect()
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

    /// When the clock alone next does something to the subscription.
    pub(super) fn next_step(&self) -> Option<Timestamp> {
        let dues = self.account.dues(Timestamp::MAX_UTC);
        let steps = dues.filter(|(_, due)| !matches!(due, super::super::dues::Due::RevenueEarned(..)));
        steps.map(|(at, _)| at).min()
    }

    /// The last invoice.
    pub(super) fn last_invoice(&self) -> InvoiceId {
        self.account.invoices().last().unwrap().invoice.clone()
    }

    pub(super) fn pay_last(&mut self, at: Timestamp) {
        let invoice = self.last_invoice();
        self.run(pay(&invoice), at).unwrap();
    }

    /// A subscription of one plan, its first period paid.
    pub(super) fn paid(terms: ItemTerms) -> Self {
        let mut world = Self::new();
        world.run(start(one(terms)), day(0)).unwrap();
        world.pay_last(day(0));
        world
    }

    pub(super) fn lapse(&mut self, at: Timestamp) -> Vec<AccountEvent> {
        self.run(AccountCommand::WriteDue, at).unwrap_or_default()
    }

    pub(super) fn plans(&self) -> Vec<(&str, u32)> {
        let contract = self.subscription().contract.as_ref().unwrap();
        let items = contract.items.iter();
        items
            .map(|item| (item.terms.plan.as_str(), item.quantity))
            .collect()
    }

    /// Totals of all invoices, in the order issued.
    pub(super) fn totals(&self) -> Vec<i64> {
        self.account
            .invoices()
            .iter()
            .map(|invoice| invoice.total)
            .collect()
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

#[test]
fn the_second_period_is_the_first_ones_anchor_day_again() {
    let mut world = World::new();
    let anchor = day(30) + Duration::hours(9);
    world.run(start(one(plan("pro", 1000, 0))), anchor).unwrap();
    world.lapse(day(400));
    let starts: Vec<String> = world
        .account
        .invoices()
        .iter()
        .map(|invoice| invoice.issued_at.format("%m-%d").to_string())
        .collect();
    assert_eq!(starts[..5], ["01-31", "02-28", "03-31", "04-30", "05-31"]);
    assert!(
        world
            .account
            .invoices()
            .iter()
            .all(|invoice| invoice.total == 1000)
    );
}

#[test]
fn two_years_from_every_day_of_four_years_renew_on_the_anchor_day_or_the_months_last() {
    use chrono::Datelike;
    let length = |year: i32, month: u32| match month {
        2 if year % 4 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let first = Utc.with_ymd_and_hms(2024, 1, 1, 7, 30, 0).unwrap();
    for offset in 0..=4 * 365 {
        let began = first + Duration::days(offset);
        let mut account = Account::default();
        let open = OpenAccount {
            account: "acct".into(),
            external_id: None,
            stripe_customer: None,
            time_zone: Tz::UTC,
            test_clock: None,
        };
        for command in [AccountCommand::Open(open), start(one(plan("pro", 1000, 0)))] {
            for event in account.decide(&command, began).unwrap() {
                account.evolve(&event);
            }
        }
        let (events, _) = account.due(began + Duration::days(731));
        let renewed = events
            .iter()
            .filter(|event| event_name(event) == "SubscriptionRenewed");
        let mut count = 0;
        for (n, event) in (1..).zip(renewed) {
            let index = began.year() * 12 + i32::try_from(began.month0()).unwrap() + n;
            let (year, month) = (
                index.div_euclid(12),
                u32::try_from(index.rem_euclid(12)).unwrap() + 1,
            );
            let wanted = Utc
                .with_ymd_and_hms(year, month, began.day().min(length(year, month)), 7, 30, 0)
                .unwrap();
            assert_eq!(event.effective_at, wanted, "{began} {n}");
            count = n;
        }
        assert_eq!(count, 24, "{began}");
    }
}

/// What happened and when it is true, whenever it was judged.
fn told(events: &[AccountEvent]) -> Vec<(AccountFact, Timestamp)> {
    events
        .iter()
        .map(|event| (event.fact.clone(), event.effective_at))
        .collect()
}

#[test]
fn one_jump_of_five_years_equals_day_by_day_event_for_event() {
    let mut terms = plan("pro", 1000, 100);
    terms.collection.retry_after_days = vec![1, 3];
    terms.collection.then = Uncollected::Unpaid;
    let mut free = plan("free", 0, 7);
    free.grants_on_zero_amount = true;
    for (first, fails) in [(terms, true), (free, false)] {
        let mut world = World::new();
        world.run(start(one(first)), day(0)).unwrap();
        if fails {
            let invoice = world.last_invoice();
            world
                .run(
                    AccountCommand::Invoice(InvoiceCommand::RecordPaymentFailure(invoice)),
                    day(1),
                )
                .unwrap();
        }
        let end = day(5 * 365 + 1);
        let (jumped, after) = world.account.due(end);
        let mut account = world.account.clone();
        let mut stepped = Vec::new();
        for today in 1..=5 * 365 + 1 {
            let mut instant = account.next_due();
            while let Some(due) = instant.filter(|due| *due <= day(today)) {
                for event in account.decide(&AccountCommand::WriteDue, due).unwrap() {
                    assert_eq!(event.effective_at, due, "judged when it is due, dated so");
                    account.evolve(&event);
                    stepped.push(event);
                }
                instant = account.next_due();
            }
        }
        assert_eq!(told(&jumped), told(&stepped));
        assert_eq!(after.subscriptions(), account.subscriptions());
        assert_eq!(after.credits(), account.credits());
        assert!(!fails || after.subscriptions()[&sub()].status == Status::Unpaid);
        assert!(fails || jumped.len() >= 60 * 4, "sixty renewals");
    }
}

#[test]
fn a_scheduled_downgrade_is_superseded_by_an_upgrade_before_the_boundary() {
    let mut world = World::paid(plan("pro", 3100, 0));
    world
        .run(change(one(plan("basic", 1000, 0)), When::PeriodEnd), day(5))
        .unwrap();
    assert_eq!(world.plans(), [("pro", 1)], "nothing changes before the boundary");
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(10))
        .unwrap();
    world.pay_last(day(10));
    world.lapse(day(31));
    assert_eq!(world.plans(), [("max", 1)], "the downgrade is forgotten");
    assert_eq!(world.totals(), [3100, 2100, 6200]);
}

#[test]
fn a_scheduled_change_holds_from_the_boundary_second_on() {
    let mut world = World::paid(plan("pro", 3100, 10));
    world
        .run(change(of(plan("basic", 1000, 5), 2), When::PeriodEnd), day(5))
        .unwrap();
    let again = world.run(change(of(plan("basic", 1000, 5), 2), When::PeriodEnd), day(6));
    assert_eq!(again, Err(AccountRefusal::NoChange));
    world.lapse(day(31) - Duration::nanoseconds(1));
    assert_eq!(world.plans(), [("pro", 1)]);
    let events = world.lapse(day(31));
    assert_eq!(
        names(&events),
        [
            "CreditsExpired",
            "PlanChanged",
            "SubscriptionRenewed",
            "InvoiceIssued"
        ]
    );
    assert_eq!(
        (world.plans(), world.totals()),
        (vec![("basic", 2)], vec![3100, 2000])
    );
    let taken_back = change(one(plan("pro", 3100, 10)), When::PeriodEnd);
    world.run(taken_back, day(32)).unwrap();
    world
        .run(change(of(plan("basic", 1000, 5), 2), When::PeriodEnd), day(33))
        .unwrap();
    assert_eq!(world.subscription().contract.as_ref().unwrap().scheduled, None);
}

#[test]
fn a_change_at_the_very_boundary_is_of_the_new_period() {
    let mut world = World::paid(plan("pro", 3100, 0));
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(31))
        .unwrap();
    assert_eq!(
        world.totals(),
        [3100, 3100, 3100],
        "renewed first, then the whole difference"
    );
}

#[test]
fn cancel_at_the_end_then_not_then_now() {
    let mut world = World::paid(plan("pro", 3100, 10));
    world.run(cancel(When::PeriodEnd), day(3)).unwrap();
    assert_eq!(
        world.run(cancel(When::PeriodEnd), day(3)),
        Err(AccountRefusal::NoChange)
    );
    let uncancel = || subscription(SubscriptionCommand::Uncancel(sub()));
    world.run(uncancel(), day(4)).unwrap();
    assert_eq!(
        world.run(uncancel(), day(4)),
        Err(refused(SubscriptionRefusal::NotCancelling(sub())))
    );
    world.lapse(day(31));
    assert_eq!(world.subscription().status, Status::Active);
    world.run(cancel(When::PeriodEnd), day(40)).unwrap();
    assert_eq!(names(&world.lapse(day(59))), ["SubscriptionEnded"]);
    assert_eq!(world.subscription().ended_at, Some(day(59)));
    assert_eq!(world.lapse(day(400)), [], "what ended renews no more");
    let ended = SubscriptionRefusal::Ended {
        subscription: sub(),
        ended_at: day(59),
    };
    assert_eq!(world.run(cancel(When::Now), day(401)), Err(refused(ended)));
}

#[test]
fn cancelled_now_what_was_paid_for_can_be_used_until_its_period_ends() {
    let mut world = World::paid(plan("pro", 3100, 10));
    world.run(cancel(When::Now), day(3)).unwrap();
    assert_eq!(world.subscription().status, Status::Canceled);
    assert_eq!(world.credits_at(day(30)), credits(10));
    assert_eq!(world.credits_at(day(31)), Units::ZERO);
}

#[test]
fn a_pause_over_a_renewal_bills_nothing_and_resumes_with_a_period_of_its_own() {
    let mut world = World::paid(plan("pro", 3100, 10));
    world.run(pause(None), day(3)).unwrap();
    assert!(world.run(pause(None), day(3)).is_err(), "paused already");
    world.run(debit("d", 4), day(5)).unwrap();
    world.lapse(day(50));
    assert_eq!(
        (world.totals(), world.credits_at(day(50))),
        (vec![3100], Units::ZERO)
    );
    let events = world.run(resume(), day(50)).unwrap();
    assert_eq!(
        names(&events),
        ["SubscriptionResumed", "SubscriptionRenewed", "InvoiceIssued"]
    );
    assert_eq!(world.subscription().period_start, day(50));
    assert_eq!(
        world.run(resume(), day(50)),
        Err(refused(SubscriptionRefusal::NotPaused(sub())))
    );
    assert_eq!(world.totals(), [3100, 3100]);
}

#[test]
fn a_pause_within_a_period_or_to_its_very_end_moves_no_anchor() {
    let mut world = World::paid(plan("pro", 3100, 10));
    world.run(pause(Some(day(31))), day(3)).unwrap();
    assert_eq!(
        names(&world.lapse(day(31))),
        [
            "CreditsExpired",
            "SubscriptionResumed",
            "SubscriptionRenewed",
            "InvoiceIssued"
        ]
    );
    assert_eq!(world.subscription().period_end, day(59));
    world.run(pause(None), day(35)).unwrap();
    world.run(resume(), day(40)).unwrap();
    assert_eq!(world.subscription().period_end, day(59));
    assert_eq!(world.totals(), [3100, 3100]);
}

#[test]
fn a_change_scheduled_on_a_paused_subscription_holds_when_it_resumes() {
    let mut world = World::paid(plan("pro", 3100, 10));
    world.run(pause(None), day(3)).unwrap();
    world
        .run(change(one(plan("basic", 1000, 5)), When::PeriodEnd), day(4))
        .unwrap();
    world.lapse(day(60));
    assert_eq!(world.plans(), [("pro", 1)]);
    world.run(resume(), day(60)).unwrap();
    assert_eq!(
        (world.plans(), world.totals()),
        (vec![("basic", 1)], vec![3100, 1000])
    );
}

#[test]
fn what_stripe_drives_is_changed_at_stripe_and_no_timer_touches_it() {
    let mut world = World::new();
    let state = SubscriptionState {
        driver: Driver::Stripe,
        status: Status::Active,
        items: vec![SubscriptionItem {
            item: "si_1".to_owned(),
            price: "price_1".to_owned(),
            quantity: 1,
            plan: Some("pro".to_owned()),
            features: BTreeMap::new(),
        }],
        period_start: day(0),
        period_end: day(31),
        cancel_at_period_end: true,
        cancel_at: Some(day(31)),
        trial_end: None,
        ended_at: None,
        contract: None,
    };
    let group = GroupFacts {
        group: GroupId("sub:sub_1".to_owned()),
        facts: Vec::new(),
        lots: Vec::new(),
        subscription: Some((sub(), state)),
        trial: None,
        as_of: day(0),
    };
    let settlement = Settlement {
        account: "acct".into(),
        customer: None,
        time_zone: Tz::UTC,
        groups: vec![group],
    };
    world.run(AccountCommand::Settle(settlement), day(0)).unwrap();
    let id = sub().to_string();
    let managed = || Err(refused(SubscriptionRefusal::ManagedByStripe { id: id.clone() }));
    for command in [
        change(one(plan("max", 1, 1)), When::Now),
        cancel(When::Now),
        pause(None),
        resume(),
        subscription(SubscriptionCommand::Uncancel(sub())),
    ] {
        assert_eq!(world.run(command, day(1)), managed());
    }
    assert_eq!(world.lapse(day(400)), []);
}

#[test]
fn a_preview_is_what_is_then_charged() {
    let mut world = World::paid(plan("pro", 3100, 10));
    let command = SubscriptionCommand::Change(ChangeSubscription {
        subscription: sub(),
        items: one(plan("max", 6200, 30)),
        when: When::Now,
    });
    let preview = world.account.preview(command.clone(), day(10)).unwrap();
    let before = world.account.clone();
    let events = world.run(subscription(command), day(10)).unwrap();
    assert_eq!(preview.events, events);
    let issued: Vec<InvoiceIssued> = events
        .iter()
        .filter_map(|event| match &event.fact {
            AccountFact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some(issued.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(preview.invoices, issued);
    assert_ne!(world.account, before, "the command recorded, the preview did not");
    let renewal = world.lapse(day(31));
    let (at, next) = preview.next_invoice.unwrap();
    let billed = renewal.iter().find_map(|event| match &event.fact {
        AccountFact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => {
            Some((event.effective_at, issued.clone()))
        }
        _ => None,
    });
    assert_eq!(billed, Some((at, next)));
}

#[test]
fn what_a_downgrade_leaves_pays_the_next_invoice_and_no_total_is_negative() {
    let mut world = World::paid(plan("max", 6200, 0));
    world
        .run(change(one(plan("basic", 1000, 0)), When::Now), day(1))
        .unwrap();
    let downgrade = world.account.invoices()[1].clone();
    assert_eq!(
        (
            downgrade.total,
            downgrade.amount_due,
            downgrade.credited_to_balance
        ),
        (0, 0, 5032),
        "30 of 31 days"
    );
    assert_eq!(downgrade.status, InvoiceStatus::Paid);
    assert_eq!(world.account.customer_balance(Currency::USD), 5032);
    world.lapse(day(31));
    let renewal = world.account.invoices()[2].clone();
    assert_eq!(
        (renewal.total, renewal.applied_balance, renewal.amount_due),
        (1000, 1000, 0)
    );
    assert_eq!(renewal.status, InvoiceStatus::Paid, "paid from the balance");
    world.lapse(day(31 + 180));
    let due: i64 = world
        .account
        .invoices()
        .iter()
        .map(|invoice| invoice.amount_due)
        .sum();
    let totals: i64 = world.totals().iter().sum();
    let balance = world.account.customer_balance(Currency::USD);
    assert_eq!(
        (due, balance),
        (totals - 5032, 0),
        "what is not paid from it is due"
    );
    assert!(
        world
            .account
            .invoices()
            .iter()
            .all(|invoice| invoice.amount_due >= 0)
    );
    let ledger = world.balances();
    assert!(
        !ledger
            .keys()
            .any(|(account, _, _)| *account == LedgerAccount::CustomerBalance),
        "2130 is used up"
    );
}

#[test]
fn add_ons_are_items_of_one_interval_and_currency() {
    let mut world = World::new();
    let mut items = one(plan("pro", 1000, 10));
    items.push(ItemOrder {
        item: "seats".to_owned(),
        quantity: 3,
        terms: plan("seat", 500, 5),
    });
    let mut yearly = items.clone();
    yearly[1].terms.interval = months(12);
    assert_eq!(
        world.run(start(yearly), day(0)),
        Err(refused(SubscriptionRefusal::IntervalsDiffer))
    );
    let mut twice = items.clone();
    twice[1].item = "main".to_owned();
    assert_eq!(
        world.run(start(twice), day(0)),
        Err(refused(SubscriptionRefusal::ItemTwice("main".to_owned())))
    );
    let mut euros = items.clone();
    euros[1].terms.price.as_mut().unwrap().currency = Currency::EUR;
    assert_eq!(
        world.run(start(euros), day(0)),
        Err(refused(SubscriptionRefusal::CurrencyMismatch {
            expected: Currency::USD,
            found: Currency::EUR
        }))
    );
    world.run(start(items), day(0)).unwrap();
    world.pay_last(day(0));
    assert_eq!(
        (world.totals(), world.credits_at(day(0))),
        (vec![2500], credits(25))
    );
    assert_eq!(
        world.run(start(one(plan("pro", 1, 1))), day(1)),
        Err(refused(SubscriptionRefusal::Exists(sub())))
    );
}

fn note(id: &str, invoice: &InvoiceId, amount: Option<i64>, to: CreditTo) -> AccountCommand {
    AccountCommand::Invoice(InvoiceCommand::Credit(CreditInvoice {
        invoice: invoice.clone(),
        credit_note: id.to_owned(),
        amount: amount.map(usd),
        lines: Vec::new(),
        to,
    }))
}

#[test]
fn a_credit_note_lowers_what_is_owed_first_and_never_exceeds_the_invoice() {
    let mut terms = plan("pro", 1000, 100);
    terms.credits_value = Some(usd(400));
    let mut world = World::new();
    world.run(start(one(terms)), day(0)).unwrap();
    let invoice = world.last_invoice();
    world
        .run(note("cn_1", &invoice, Some(250), CreditTo::Balance), day(1))
        .unwrap();
    let view = world.account.invoice(&invoice).unwrap();
    assert_eq!((view.amount_remaining, view.amount_credited), (750, 250));
    world.pay_last(day(2));
    assert_eq!(
        world.credits_at(day(2)),
        credits(75),
        "a quarter of the line, a quarter of its credits"
    );
    world
        .run(note("cn_2", &invoice, Some(500), CreditTo::Balance), day(3))
        .unwrap();
    assert_eq!(world.account.customer_balance(Currency::USD), 500);
    assert_eq!(world.credits_at(day(3)), credits(25));
    let left = SubscriptionRefusal::CreditExceedsInvoice { creditable: usd(250) };
    let more = note("cn_3", &invoice, Some(251), CreditTo::Refund);
    assert_eq!(world.run(more, day(4)), Err(refused(left)));
    let taken = SubscriptionRefusal::CreditNoteExists("cn_1".to_owned());
    let again = note("cn_1", &invoice, Some(1), CreditTo::Refund);
    assert_eq!(world.run(again, day(4)), Err(refused(taken)));
    world
        .run(note("cn_3", &invoice, None, CreditTo::Refund), day(4))
        .unwrap();
    assert_eq!(world.credits_at(day(4)), Units::ZERO);
    let ledger = world.balances();
    let of = |account: LedgerAccount| -> i64 {
        ledger
            .iter()
            .filter(|((a, _, c), _)| *a == account && c == "USD")
            .map(|(_, amount)| amount)
            .sum()
    };
    assert_eq!(
        of(LedgerAccount::DeferredSubscription) + of(LedgerAccount::ContraCreditNotes),
        0,
        "nothing of the line is left deferred but what four days earned"
    );
    assert_eq!(
        (of(LedgerAccount::Receivable), of(LedgerAccount::ContractCredits)),
        (0, 0)
    );
    assert_eq!(of(LedgerAccount::Bank), 750 - 250);
}

#[test]
fn an_open_invoice_is_voided_or_given_up_once() {
    for void in [true, false] {
        let mut world = World::new();
        world.run(start(one(plan("pro", 1000, 100))), day(0)).unwrap();
        let invoice = world.last_invoice();
        let close = || {
            AccountCommand::Invoice(if void {
                InvoiceCommand::Void(invoice.clone())
            } else {
                InvoiceCommand::WriteOff(invoice.clone())
            })
        };
        world.run(close(), day(1)).unwrap();
        let status = if void {
            InvoiceStatus::Void
        } else {
            InvoiceStatus::Uncollectible
        };
        let view = world.account.invoice(&invoice).unwrap();
        assert_eq!((view.status, view.amount_remaining), (status, 0));
        let closed = || {
            Err(refused(SubscriptionRefusal::InvoiceNotOpen {
                invoice: invoice.clone(),
                status,
            }))
        };
        assert_eq!(world.run(close(), day(2)), closed());
        assert_eq!(
            world.run(pay(&invoice), day(2)),
            closed(),
            "paid after void gives nothing"
        );
        assert_eq!(world.credits_at(day(2)), Units::ZERO);
        let contra = if void {
            LedgerAccount::ContraCreditNotes
        } else {
            LedgerAccount::BadDebt
        };
        let left =
            |account: LedgerAccount, key: &str, amount| ((account, key.to_owned(), "USD".to_owned()), amount);
        assert_eq!(
            world.balances(),
            BTreeMap::from([
                left(LedgerAccount::DeferredSubscription, "in_sub_1_1:main", -32),
                left(contra, "", 32)
            ]),
            "a day of 10.00 was earned"
        );
    }
}

#[test]
fn a_payment_of_another_amount_is_refused_and_says_what_is_owed() {
    let mut world = World::new();
    world.run(start(one(plan("pro", 1000, 100))), day(0)).unwrap();
    let pay = AccountCommand::Invoice(InvoiceCommand::Pay(PayInvoice {
        invoice: world.last_invoice(),
        amount: Some(usd(999)),
        through_stripe: false,
    }));
    let due = SubscriptionRefusal::AmountMismatch { due: usd(1000) };
    assert_eq!(world.run(pay, day(1)), Err(refused(due)));
}
