//! Case 21: several kinds of credits for one price.

use proptest::prelude::*;

use super::purchases::{bought, credits_pack, refund as refund_by_hand};
use super::*;
use crate::catalog::{BundledCredits, Pack};

fn bundled(unit: &str, credits: Units, alone: i64) -> BundledCredits {
    BundledCredits {
        unit: UnitCode::parse(unit).expect("a code"),
        credits,
        standalone_price: usd(alone),
    }
}

/// 9 credits that sell for 20.00 alone, with 6 photos that sell for 10.00 alone, for 25.00.
fn bundle() -> Pack {
    Pack {
        standalone_price: Some(usd(2_000)),
        bundled: vec![bundled("PHOTO", credits(6), 1_000)],
        ..credits_pack(usd(2_500), 9)
    }
}

fn photos() -> UnitCode {
    UnitCode::parse("PHOTO").expect("a code")
}

fn money(world: &World) -> Vec<(&'static str, String, i64)> {
    let balances = world.balances().into_iter();
    balances
        .filter(|((account, ..), _)| !account.is_units())
        .map(|((account, key, _), amount)| (account.code(), key, amount))
        .collect()
}

#[test]
fn case_21_a_bundle_gives_each_kind_its_share_of_the_price_and_they_sum_to_it() {
    let world = bought(bundle(), 1, Some(usd(475)));
    assert_eq!(world.balance(day(1)).available, credits(9));
    assert_eq!(world.account.balance(&photos(), day(1)).available, credits(6));
    assert_eq!(
        money(&world),
        [
            ("1010", String::new(), 2_975),
            ("2110", "grant_pur_1".to_owned(), -1_667),
            ("2110", "grant_pur_1_PHOTO".to_owned(), -833),
            ("2210", String::new(), -475),
        ]
    );
}

#[test]
fn case_21_a_bundle_is_refunded_whole_and_every_kind_gives_its_exact_share() {
    let mut world = bought(bundle(), 1, None);
    let photo = DebitCredits {
        debit: "d".into(),
        unit: photos(),
        units: credits(5),
        feature: None,
        quantity: None,
        reference: None,
    };
    world
        .run(AccountCommand::Debit(photo), day(2))
        .expect("there are six");
    for (n, (part, clawed)) in [(834, (3, 2)), (833, (6, 4)), (833, (9, 6))]
        .into_iter()
        .enumerate()
    {
        world
            .run(refund_by_hand(n, usd(part)), day(3))
            .expect("of the whole");
        let of = |grant| world.lot(grant).revoked.micros() / 1_000_000;
        // 834 of 2,500 are a little more than a third: never less than the share of what was given back.
        assert_eq!(
            (of("grant_pur_1"), of("grant_pur_1_PHOTO")),
            clawed,
            "after {part}"
        );
    }
    assert_eq!(world.balance(day(4)).available, Units::ZERO);
    assert_eq!(world.account.balance(&photos(), day(4)).overdraft, credits(5));
    let used = 694;
    assert_eq!(
        money(&world),
        [("4010", String::new(), -used), ("4110", String::new(), used)],
        "what was used of the photos is all that is not undone"
    );
}

proptest! {
    /// Whatever the prices and parts: the shares sum to the price, each is within a minor unit of its exact value, each kind is
    /// clawed back by what was given back of the whole, and a whole refund leaves nothing.
    #[test]
    fn case_21_the_lines_of_a_bundle_sum_to_its_price_and_its_refunds_to_nothing(
        net in 1..100_000_i64,
        tax in 0..20_000_i64,
        alone in prop::collection::vec(1..50_000_i64, 2..6),
        micros in prop::collection::vec(1..9_000_000_i64, 5),
        parts in prop::collection::vec(1..40_000_i64, 1..6),
    ) {
        let pack = Pack {
            credits: Units::from_micros(micros[0] * 3),
            standalone_price: Some(usd(alone[0])),
            bundled: alone[1..]
                .iter()
                .enumerate()
                .map(|(n, alone)| bundled(&format!("KIND_{n}"), Units::from_micros(micros[n]), *alone))
                .collect(),
            ..credits_pack(usd(net), 1)
        };
        let mut world = bought(pack, 1, Some(usd(tax)));
        let costs: Vec<i64> = world.account.credits().lots().map(Lot::cost).collect();
        prop_assert_eq!(costs.iter().sum::<i64>(), net);
        let sum: i128 = alone.iter().map(|price| i128::from(*price)).sum();
        let mut exact: Vec<i128> = alone.iter().map(|price| i128::from(net) * i128::from(*price)).collect();
        exact.sort_unstable();
        let mut booked = costs;
        booked.sort_unstable();
        for (booked, exact) in booked.iter().zip(&exact) {
            prop_assert!((i128::from(*booked) * sum - exact).abs() < sum, "{} of {}", booked, exact);
        }
        let (gross, mut given_back) = (net + tax, 0);
        for (n, part) in parts.into_iter().chain([i64::MAX]).enumerate() {
            let part = part.min(gross - given_back);
            if part == 0 {
                break;
            }
            world.run(refund_by_hand(n, usd(part)), day(2)).expect("within what is left");
            given_back += part;
            for lot in world.account.credits().lots() {
                let share = i128::from(lot.granted.micros()) * i128::from(given_back) / i128::from(gross);
                prop_assert_eq!(i128::from(lot.revoked.micros()), share, "{}", lot.terms.grant);
            }
        }
        prop_assert!(money(&world).is_empty(), "{:?}", money(&world));
    }
}
