//! A wallet kept the slow and obvious way: a list of lots in rational numbers, looked through from the start each time.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::Ratio;
use tallybook_domain::Timestamp;
use tallybook_domain::account::{
    AccountCommand, AdjustCredits, BeyondHold, CaptureHold, DebitCredits, GrantCredits, HoldCredits,
    ReverseConsumption, TransferOut,
};
use tallybook_domain::credits::{GrantSource, OnExpiry, OverdraftMode, OverdraftTerms, Repayment};
use tallybook_domain::identity::{AccountId, DebitId, GrantId, HoldId, UnitCode};
use tallybook_domain::quantity::Units;

pub(crate) type Quantity = Ratio<i128>;

/// A kind of credit, and what a use was for.
type Purpose = (UnitCode, Option<String>);

pub(crate) fn quantity(units: Units) -> Quantity {
    Ratio::new(i128::from(units.micros()), 1_000_000)
}

fn nothing() -> Quantity {
    Ratio::default()
}

/// What a wallet says of a command.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Accepted: from which lots it draws, or to which it gives back, and how much.
    Accepted(Vec<(String, Quantity)>),
    /// There is too little: only so much.
    Short(Quantity),
    /// Refused for another reason.
    Refused,
}

/// Lots for another account.
pub(crate) type Given = Option<(AccountId, Vec<Lot>)>;

/// Units in one place.
#[derive(Debug, Clone)]
pub(crate) struct Lot {
    id: GrantId,
    unit: UnitCode,
    scope: BTreeSet<String>,
    /// What decides which of two lots is drawn first, but for the end, the beginning and the id.
    priority: i32,
    source: GrantSource,
    begins: Timestamp,
    ends: Option<Timestamp>,
    left: Quantity,
}

impl Lot {
    fn is_valid(&self, at: Timestamp) -> bool {
        self.begins <= at && !self.is_over(at)
    }

    fn is_over(&self, at: Timestamp) -> bool {
        self.ends.is_some_and(|end| end <= at)
    }

    /// Whether a use for that feature may draw it.
    fn serves(&self, feature: Option<&str>) -> bool {
        self.scope.is_empty() || feature.is_some_and(|feature| self.scope.contains(feature))
    }
}

type Parts = Vec<(usize, Quantity)>;

struct Hold {
    purpose: Purpose,
    ends: Timestamp,
    dies_with_lots: bool,
    parts: Parts,
}

/// A use that was made: what it took in order, and what it left to be owed.
struct Use {
    purpose: Purpose,
    parts: Parts,
    owed: Quantity,
    reversed: Quantity,
}

#[derive(Default)]
pub(crate) struct Wallet {
    lots: Vec<Lot>,
    holds: BTreeMap<HoldId, Hold>,
    uses: BTreeMap<DebitId, Use>,
    debts: BTreeMap<Purpose, Quantity>,
    policies: BTreeMap<UnitCode, OverdraftTerms>,
}

/// Which lots are within reach.
#[derive(Clone, Copy)]
enum Reach<'a> {
    For(Option<&'a str>),
    All,
}

impl Wallet {
    /// What a lot has available and held.
    pub(crate) fn lot(&self, grant: &GrantId) -> Option<(Quantity, Quantity)> {
        let index = self.lots.iter().position(|lot| lot.id == *grant)?;
        let parts = self.holds.values().flat_map(|hold| &hold.parts);
        let held = parts
            .filter(|(lot, _)| *lot == index)
            .map(|(_, part)| *part)
            .sum();
        Some((self.lots[index].left, held))
    }

    /// How many lots there ever were.
    pub(crate) fn lots(&self) -> usize {
        self.lots.len()
    }

    /// What is owed, by what the uses were for; no zeros.
    pub(crate) fn debts(&self) -> &BTreeMap<Purpose, Quantity> {
        &self.debts
    }

    /// What lots valid now have available.
    pub(crate) fn there(&self, unit: &UnitCode, at: Timestamp) -> Quantity {
        let open = self.order(unit, Reach::All, at);
        open.into_iter().map(|lot| self.lots[lot].left).sum()
    }

    /// The clock moves on: at each instant lots end, then holds time out, then what is there repays what is owed.
    pub(crate) fn advance(&mut self, at: Timestamp) {
        let begins = self.lots.iter().map(|lot| lot.begins);
        let ends = self.lots.iter().filter_map(|lot| lot.ends);
        let holds = self.holds.values().map(|hold| hold.ends);
        let instants: BTreeSet<Timestamp> = begins.chain(ends).chain(holds).collect();
        for now in instants.into_iter().filter(|instant| *instant <= at) {
            for lot in &mut self.lots {
                if lot.is_over(now) {
                    lot.left = nothing();
                }
            }
            let over: Vec<HoldId> = self
                .holds
                .iter()
                .filter(|(_, hold)| hold.ends <= now)
                .map(|(id, _)| id.clone())
                .collect();
            for hold in over {
                self.release(&hold, now);
                self.repay(now);
            }
            self.repay(now);
        }
    }

