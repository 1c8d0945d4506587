//! Seats: units of a subscription's items, assigned to whom the caller names, never more of them than there are.

use std::collections::BTreeMap;

use super::draft::Draft;
use super::refusal::AccountRefusal;
use super::state::Account;
use super::subscriptions::Running;
use crate::Timestamp;
use crate::identity::SubscriptionId;
use crate::subscriptions::{
    AssignSeat, ContractItem, Seat, SeatChanged, SubscriptionRefusal, SubscriptionStatus as Status,
    SubscriptionsEvent,
};

pub(super) fn assign(draft: &mut Draft<'_>, command: &AssignSeat) -> Result<(), AccountRefusal> {
    let run = Running::of(&draft.account, &command.subscription)?;
    if !matches!(
        run.state.status,
        Status::Active | Status::Trialing | Status::PastDue
    ) {
        return Err(run.wrong_status());
    }
    let item = item_of(&run, command.item.as_deref())?;
    let seats = draft.account.seats(&command.subscription);
    match seats.item_of(&command.seat) {
        Some(assigned) if assigned == item.item => return Err(AccountRefusal::NoChange),
        Some(assigned) => {
            return Err(SubscriptionRefusal::SeatAssigned {
                seat: command.seat.clone(),
                item: assigned.to_owned(),
            }
            .into());
        }
        None => {}
    }
    let assigned = seats.assigned(&item.item);
    if assigned >= quantity(item) {
        return Err(SubscriptionRefusal::SeatsExhausted {
            item: item.item.clone(),
            quantity: item.quantity,
            assigned,
        }
        .into());
    }
    let seat = Seat {
        seat: command.seat.clone(),
        item: item.item.clone(),
    };
    tell(draft, &run.id, seat, draft.at, SubscriptionsEvent::SeatAssigned);
    Ok(())
}

pub(super) fn release(
    draft: &mut Draft<'_>,
    subscription: &SubscriptionId,
    seat: &str,
) -> Result<(), AccountRefusal> {
    let run = Running::of(&draft.account, subscription)?;
    let item = draft.account.seats(subscription).item_of(seat);
    let Some(item) = item.map(ToOwned::to_owned) else {
        return Err(SubscriptionRefusal::SeatNotFound {
            seat: seat.to_owned(),
        }
        .into());
    };
    let seat = Seat {
        seat: seat.to_owned(),
        item,
    };
    tell(draft, &run.id, seat, draft.at, SubscriptionsEvent::SeatReleased);
    Ok(())
}

/// Whether a change leaves every item at least as many as are assigned of it.
pub(super) fn check(
    account: &Account,
    subscription: &SubscriptionId,
    items: &[ContractItem],
) -> Result<(), SubscriptionRefusal> {
    let seats = account.seats(subscription);
    for seat in seats.iter() {
        let item = items.iter().find(|item| item.item == seat.item);
        let assigned = seats.assigned(&seat.item);
        if assigned > item.map_or(0, quantity) {
            return Err(SubscriptionRefusal::SeatsInUse {
                item: seat.item.clone(),
                quantity: item.map_or(0, |item| item.quantity),
                assigned,
            });
        }
    }
    Ok(())
}

/// Items run that nobody could be asked about: a change that was scheduled, or one that is taken back. Seats beyond what there
/// is of them are released, the last assigned first.
pub(super) fn release_excess(draft: &mut Draft<'_>, run: &Running, now: Timestamp) {
    let items = run.contract.items.iter();
    let mut left: BTreeMap<&str, usize> = items.map(|item| (item.item.as_str(), quantity(item))).collect();
    let mut excess = Vec::new();
    for seat in draft.account.seats(&run.id).iter() {
        match left.get_mut(seat.item.as_str()) {
            Some(left) if *left > 0 => *left -= 1,
            _ => excess.push(seat.clone()),
        }
    }
    for seat in excess.into_iter().rev() {
        tell(draft, &run.id, seat, now, SubscriptionsEvent::SeatReleased);
    }
}

fn quantity(item: &ContractItem) -> usize {
    usize::try_from(item.quantity).unwrap_or(usize::MAX)
}

/// The item that is named, or the only one there is.
fn item_of<'a>(run: &'a Running, name: Option<&str>) -> Result<&'a ContractItem, SubscriptionRefusal> {
    let items = &run.contract.items;
    let found = match (name, &items[..]) {
        (Some(name), _) => items.iter().find(|item| item.item == name),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.ok_or_else(|| SubscriptionRefusal::ItemNotFound {
        items: items.iter().map(|item| item.item.clone()).collect(),
    })
}

fn tell(
    draft: &mut Draft<'_>,
    subscription: &SubscriptionId,
    Seat { seat, item }: Seat,
    now: Timestamp,
    told: fn(SeatChanged) -> SubscriptionsEvent,
) {
    let subscription = subscription.clone();
    draft.record(
        now,
        told(SeatChanged {
            subscription,
            item,
            seat,
        }),
    );
}
