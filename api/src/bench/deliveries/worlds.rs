//! What is delivered: the bundled stream many times over, each time about other customers, and what that comes to.

use serde_json::Value;
use tallybook_stripe::replay::{Order, Perturbation, Probability, renamed};

use crate::cli::CliError;
use crate::replay::world;

/// In credits and in US cents, what one copy of the stream comes to.
const GRANTED: u64 = 13_350;
const CLAWED_BACK: u64 = 4_800;
const AT_STRIPE_CENTS: u64 = 274_968;

/// How many events one copy has.
pub(super) fn events_per_world() -> usize {
    world::EVENTS.lines().count()
}

/// Copies `worlds`, in an order drawn by `seed`, some events of them twice.
pub(super) fn disturbed(worlds: std::ops::Range<u32>, seed: u64, duplicate: Probability) -> Vec<String> {
    let bodies: Vec<String> = worlds
        .flat_map(|copy| world::EVENTS.lines().map(move |line| renamed(line, copy)))
        .collect();
    let perturbation = Perturbation {
        seed,
        order: Order::Shuffled,
        duplicate,
        ..Perturbation::default()
    };
    let plan = perturbation.plan(u32::try_from(bodies.len()).unwrap_or(u32::MAX));
    plan.iter()
        .map(|step| bodies[step.event as usize].clone())
        .collect()
}

/// Whether a state is that of so many copies: fast and wrong is an error.
pub(super) fn check(state: &Value, worlds: u64) -> Result<(), CliError> {
    let totals = &state["totals"];
    let credits = &totals["credits"];
    let rows = totals["trial_balance"].as_array().map_or(&[][..], Vec::as_slice);
    let at_stripe = rows.iter().find(|row| row["account"] == "1110");
    let found = (
        credits["granted"].as_str().unwrap_or_default().to_owned(),
        credits["clawed_back"].as_str().unwrap_or_default().to_owned(),
        at_stripe.and_then(|row| row["balance"].as_u64()),
        totals["balanced"].as_bool(),
    );
    let expected = (
        (GRANTED * worlds).to_string(),
        (CLAWED_BACK * worlds).to_string(),
        Some(AT_STRIPE_CENTS * worlds),
        Some(true),
    );
    if found == expected {
        return Ok(());
    }
    Err(CliError::new(format!(
        "the books are wrong: credits granted, clawed back, money at Stripe, balanced are {found:?}, not {expected:?}"
    )))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_copy_is_delivered_and_a_fifth_of_it_twice() {
        let bodies = disturbed(1..3, 7, Probability::from_millionths(200_000));
        let different: BTreeSet<&String> = bodies.iter().collect();
        assert_eq!(different.len(), 2 * events_per_world());
        let copies = bodies.len() - different.len();
        assert!((200..450).contains(&copies), "{copies}");
    }

    #[test]
    fn books_that_lack_a_copy_are_wrong() {
        let state = |worlds: u64| {
            serde_json::json!({"totals": {"balanced": true, "trial_balance": [{"account": "1110", "balance": 274_968 * worlds}],
                "credits": {"granted": (13_350 * worlds).to_string(), "clawed_back": (4_800 * worlds).to_string()}}})
        };
        assert!(check(&state(3), 3).is_ok());
        let error = check(&state(2), 3).unwrap_err().to_string();
        assert!(error.contains("26700") && error.contains("40050"), "{error}");
    }
}