    fn terms(&self, unit: &UnitCode) -> OverdraftTerms {
        self.policies.get(unit).copied().unwrap_or_default()
    }

    /// A debt is repaid by the lots that the uses could have drawn, first what was owed for no feature.
    fn repay(&mut self, at: Timestamp) {
        for (purpose, owed) in self.debts.clone() {
            let (unit, feature) = &purpose;
            if self.terms(unit).repay == Repayment::First {
                let (_, missing) = self.take(unit, Reach::For(feature.as_deref()), owed, at);
                self.debts.insert(purpose, missing);
            }
        }
        self.debts.retain(|_, owed| *owed != nothing());
    }

    /// The lots that can be spent, in the order they are drawn.
    fn order(&self, unit: &UnitCode, reach: Reach<'_>, at: Timestamp) -> Vec<usize> {
        let reaches = |lot: &Lot| match reach {
            Reach::For(feature) => lot.serves(feature),
            Reach::All => true,
        };
        let within =
            |lot: &Lot| lot.unit == *unit && lot.is_valid(at) && lot.left > nothing() && reaches(lot);
        let mut open: Vec<usize> = (0..self.lots.len())
            .filter(|lot| within(&self.lots[*lot]))
            .collect();
        open.sort_by_key(|lot| {
            let lot = &self.lots[*lot];
            let promotional = matches!(
                lot.source,
                GrantSource::Promotional | GrantSource::Trial | GrantSource::Goodwill
            );
            let (begins, id) = (lot.begins, lot.id.clone());
            (
                lot.priority,
                lot.ends.is_none(),
                lot.ends,
                !promotional,
                begins,
                id,
            )
        });
        open
    }

    /// Take what there is of so much: the parts, and what is missing.
    fn take(
        &mut self,
        unit: &UnitCode,
        reach: Reach<'_>,
        wanted: Quantity,
        at: Timestamp,
    ) -> (Parts, Quantity) {
        let mut missing = wanted;
        let mut parts = Vec::new();
        for lot in self.order(unit, reach, at) {
            let part = self.lots[lot].left.min(missing);
            if part > nothing() {
                self.lots[lot].left -= part;
                missing -= part;
                parts.push((lot, part));
            }
        }
        (parts, missing)
    }

    /// What may be spent. What is owed and to be repaid was repaid from what serves it, so where there is anything it is
    /// not for that; where there is nothing, the debt is what is missing first.
    fn spendable(&self, unit: &UnitCode, reach: Reach<'_>, at: Timestamp) -> Quantity {
        let open = self.order(unit, reach, at);
        let there: Quantity = open.into_iter().map(|lot| self.lots[lot].left).sum();
        if there > nothing() || self.terms(unit).repay == Repayment::Never {
            return there;
        }
        -self.owed(unit)
    }

    fn owed(&self, unit: &UnitCode) -> Quantity {
        let debts = self.debts.iter().filter(|((of, _), _)| of == unit);
        debts.map(|(_, owed)| *owed).sum()
    }

    /// All of it or nothing, and never owed.
    fn draw(
        &mut self,
        unit: &UnitCode,
        reach: Reach<'_>,
        units: Units,
        at: Timestamp,
    ) -> Result<Parts, Verdict> {
        let spendable = self.spendable(unit, reach, at);
        if spendable < quantity(units) {
            return Err(Verdict::Short(spendable));
        }
        Ok(self.take(unit, reach, quantity(units), at).0)
    }

    /// All of it or nothing, what is missing owed as far as the policy lets it be.
    fn draw_or_owe(
        &mut self,
        purpose: &Purpose,
        units: Quantity,
        at: Timestamp,
    ) -> Result<(Parts, Quantity), Verdict> {
        let (unit, feature) = purpose;
        let reach = Reach::For(feature.as_deref());
        let (spendable, terms) = (self.spendable(unit, reach, at), self.terms(unit));
        let missing = (units - spendable.max(nothing())).max(nothing());
        let fits = |limit| self.owed(unit) + missing <= quantity(limit);
        let allowed = terms.mode == OverdraftMode::Allow && terms.limit.is_none_or(fits);
        if missing > nothing() && !allowed {
            return Err(Verdict::Short(spendable));
        }
        let (parts, missing) = self.take(unit, reach, units, at);
        if missing > nothing() {
            *self.debts.entry(purpose.clone()).or_default() += missing;
        }
        Ok((parts, missing))
    }

