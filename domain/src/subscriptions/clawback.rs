//! What a plan's lot has to give back: the share of time that a change credited, all of it when a change is taken back
//! or, in proportion, when its line is credited.

use super::invoice_event::{InvoiceLine, InvoicesEvent};
use crate::Timestamp;
use crate::account::{Fact, Group};
use crate::credits::{Contra, Lot, Target};
use crate::quantity::Units;

/// One fact's effect on a lot, by a line of its invoice.
struct Claim<'a> {
    at: Timestamp,
    /// The fact's natural key and the line whose deferred revenue the cost goes back to.
    cause: String,
    effect: Effect<'a>,
}

enum Effect<'a> {
    /// So many units more.
    Take(Units),
    /// So many less.
    GiveBack(Units),
    /// All of the lot.
    TakeAll,
    /// In proportion to what is credited of the line that gave it.
    Credited { line: &'a InvoiceLine, amount: i64 },
}

/// The targets of a lot, given the groups of the invoices that gave it or took from it.
pub(crate) fn targets<'a>(lot: &Lot, groups: impl Iterator<Item = &'a Group>) -> Vec<Target> {
    let mut claims: Vec<Claim<'_>> = groups.flat_map(|group| claims_of(lot, group)).collect();
    claims.sort_by(|a, b| (a.at, &a.cause).cmp(&(b.at, &b.cause)));
    let (mut taken, mut by_credit, mut credited, mut undone) = (Units::ZERO, Units::ZERO, 0_i64, false);
    claims
        .into_iter()
        .map(|claim| {
            match claim.effect {
                Effect::Take(units) => taken += units,
                Effect::GiveBack(units) => taken -= units,
                Effect::TakeAll => undone = true,
                Effect::Credited { line, amount } => {
                    credited += amount;
                    by_credit = credited_share(lot.granted, credited, line.amount);
                }
            }
            let revoked = if undone { lot.granted } else { taken + by_credit };
            Target {
                cause: claim.cause,
                at: claim.at.max(lot.effective_at),
                revoked: revoked.clamp(Units::ZERO, lot.granted.max(Units::ZERO)),
                frozen: Units::ZERO,
                contra: Contra::Proration,
            }
        })
        .collect()
}

fn credited_share(granted: Units, credited: i64, amount: i64) -> Units {
    if amount <= 0 {
        return Units::ZERO;
    }
    super::proration::share(granted, credited.clamp(0, amount), amount)
}

fn claims_of<'a>(lot: &Lot, group: &'a Group) -> Vec<Claim<'a>> {
    let grant = &lot.terms.grant;
    let lines: Vec<&InvoiceLine> = group
        .facts
        .values()
        .filter_map(|dated| match &dated.fact {
            Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some(&issued.lines),
            _ => None,
        })
        .flatten()
        .collect();
    let taken = |line: &InvoiceLine| {
        let revokes = line.revokes.as_ref().filter(|revokes| revokes.grant == *grant);
        revokes.map(|revokes| revokes.units)
    };
    let gives = |line: &InvoiceLine| line.credits.as_ref().is_some_and(|lot| lot.grant == *grant);
    let mut claims = Vec::new();
    for (key, dated) in &group.facts {
        let Fact::Invoices(event) = &dated.fact else {
            continue;
        };
        let mut claim = |line: &InvoiceLine, effect: Effect<'a>| {
            claims.push(Claim {
                at: dated.effective_at,
                cause: format!("{key}/{}", line.line),
                effect,
            });
        };
        for line in &lines {
            match event {
                InvoicesEvent::InvoiceIssued(_) => {
                    if let Some(units) = taken(line) {
                        claim(line, Effect::Take(units));
                    }
                }
                InvoicesEvent::InvoiceVoided(relief) | InvoicesEvent::InvoiceWrittenOff(relief)
                    if relief.rolls_back =>
                {
                    if let Some(units) = taken(line) {
                        claim(line, Effect::GiveBack(units));
                    }
                    if gives(line) {
                        claim(line, Effect::TakeAll);
                    }
                }
                InvoicesEvent::CreditNoteIssued(note) if gives(line) => {
                    let of_line = note.lines.iter().filter(|relief| relief.line == line.line);
                    let amount: i64 = of_line.map(|relief| relief.amount).sum();
                    claim(line, Effect::Credited { line, amount });
                }
                _ => {}
            }
        }
    }
    claims
}
