//! The strategies themselves: their histories do all there is, are a function of their seed, and shrink to what matters.

use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tallybook_domain::Event;
use tallybook_domain::account::PoliciesEvent;
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::strategies::{Act, CreditsAct, Party, Play, Step, history};

fn runner(seed: u8) -> TestRunner {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(2_000)
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

fn drawn(runner: &mut TestRunner) -> Vec<Step> {
    let tree = history(1..60).new_tree(runner);
    tree.expect("a history is drawn").current()
}

fn played(steps: &[Step]) -> Play {
    let mut play = Play::open("acct_1", "acct_2");
    for step in steps {
        let turn = play.next(step);
        let _ = play.judge(&turn);
    }
    play.write_due(play.at() + chrono::Duration::days(90));
    play
}

fn names(play: &Play) -> impl Iterator<Item = &'static str> {
    play.parties().iter().flat_map(Party::events).map(Event::name)
}

#[test]
fn everything_that_can_happen_to_credits_happens() {
    let mut runner = runner(1);
    let mut missing: BTreeSet<&str> = CreditsEvent::CONTRACT
        .iter()
        .chain(PoliciesEvent::CONTRACT)
        .map(|(name, _)| *name)
        .collect();
    for _ in 0..600 {
        for name in names(&played(&drawn(&mut runner))) {
            missing.remove(name);
        }
    }
    assert_eq!(missing, BTreeSet::new());
}

#[test]
fn a_history_and_what_happens_in_it_are_a_function_of_the_seed() {
    for seed in 0..20 {
        let (once, again) = (drawn(&mut runner(seed)), drawn(&mut runner(seed)));
        assert_eq!(once, again);
        let (once, again) = (played(&once), played(&again));
        let streams = |play: &Play| play.parties().clone().map(|party| party.events().to_vec());
        assert_eq!(streams(&once), streams(&again));
    }
}

/// The smallest history in which something happens, by shrinking the first one.
fn smallest(name: &str) -> Vec<Step> {
    let found = runner(1).run(&history(1..60), |steps| {
        if names(&played(&steps)).any(|it| it == name) {
            return Err(TestCaseError::fail("it happens"));
        }
        Ok(())
    });
    match found {
        Err(TestError::Fail(_, steps)) => steps,
        other => panic!("{name} never happens: {other:?}"),
    }
}

#[test]
fn histories_shrink_to_the_steps_that_matter() {
    let acts = |name| -> Vec<Act> { smallest(name).into_iter().map(|step| step.act).collect() };
    // What gives credits, what uses them, and perhaps one step too many.
    let reversed = acts("ConsumptionReversed");
    assert!(reversed.len() <= 4, "{reversed:?}");
    let ends = matches!(reversed.last(), Some(Act::Credits(CreditsAct::Reverse { .. })));
    assert!(ends, "{reversed:?}");
    let transferred = acts("CreditsTransferredIn");
    assert!(transferred.len() <= 3, "{transferred:?}");
    let ends = matches!(
        transferred.last(),
        Some(Act::Credits(CreditsAct::Transfer { .. }))
    );
    assert!(ends, "{transferred:?}");
}
