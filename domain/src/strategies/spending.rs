//! What callers may do with credits.

use std::collections::BTreeSet;

use chrono::Duration;
use proptest::option;
use proptest::prelude::*;

use super::act::{Act, picked};
use super::party::Party;
use super::payment::usd;
use crate::Timestamp;
use crate::account::{
    AccountCommand, AdjustCredits, BeyondHold, CaptureHold, DebitCredits, EndTopUp, GrantCredits,
    HoldCredits, ReleaseHold, ReverseConsumption, SetPolicy, TopUpAsk, TopUpEnd, TopUpRule, TransferOut,
    VoidGrant,
};
use crate::credits::{GrantSource, OnExpiry, OverdraftMode, OverdraftTerms, Repayment};
use crate::identity::{AccountId, AdjustmentId, DebitId, GrantId, HoldId, ReversalId, TransferId, UnitCode};
use crate::quantity::Units;

/// Something a caller does with credits; quantities are millionths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditsAct {
    /// Credits are given.
    Grant(GrantAct),
    /// Credits are used.
    Debit {
        /// The kind.
        unit: UnitCode,
        /// How many.
        micros: i64,
        /// What for.
        feature: Option<String>,
    },
    /// Credits are set aside.
    Hold {
        /// The kind.
        unit: UnitCode,
        /// How many.
        micros: i64,
        /// What for.
        feature: Option<String>,
        /// For how many hours.
        hours: i64,
        /// What becomes of it when one of its lots ends.
        on_expiry: OnExpiry,
    },
    /// Held credits are used.
    Capture {
        /// Which hold.
        hold: usize,
        /// How many; all if none.
        micros: Option<i64>,
        /// Whether the rest goes back.
        is_final: bool,
        /// What if that is more than is held.
        beyond_hold: BeyondHold,
    },
    /// Held credits go back.
    Release {
        /// Which hold.
        hold: usize,
    },
    /// A lot ends early.
    Void {
        /// Which lot.
        grant: usize,
    },
    /// A use is taken back.
    Reverse {
        /// Which use.
        usage: usize,
        /// How many; all that is left of it if none.
        micros: Option<i64>,
    },
    /// Credits are given or taken by hand.
    Adjust {
        /// The kind.
        unit: UnitCode,
        /// How many, signed.
        micros: i64,
    },
    /// Credits go to the other account.
    Transfer {
        /// The kind.
        unit: UnitCode,
        /// How many.
        micros: i64,
    },
    /// What holds for a kind of credit is said anew.
    SetPolicy {
        /// The kind.
        unit: UnitCode,
        /// How far it may be overdrawn.
        overdraft: OverdraftTerms,
        /// It asks for credits when less than this can be spent.
        top_up: Option<i64>,
    },
    /// A request for credits ends.
    EndTopUp {
        /// Of which kind.
        unit: UnitCode,
        /// How.
        how: TopUpActEnd,
    },
}

/// The terms of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantAct {
    /// The kind of credit.
    pub unit: UnitCode,
    /// Where from.
    pub source: GrantSource,
    /// How many.
    pub micros: i64,
    /// Minor units; zero for a gift.
    pub cost: i64,
    /// Lower is spent first.
    pub priority: i32,
    /// Which features may spend it.
    pub scope: BTreeSet<String>,
    /// From how long ago, or when, in hours from now.
    pub begins_in: i64,
    /// How many hours it can be spent.
    pub lasts: Option<i64>,
}

/// How a request for credits ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopUpActEnd {
    /// So many are granted under its name.
    Granted(i64),
    /// Somebody says they came.
    Completed,
    /// Somebody says they will not come.
    Failed,
}

pub(super) fn unit() -> impl Strategy<Value = UnitCode> {
    prop_oneof![
        5 => Just(UnitCode::default()),
        1 => Just(UnitCode("PHOTO".to_owned())),
    ]
}

fn feature() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        4 => Just(None),
        2 => Just(Some("render".to_owned())),
        1 => Just(Some("mail".to_owned())),
    ]
}

pub(super) fn scope() -> impl Strategy<Value = BTreeSet<String>> {
    let of = |features: &[&str]| -> BTreeSet<String> { features.iter().map(|it| (*it).to_owned()).collect() };
    prop_oneof![
        6 => Just(of(&[])),
        2 => Just(of(&["render"])),
        1 => Just(of(&["mail"])),
        1 => Just(of(&["mail", "render"])),
    ]
}

fn source() -> impl Strategy<Value = GrantSource> {
    prop_oneof![
        Just(GrantSource::Paid),
        Just(GrantSource::Plan),
        Just(GrantSource::Promotional),
        Just(GrantSource::Trial),
        Just(GrantSource::Goodwill),
        Just(GrantSource::Migration),
    ]
}

