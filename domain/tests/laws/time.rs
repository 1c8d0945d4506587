//! Time alone: a timer that sleeps until the instant an account names misses nothing and wakes for nothing, one jump of
//! the clock equals many steps, and what a balance is made of adds up at every instant.

use chrono::{DateTime, Duration, TimeZone, Utc};
use chrono_tz::{America, Australia, Europe, Pacific, Tz};
use proptest::prelude::*;
use std::num::NonZeroU32;
use tallybook_domain::account::{Account, AccountCommand, AccountEvent, AccountRefusal, Whereabouts};
use tallybook_domain::calendar::Interval;
use tallybook_domain::identity::UnitCode;
use tallybook_domain::strategies::{Party, Play, Step, history};
use tallybook_domain::{Aggregate, Timestamp};

/// What is due is written up to each stop, each thing judged at its own instant: what a test clock does.
fn stepped(account: &Account, stops: impl IntoIterator<Item = Timestamp>) -> (Vec<AccountEvent>, Account) {
    let mut account = account.clone();
    let mut written = Vec::new();
    for stop in stops {
        while let Some(due) = account.next_due().filter(|due| *due <= stop) {
            let events = account
                .decide(&AccountCommand::WriteDue, due)
                .expect("what is due is written");
            for event in &events {
                account.evolve(event);
            }
            written.extend(events);
            assert_ne!(
                account.next_due(),
                Some(due),
                "what is written is not due any more"
            );
        }
    }
    (written, account)
}

fn played(steps: &[Step]) -> Play {
    let mut play = Play::open("acct_1", "acct_2");
    for step in steps {
        let turn = play.next(step);
        // Refusals are part of a history.
        let _ = play.judge(&turn);
    }
    play
}

proptest! {
    #![proptest_config(crate::cases(120))]

    #[test]
    fn nothing_is_due_before_the_instant_an_account_names_and_something_is_then(steps in history(1..30)) {
        let play = played(&steps);
        let end = play.at() + Duration::days(3_000);
        for account in play.parties().iter().map(Party::account) {
            match account.next_due() {
                None => prop_assert_eq!(account.decide(&AccountCommand::WriteDue, end), Err(AccountRefusal::NoChange)),
                Some(due) => {
                    let before = due - Duration::microseconds(1);
                    prop_assert_eq!(account.due(before).0, vec![]);
                    prop_assert!(!account.due(due).0.is_empty());
                }
            }
        }
    }

    #[test]
    fn years_in_one_jump_equal_any_steps_event_for_event(
        steps in history(1..30),
        hours in prop::collection::vec(1_i64..400, 0..40),
    ) {
        let play = played(&steps);
        let end = play.at() + Duration::days(5 * 365);
        let mut now = play.at();
        let stops: Vec<Timestamp> = hours.iter().map(|step| { now += Duration::hours(*step); now }).chain([end]).collect();
        for account in play.parties().iter().map(Party::account) {
            let (at_once, jumped) = stepped(account, [end]);
            let (by_steps, walked) = stepped(account, stops.iter().copied());
            prop_assert_eq!(&at_once, &by_steps);
            prop_assert_eq!(&jumped, &walked);
            let late = account.at(end);
            prop_assert_eq!(jumped.credits(), late.credits(), "written late it ends the same");
        }
    }

    #[test]
    fn what_a_balance_is_made_of_adds_up_at_every_instant(
        steps in history(1..30),
        early in 0_i64..200,
        late in 0_i64..400,
    ) {
        for party in played(&steps).parties() {
            let begin = party.events()[0].effective_at;
            let (early, late) = (begin + Duration::hours(early), begin + Duration::hours(early + late));
            for unit in party.account().credits().kinds() {
                adds_up(party, &unit, [early, late])?;
            }
        }
    }
}

/// The movements up to each instant sum to the balance there, by all that is known at the last.
fn adds_up(party: &Party, unit: &UnitCode, [early, late]: [Timestamp; 2]) -> Result<(), TestCaseError> {
    let moved = Account::movements(party.events(), unit, late);
    prop_assert_eq!(&moved.account, &Account::as_of(party.events(), late));
    let sum_at = |until: Timestamp| {
        let mut sum = Whereabouts::default();
        for movement in moved
            .movements
            .iter()
            .filter(|movement| movement.counts_from <= until)
        {
            assert!(movement.change.foots(), "{movement:?}");
            sum += movement.change;
        }
        (sum.available, sum.held, sum.frozen, sum.overdrawn)
    };
    for at in [early, late] {
        let account = Account::as_of(party.events(), at);
        let balance = account.credits().balance(unit, at);
        let shown = (balance.available, balance.held, balance.frozen, balance.overdraft);
        prop_assert_eq!(sum_at(at), shown, "at {}", at);
    }
    Ok(())
}

#[test]
fn an_hour_that_a_clock_change_skips_or_repeats_and_a_skipped_day_have_one_instant_each() {
    let day = Interval::Days(NonZeroU32::MIN);
    let local = |zone: Tz, (y, m, d): (i32, u32, u32), (hour, minute): (u32, u32)| -> DateTime<Utc> {
        zone.with_ymd_and_hms(y, m, d, hour, minute, 0).unwrap().to_utc()
    };
    // The evening before, zone by zone: what a day later is on the clocks, and what instant that is.
    for (zone, start, time, expected) in [
        (America::New_York, (2026, 3, 7), (2, 30), "2026-03-08T07:30:00Z"),
        (America::New_York, (2026, 10, 31), (1, 30), "2026-11-01T05:30:00Z"),
        (Europe::Berlin, (2026, 3, 28), (2, 30), "2026-03-29T01:30:00Z"),
        (Europe::Berlin, (2026, 10, 24), (2, 30), "2026-10-25T00:30:00Z"),
        (
            Australia::Lord_Howe,
            (2026, 10, 3),
            (2, 15),
            "2026-10-03T15:45:00Z",
        ),
        (
            Australia::Lord_Howe,
            (2026, 4, 4),
            (1, 45),
            "2026-04-04T14:45:00Z",
        ),
        (Pacific::Apia, (2011, 12, 29), (9, 0), "2011-12-30T19:00:00Z"),
    ] {
        let after = day.after(local(zone, start, time), zone);
        assert_eq!(
            after,
            Some(expected.parse().unwrap()),
            "{zone} {start:?} {time:?}"
        );
    }
}

#[test]
fn a_clock_that_steps_back_judges_at_the_streams_last_instant() {
    let mut account = Account::default();
    let mut judge = |command: AccountCommand, at: Timestamp| {
        let events = account.decide(&command, at).unwrap();
        for event in &events {
            account.evolve(event);
        }
        events
    };
    let opening = Play::open("acct_1", "acct_2").opening();
    let opened = opening.at;
    judge(opening.commands[0].1.clone(), opened);
    let link = |customer: &str| AccountCommand::LinkCustomer(customer.to_owned());
    let ahead = opened + Duration::minutes(5);
    judge(link("cus_1"), ahead);
    // Another node, five minutes behind, and one whose clock was set back by a year.
    for (customer, clock) in [("cus_2", opened), ("cus_3", opened - Duration::days(365))] {
        let events = judge(link(customer), clock);
        assert_eq!((events[0].at, events[0].effective_at), (ahead, ahead));
    }
}
