//! Failed payments: retries, recovery, and what follows when none succeeds.

use super::subscriptions::{change, of, one, pause, pay, plan, refused, resume, start, sub, subscription};
use super::*;
use crate::catalog::Uncollected;
use crate::subscriptions::{
    Collecting, InvoiceCommand, InvoiceStatus, ItemTerms, SubscriptionCommand, SubscriptionRefusal,
    SubscriptionStatus as Status, When,
};

fn dunned(then: Uncollected) -> ItemTerms {
    let mut terms = plan("pro", 3100, 10);
    terms.collection.retry_after_days = vec![1, 3, 7];
    terms.collection.then = then;
    terms
}

impl World {
    fn failed(terms: ItemTerms) -> Self {
        let mut world = Self::new();
        world.run(start(one(terms)), day(0)).unwrap();
        world.fail(day(0)).unwrap();
        world
    }

    fn fail(&mut self, at: Timestamp) -> Result<Vec<AccountEvent>, AccountRefusal> {
        let invoice = self.last_invoice();
        self.run(
            AccountCommand::Invoice(InvoiceCommand::RecordPaymentFailure(invoice)),
            at,
        )
    }

    fn collecting(&self) -> &[Collecting] {
        &self.subscription().contract.as_ref().unwrap().collecting
    }
}

#[test]
fn retries_follow_the_schedule_and_only_they_count() {
    let mut world = World::failed(dunned(Uncollected::Cancel));
    assert_eq!(world.subscription().status, Status::PastDue);
    world.fail(day(0) + Duration::hours(1)).unwrap();
    assert_eq!(
        (
            world.collecting()[0].retries,
            world.collecting()[0].unscheduled_failures
        ),
        (0, 1)
    );
    for (n, at) in [(1, 1), (2, 3), (3, 7)] {
        let due = world.account.next_due();
        assert_eq!(due, Some(day(at)));
        let events = world.lapse(day(at));
        assert_eq!(super::subscriptions::names(&events), ["PaymentRetryDue"]);
        assert_eq!(world.collecting()[0].retries, n);
        if n < 3 {
            world.fail(day(at) + Duration::hours(1)).unwrap();
            assert_eq!(world.subscription().status, Status::PastDue);
        }
    }
    let events = world.fail(day(7) + Duration::hours(1)).unwrap();
    assert_eq!(
        super::subscriptions::names(&events),
        ["PaymentFailed", "SubscriptionEnded"]
    );
    assert_eq!(world.subscription().status, Status::Canceled);
    assert_eq!(
        super::subscriptions::names(&world.lapse(day(100))),
        [""; 0],
        "an end stops every retry"
    );
    assert_eq!(
        world.account.invoices()[0].status,
        InvoiceStatus::Open,
        "it is still owed"
    );
}

#[test]
fn a_last_retry_that_nobody_reports_on_counts_as_failed_after_a_day() {
    let mut world = World::failed(dunned(Uncollected::Unpaid));
    world.lapse(day(7) + Duration::hours(23));
    assert_eq!(world.subscription().status, Status::PastDue);
    world.lapse(day(8));
    assert_eq!(world.subscription().status, Status::Unpaid);
    world.lapse(day(40));
    assert_eq!(world.totals(), [3100], "nothing new is billed");
    let now = change(of(plan("max", 6200, 1), 1), When::Now);
    assert!(world.run(now, day(40)).is_err());
    world.pay_last(day(40));
    assert_eq!(world.subscription().status, Status::Active);
    assert_eq!(
        world.subscription().period_start,
        day(40),
        "it goes on with a period of its own"
    );
    assert_eq!(world.totals(), [3100, 3100]);
}

#[test]
fn paid_during_the_retries_it_recovers_and_they_stop() {
    let mut world = World::failed(dunned(Uncollected::Cancel));
    world.lapse(day(1));
    let invoice = world.last_invoice();
    let events = world.run(pay(&invoice), day(2)).unwrap();
    assert_eq!(
        super::subscriptions::names(&events),
        ["InvoicePaid", "CreditsGranted", "PaymentRecovered"]
    );
    assert_eq!(world.subscription().status, Status::Active);
    assert_eq!(world.credits_at(day(2)), credits(10));
    assert_eq!(world.next_step(), Some(day(31)));
}

#[test]
fn a_pause_for_an_invoice_ends_with_its_payment_alone() {
    let mut world = World::failed(dunned(Uncollected::Pause));
    world.lapse(day(8));
    assert_eq!(world.subscription().status, Status::Paused);
    let invoice = world.last_invoice();
    assert_eq!(
        world.run(resume(), day(9)),
        Err(refused(SubscriptionRefusal::PaymentRequired {
            invoice: invoice.clone()
        }))
    );
    world.run(pay(&invoice), day(10)).unwrap();
    assert_eq!(
        (world.subscription().status, world.subscription().period_end),
        (Status::Active, day(31))
    );
}

