//! The roundings in the books: half to even for what is split and released, half away from zero for prices and taxes.

/// What of a lot's cost is released once `disposed` of its `total` units are gone: `round(cost * disposed / total)`,
/// half to even. A slice's cost is the difference of two of these, so slices sum to the cost exactly, whatever the
/// batching.
///
/// `total` must be positive and `0 <= disposed <= total`; the result has the sign of `cost`.
pub fn released(cost: i64, disposed: i64, total: i64) -> i64 {
    debug_assert!(
        total > 0 && (0..=total).contains(&disposed),
        "disposed {disposed} of {total}"
    );
    let part = half_even(i128::from(cost) * i128::from(disposed), i128::from(total));
    i64::try_from(part).expect("a part of an i64 cost is an i64")
}

/// `numerator / denominator`, half to even. The denominator must be positive.
pub(crate) fn half_even(numerator: i128, denominator: i128) -> i128 {
    let floor = numerator.div_euclid(denominator);
    let twice_rest = 2 * numerator.rem_euclid(denominator);
    let round_up = twice_rest > denominator || (twice_rest == denominator && floor % 2 != 0);
    floor + i128::from(round_up)
}

/// `numerator / denominator`, half away from zero. The denominator must be positive.
pub(crate) fn half_away(numerator: i128, denominator: i128) -> i128 {
    let magnitude = (2 * numerator.abs() + denominator) / (2 * denominator);
    magnitude * numerator.signum()
}

/// Split `total` over `weights` so that the parts sum to it: floors first, then one each to the largest remainders,
/// ties to the earlier. Weights must not be negative; if all are zero the whole goes to the first.
pub fn largest_remainder(total: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|w| i128::from(*w)).sum();
    if sum == 0 {
        return weights
            .iter()
            .enumerate()
            .map(|(i, _)| if i == 0 { total } else { 0 })
            .collect();
    }
    let shares: Vec<(i128, i128)> = weights
        .iter()
        .map(|w| {
            let numerator = i128::from(total) * i128::from(*w);
            (numerator.div_euclid(sum), numerator.rem_euclid(sum))
        })
        .collect();
    let mut left = i128::from(total) - shares.iter().map(|(floor, _)| floor).sum::<i128>();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| shares[*b].1.cmp(&shares[*a].1).then(a.cmp(b)));
    let mut parts: Vec<i128> = shares.iter().map(|(floor, _)| *floor).collect();
    for index in order {
        if left == 0 {
            break;
        }
        parts[index] += 1;
        left -= 1;
    }
    parts
        .into_iter()
        .map(|p| i64::try_from(p).expect("a part of an i64 total is an i64"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hundred_over_three_foots() {
        assert_eq!(largest_remainder(10_000, &[1000, 200, 333]), [6523, 1305, 2172]);
    }

    #[test]
    fn halves_go_to_even() {
        assert_eq!(released(1, 1, 2), 0);
        assert_eq!(released(3, 1, 2), 2);
    }

    proptest! {
        #[test]
        fn slices_sum_to_the_cost(cost in 0..=10_000_000_000_i64, cuts in prop::collection::vec(1..=1_000_000_i64, 1..20)) {
            let total: i64 = cuts.iter().sum();
            let mut disposed = 0;
            let mut sum = 0;
            for cut in cuts {
                let slice = released(cost, disposed + cut, total) - released(cost, disposed, total);
                prop_assert!(slice >= 0);
                sum += slice;
                disposed += cut;
            }
            prop_assert_eq!(sum, cost);
        }

        #[test]
        fn parts_sum_to_the_total(total in -1_000_000_i64..1_000_000, weights in prop::collection::vec(0..1_000_i64, 1..12)) {
            prop_assert_eq!(largest_remainder(total, &weights).iter().sum::<i64>(), total);
        }
    }
}
