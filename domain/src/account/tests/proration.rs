//! Changes within a period: what is credited, charged, given and taken, and what comes back if it is never paid.

use num_rational::Ratio;
use proptest::prelude::*;

use super::subscriptions::{change, names, of, one, plan, start};
use super::*;
use crate::catalog::Uncollected;
use crate::subscriptions::{
    InvoiceCommand, InvoiceStatus, InvoiceView, ItemOrder, ItemTerms, SubscriptionStatus as Status, When,
};

/// Cost of credits, so that the books of each lot are checked, too.
fn valued(id: &str, cents: i64, units: i64) -> ItemTerms {
    let mut terms = plan(id, cents, units);
    terms.credits_value = Some(usd(cents / 3));
    terms
}

fn deferred(world: &World) -> i64 {
    let accounts = [
        LedgerAccount::DeferredSubscription,
        LedgerAccount::ContractCredits,
    ];
    let balances = world.balances();
    let of = balances
        .iter()
        .filter(|((account, _, unit), _)| accounts.contains(account) && unit == "USD");
    -of.map(|(_, amount)| amount).sum::<i64>()
}

/// What was earned of invoices that were taken back.
fn conceded(world: &World) -> i64 {
    let balances = world.balances();
    let of = balances
        .iter()
        .filter(|((account, ..), _)| *account == LedgerAccount::ContraCreditNotes);
    of.map(|(_, amount)| amount).sum()
}

#[test]
fn an_upgrade_gives_and_takes_its_share_in_one_append() {
    let mut world = World::paid(valued("pro", 3100, 310));
    let events = world
        .run(change(one(valued("max", 6200, 620)), When::Now), day(10))
        .unwrap();
    assert_eq!(
        names(&events),
        ["PlanChanged", "InvoiceIssued", "CreditsRevoked", "CreditsGranted"]
    );
    let invoice = world.account.invoices()[1].clone();
    let lines: Vec<i64> = invoice.lines.iter().map(|line| line.amount).collect();
    assert_eq!((lines, invoice.total), (vec![-2100, 4200], 2100), "21 of 31 days");
    assert_eq!(world.credits_at(day(10)), credits(100 + 420));
    assert_eq!(deferred(&world), 3100 + 2100, "nothing is earned yet");
}

#[test]
fn used_credits_of_the_old_plan_are_owed_out_of_the_new_ones() {
    let mut world = World::paid(valued("pro", 3100, 310));
    world.run(debit("d", 300), day(5)).unwrap();
    world
        .run(change(one(valued("max", 6200, 620)), When::Now), day(10))
        .unwrap();
    let balance = world.balance(day(10));
    assert_eq!(
        (balance.available, balance.overdraft),
        (credits(420), credits(200))
    );
}

#[test]
fn a_second_upgrade_charges_the_increment_and_credits_the_whole_current_value() {
    let mut world = World::paid(plan("a", 3100, 0));
    world
        .run(change(one(plan("b", 6200, 0)), When::Now), day(1))
        .unwrap();
    world.pay_last(day(1));
    world
        .run(change(one(plan("c", 9300, 0)), When::Now), day(1))
        .unwrap();
    let second = world.account.invoices()[2].clone();
    let lines: Vec<i64> = second.lines.iter().map(|line| line.amount).collect();
    assert_eq!((lines, second.total), (vec![-6000, 9000], 3000));
}

#[test]
fn the_same_plan_and_back_at_one_instant_nets_to_nothing() {
    let at = day(7) + Duration::microseconds(123_457);
    let mut world = World::paid(valued("a", 999, 101));
    let before = world.credits_at(at);
    world
        .run(change(one(valued("b", 1777, 203)), When::Now), at)
        .unwrap();
    world.pay_last(at);
    world
        .run(change(one(valued("a", 999, 101)), When::Now), at)
        .unwrap();
    let billed = world.billed();
    assert_eq!(billed[1] + billed[2], 0, "{billed:?}");
    let drift = before.micros() - world.credits_at(at).micros();
    assert!((0..=1).contains(&drift), "floor by floor: {drift}");
}

#[test]
fn another_interval_begins_a_period_and_credits_the_unused_time() {
    let mut world = World::paid(valued("monthly", 3100, 310));
    let mut yearly = valued("yearly", 36_500, 3650);
    yearly.interval = super::subscriptions::months(12);
    world.run(change(one(yearly), When::Now), day(10)).unwrap();
    let invoice = world.account.invoices()[1].clone();
    assert_eq!(invoice.total, 36_500 - 2100);
    assert_eq!(
        (world.subscription().period_start, world.subscription().period_end),
        (day(10), day(375))
    );
    assert_eq!(world.credits_at(day(10)), credits(100 + 3650));
    world.pay_last(day(10));
    world
        .run(change(one(valued("monthly", 3100, 310)), When::Now), day(10))
        .unwrap();
    let back = world.account.invoices()[2].clone();
    assert_eq!(
        (back.total, back.amount_due, back.credited_to_balance),
        (0, 0, 36_500 - 3100),
        "no total is negative"
    );
    assert_eq!(world.account.customer_balance(Currency::USD), 33_400);
}