fn grant() -> impl Strategy<Value = GrantAct> {
    let terms = (unit(), source(), 1..5_000_i64, 0..999_i64, scope());
    let time = (-1..2_i32, -30..30_i64, option::of(1..400_i64));
    (terms, time).prop_map(
        |((unit, source, micros, cost, scope), (priority, begins_in, lasts))| GrantAct {
            unit,
            source,
            micros,
            cost,
            priority,
            scope,
            begins_in,
            lasts,
        },
    )
}

fn of_a_hold() -> impl Strategy<Value = CreditsAct> {
    let one = 0..4_usize;
    let on_expiry = prop_oneof![3 => Just(OnExpiry::Keep), 1 => Just(OnExpiry::Release)];
    let place = (unit(), 1..4_000_i64, feature(), 1..500_i64, on_expiry);
    let beyond = prop_oneof![Just(BeyondHold::Refuse), Just(BeyondHold::Draw)];
    let capture = (one.clone(), option::of(1..3_000_i64), any::<bool>(), beyond);
    prop_oneof![
        3 => place.prop_map(|(unit, micros, feature, hours, on_expiry)| CreditsAct::Hold {
            unit, micros, feature, hours, on_expiry,
        }),
        3 => capture.prop_map(|(hold, micros, is_final, beyond_hold)| CreditsAct::Capture {
            hold, micros, is_final, beyond_hold,
        }),
        1 => one.prop_map(|hold| CreditsAct::Release { hold }),
    ]
}

fn by_hand() -> impl Strategy<Value = CreditsAct> {
    prop_oneof![
        3 => (0..4_usize, option::of(1..1_500_i64)).prop_map(|(usage, micros)| CreditsAct::Reverse { usage, micros }),
        1 => (0..6_usize).prop_map(|grant| CreditsAct::Void { grant }),
        1 => (unit(), -2_000..900_i64).prop_map(|(unit, micros)| CreditsAct::Adjust { unit, micros }),
        2 => (unit(), 1..3_000_i64).prop_map(|(unit, micros)| CreditsAct::Transfer { unit, micros }),
    ]
}

fn overdraft() -> impl Strategy<Value = OverdraftTerms> {
    let repay = prop_oneof![2 => Just(Repayment::First), 1 => Just(Repayment::Never)];
    let limit = option::of((0..5_000_i64).prop_map(Units::from_micros));
    prop_oneof![
        1 => Just(OverdraftTerms::default()),
        3 => (limit, repay).prop_map(|(limit, repay)| OverdraftTerms { mode: OverdraftMode::Allow, limit, repay }),
    ]
}

fn policy() -> impl Strategy<Value = CreditsAct> {
    let end = prop_oneof![
        2 => (1..3_000_i64).prop_map(TopUpActEnd::Granted),
        1 => Just(TopUpActEnd::Completed),
        1 => Just(TopUpActEnd::Failed),
    ];
    prop_oneof![
        3 => (unit(), overdraft(), option::of(1..6_000_i64))
            .prop_map(|(unit, overdraft, top_up)| CreditsAct::SetPolicy { unit, overdraft, top_up }),
        2 => (unit(), end).prop_map(|(unit, how)| CreditsAct::EndTopUp { unit, how }),
    ]
}

/// All that callers do with credits, and waiting.
pub fn spending() -> impl Strategy<Value = Act> {
    let debit = (unit(), 1..4_000_i64, feature());
    prop_oneof![
        1 => Just(Act::Wait),
        4 => grant().prop_map(|terms| Act::Credits(CreditsAct::Grant(terms))),
        6 => debit.prop_map(|(unit, micros, feature)| Act::Credits(CreditsAct::Debit { unit, micros, feature })),
        7 => of_a_hold().prop_map(Act::Credits),
        5 => by_hand().prop_map(Act::Credits),
        3 => policy().prop_map(Act::Credits),
    ]
}

