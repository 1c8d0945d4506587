//! Seats are assigned one by one, and never more of them than there are.

use super::subscriptions::{change, names, of, pay, plan, refused, start, sub, subscription};
use super::*;
use crate::subscriptions::{
    AssignSeat, InvoiceCommand, ItemOrder, SubscriptionCommand, SubscriptionRefusal, When,
};

fn assign(seat: &str, item: Option<&str>) -> AccountCommand {
    subscription(SubscriptionCommand::AssignSeat(AssignSeat {
        subscription: sub(),
        item: item.map(ToOwned::to_owned),
        seat: seat.to_owned(),
    }))
}

fn release(seat: &str) -> AccountCommand {
    subscription(SubscriptionCommand::ReleaseSeat {
        subscription: sub(),
        seat: seat.to_owned(),
    })
}

impl World {
    /// A paid subscription of so many, each assigned.
    fn seated(quantity: u32, seats: &[&str]) -> Self {
        let mut world = Self::new();
        world
            .run(start(of(plan("seat", 3100, 0), quantity)), day(0))
            .unwrap();
        world.pay_last(day(0));
        for seat in seats {
            world.run(assign(seat, None), day(1)).unwrap();
        }
        world
    }

    fn seats(&self) -> Vec<&str> {
        self.account
            .seats(&sub())
            .iter()
            .map(|seat| seat.seat.as_str())
            .collect()
    }
}

#[test]
fn a_seat_more_than_there_are_is_refused_and_says_how_many_there_are() {
    let mut world = World::seated(2, &["ann", "bob"]);
    let full = SubscriptionRefusal::SeatsExhausted {
        item: "main".to_owned(),
        quantity: 2,
        assigned: 2,
    };
    assert_eq!(world.run(assign("cy", None), day(2)), Err(refused(full)));
    assert_eq!(
        world.run(assign("ann", None), day(2)),
        Err(AccountRefusal::NoChange)
    );
    world.run(release("ann"), day(2)).unwrap();
    world.run(assign("cy", None), day(2)).unwrap();
    assert_eq!(world.seats(), ["bob", "cy"]);
    let gone = SubscriptionRefusal::SeatNotFound {
        seat: "ann".to_owned(),
    };
    assert_eq!(world.run(release("ann"), day(2)), Err(refused(gone)));
    world
        .run(change(of(plan("seat", 3100, 0), 3), When::Now), day(3))
        .unwrap();
    world.run(assign("ann", None), day(3)).unwrap();
}

#[test]
fn a_decrease_below_what_is_assigned_is_refused_now_and_releases_the_last_when_scheduled() {
    let mut world = World::seated(4, &["ann", "bob", "cy"]);
    let fewer = |when| change(of(plan("seat", 3100, 0), 2), when);
    let in_use = SubscriptionRefusal::SeatsInUse {
        item: "main".to_owned(),
        quantity: 2,
        assigned: 3,
    };
    assert_eq!(world.run(fewer(When::Now), day(2)), Err(refused(in_use)));
    world.run(fewer(When::PeriodEnd), day(2)).unwrap();
    world.run(assign("dee", None), day(3)).unwrap();
    let events = world.lapse(day(31));
    assert_eq!(
        names(&events),
        [
            "PlanChanged",
            "SubscriptionRenewed",
            "InvoiceIssued",
            "SeatReleased",
            "SeatReleased"
        ]
    );
    assert!(events.iter().all(|event| event.effective_at <= day(31)));
    assert_eq!(world.seats(), ["ann", "bob"]);
}

#[test]
fn seats_of_a_change_that_is_taken_back_are_released() {
    let mut world = World::seated(1, &["ann"]);
    world
        .run(change(of(plan("seat", 3100, 0), 3), When::Now), day(10))
        .unwrap();
    world.run(assign("bob", None), day(10)).unwrap();
    let invoice = world.last_invoice();
    world
        .run(AccountCommand::Invoice(InvoiceCommand::Void(invoice)), day(11))
        .unwrap();
    assert_eq!((world.plans(), world.seats()), (vec![("seat", 1)], vec!["ann"]));
}

#[test]
fn seats_are_of_an_item_and_end_with_the_subscription() {
    let mut world = World::new();
    let mut items = of(plan("pro", 3100, 0), 1);
    items.push(ItemOrder {
        item: "seats".to_owned(),
        quantity: 2,
        terms: plan("seat", 310, 0),
    });
    world.run(start(items), day(0)).unwrap();
    let invoice = world.last_invoice();
    world.run(pay(&invoice), day(0)).unwrap();
    let items = || SubscriptionRefusal::ItemNotFound {
        items: vec!["main".to_owned(), "seats".to_owned()],
    };
    assert_eq!(world.run(assign("ann", None), day(1)), Err(refused(items())));
    assert_eq!(
        world.run(assign("ann", Some("chairs")), day(1)),
        Err(refused(items()))
    );
    world.run(assign("ann", Some("seats")), day(1)).unwrap();
    let taken = SubscriptionRefusal::SeatAssigned {
        seat: "ann".to_owned(),
        item: "seats".to_owned(),
    };
    assert_eq!(
        world.run(assign("ann", Some("main")), day(1)),
        Err(refused(taken))
    );
    let dropped = world.run(change(of(plan("pro", 3100, 0), 1), When::Now), day(2));
    let in_use = SubscriptionRefusal::SeatsInUse {
        item: "seats".to_owned(),
        quantity: 0,
        assigned: 1,
    };
    assert_eq!(dropped, Err(refused(in_use)));
    world
        .run(super::subscriptions::cancel(When::Now), day(3))
        .unwrap();
    assert_eq!(world.seats(), [""; 0]);
    assert!(world.run(assign("bob", Some("seats")), day(3)).is_err());
}
