//! Credits that go from one account to another.

use proptest::prelude::*;

use super::*;
use crate::identity::TransferId;

/// Two accounts and what went between them.
struct Pair {
    from: World,
    to: World,
}

impl Pair {
    fn new() -> Self {
        Self {
            from: World::named("from"),
            to: World::named("to"),
        }
    }

    /// As the interface does: promised by the one, judged by both, recorded by both or none.
    fn transfer(&mut self, id: &str, units: i64, at: Timestamp) -> Result<(), AccountRefusal> {
        let mut out = TransferOut {
            transfer: TransferId(format!("transfer_{id}")),
            to: "to".into(),
            unit: UnitCode::default(),
            units: Units::from_micros(units),
            reference: None,
            promised: Vec::new(),
        };
        let taken = self.from.account.promise(&out, at)?;
        out.promised.clone_from(&taken.grants);
        let (out, taken) = (
            AccountCommand::TransferOut(out),
            AccountCommand::TransferIn(taken),
        );
        self.from.account.decide(&out, at)?;
        self.to.account.decide(&taken, at)?;
        self.from.run(out, at)?;
        self.to.run(taken, at)?;
        Ok(())
    }

    /// What both accounts' books come to on an account, by commodity.
    fn in_transit(&self) -> i64 {
        [&self.from, &self.to]
            .into_iter()
            .flat_map(World::balances)
            .filter(|((account, _, _), _)| {
                matches!(
                    account,
                    LedgerAccount::CreditsInTransit | LedgerAccount::UnitsInTransit
                )
            })
            .fold(BTreeMap::new(), |mut sums: BTreeMap<_, i64>, (key, amount)| {
                *sums.entry(key).or_default() += amount;
                sums
            })
            .into_values()
            .map(i64::abs)
            .sum()
    }
}

fn paid(id: &str, units: i64, cost: i64) -> GrantCredits {
    GrantCredits {
        units: Units::from_micros(units),
        source: GrantSource::Paid,
        cost: Some(usd(cost)),
        priority: 3,
        expires_at: Some(day(50)),
        ..grant(id, 1)
    }
}

#[test]
fn units_keep_source_priority_end_and_cost() {
    let mut pair = Pair::new();
    pair.from
        .run(AccountCommand::Grant(paid("g", 3_000, 1_000)), day(1))
        .unwrap();
    pair.transfer("t", 1_000, day(2)).unwrap();
    let (given, got) = (pair.from.lot("g").clone(), pair.to.lot("grant_t.1").clone());
    assert_eq!(
        (given.moved.micros(), given.moved_cost, given.available.micros()),
        (1_000, 333, 2_000)
    );
    assert_eq!(
        (
            got.terms.source,
            got.terms.priority,
            got.terms.expires_at,
            got.cost()
        ),
        (GrantSource::Paid, 3, Some(day(50)), 333)
    );
    assert_eq!(got.effective_at, day(2));
    assert_eq!(pair.in_transit(), 0, "2115 and U120 clear");
    let _ = pair.to.run(AccountCommand::WriteDue, day(50));
    assert_eq!(pair.to.lot("grant_t.1").expired_cost, 333);
}

#[test]
fn what_is_not_spendable_is_not_moved_and_nothing_goes_half() {
    let mut pair = Pair::new();
    pair.from
        .run(AccountCommand::Grant(paid("g", 3_000, 1_000)), day(1))
        .unwrap();
    let refused = pair.transfer("t", 3_001, day(2)).unwrap_err();
    assert!(matches!(refused, AccountRefusal::InsufficientCredits { .. }));
    assert_eq!(pair.transfer("t", 0, day(2)), Err(AccountRefusal::NotPositive));
    pair.from
        .run(
            super::overdraft::allow(None, crate::credits::Repayment::First),
            day(2),
        )
        .unwrap();
    assert!(
        pair.transfer("t", 3_001, day(2)).is_err(),
        "a transfer is never overdrawn"
    );
    pair.to = World::empty();
    assert_eq!(
        pair.transfer("t", 1, day(2)),
        Err(AccountRefusal::AccountNotFound)
    );
    assert_eq!(pair.from.lot("g").moved, Units::ZERO);
}

/// A new account that lives by a test clock, or by the server's.
fn living_by(account: &str, clock: Option<&str>) -> World {
    let mut world = World::empty();
    let open = OpenAccount {
        account: account.into(),
        external_id: None,
        stripe_customer: None,
        time_zone: chrono_tz::Tz::UTC,
        test_clock: clock.map(Into::into),
    };
    world.run(AccountCommand::Open(open), day(0)).unwrap();
    world
}