#[test]
fn cancelling_stops_the_retries() {
    let mut world = World::failed(dunned(Uncollected::Unpaid));
    world
        .run(super::subscriptions::cancel(When::Now), day(2))
        .unwrap();
    assert_eq!(super::subscriptions::names(&world.lapse(day(100))), [""; 0]);
    assert_eq!(world.collecting(), []);
}

#[test]
fn a_new_card_is_tried_at_once_beside_the_schedule() {
    let mut world = World::failed(dunned(Uncollected::Cancel));
    let card = |on_file| {
        subscription(SubscriptionCommand::SetPaymentMethod {
            subscription: sub(),
            on_file,
        })
    };
    let events = world.run(card(true), day(2)).unwrap();
    assert_eq!(
        super::subscriptions::names(&events),
        ["PaymentRetryDue", "PaymentRetryDue"]
    );
    let step = world.collecting()[0].clone();
    assert_eq!(
        (step.retries, step.next_at),
        (1, Some(day(3))),
        "the first was day 1's, the second counts nothing"
    );
    world.pay_last(day(2));
    assert_eq!(world.run(card(true), day(3)), Err(AccountRefusal::NoChange));
}

#[test]
fn without_retries_a_failed_payment_leaves_it_overdue_until_somebody_acts() {
    let mut world = World::failed(plan("pro", 3100, 10));
    assert_eq!(world.subscription().status, Status::PastDue);
    world.lapse(day(45));
    assert_eq!(
        (world.subscription().status, world.totals()),
        (Status::PastDue, vec![3100, 3100]),
        "it renews, and is billed"
    );
    let first = world.account.invoices()[0].invoice.clone();
    world.run(pay(&first), day(45)).unwrap();
    assert_eq!(world.subscription().status, Status::Active);
}

#[test]
fn an_overdue_subscription_is_given_up_on_the_day_its_plan_says() {
    for (then, status) in [
        (Uncollected::Cancel, Status::Canceled),
        (Uncollected::Unpaid, Status::Unpaid),
        (Uncollected::Pause, Status::Paused),
        (Uncollected::PastDue, Status::PastDue),
    ] {
        for retries in [vec![], vec![1, 3]] {
            let mut terms = dunned(then);
            terms.collection.retry_after_days = retries.clone();
            terms.collection.give_up_after_days = Some(20);
            let mut world = World::failed(terms);
            for at in retries {
                world.lapse(day(i64::from(at)));
                world.fail(day(i64::from(at))).unwrap();
            }
            world.lapse(day(20) - Duration::seconds(1));
            assert_eq!(
                world.subscription().status,
                Status::PastDue,
                "until then it waits"
            );
            world.lapse(day(20));
            assert_eq!(world.subscription().status, status);
            if then != Uncollected::Cancel {
                world.pay_last(day(21));
                assert_eq!(world.subscription().status, Status::Active);
            }
        }
    }
}

#[test]
fn a_change_without_retries_is_taken_back_at_its_first_failed_payment() {
    let mut world = World::paid(plan("pro", 3100, 10));
    world
        .run(change(one(plan("max", 6200, 20)), When::Now), day(10))
        .unwrap();
    world.fail(day(10)).unwrap();
    assert_eq!(
        world.plans(),
        [("pro", 1)],
        "nothing is let use what is not paid for"
    );
    assert_eq!(world.subscription().status, Status::Active);
}

#[test]
fn a_voided_invoice_is_not_tried_any_more() {
    let mut world = World::failed(dunned(Uncollected::Cancel));
    let invoice = world.last_invoice();
    world
        .run(AccountCommand::Invoice(InvoiceCommand::Void(invoice)), day(2))
        .unwrap();
    assert_eq!(world.subscription().status, Status::Active);
    assert_eq!(world.next_step(), Some(day(31)));
}

#[test]
fn a_renewal_while_overdue_is_billed_and_each_invoice_recovers_alone() {
    let mut terms = dunned(Uncollected::Cancel);
    terms.collection.retry_after_days = vec![40];
    let mut world = World::failed(terms);
    world.lapse(day(31));
    assert_eq!(
        (world.subscription().status, world.totals()),
        (Status::PastDue, vec![3100, 3100])
    );
    world.fail(day(32)).unwrap();
    let first = world.account.invoices()[0].invoice.clone();
    world.run(pay(&first), day(33)).unwrap();
    assert_eq!(world.subscription().status, Status::PastDue, "one is still owed");
    assert!(world.run(pause(None), day(33)).is_err());
    world.pay_last(day(34));
    assert_eq!(world.subscription().status, Status::Active);
}
