//! A second opinion: a wallet kept the slow and obvious way, in rational numbers, judges the same history. It shares no
//! code with the rules, has no index, no schedule and no cost curve, and must come to the same verdicts, the same lots
//! drawn and the same balances.

use std::collections::BTreeMap;

use num_rational::Ratio;
use proptest::prelude::*;
use tallybook_domain::Timestamp;
use tallybook_domain::account::{
    AccountCommand, AccountEvent, AccountFact, AccountRefusal, CaptureHold, GrantCredits,
};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::identity::{HoldId, UnitCode};
use tallybook_domain::quantity::Units;
use tallybook_domain::strategies::{Play, spending, steps};

type Quantity = Ratio<i128>;

fn quantity(units: Units) -> Quantity {
    Ratio::new(i128::from(units.micros()), 1_000_000)
}

struct Lot {
    terms: GrantCredits,
    begins: Timestamp,
    left: Quantity,
}

struct Hold {
    ends: Timestamp,
    parts: Vec<(usize, Quantity)>,
}

#[derive(Default)]
struct Wallet {
    lots: Vec<Lot>,
    holds: BTreeMap<HoldId, Hold>,
}

impl Wallet {
    /// The clock moves on: holds time out, lots end.
    fn advance(&mut self, at: Timestamp) {
        let over: Vec<HoldId> = self
            .holds
            .iter()
            .filter(|(_, hold)| hold.ends <= at)
            .map(|(id, _)| id.clone())
            .collect();
        for hold in over {
            self.release(&hold);
        }
        for lot in &mut self.lots {
            if lot.terms.expires_at.is_some_and(|end| end <= at) {
                lot.left = Ratio::default();
            }
        }
    }

    fn release(&mut self, hold: &HoldId) -> bool {
        let Some(hold) = self.holds.remove(hold) else {
            return false;
        };
        for (lot, part) in hold.parts {
            self.lots[lot].left += part;
        }
        true
    }

    fn grant(&mut self, terms: &GrantCredits, at: Timestamp) {
        self.lots.push(Lot {
            begins: terms.effective_at.unwrap_or(at),
            left: quantity(terms.units),
            terms: terms.clone(),
        });
    }

    /// The lots that can be spent, in the order they are drawn.
    fn order(&self, at: Timestamp) -> Vec<usize> {
        let mut open: Vec<usize> = (0..self.lots.len())
            .filter(|lot| self.lots[*lot].begins <= at && self.lots[*lot].left > Ratio::default())
            .collect();
        open.sort_by_key(|lot| {
            let lot = &self.lots[*lot];
            let terms = &lot.terms;
            (
                terms.priority,
                terms.expires_at.is_none(),
                terms.expires_at,
                !terms.source.is_promotional(),
                lot.begins,
                terms.grant.clone(),
            )
        });
        open
    }

    fn available(&self, at: Timestamp) -> Quantity {
        self.order(at).into_iter().map(|lot| self.lots[lot].left).sum()
    }

    fn draw(&mut self, units: Units, at: Timestamp) -> Option<Vec<(usize, Quantity)>> {
        let mut missing = quantity(units);
        if self.available(at) < missing {
            return None;
        }
        let mut drawn = Vec::new();
        for lot in self.order(at) {
            let part = self.lots[lot].left.min(missing);
            if part > Ratio::default() {
                self.lots[lot].left -= part;
                missing -= part;
                drawn.push((lot, part));
            }
        }
        Some(drawn)
    }

    fn capture(&mut self, command: &CaptureHold) -> Option<Vec<(usize, Quantity)>> {
        let hold = self.holds.get_mut(&command.hold)?;
        let reserved: Quantity = hold.parts.iter().map(|(_, part)| *part).sum();
        let mut missing = command.units.map_or(reserved, quantity);
        if missing > reserved {
            return None;
        }
        let mut captured = Vec::new();
        for (lot, rest) in &mut hold.parts {
            let part = (*rest).min(missing);
            *rest -= part;
            missing -= part;
            if part > Ratio::default() {
                captured.push((*lot, part));
            }
        }
        let is_empty = hold.parts.iter().all(|(_, rest)| *rest == Ratio::default());
        if command.is_final || is_empty {
            self.release(&command.hold);
        }
        Some(captured)
    }