/// The command of an act of a party; what there is nothing of is waited for. `n` names what is new.
pub(super) fn command(
    party: &Party,
    other: &AccountId,
    act: &CreditsAct,
    n: usize,
    at: Timestamp,
) -> AccountCommand {
    match act {
        CreditsAct::Grant(terms) => AccountCommand::Grant(given(terms, n, at)),
        CreditsAct::Debit { .. } | CreditsAct::Reverse { .. } => of_a_use(party, act, n),
        CreditsAct::Hold { .. } | CreditsAct::Capture { .. } | CreditsAct::Release { .. } => {
            of_holds(party, act, n)
        }
        CreditsAct::Void { grant } => picked(&party.lots, *grant).map_or(AccountCommand::WriteDue, |grant| {
            AccountCommand::Void(VoidGrant {
                grant: grant.clone(),
                reason: "given by mistake".to_owned(),
            })
        }),
        CreditsAct::Adjust { unit, micros } => AccountCommand::Adjust(AdjustCredits {
            adjustment: AdjustmentId(format!("adjustment_{n}")),
            grant: GrantId(format!("grant_{n}")),
            unit: unit.clone(),
            units: Units::from_micros(*micros),
            reason: "counted wrong".to_owned(),
        }),
        CreditsAct::Transfer { unit, micros } => AccountCommand::TransferOut(TransferOut {
            transfer: TransferId(format!("transfer_{n}")),
            to: other.clone(),
            unit: unit.clone(),
            units: Units::from_micros(*micros),
            reference: None,
            promised: Vec::new(),
        }),
        CreditsAct::SetPolicy {
            unit,
            overdraft,
            top_up,
        } => AccountCommand::SetPolicy(SetPolicy {
            unit: unit.clone(),
            overdraft: *overdraft,
            top_up: top_up.map(|threshold| TopUpRule {
                threshold: Units::from_micros(threshold),
                ask: TopUpAsk::Credits(Units::from_micros(2_003)),
                monthly_cap: Some(3),
            }),
        }),
        CreditsAct::EndTopUp { unit, how } => of_a_top_up(party, unit, *how, n, at),
    }
}

fn given(terms: &GrantAct, n: usize, at: Timestamp) -> GrantCredits {
    let begins = at + Duration::hours(terms.begins_in);
    GrantCredits {
        grant: GrantId(format!("grant_{n}")),
        unit: terms.unit.clone(),
        units: Units::from_micros(terms.micros),
        source: terms.source,
        cost: (terms.cost > 0).then(|| usd(terms.cost)),
        priority: terms.priority,
        effective_at: Some(begins),
        expires_at: terms.lasts.map(|hours| begins + Duration::hours(hours)),
        reference: None,
        scope: terms.scope.clone(),
    }
}

fn of_a_use(party: &Party, act: &CreditsAct, n: usize) -> AccountCommand {
    match act {
        CreditsAct::Debit {
            unit,
            micros,
            feature,
        } => AccountCommand::Debit(DebitCredits {
            debit: DebitId(format!("debit_{n}")),
            unit: unit.clone(),
            units: Units::from_micros(*micros),
            feature: feature.clone(),
            quantity: None,
            reference: None,
        }),
        CreditsAct::Reverse { usage, micros } => {
            picked(&party.uses, *usage).map_or(AccountCommand::WriteDue, |original| {
                AccountCommand::Reverse(ReverseConsumption {
                    reversal: ReversalId(format!("reversal_{n}")),
                    original: original.clone(),
                    units: micros.map(Units::from_micros),
                    reason: None,
                })
            })
        }
        _ => AccountCommand::WriteDue,
    }
}

fn of_holds(party: &Party, act: &CreditsAct, n: usize) -> AccountCommand {
    // A hold there is; one there never was, if there is none.
    let one = |pick| picked(&party.holds, pick).cloned().unwrap_or("hold_none".into());
    match act {
        CreditsAct::Hold {
            unit,
            micros,
            feature,
            hours,
            on_expiry,
        } => AccountCommand::Hold(HoldCredits {
            hold: HoldId(format!("hold_{n}")),
            unit: unit.clone(),
            units: Units::from_micros(*micros),
            expires_in: Duration::hours(*hours),
            feature: feature.clone(),
            reference: None,
            on_expiry: *on_expiry,
        }),
        CreditsAct::Capture {
            hold,
            micros,
            is_final,
            beyond_hold,
        } => AccountCommand::Capture(CaptureHold {
            hold: one(*hold),
            debit: DebitId(format!("debit_{n}")),
            units: micros.map(Units::from_micros),
            is_final: *is_final,
            beyond_hold: *beyond_hold,
        }),
        CreditsAct::Release { hold } => AccountCommand::Release(ReleaseHold { hold: one(*hold) }),
        _ => AccountCommand::WriteDue,
    }
}

fn of_a_top_up(party: &Party, unit: &UnitCode, how: TopUpActEnd, n: usize, at: Timestamp) -> AccountCommand {
    let Some(pending) = party.account.top_ups().pending(unit) else {
        return AccountCommand::WriteDue;
    };
    let top_up = pending.requested.top_up.clone();
    let how = match how {
        TopUpActEnd::Granted(micros) => {
            let terms = GrantAct {
                unit: unit.clone(),
                source: GrantSource::Paid,
                micros,
                cost: 103,
                priority: 0,
                scope: BTreeSet::new(),
                begins_in: 0,
                lasts: None,
            };
            return AccountCommand::Grant(GrantCredits {
                reference: Some(top_up.to_string()),
                ..given(&terms, n, at)
            });
        }
        TopUpActEnd::Completed => TopUpEnd::Completed,
        TopUpActEnd::Failed => TopUpEnd::Failed(None),
    };
    AccountCommand::EndTopUp(EndTopUp { top_up, how })
}
