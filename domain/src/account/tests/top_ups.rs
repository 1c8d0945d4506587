//! Asking for more credits, once.

use super::*;
use crate::credits::{CreditsEvent, OverdraftTerms};

fn rule(threshold: i64, monthly_cap: Option<u64>) -> AccountCommand {
    AccountCommand::SetPolicy(SetPolicy {
        unit: UnitCode::default(),
        overdraft: OverdraftTerms::default(),
        top_up: Some(TopUpRule {
            threshold: credits(threshold),
            ask: TopUpAsk::Credits(credits(100)),
            monthly_cap,
        }),
    })
}

fn hold(id: &str, units: i64) -> AccountCommand {
    AccountCommand::Hold(HoldCredits {
        hold: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        expires_in: Duration::days(1),
        feature: None,
        reference: None,
        on_expiry: crate::credits::OnExpiry::Keep,
    })
}

fn asked(events: &[AccountEvent]) -> Vec<(String, Units)> {
    events
        .iter()
        .filter_map(|event| match &event.fact {
            AccountFact::Policies(PoliciesEvent::TopUpRequested(e)) => {
                Some((e.top_up.to_string(), e.available))
            }
            _ => None,
        })
        .collect()
}

fn end(top_up: &str, how: TopUpEnd) -> AccountCommand {
    AccountCommand::EndTopUp(EndTopUp {
        top_up: top_up.into(),
        how,
    })
}

fn world(cap: Option<u64>) -> World {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 100)), day(1)).unwrap();
    world.run(rule(50, cap), day(1)).unwrap();
    world
}

#[test]
fn it_asks_once_in_the_append_of_the_use_that_crosses_the_threshold() {
    let mut world = world(None);
    assert!(
        asked(&world.run(debit("d1", 50), day(2)).unwrap()).is_empty(),
        "50 is not below 50"
    );
    let events = world.run(debit("d2", 1), day(2)).unwrap();
    assert_eq!(asked(&events), [("topup_d2".to_owned(), credits(49))]);
    for n in 3..10 {
        let events = world.run(debit(&format!("d{n}"), 1), day(2)).unwrap();
        assert!(asked(&events).is_empty(), "one request waits");
    }
    world.run(end("topup_d2", TopUpEnd::Completed), day(3)).unwrap();
    let again = world.run(debit("d10", 1), day(3)).unwrap();
    assert_eq!(asked(&again).len(), 1, "met, but still below");
}

#[test]
fn what_is_held_counts_because_it_cannot_be_spent() {
    let mut world = world(None);
    let events = world.run(hold("h", 60), day(2)).unwrap();
    assert_eq!(asked(&events), [("topup_h".to_owned(), credits(40))]);
}

#[test]
fn a_grant_that_names_the_request_completes_it() {
    let mut world = world(None);
    world.run(debit("d", 60), day(2)).unwrap();
    let named = GrantCredits {
        reference: Some("topup_d".to_owned()),
        ..grant("more", 100)
    };
    let events = world.run(AccountCommand::Grant(named), day(3)).unwrap();
    let completed = events.iter().find_map(|event| match &event.fact {
        AccountFact::Policies(PoliciesEvent::TopUpCompleted(e)) => e.grant.clone(),
        _ => None,
    });
    assert_eq!(completed, Some("more".into()));
    assert!(world.account.top_ups().pending(&UnitCode::default()).is_none());
    let refused = world
        .run(end("topup_d", TopUpEnd::Completed), day(3))
        .unwrap_err();
    assert!(matches!(refused, AccountRefusal::TopUpEnded { .. }));
}

#[test]
fn a_failure_ends_the_asking_until_the_policy_is_set_again() {
    let mut world = world(None);
    world.run(debit("d1", 60), day(2)).unwrap();
    world
        .run(
            end("topup_d1", TopUpEnd::Failed(Some("declined".to_owned()))),
            day(3),
        )
        .unwrap();
    assert!(asked(&world.run(debit("d2", 1), day(4)).unwrap()).is_empty());
    world.run(rule(50, None), day(5)).unwrap();
    assert_eq!(asked(&world.run(debit("d3", 1), day(5)).unwrap()).len(), 1);
    assert_eq!(
        world.run(end("topup_none", TopUpEnd::Completed), day(6)),
        Err(AccountRefusal::TopUpNotFound("topup_none".into()))
    );
}

#[test]
fn a_month_of_the_accounts_calendar_has_a_cap() {
    let zone: Tz = "America/New_York".parse().unwrap();
    let mut world = World::in_zone(zone);
    world
        .run(AccountCommand::Grant(grant("g", 1_000)), day(1))
        .unwrap();
    world.run(rule(2_000, Some(2)), day(1)).unwrap();
    let mut ask = |id: &str, at| {
        let requests = asked(&world.run(debit(id, 1), at).unwrap());
        for (request, _) in &requests {
            world.run(end(request, TopUpEnd::Completed), at).unwrap();
        }
        requests.len()
    };
    assert_eq!([ask("a", day(2)), ask("b", day(3)), ask("c", day(4))], [1, 1, 0]);
    // February 1st in UTC is still January in New York.
    assert_eq!(ask("d", day(31) + Duration::hours(4)), 0);
    assert_eq!(ask("e", day(31) + Duration::hours(5)), 1);
}

#[test]
fn a_request_moves_no_money_and_no_units() {
    let mut world = world(None);
    let before = world.balances();
    world.run(debit("d", 60), day(2)).unwrap();
    let requested = world.stream.iter().filter(|event| {
        matches!(event.fact, AccountFact::Policies(_)) && postings::entry(&"acct".into(), event).is_some()
    });
    assert_eq!(requested.count(), 0);
    assert_ne!(before, world.balances(), "the use itself does");
    assert!(world.stream.iter().any(|event| matches!(
        &event.fact,
        AccountFact::Credits(CreditsEvent::CreditsConsumed(_))
    )));
}
