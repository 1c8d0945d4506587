//! Whether a state is folded event by event, in one go, or comes back from a cache changes nothing: not the state, and
//! not what is decided on it.

use proptest::prelude::*;
use tallybook_domain::Aggregate;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::strategies::{Play, history};

fn folded(events: &[AccountEvent]) -> Account {
    let mut account = Account::default();
    for event in events {
        account.evolve(event);
    }
    account
}

fn cached(account: &Account) -> Account {
    let text = serde_json::to_string(account).expect("a state serialises");
    serde_json::from_str(&text).expect("and comes back")
}

fn read_back(event: &AccountEvent) -> AccountEvent {
    let text = serde_json::to_string(event).expect("an event serialises");
    serde_json::from_str(&text).expect("and comes back")
}

proptest! {
    #![proptest_config(crate::cases(120))]

    #[test]
    fn a_snapshot_anywhere_and_the_log_from_there_are_the_whole_log(
        steps in history(1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let decided: Result<Vec<_>, _> = turn.commands.iter().map(|(account, command)| {
                let party = play.parties().iter().find(|party| party.id() == account);
                cached(party.expect("one of the two").account()).decide(command, turn.at)
            }).collect();
            prop_assert_eq!(play.judge(&turn), decided, "a cached state decides the same");
        }
        for party in play.parties() {
            let events: Vec<AccountEvent> = party.events().iter().map(read_back).collect();
            prop_assert_eq!(party.events(), events.as_slice(), "the log reads back as it was written");
            prop_assert_eq!(&folded(&events), party.account());

            let (before, after) = events.split_at(cut.index(events.len()));
            let mut resumed = cached(&folded(before));
            for event in after {
                resumed.evolve(event);
            }
            prop_assert_eq!(&resumed, party.account());
        }
    }
}