    /// Give parts back: what is of a lot that is over is gone.
    fn give_back(&mut self, parts: &[(usize, Quantity)], at: Timestamp) {
        for (lot, part) in parts {
            let lot = &mut self.lots[*lot];
            if !lot.is_over(at) {
                lot.left += *part;
            }
        }
    }

    fn release(&mut self, hold: &HoldId, at: Timestamp) -> bool {
        let Some(hold) = self.holds.remove(hold) else {
            return false;
        };
        self.give_back(&hold.parts, at);
        true
    }

    fn grant(&mut self, terms: &GrantCredits, at: Timestamp) {
        let begins = terms.effective_at.unwrap_or(at);
        self.lots.push(Lot {
            id: terms.grant.clone(),
            unit: terms.unit.clone(),
            scope: terms.scope.clone(),
            priority: terms.priority,
            source: terms.source,
            begins,
            ends: terms.expires_at,
            left: quantity(terms.units),
        });
        if terms.expires_at.is_some_and(|end| end <= at) {
            // It could have repaid what is owed before it was over.
            self.repay(begins);
        }
        self.advance(at);
    }

    fn hold(&mut self, command: &HoldCredits, at: Timestamp) -> Result<Parts, Verdict> {
        let reach = Reach::For(command.feature.as_deref());
        let parts = self.draw(&command.unit, reach, command.units, at)?;
        let mut ends = at + command.expires_in;
        let dies_with_lots = command.on_expiry == OnExpiry::Release;
        if dies_with_lots {
            let lots = parts.iter().filter_map(|(lot, _)| self.lots[*lot].ends);
            ends = lots.fold(ends, Timestamp::min);
        }
        let hold = Hold {
            purpose: (command.unit.clone(), command.feature.clone()),
            ends,
            dies_with_lots,
            parts: parts.clone(),
        };
        self.holds.insert(command.hold.clone(), hold);
        Ok(parts)
    }

    fn capture(&mut self, command: &CaptureHold, at: Timestamp) -> Result<Parts, Verdict> {
        let hold = self.holds.get(&command.hold).ok_or(Verdict::Refused)?;
        let purpose = hold.purpose.clone();
        let reserved: Quantity = hold.parts.iter().map(|(_, part)| *part).sum();
        let wanted = command.units.map_or(reserved, quantity);
        let excess = (wanted - reserved).max(nothing());
        if excess > nothing() && command.beyond_hold == BeyondHold::Refuse {
            return Err(Verdict::Refused);
        }
        let (beyond, owed) = self.draw_or_owe(&purpose, excess, at)?;
        let mut missing = wanted - excess;
        let mut parts = Vec::new();
        let hold = self.holds.get_mut(&command.hold).expect("it was there");
        for (lot, rest) in &mut hold.parts {
            let part = (*rest).min(missing);
            *rest -= part;
            missing -= part;
            parts.push((*lot, part));
        }
        parts.retain(|(_, part)| *part > nothing());
        parts.extend(beyond);
        if command.is_final || hold.parts.iter().all(|(_, rest)| *rest == nothing()) {
            self.release(&command.hold, at);
        }
        self.note(&command.debit, purpose, &parts, owed);
        Ok(parts)
    }

    fn debit(&mut self, command: &DebitCredits, at: Timestamp) -> Result<Parts, Verdict> {
        let purpose = (command.unit.clone(), command.feature.clone());
        let (parts, owed) = self.draw_or_owe(&purpose, quantity(command.units), at)?;
        self.note(&command.debit, purpose, &parts, owed);
        Ok(parts)
    }

    fn note(&mut self, debit: &DebitId, purpose: Purpose, parts: &Parts, owed: Quantity) {
        let made = Use {
            purpose,
            parts: parts.clone(),
            owed,
            reversed: nothing(),
        };
        self.uses.insert(debit.clone(), made);
    }

    /// Take a use back from its end: what is owed of it first, then what was drawn last.
    fn reverse(&mut self, command: &ReverseConsumption, at: Timestamp) -> Result<Parts, Verdict> {
        let made = self
            .uses
            .get_mut(&command.original.debit)
            .ok_or(Verdict::Refused)?;
        let drawn: Quantity = made.parts.iter().map(|(_, part)| *part).sum();
        let remaining = drawn + made.owed - made.reversed;
        let units = command.units.map_or(remaining, quantity);
        if units > remaining || units == nothing() {
            return Err(Verdict::Refused);
        }
        let forgiven = (made.owed - made.reversed).max(nothing()).min(units);
        let debt = self.debts.get(&made.purpose).copied().unwrap_or_default();
        if forgiven > debt {
            return Err(Verdict::Refused);
        }
        // What was given back before: the last of the parts.
        let (mut gone, mut left) = ((made.reversed - made.owed).max(nothing()), units - forgiven);
        made.reversed += units;
        let purpose = made.purpose.clone();
        let mut returned: Parts = Vec::new();
        for (lot, part) in made.parts.iter().rev() {
            let skipped = gone.min(*part);
            gone -= skipped;
            let back = left.min(*part - skipped);
            left -= back;
            if back == nothing() {
                continue;
            }
            // A capture may have drawn a lot twice: of what was held and beyond.
            match returned.iter_mut().find(|(same, _)| same == lot) {
                Some((_, part)) => *part += back,
                None => returned.push((*lot, back)),
            }
        }
        self.debts.insert(purpose, debt - forgiven);
        self.give_back(&returned, at);
        Ok(returned)
    }