#[test]
fn a_seat_more_is_charged_for_the_rest_and_what_runs_on_is_left_alone() {
    let mut world = World::new();
    let seats = |quantity| {
        let mut items: Vec<ItemOrder> = one(plan("pro", 3100, 10));
        items.push(ItemOrder {
            item: "seats".to_owned(),
            quantity,
            terms: plan("seat", 310, 0),
        });
        items
    };
    world.run(start(seats(2)), day(0)).unwrap();
    world.pay_last(day(0));
    world.run(change(seats(3), When::Now), day(21)).unwrap();
    let invoice = world.account.invoices()[1].clone();
    assert_eq!((invoice.lines.len(), invoice.total), (2, 100));
    assert_eq!(world.lot("grant_sub_1_main_1").revoked, Units::ZERO);
    assert_eq!(
        world.run(change(seats(3), When::Now), day(22)),
        Err(AccountRefusal::NoChange)
    );
}

#[test]
fn a_price_of_nothing_prorates_to_nothing() {
    let mut free = plan("free", 0, 31);
    free.grants_on_zero_amount = true;
    let mut world = World::new();
    world.run(start(one(free.clone())), day(0)).unwrap();
    assert_eq!((world.totals(), world.credits_at(day(0))), (vec![0], credits(31)));
    world
        .run(change(one(plan("pro", 3100, 310)), When::Now), day(1))
        .unwrap();
    assert_eq!(
        (world.totals(), world.credits_at(day(1))),
        (vec![0, 3000], credits(1 + 300))
    );
}

#[test]
fn a_change_that_is_never_paid_is_taken_back_with_its_credits() {
    for by_clock in [true, false] {
        let dunned = |mut terms: ItemTerms| {
            terms.collection.retry_after_days = vec![1, 2];
            terms.collection.then = Uncollected::Cancel;
            terms
        };
        let mut world = World::paid(dunned(valued("pro", 3100, 310)));
        world.run(debit("d", 10), day(9)).unwrap();
        let before = (world.plans().len(), world.credits_at(day(14)), deferred(&world));
        world
            .run(change(one(dunned(valued("max", 6200, 620))), When::Now), day(10))
            .unwrap();
        let invoice = world.last_invoice();
        let failed = || AccountCommand::Invoice(InvoiceCommand::RecordPaymentFailure(invoice.clone()));
        world.run(failed(), day(10)).unwrap();
        assert_eq!(world.subscription().status, Status::PastDue);
        if by_clock {
            world.lapse(day(13));
        } else {
            world.run(failed(), day(11)).unwrap();
            world.run(failed(), day(12)).unwrap();
        }
        assert_eq!(world.plans(), [("pro", 1)]);
        assert_eq!(
            world.subscription().status,
            Status::Active,
            "the plan itself is paid"
        );
        assert_eq!(
            (
                world.plans().len(),
                world.credits_at(day(14)),
                deferred(&world) - conceded(&world)
            ),
            before,
            "but for what its days earned, which is contra-revenue and waits for its month's end"
        );
        assert_eq!(
            world.account.invoice(&invoice).unwrap().status,
            InvoiceStatus::Void
        );
        let new = world.lot("grant_sub_1_main_2");
        assert_eq!((new.available, new.revoked), (Units::ZERO, new.granted));
        world.lapse(day(31));
        assert_eq!(*world.totals().last().unwrap(), 3100, "renewed as it was");
    }
}

#[test]
fn credits_used_before_a_change_is_taken_back_stay_owed() {
    let mut world = World::paid(valued("pro", 3100, 310));
    world
        .run(change(one(valued("max", 6200, 620)), When::Now), day(10))
        .unwrap();
    world.run(debit("d", 500), day(11)).unwrap();
    let invoice = world.last_invoice();
    world
        .run(AccountCommand::Invoice(InvoiceCommand::Void(invoice)), day(12))
        .unwrap();
    assert_eq!(world.plans(), [("pro", 1)]);
    let balance = world.balance(day(12));
    assert_eq!(balance.available - balance.overdraft, credits(310 - 500));
}

