//! Which reports there are.

use std::str::FromStr;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportName {
    /// What every account comes to.
    TrialBalance,
    /// Every line of every entry.
    GeneralJournal,
    /// The lines of one ledger account with its running balance.
    AccountStatement,
    /// What happened to a customer's credits.
    CreditStatement,
    /// How deferred revenue went from one balance to the next.
    DeferredRevenue,
    /// When deferred service will be revenue.
    RecognitionSchedule,
    /// When credits that are owed will end.
    CreditAgeing,
    /// How late what customers owe is.
    ReceivablesAgeing,
    /// How what customers bring in a month went from one month to the next.
    MrrMovement,
    /// What has not cleared.
    Clearing,
}

/// There is no such report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no report {0}; there are {names}", names = ReportName::ALL.map(ReportName::as_str).join(", "))]
pub struct UnknownReport(pub String);

impl ReportName {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::TrialBalance,
        Self::GeneralJournal,
        Self::AccountStatement,
        Self::CreditStatement,
        Self::DeferredRevenue,
        Self::RecognitionSchedule,
        Self::CreditAgeing,
        Self::ReceivablesAgeing,
        Self::MrrMovement,
        Self::Clearing,
    ];

    /// The name as callers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrialBalance => "trial-balance",
            Self::GeneralJournal => "general-journal",
            Self::AccountStatement => "account-statement",
            Self::CreditStatement => "credit-statement",
            Self::DeferredRevenue => "deferred-revenue",
            Self::RecognitionSchedule => "recognition-schedule",
            Self::CreditAgeing => "credit-ageing",
            Self::ReceivablesAgeing => "receivables-ageing",
            Self::MrrMovement => "mrr-movement",
            Self::Clearing => "clearing",
        }
    }

    /// What it shows, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Self::TrialBalance => "what every account comes to",
            Self::GeneralJournal => "every line of every entry",
            Self::AccountStatement => {
                "the lines of one ledger account with its running balance (needs a ledger account)"
            }
            Self::CreditStatement => "what happened to a customer's credits, lot by lot (needs an account)",
            Self::DeferredRevenue => {
                "how deferred revenue went from opening to closing, by currency, product and month it was billed in"
            }
            Self::RecognitionSchedule => {
                "when deferred service will be revenue, line by line and month by month"
            }
            Self::CreditAgeing => "when credits that are owed will end, and what they cost",
            Self::ReceivablesAgeing => "how late what customers owe is, invoice by invoice",
            Self::MrrMovement => {
                "how what customers bring in a month went from one month to the next, by the prices of plans; not revenue"
            }
            Self::Clearing => "what has not cleared, since when",
        }
    }
}

impl FromStr for ReportName {
    type Err = UnknownReport;

    fn from_str(text: &str) -> Result<Self, UnknownReport> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| UnknownReport(text.to_owned()))
    }
}