    /// What the command takes from which lots, or that it may not.
    fn judge(&mut self, command: &AccountCommand, at: Timestamp) -> Option<Vec<(usize, Quantity)>> {
        match command {
            AccountCommand::Grant(terms) => {
                self.grant(terms, at);
                Some(Vec::new())
            }
            AccountCommand::Debit(debit) => self.draw(debit.units, at),
            AccountCommand::Hold(hold) => {
                let parts = self.draw(hold.units, at)?;
                let ends = at + hold.expires_in;
                self.holds.insert(
                    hold.hold.clone(),
                    Hold {
                        ends,
                        parts: parts.clone(),
                    },
                );
                Some(parts)
            }
            AccountCommand::Capture(capture) => self.capture(capture),
            AccountCommand::Release(release) => self.release(&release.hold).then(Vec::new),
            _ => Some(Vec::new()),
        }
    }

    fn named(&self, parts: &[(usize, Quantity)]) -> Vec<(String, Quantity)> {
        parts
            .iter()
            .map(|(lot, part)| (self.lots[*lot].terms.grant.to_string(), *part))
            .collect()
    }
}

/// What the command's own event drew.
fn drawn(events: &[AccountEvent]) -> Vec<(String, Quantity)> {
    let part = |grant: &tallybook_domain::identity::GrantId, units| (grant.to_string(), quantity(units));
    events
        .iter()
        .find_map(|event| match &event.fact {
            AccountFact::Credits(CreditsEvent::CreditsConsumed(e)) => {
                Some(e.slices.iter().map(|it| part(&it.grant, it.units)).collect())
            }
            AccountFact::Credits(CreditsEvent::HoldCaptured(e)) => {
                Some(e.slices.iter().map(|it| part(&it.grant, it.units)).collect())
            }
            AccountFact::Credits(CreditsEvent::CreditsHeld(e)) => {
                Some(e.slices.iter().map(|it| part(&it.grant, it.units)).collect())
            }
            _ => None,
        })
        .unwrap_or_default()
}

proptest! {
    #![proptest_config(crate::cases(400))]

    #[test]
    fn a_wallet_kept_in_plain_rationals_comes_to_the_same_verdicts_and_balances(
        steps in steps(spending(), 1..60)
    ) {
        let (mut play, mut wallet) = (Play::open("acct_1"), Wallet::default());
        for step in &steps {
            let (at, command) = play.next(step);
            wallet.advance(at);
            let expected = wallet.judge(&command, at);
            match (play.judge(&command, at), &expected) {
                (Ok(events), Some(parts)) => prop_assert_eq!(drawn(&events), wallet.named(parts)),
                (Err(AccountRefusal::NoChange), Some(_)) => {
                    prop_assert_eq!(&command, &AccountCommand::WriteDue);
                }
                (Err(AccountRefusal::InsufficientCredits { available, .. }), None) => {
                    prop_assert_eq!(quantity(available), wallet.available(at), "it says what there is");
                }
                (Err(_), None) => {}
                (verdict, _) => prop_assert!(false, "{verdict:?} where {expected:?} was expected of {command:?}"),
            }
            // What just began or ended does so for both.
            wallet.advance(at);
            let balance = play.account().balance(&UnitCode::default(), at);
            prop_assert_eq!(quantity(balance.available), wallet.available(at));
            let held: Quantity = wallet.holds.values().flat_map(|hold| &hold.parts).map(|(_, part)| *part).sum();
            prop_assert_eq!(quantity(balance.held), held);
        }
    }
}