#[test]
fn accounts_on_different_test_clocks_do_not_transfer_to_each_other() {
    let (one, other) = (Some("clock_1"), Some("clock_2"));
    for (from, to) in [(one, None), (None, one), (one, other), (one, one)] {
        let mut pair = Pair {
            from: living_by("from", from),
            to: living_by("to", to),
        };
        pair.from
            .run(AccountCommand::Grant(paid("g", 3_000, 1_000)), day(1))
            .unwrap();
        let transferred = pair.transfer("t", 1, day(2));
        if from == to {
            assert_eq!(transferred, Ok(()));
        } else {
            let (from, to) = (from.map(Into::into), to.map(Into::into));
            assert_eq!(transferred, Err(AccountRefusal::TestClocksDiffer { from, to }));
            assert_eq!(pair.from.lot("g").moved, Units::ZERO);
        }
    }
}

#[test]
fn an_account_does_not_transfer_to_itself() {
    let mut world = World::named("to");
    world
        .run(AccountCommand::Grant(paid("g", 3_000, 1_000)), day(1))
        .unwrap();
    let out = TransferOut {
        transfer: "transfer_t".into(),
        to: "to".into(),
        unit: UnitCode::default(),
        units: Units::from_micros(1),
        reference: None,
        promised: Vec::new(),
    };
    assert_eq!(
        world.account.promise(&out, day(2)),
        Err(AccountRefusal::TransferToItself)
    );
}

#[test]
fn a_promise_that_the_account_would_not_keep_any_more_is_refused() {
    let mut world = World::named("from");
    world
        .run(AccountCommand::Grant(paid("g", 3_000, 1_000)), day(1))
        .unwrap();
    let mut out = TransferOut {
        transfer: "transfer_t".into(),
        to: "to".into(),
        unit: UnitCode::default(),
        units: Units::from_micros(1_000),
        reference: None,
        promised: Vec::new(),
    };
    out.promised = world.account.promise(&out, day(2)).unwrap().grants;
    let sooner = GrantCredits {
        priority: 0,
        ..paid("sooner", 1_000, 7)
    };
    world.run(AccountCommand::Grant(sooner), day(2)).unwrap();
    let late = world.run(AccountCommand::TransferOut(out), day(2));
    assert_eq!(late, Err(AccountRefusal::TransferOutdated));
}

#[test]
fn a_refund_of_what_was_moved_is_debt_where_it_was_bought() {
    let mut pair = Pair::new();
    let payment = Payment::of(Units::from_micros(1_000), 999, day(1), None);
    pair.from.run(payment.settle(), day(1)).unwrap();
    pair.transfer("t", 1_000, day(2)).unwrap();
    pair.from
        .run(payment.with(day(3), refund("re", 999)).settle(), day(3))
        .unwrap();
    assert_eq!(pair.from.lot("grant_pi_1").overdrawn.micros(), 1_000);
    assert_eq!(
        pair.to.balance(day(3)).spendable().micros(),
        1_000,
        "the other account keeps what it got"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// [`World::run`] checks every lot of both accounts after every step.
    #[test]
    fn transfers_conserve_units_and_money(
        grants in prop::collection::vec((1..3_000_i64, 0..700_i64, prop::option::of(3..40_i64)), 1..6),
        moves in prop::collection::vec((1..2_500_i64, 0..4_i64), 1..12)
    ) {
        let mut pair = Pair::new();
        let mut granted = 0;
        for (n, (units, cost, days)) in grants.into_iter().enumerate() {
            granted += units;
            let command = GrantCredits {
                cost: (cost > 0).then(|| usd(cost)),
                expires_at: days.map(day),
                ..paid(&format!("g{n}"), units, 1)
            };
            pair.from.run(AccountCommand::Grant(command), day(1)).unwrap();
        }
        let mut at = day(1);
        for (n, (units, days)) in moves.into_iter().enumerate() {
            at += Duration::days(days);
            let spendable = pair.from.balance(at).spendable().micros();
            prop_assert_eq!(pair.transfer(&n.to_string(), units, at).is_ok(), units <= spendable);
            prop_assert_eq!(pair.in_transit(), 0);
        }
        for world in [&mut pair.from, &mut pair.to] {
            let _ = world.run(AccountCommand::WriteDue, day(100));
        }
        let lots = pair.from.account.credits().lots().chain(pair.to.account.credits().lots());
        let there: i64 = lots.map(|lot| (lot.available + lot.expired).micros()).sum();
        prop_assert_eq!(there, granted);
    }
}
