//! Something that is not as it has to be.

use std::fmt;

/// What was checked. I-numbers are those of `docs/ARCHITECTURE.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The log against its seals (I4).
    Seals,
    /// Every stream counts 1, 2, 3, .. in the order of the log (I4).
    Gapless,
    /// Every event can be read.
    Readable,
    /// The lines of an entry sum to zero in every commodity (I1).
    EntryBalances,
    /// All accounts of a tenant sum to zero in every commodity (I2).
    LedgerBalances,
    /// A read model shows what the fold says (I3).
    ReadModel(&'static str),
    /// Journal entries are those of the events, in order (I3).
    Entries,
    /// The event index names every event, in order (I3).
    EventIndex,
    /// granted + overdrawn = available + held + frozen + consumed + expired + revoked + moved (I5).
    LotIdentity,
    /// The unit accounts of an account come to what its lots hold (I6).
    UnitsOfAccount,
    /// 2110 of a lot is its cost less what was released (I7).
    LotCost,
    /// No quantity of a lot is negative (I8).
    NotNegative,
    /// What lots hold is what open holds reserve; no hold captures more than it reserved (I11).
    Holds,
    /// 2120 of an invoice line is what was billed and is not earned yet; nothing after the service (I19).
    Deferred,
    /// A fact, a use or a hold is recorded once (I12).
    Once,
    /// Lots are used while they are valid, and no other (I9).
    Validity,
    /// What clears at once has cleared: transfers, by 2115 and U120 (I17).
    Clearing,
}

impl Check {
    /// The name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Seals => "seals",
            Self::Gapless => "gapless",
            Self::Readable => "readable",
            Self::EntryBalances => "entry_balances",
            Self::LedgerBalances => "ledger_balances",
            Self::ReadModel(table) => table,
            Self::Entries => "journal_entries",
            Self::EventIndex => "event_index",
            Self::LotIdentity => "lot_identity",
            Self::UnitsOfAccount => "units_of_account",
            Self::LotCost => "lot_cost",
            Self::NotNegative => "not_negative",
            Self::Holds => "holds_reserved",
            Self::Deferred => "deferred_revenue",
            Self::Once => "once",
            Self::Validity => "lot_validity",
            Self::Clearing => "clearing",
        }
    }
}

/// Something that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// The event at which it shows, if one can be named.
    pub position: Option<i64>,
    /// The stream or row it is about.
    pub subject: String,
    /// What was expected and what was found.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check.as_str(), self.subject, self.detail)?;
        match self.position {
            Some(position) => write!(f, " (position {position})"),
            None => Ok(()),
        }
    }
}
