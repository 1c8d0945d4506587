//! Using more than there is, and making it good.

use proptest::prelude::*;

use super::*;
use crate::credits::{OverdraftMode, OverdraftTerms, Repayment};

pub(super) fn allow(limit: Option<i64>, repay: Repayment) -> AccountCommand {
    AccountCommand::SetPolicy(SetPolicy {
        unit: UnitCode::default(),
        overdraft: OverdraftTerms {
            mode: OverdraftMode::Allow,
            limit: limit.map(credits),
            repay,
        },
        top_up: None,
    })
}

fn names(events: &[AccountEvent]) -> Vec<&'static str> {
    events.iter().map(event_name).collect()
}

fn paid(id: &str, units: i64) -> GrantCredits {
    GrantCredits {
        source: GrantSource::Paid,
        cost: Some(usd(units * 10)),
        ..grant(id, units)
    }
}

/// What the account owes by use, as its state and as its books say.
pub(super) fn debt(world: &World) -> Units {
    let told = world.account.credits().debt(&UnitCode::default());
    let key = (LedgerAccount::UnitsOverdraft, String::new(), "CREDIT".to_owned());
    let booked = world.balances().get(&key).copied().unwrap_or_default();
    assert_eq!(told.micros(), -booked, "U940 is the debt");
    told
}

#[test]
fn without_a_policy_nothing_is_overdrawn_and_with_one_up_to_the_limit() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(paid("g", 10)), day(1)).unwrap();
    assert!(world.run(debit("d0", 11), day(1)).is_err());
    world.run(allow(Some(5), Repayment::First), day(1)).unwrap();
    let events = world.run(debit("d1", 13), day(2)).unwrap();
    assert_eq!(names(&events), ["CreditsConsumed"]);
    assert_eq!((world.lot("g").consumed, debt(&world)), (credits(10), credits(3)));
    assert_eq!(world.balance(day(2)).spendable(), credits(-3));

    let refused = world.run(debit("d2", 3), day(2)).unwrap_err();
    assert_eq!(
        refused,
        AccountRefusal::InsufficientCredits {
            required: credits(3),
            available: credits(-3),
            shortfall: credits(1),
            overdraft_limit: Some(credits(5)),
            feature: None,
        }
    );
    world.run(debit("d3", 2), day(2)).unwrap();
    assert_eq!(debt(&world), credits(5));
    let block = AccountCommand::SetPolicy(SetPolicy {
        unit: UnitCode::default(),
        overdraft: OverdraftTerms::default(),
        top_up: None,
    });
    world.run(block, day(3)).unwrap();
    assert!(world.run(debit("d4", 1), day(3)).is_err(), "blocked again");
}

#[test]
fn a_hold_is_never_overdrawn() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    let hold = AccountCommand::Hold(HoldCredits {
        hold: "h".into(),
        unit: UnitCode::default(),
        units: credits(1),
        expires_in: Duration::days(1),
        feature: None,
        reference: None,
        on_expiry: crate::credits::OnExpiry::Keep,
    });
    assert!(matches!(
        world.run(hold, day(1)),
        Err(AccountRefusal::InsufficientCredits { .. })
    ));
}

#[test]
fn new_credits_repay_the_debt_first_and_that_earns_their_cost() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    world.run(debit("d", 4), day(1)).unwrap();
    let events = world.run(AccountCommand::Grant(paid("g", 10)), day(2)).unwrap();
    assert_eq!(names(&events), ["CreditsGranted", "DebtRepaid"]);
    let lot = world.lot("g");
    assert_eq!(
        (lot.available, lot.consumed, lot.consumed_cost),
        (credits(6), credits(4), 40)
    );
    assert_eq!(debt(&world), Units::ZERO);
    let revenue = (LedgerAccount::RevenueUsage, String::new(), "USD".to_owned());
    assert_eq!(world.balances()[&revenue], -40);
    assert_eq!(world.balance(day(2)).spendable(), credits(6));
}

