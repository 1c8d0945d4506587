//! What a period's lines come to, whatever is changed within it: the integral of price over time, in plain rationals.

use chrono::Duration;
use num_rational::Ratio;
use proptest::prelude::*;
use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::strategies::{Act, BillingAct, Play, Side, Step};
use tallybook_domain::subscriptions::SubscriptionState;

/// The plans' prices, as the strategies have them.
fn price(plan: &str) -> i128 {
    match plan {
        "free" => 0,
        "pro" => 997,
        "max" => 2_999,
        other => panic!("another plan: {other}"),
    }
}

fn subscription(account: &Account) -> Result<&SubscriptionState, TestCaseError> {
    let mut all = account.subscriptions().values();
    all.next().ok_or_else(|| TestCaseError::fail("it began"))
}

/// What a whole period would cost as it is now.
fn rate(account: &Account) -> Result<i128, TestCaseError> {
    let items = &subscription(account)?.items;
    Ok(items
        .iter()
        .map(|item| price(item.plan.as_deref().unwrap_or_default()) * i128::from(item.quantity))
        .sum())
}

fn nanoseconds(from: Timestamp, to: Timestamp) -> Result<i128, TestCaseError> {
    let span = (to - from).num_nanoseconds();
    span.map(i128::from)
        .ok_or_else(|| TestCaseError::fail("it is no century"))
}

fn billing(after: Duration, act: BillingAct) -> Step {
    Step {
        after,
        by: Side::First,
        act: Act::Billing(act),
    }
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn the_lines_of_a_period_sum_to_the_integral_of_price_over_time(
        (first, quantity) in (0..3_usize, 1..4_u32),
        flips in prop::collection::vec((0..200_000_i64, 0..3_usize, 1..4_u32), 0..16),
    ) {
        let mut play = Play::open("acct_1", "acct_2");
        let mut run = |step: Step| {
            let turn = play.next(&step);
            let accepted = play.judge(&turn).is_ok();
            (turn.at, accepted, play.parties()[0].account().clone())
        };
        let pay = || billing(Duration::zero(), BillingAct::PayInvoice { invoice: 0 });
        let begin = BillingAct::Subscribe { plan: first, quantity, trial: None, outcome: 0, card_on_file: true };
        run(billing(Duration::zero(), begin));
        let (mut at, _, mut account) = run(pay());
        let (start, end) = (subscription(&account)?.period_start, subscription(&account)?.period_end);
        let mut integral = Ratio::from_integer(0);
        let whole = nanoseconds(start, end)?;
        for (seconds, plan, quantity) in flips {
            if at + Duration::seconds(seconds) >= end {
                break;
            }
            let change = BillingAct::Change { subscription: 0, plan, quantity, is_now: true };
            let was = rate(&account)?;
            let (now, _, _) = run(billing(Duration::seconds(seconds), change));
            integral += Ratio::new(was * nanoseconds(at, now)?, whole);
            (at, _, account) = run(pay());
        }
        prop_assert_eq!(subscription(&account)?.period_end, end, "one period");
        integral += Ratio::new(rate(&account)? * nanoseconds(at, end)?, whole);
        let billed: i64 = account.invoices().iter().flat_map(|it| &it.lines).map(|line| line.amount).sum();
        let off = Ratio::from_integer(i128::from(billed)) - integral;
        let half = Ratio::new(1, 2);
        prop_assert!(-half <= off && off <= half, "off by {off}");
    }
}
