//! Deferred revenue moves for known causes alone, and each cause comes to what the accounts on its other side show.

use std::collections::BTreeMap;

use chrono::Duration;
use proptest::prelude::*;
use tallybook_domain::postings::{DeferralCause as Cause, LedgerAccount as L, Line, deferral_cause, entry};
use tallybook_domain::strategies::{Play, history};

/// What an entry's lines on some accounts come to, credits positive.
fn credited(lines: &[Line], on: impl Fn(L) -> bool) -> i128 {
    let lines = lines
        .iter()
        .filter(|line| on(line.account) && !line.account.is_units());
    lines.map(|line| -i128::from(line.amount)).sum()
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn every_cause_comes_to_what_the_other_accounts_show(steps in history(1..50)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            // A refusal leaves no trace.
            let _ = play.judge(&turn);
        }
        play.write_due(play.at() + Duration::days(400));
        let mut moved: BTreeMap<Cause, i128> = BTreeMap::new();
        let mut earned: BTreeMap<L, i128> = BTreeMap::new();
        let events = play
            .parties()
            .iter()
            .flat_map(|party| party.events().iter().map(|event| entry(party.id(), event)));
        for entry in events.flatten() {
            for account in [L::RevenueUsage, L::RevenueSubscription, L::RevenueBreakage, L::ContraConcessions] {
                *earned.entry(account).or_default() += credited(&entry.lines, |other| other == account);
            }
            if !entry.lines.iter().any(|line| line.account.is_deferred()) {
                continue;
            }
            let cause = deferral_cause(entry.key.as_str(), &entry.lines);
            prop_assert!(cause.is_some(), "{} has no cause: {:?}", entry.key, entry.lines);
            let sum = credited(&entry.lines, L::is_deferred);
            *moved.entry(cause.expect("asserted")).or_default() += sum;
        }
        let moved = |cause: Cause| moved.get(&cause).copied().unwrap_or_default();
        let earned = |account: L| earned.get(&account).copied().unwrap_or_default();
        prop_assert_eq!(moved(Cause::Used), -earned(L::RevenueUsage));
        prop_assert_eq!(moved(Cause::Rendered), -earned(L::RevenueSubscription));
        prop_assert_eq!(moved(Cause::Expired), -earned(L::RevenueBreakage));
        prop_assert_eq!(moved(Cause::Conceded), -earned(L::ContraConcessions));
        prop_assert_eq!(moved(Cause::Transferred), 0, "nothing leaves deferred revenue by it");
    }
}