#[test]
fn a_paid_change_stands_whatever_becomes_of_later_invoices() {
    let mut world = World::paid(valued("pro", 3100, 310));
    world
        .run(change(one(valued("max", 6200, 620)), When::Now), day(10))
        .unwrap();
    world.pay_last(day(11));
    world.lapse(day(31));
    let renewal = world.last_invoice();
    world
        .run(AccountCommand::Invoice(InvoiceCommand::Void(renewal)), day(32))
        .unwrap();
    assert_eq!(world.plans(), [("max", 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The oracle knows nothing of lines: it integrates price over time in rationals.
    #[test]
    fn the_lines_of_a_period_sum_to_the_integral_of_price_over_time(
        first in 0..100_000_i64,
        flips in prop::collection::vec((1..200_000_000_000_i64, 0..100_000_i64, 1..4_u32), 1..14),
        downgrade_pays in any::<bool>(),
    ) {
        let mut world = World::paid_or_free(plan("p", first, 7));
        let period = (world.subscription().period_start, world.subscription().period_end);
        let whole = (period.1 - period.0).num_microseconds().unwrap();
        let mut at = period.0;
        let mut integral = Ratio::from_integer(0_i128);
        let mut rate = i128::from(first);
        for (n, (step, cents, quantity)) in flips.into_iter().enumerate() {
            let next = at + Duration::microseconds(step);
            if next >= period.1 {
                break;
            }
            let span = i128::from((next - at).num_microseconds().unwrap());
            integral += Ratio::new(rate * span, i128::from(whole));
            at = next;
            world.run(change(of(plan(&format!("p{n}"), cents, 7), quantity), When::Now), at).unwrap();
            if downgrade_pays && world.account.invoices().last().unwrap().status == InvoiceStatus::Open {
                world.pay_last(at);
            }
            rate = i128::from(cents) * i128::from(quantity);
        }
        let rest = i128::from((period.1 - at).num_microseconds().unwrap());
        integral += Ratio::new(rate * rest, i128::from(whole));
        let billed: i64 = world.billed().iter().sum();
        let off = Ratio::from_integer(i128::from(billed)) - integral;
        prop_assert!(off >= Ratio::new(-1, 2) && off <= Ratio::new(1, 2), "off by {off}");
        for invoice in world.account.invoices() {
            let lines: i64 = invoice.lines.iter().map(|line| line.amount).sum();
            prop_assert_eq!(lines, invoice.total - invoice.credited_to_balance);
            prop_assert!(invoice.amount_due >= 0 && invoice.total >= 0 && invoice.credited_to_balance >= 0);
            prop_assert_eq!(invoice.amount_due + invoice.applied_balance, invoice.total);
        }
    }

    #[test]
    fn prorated_lines_are_each_within_a_unit_of_their_exact_amount(
        whole in prop::collection::vec(-1_000_000_000_000_i64..1_000_000_000_000, 1..8),
        length in 1..40_000_000_000_000_000_i64,
        part in 0..=1_000_000_i64,
        half in -1_000_i64..1_000,
    ) {
        let rest = i64::try_from(i128::from(length) * i128::from(part) / 1_000_000).unwrap();
        let residual = i64::try_from(i128::from(length) * i128::from(half) / 2_000).unwrap();
        let prorated = crate::subscriptions::proration::prorate(&whole, rest, length, residual);
        let mut owed = Ratio::new(i128::from(residual), i128::from(length));
        for (amount, billed) in whole.iter().zip(&prorated.amounts) {
            let exact = Ratio::new(i128::from(*amount) * i128::from(rest), i128::from(length));
            owed += exact;
            let off = Ratio::from_integer(i128::from(*billed)) - exact;
            prop_assert!(off > Ratio::from_integer(-1) && off < Ratio::from_integer(1), "{off}");
        }
        let sum: i128 = prorated.amounts.iter().map(|amount| i128::from(*amount)).sum();
        let left = owed - Ratio::from_integer(sum);
        prop_assert_eq!(left, Ratio::new(i128::from(prorated.residual), i128::from(length)));
        prop_assert!(left >= Ratio::new(-1, 2) && left <= Ratio::new(1, 2));
    }
}

impl World {
    /// The lines of each invoice, in the order issued.
    fn billed(&self) -> Vec<i64> {
        let lines = |invoice: &InvoiceView| invoice.lines.iter().map(|line| line.amount).sum();
        self.account.invoices().iter().map(lines).collect()
    }

    fn paid_or_free(terms: ItemTerms) -> Self {
        let mut world = Self::new();
        world.run(start(one(terms)), day(0)).unwrap();
        if world.account.invoices()[0].status == InvoiceStatus::Open {
            world.pay_last(day(0));
        }
        world
    }
}