    fn void(&mut self, grant: &GrantId, at: Timestamp) -> Result<Parts, Verdict> {
        let index = self
            .lots
            .iter()
            .position(|lot| lot.id == *grant)
            .ok_or(Verdict::Refused)?;
        if self.lots[index].is_over(at) {
            return Err(Verdict::Refused);
        }
        self.lots[index].ends = Some(at);
        self.lots[index].left = nothing();
        let dies = |hold: &Hold| {
            let reserves = |(lot, part): &(usize, Quantity)| *lot == index && *part > nothing();
            hold.dies_with_lots && hold.parts.iter().any(reserves)
        };
        let dying = self.holds.iter().filter(|(_, hold)| dies(hold));
        let dying: Vec<HoldId> = dying.map(|(id, _)| id.clone()).collect();
        for hold in dying {
            self.release(&hold, at);
        }
        Ok(Vec::new())
    }

    fn adjust(&mut self, command: &AdjustCredits, at: Timestamp) -> Result<Parts, Verdict> {
        if command.units.is_zero() {
            return Err(Verdict::Refused);
        }
        if command.units.is_positive() {
            self.lots.push(Lot {
                id: command.grant.clone(),
                unit: command.unit.clone(),
                scope: BTreeSet::new(),
                priority: 0,
                source: GrantSource::Goodwill,
                begins: at,
                ends: None,
                left: quantity(command.units),
            });
            return Ok(Vec::new());
        }
        self.draw(&command.unit, Reach::All, -command.units, at)
    }

    fn transfer(&mut self, command: &TransferOut, at: Timestamp) -> Result<(Parts, Vec<Lot>), Verdict> {
        let parts = self.draw(&command.unit, Reach::All, command.units, at)?;
        let name = command.transfer.as_str().replacen("transfer", "grant", 1);
        let lots = parts.iter().enumerate().map(|(index, (lot, part))| Lot {
            id: GrantId(format!("{name}.{}", index + 1)),
            begins: at,
            left: *part,
            ..self.lots[*lot].clone()
        });
        let lots = lots.collect();
        Ok((parts, lots))
    }

    /// Lots that come from another wallet.
    pub(crate) fn receive(&mut self, lots: Vec<Lot>, at: Timestamp) {
        self.lots.extend(lots);
        self.repay(at);
    }

    /// What the command takes from which lots, or that it may not; and what goes to another account.
    pub(crate) fn judge(&mut self, command: &AccountCommand, at: Timestamp) -> (Verdict, Given) {
        let mut given = None;
        let parts = match command {
            AccountCommand::Grant(terms) => {
                self.grant(terms, at);
                Ok(Vec::new())
            }
            AccountCommand::Debit(command) => self.debit(command, at),
            AccountCommand::Hold(command) => self.hold(command, at),
            AccountCommand::Capture(command) => self.capture(command, at),
            AccountCommand::Release(command) => {
                let released = self.release(&command.hold, at);
                if released {
                    Ok(Vec::new())
                } else {
                    Err(Verdict::Refused)
                }
            }
            AccountCommand::Void(command) => self.void(&command.grant, at),
            AccountCommand::Reverse(command) => self.reverse(command, at),
            AccountCommand::Adjust(command) => self.adjust(command, at),
            AccountCommand::TransferOut(command) => self.transfer(command, at).map(|(parts, lots)| {
                given = Some((command.to.clone(), lots));
                parts
            }),
            AccountCommand::SetPolicy(command) => {
                self.policies.insert(command.unit.clone(), command.overdraft);
                Ok(Vec::new())
            }
            _ => Ok(Vec::new()),
        };
        match parts {
            Ok(parts) => {
                let named = parts
                    .iter()
                    .map(|(lot, part)| (self.lots[*lot].id.to_string(), *part));
                let verdict = Verdict::Accepted(named.collect());
                self.repay(at);
                (verdict, given)
            }
            Err(refused) => (refused, None),
        }
    }
}
