//! The ends of the range, and many lots.

use super::*;

fn scaled(count: usize) -> usize {
    let scale = std::env::var("TALLYBOOK_TEST_SCALE").ok();
    count
        * scale
            .and_then(|text| text.parse::<usize>().ok())
            .unwrap_or(1)
            .max(1)
}

/// Ten thousand, or a million at scale 100: all but the last hundred are used up, and a spend still draws the right
/// ones. What it costs must not grow with what was used up long ago, or this would not end.
#[test]
fn an_account_of_many_grants_spends_its_last_ones_in_order() {
    let count = scaled(10_000);
    let mut account = Account::default();
    let mut run = |command: &AccountCommand, at| {
        let events = account.decide(command, at)?;
        for event in &events {
            account.evolve(event);
        }
        Ok::<_, AccountRefusal>(events)
    };
    let open = OpenAccount {
        account: "acct".into(),
        external_id: None,
        stripe_customer: None,
        time_zone: Tz::UTC,
        test_clock: None,
    };
    run(&AccountCommand::Open(open), day(0)).unwrap();
    for n in 0..count {
        run(&AccountCommand::Grant(grant(&format!("g{n:07}"), 1)), day(1)).unwrap();
        if n >= 100 {
            run(&debit(&format!("d{n}"), 1), day(1)).unwrap();
        }
    }
    let events = run(&debit("last", 100), day(2)).unwrap();
    let AccountFact::Credits(crate::credits::CreditsEvent::CreditsConsumed(consumed)) = &events[0].fact
    else {
        panic!("{events:?}")
    };
    let drawn: Vec<String> = consumed
        .slices
        .iter()
        .map(|slice| slice.grant.to_string())
        .collect();
    let expected: Vec<String> = (count - 100..count).map(|n| format!("g{n:07}")).collect();
    assert_eq!(drawn, expected);
    let refused = run(&debit("more", 1), day(2)).unwrap_err();
    assert!(matches!(refused, AccountRefusal::InsufficientCredits { .. }));
    assert_eq!(account.credits().lots().count(), count);
}

#[test]
fn the_greatest_quantity_is_counted_whole_whatever_is_done_with_it() {
    let mut world = World::new();
    let command = GrantCredits {
        units: Units::MAX,
        cost: Some(usd(i64::MAX)),
        source: GrantSource::Paid,
        ..grant("g", 1)
    };
    world.run(AccountCommand::Grant(command), day(1)).unwrap();
    let all = AccountCommand::Debit(DebitCredits {
        debit: "d".into(),
        unit: UnitCode::default(),
        units: Units::MAX,
        feature: None,
        reference: None,
        quantity: None,
    });
    world.run(all, day(1)).unwrap();
    assert_eq!(world.lot("g").consumed_cost, i64::MAX);
    let over = AccountCommand::Adjust(AdjustCredits {
        adjustment: "adj".into(),
        grant: "grant_adj".into(),
        unit: UnitCode::default(),
        units: Units::from_micros(1),
        reason: "one too many".to_owned(),
    });
    assert_eq!(
        world.run(over, day(1)).unwrap_err(),
        AccountRefusal::TooManyCredits
    );
}

#[test]
fn a_change_is_judged_by_the_room_there_is_and_a_renewal_gives_what_fits() {
    use super::subscriptions::{change, one, plan, start};
    use crate::subscriptions::When;
    let mut world = World::new();
    world.run(start(one(plan("pro", 1000, 10))), day(0)).unwrap();
    world.pay_last(day(0));
    let filled = GrantCredits {
        units: Units::MAX - credits(14),
        ..grant("g", 1)
    };
    world.run(AccountCommand::Grant(filled), day(1)).unwrap();
    for when in [When::Now, When::PeriodEnd] {
        let more = world.run(change(one(plan("max", 2000, 20)), when), day(2));
        assert_eq!(more, Err(AccountRefusal::TooManyCredits), "{when:?}");
    }
    world.lapse(day(31));
    world.pay_last(day(31));
    assert_eq!(world.lot("grant_sub_1_main_2").granted, credits(4));
    world.lapse(day(59));
    world.pay_last(day(59));
    let full = world.account.credits().lot(&"grant_sub_1_main_3".into());
    assert_eq!(
        full, None,
        "a payment that was made is recorded, and gives what fits"
    );
}

/// Taking the old and giving the new in one settlement is one append: no reader sees neither or both.
#[test]
fn a_replaced_grant_is_taken_and_given_in_one_append() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    let mut corrected = payment.clone();
    corrected.lot.granted.units = credits(150);
    let events = world.run(corrected.settle(), day(2)).unwrap();
    let told: Vec<_> = events.iter().map(event_name).collect();
    assert_eq!(told, ["GrantWithdrawn", "CreditsGranted"]);
    assert_eq!(world.balance(day(2)).available, credits(150));
}

/// Use told late is judged at the time of judgement: a lot that began after the use happened may pay for it, and nothing
/// that was drawn before is drawn again from elsewhere.
#[test]
fn a_grant_dated_back_reallocates_nothing() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("b", 10)), day(5)).unwrap();
    world.run(debit("d1", 4), day(6)).unwrap();
    let backdated = GrantCredits {
        effective_at: Some(day(1)),
        ..grant("a", 10)
    };
    world.run(AccountCommand::Grant(backdated), day(7)).unwrap();
    assert_eq!(
        (world.lot("a").consumed, world.lot("b").consumed),
        (Units::ZERO, credits(4))
    );
    world.run(debit("d2", 4), day(8)).unwrap();
    assert_eq!(
        (world.lot("a").consumed, world.lot("b").consumed),
        (credits(4), credits(4))
    );
}