#[test]
fn by_policy_new_credits_leave_the_debt_alone() {
    let mut world = World::new();
    world.run(allow(Some(10), Repayment::Never), day(1)).unwrap();
    world.run(debit("d1", 4), day(1)).unwrap();
    let events = world.run(AccountCommand::Grant(paid("g", 10)), day(2)).unwrap();
    assert_eq!(names(&events), ["CreditsGranted"]);
    assert_eq!(
        (debt(&world), world.balance(day(2)).spendable()),
        (credits(4), credits(10))
    );
    world.run(debit("d2", 15), day(2)).unwrap();
    assert_eq!(debt(&world), credits(9), "what is there is drawn first");

    let events = world.run(allow(Some(10), Repayment::First), day(3)).unwrap();
    assert_eq!(names(&events), ["PolicySet"], "nothing is there to repay it");
    let events = world.run(AccountCommand::Grant(paid("h", 2)), day(4)).unwrap();
    assert_eq!(names(&events), ["CreditsGranted", "DebtRepaid"]);
    assert_eq!(debt(&world), credits(7));
}

#[test]
fn credits_that_begin_later_repay_on_the_instant_they_begin() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    world.run(debit("d", 4), day(1)).unwrap();
    let later = GrantCredits {
        effective_at: Some(day(10)),
        ..paid("g", 10)
    };
    let events = world.run(AccountCommand::Grant(later), day(2)).unwrap();
    assert_eq!(names(&events), ["CreditsGranted"]);
    assert_eq!(world.account.next_due(), Some(day(10)));
    assert_eq!(
        world.balance(day(10) - Duration::nanoseconds(1)).overdraft,
        credits(4)
    );
    assert_eq!(world.balance(day(10)).spendable(), credits(6));
    let events = world.run(AccountCommand::WriteDue, day(20)).unwrap();
    let told: Vec<_> = events.iter().map(|e| (event_name(e), e.effective_at)).collect();
    assert_eq!(told, [("DebtRepaid", day(10))]);
    assert_eq!(world.account.next_due(), None);
}

#[test]
fn what_a_hold_gives_back_repays_on_the_instant_it_times_out() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    world.run(AccountCommand::Grant(paid("g", 10)), day(1)).unwrap();
    let hold = HoldCredits {
        hold: "h".into(),
        unit: UnitCode::default(),
        units: credits(10),
        expires_in: Duration::days(4),
        feature: None,
        reference: None,
        on_expiry: crate::credits::OnExpiry::Keep,
    };
    world.run(AccountCommand::Hold(hold), day(1)).unwrap();
    world.run(debit("d", 3), day(2)).unwrap();
    let events = world.run(AccountCommand::WriteDue, day(30)).unwrap();
    let told: Vec<_> = events.iter().map(|e| (event_name(e), e.effective_at)).collect();
    assert_eq!(told, [("HoldReleased", day(5)), ("DebtRepaid", day(5))]);
}

#[test]
fn what_came_back_repays_before_its_lot_ends_however_late_that_is_written() {
    let told = |late: bool| {
        let mut world = World::new();
        world.run(allow(None, Repayment::First), day(1)).unwrap();
        let ends = GrantCredits {
            expires_at: Some(day(6)),
            ..paid("g", 10)
        };
        world.run(AccountCommand::Grant(ends), day(1)).unwrap();
        let hold = HoldCredits {
            hold: "h".into(),
            unit: UnitCode::default(),
            units: credits(9),
            expires_in: Duration::days(4),
            feature: None,
            reference: None,
            on_expiry: crate::credits::OnExpiry::Keep,
        };
        world.run(AccountCommand::Hold(hold), day(1)).unwrap();
        world.run(debit("d", 3), day(2)).unwrap();
        if !late {
            world.run(AccountCommand::WriteDue, day(5)).unwrap();
        }
        world.run(AccountCommand::WriteDue, day(6)).unwrap();
        let lot = world.lot("g");
        (debt(&world), lot.consumed, lot.expired)
    };
    assert_eq!(told(true), (Units::ZERO, credits(3), credits(7)));
    assert_eq!(told(false), told(true));
}

