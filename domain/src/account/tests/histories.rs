//! Random histories: nothing is ever minted, lost or over-spent. The invariants are checked by [`World::run`].

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Grant {
        units: i64,
        cost: i64,
        days: Option<i64>,
        priority: i32,
    },
    Debit(i64),
    Hold(i64, i64),
    Capture(usize, Option<i64>, bool),
    Release(usize),
    Pay,
    Refund(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..5_000_i64, 0..999_i64, prop::option::of(1..30_i64), -1..2_i32).prop_map(
            |(units, cost, days, priority)| Act::Grant {
                units,
                cost,
                days,
                priority
            }
        ),
        (1..4_000_i64).prop_map(Act::Debit),
        (1..4_000_i64, 1..20_i64).prop_map(|(units, days)| Act::Hold(units, days)),
        (0..4_usize, prop::option::of(1..2_000_i64), any::<bool>())
            .prop_map(|(n, units, last)| Act::Capture(n, units, last)),
        (0..4_usize).prop_map(Act::Release),
        Just(Act::Pay),
        (1..400_i64).prop_map(Act::Refund),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn units_and_money_are_conserved(acts in prop::collection::vec((act(), 0..4_i64), 1..40)) {
        let mut world = World::new();
        let mut payment: Option<Payment> = None;
        let mut at = day(1);
        for (n, (act, step)) in acts.into_iter().enumerate() {
            at += Duration::days(step);
            let unit = UnitCode::default();
            let hold = |n: usize| crate::identity::HoldId(format!("h{n}"));
            let spendable = world.balance(at).spendable();
            let command = match act {
                Act::Grant { units, cost, days, priority } => AccountCommand::Grant(GrantCredits {
                    units: Units::from_micros(units),
                    cost: (cost > 0).then(|| usd(cost)),
                    source: GrantSource::Paid,
                    expires_at: days.map(|days| at + Duration::days(days)),
                    priority,
                    ..grant(&format!("g{n}"), 1)
                }),
                Act::Debit(units) => AccountCommand::Debit(DebitCredits {
                    debit: format!("d{n}").into(), unit, units: Units::from_micros(units), feature: None, reference: None,
                }),
                Act::Hold(units, days) => AccountCommand::Hold(HoldCredits {
                    hold: hold(world.account.credits().holds().count()),
                    unit,
                    units: Units::from_micros(units),
                    expires_in: Duration::days(days),
                    feature: None,
                    reference: None,
                }),
                Act::Capture(n_hold, units, is_final) => AccountCommand::Capture(CaptureHold {
                    hold: hold(n_hold), debit: format!("d{n}").into(), units: units.map(Units::from_micros), is_final,
                }),
                Act::Release(n_hold) => AccountCommand::Release(ReleaseHold { hold: hold(n_hold) }),
                Act::Pay => {
                    let ends = Some(at + Duration::days(12));
                    payment.get_or_insert_with(|| Payment::of(Units::from_micros(1_234), 999, at, ends)).settle()
                }
                Act::Refund(minor) => {
                    let Some(paid) = &mut payment else { continue };
                    *paid = paid.clone().with(at, refund(&format!("re_{n}"), minor));
                    paid.settle()
                }
            };
            let spends = matches!(command, AccountCommand::Debit(_) | AccountCommand::Hold(_));
            let asked = match &command {
                AccountCommand::Debit(c) => c.units,
                AccountCommand::Hold(c) => c.units,
                _ => Units::ZERO,
            };
            let accepted = world.run(command, at).is_ok();
            if spends {
                prop_assert_eq!(accepted, asked <= spendable, "a spend is accepted exactly if it is covered");
            }
        }
        let far = at + Duration::days(1_000);
        let _ = world.run(AccountCommand::WriteDue, far);
        for lot in world.account.credits().lots() {
            if lot.terms.expires_at.is_some() {
                prop_assert_eq!((lot.available, lot.held), (Units::ZERO, Units::ZERO), "all ended");
                prop_assert_eq!(lot.released_cost(), lot.cost(), "a lot that is gone has released its cost");
            }
        }
    }
}