#[test]
fn debt_does_not_expire_with_a_grant() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    let ends = GrantCredits {
        expires_at: Some(day(5)),
        ..paid("g", 10)
    };
    world.run(AccountCommand::Grant(ends), day(1)).unwrap();
    world.run(debit("d", 12), day(2)).unwrap();
    let _ = world.run(AccountCommand::WriteDue, day(400));
    assert_eq!(debt(&world), credits(2));
    assert_eq!(world.balance(day(400)).overdraft, credits(2));
}

#[test]
fn the_same_policy_again_is_refused_and_another_kind_has_its_own() {
    let mut world = World::new();
    world.run(allow(Some(5), Repayment::First), day(1)).unwrap();
    assert_eq!(
        world.run(allow(Some(5), Repayment::First), day(2)),
        Err(AccountRefusal::NoChange)
    );
    let photos = AccountCommand::Debit(DebitCredits {
        debit: "d".into(),
        unit: UnitCode("PHOTO".to_owned()),
        units: credits(1),
        feature: None,
        quantity: None,
        reference: None,
    });
    assert!(world.run(photos, day(2)).is_err());
    assert!(matches!(
        world.run(allow(Some(-1), Repayment::First), day(3)),
        Err(AccountRefusal::InvalidPolicy {
            field: "overdraft.limit",
            ..
        })
    ));
}

#[derive(Debug, Clone)]
enum Act {
    Grant(i64, i64, i64, Option<i64>),
    Debit(i64),
    Hold(i64),
    Policy(Option<i64>, bool),
    Pay,
    Refund(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..3_000_i64, 0..500_i64, 0..5_i64, prop::option::of(1..20_i64))
            .prop_map(|(units, cost, begins, days)| Act::Grant(units, cost, begins, days)),
        6 => (1..3_000_i64).prop_map(Act::Debit),
        2 => (1..2_000_i64).prop_map(Act::Hold),
        2 => (prop::option::of(0..4_000_i64), any::<bool>()).prop_map(|(limit, first)| Act::Policy(limit, first)),
        1 => Just(Act::Pay),
        2 => (1..400_i64).prop_map(Act::Refund),
    ]
}

/// The command of an act, as the world is.
fn command(
    world: &World,
    payment: &mut Option<Payment>,
    act: &Act,
    n: usize,
    at: Timestamp,
) -> AccountCommand {
    let unit = UnitCode::default();
    match *act {
        Act::Grant(units, cost, begins, days) => AccountCommand::Grant(GrantCredits {
            units: Units::from_micros(units),
            cost: (cost > 0).then(|| usd(cost)),
            source: GrantSource::Paid,
            effective_at: Some(at + Duration::days(begins)),
            expires_at: days.map(|days| at + Duration::days(begins + days)),
            ..grant(&format!("g{n}"), 1)
        }),
        Act::Debit(units) => AccountCommand::Debit(DebitCredits {
            debit: format!("d{n}").into(),
            unit,
            units: Units::from_micros(units),
            feature: None,
            quantity: None,
            reference: None,
        }),
        Act::Hold(units) => AccountCommand::Hold(HoldCredits {
            hold: format!("h{}", world.account.credits().holds().count())
                .as_str()
                .into(),
            unit,
            units: Units::from_micros(units),
            expires_in: Duration::days(3),
            feature: None,
            reference: None,
            on_expiry: crate::credits::OnExpiry::Keep,
        }),
        Act::Policy(limit, first) => AccountCommand::SetPolicy(SetPolicy {
            unit,
            overdraft: OverdraftTerms {
                mode: OverdraftMode::Allow,
                limit: limit.map(Units::from_micros),
                repay: if first { Repayment::First } else { Repayment::Never },
            },
            top_up: None,
        }),
        Act::Pay => payment
            .get_or_insert_with(|| {
                Payment::of(Units::from_micros(1_234), 999, at, Some(at + Duration::days(12)))
            })
            .settle(),
        Act::Refund(minor) => match payment {
            Some(paid) => {
                *paid = paid.clone().with(at, refund(&format!("re_{n}"), minor));
                paid.settle()
            }
            None => AccountCommand::WriteDue,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// [`World::run`] checks the rest: units of every lot, its cost on 2110, entries that balance.
    #[test]
    fn overdraft_conserves_units_and_a_debit_is_accepted_exactly_up_to_the_limit(
        acts in prop::collection::vec((act(), 0..4_i64), 1..40)
    ) {
        let (mut world, mut payment, mut at) = (World::new(), None, day(1));
        for (n, (act, step)) in acts.into_iter().enumerate() {
            at += Duration::days(step);
            let unit = UnitCode::default();
            let (balance, terms) = (world.balance(at), world.account.credits().overdraft_terms(&unit));
            let debt_before = world.account.at(at).credits().debt(&unit);
            let command = command(&world, &mut payment, &act, n, at);
            let accepted = world.run(command, at).is_ok();
            let after = world.account.credits().debt(&unit);
            debt(&world);
            prop_assert!(after >= Units::ZERO);
            if let Act::Debit(units) = act {
                let there = balance.spendable().max(Units::ZERO);
                let clawed = (balance.overdraft - debt_before - balance.available).max(Units::ZERO);
                let room = match terms.mode {
                    OverdraftMode::Block => Units::ZERO,
                    OverdraftMode::Allow => terms.limit.map_or(Units::MAX - debt_before - clawed, |limit| {
                        (limit - debt_before - clawed).max(Units::ZERO)
                    }),
                };
                let units = Units::from_micros(units);
                prop_assert_eq!(accepted, units - there.min(units) <= room);
            }
            let settled = world.account.credits().overdraft_terms(&unit).repay == Repayment::First;
            let now = world.balance(at);
            if settled && world.account.at(at).credits().debt(&unit).is_positive() {
                prop_assert!(now.spendable() <= Units::ZERO, "nothing is spendable beside a debt");
            }
        }
        let granted: Units = world.account.credits().lots().map(|lot| lot.granted).sum();
        let used: Units = world.stream.iter().filter_map(|event| match &event.fact {
            AccountFact::Credits(crate::credits::CreditsEvent::CreditsConsumed(e)) => Some(e.units),
            _ => None,
        }).sum();
        let of_lots: Units = world.account.credits().lots().map(|lot| lot.consumed).sum();
        prop_assert_eq!(used, of_lots + debt(&world), "every use is a lot's or owed, of {}", granted);
    }

    /// What is owed in all, less what there is, does not depend on the order in which Stripe tells.
    #[test]
    fn what_is_owed_in_all_does_not_depend_on_the_order_of_telling(
        refunds in prop::collection::vec((1..300_i64, 1..9_i64), 0..4), used in 1..2_000_i64
    ) {
        let at = day(30);
        let told = |steps: Vec<AccountCommand>| {
            let mut world = World::new();
            world.run(allow(None, Repayment::First), day(1)).unwrap();
            let use_it = DebitCredits {
                debit: "d".into(),
                unit: UnitCode::default(),
                units: Units::from_micros(used),
                feature: None,
                quantity: None,
                reference: None,
            };
            world.run(AccountCommand::Debit(use_it), day(1)).unwrap();
            for step in steps {
                let _ = world.run(step, at);
            }
            world.balance(at).spendable()
        };
        let start = Payment::of(Units::from_micros(1_234), 999, day(2), None);
        let mut all = start.clone();
        let mut one_by_one = vec![start.settle()];
        for (n, (minor, days)) in refunds.into_iter().enumerate() {
            all = all.with(day(2 + days), refund(&format!("re_{n}"), minor));
            one_by_one.push(all.settle());
        }
        prop_assert_eq!(told(vec![all.settle()]), told(one_by_one));
    }
}
