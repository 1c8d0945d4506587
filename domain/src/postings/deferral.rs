//! Why deferred revenue moves: what the columns of its roll-forward are made of.
//!
//! The natural key says what kind of fact an entry books, and so whether it billed or credited; where one kind of fact
//! can have several causes, the account on the other side says which.

use super::{LedgerAccount, Line};

/// Why deferred revenue went up or down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeferralCause {
    /// Credits were bought, an invoice was issued.
    Billed,
    /// Credits were given as a concession, or taken by hand.
    Conceded,
    /// An opening balance was brought over from another system.
    Migrated,
    /// Credits were used: 4010.
    Used,
    /// Service was rendered: 4020.
    Rendered,
    /// Credits expired unused: 4040.
    Expired,
    /// A refund claimed unused credits: 4110.
    Refunded,
    /// A lost dispute claimed unused credits: 4120.
    Disputed,
    /// A credit note, a void or a write-off took back what was billed.
    Credited,
    /// It went from one lot, line or account to another.
    Transferred,
}

impl DeferralCause {
    /// All of them, in the order of the report's columns.
    pub const ALL: [Self; 10] = [
        Self::Billed,
        Self::Conceded,
        Self::Migrated,
        Self::Used,
        Self::Rendered,
        Self::Expired,
        Self::Refunded,
        Self::Disputed,
        Self::Credited,
        Self::Transferred,
    ];
}

/// Why an entry moves deferred revenue; none for one that should not.
pub fn deferral_cause(natural_key: &str, lines: &[Line]) -> Option<DeferralCause> {
    use DeferralCause as Cause;
    let meets = |account| lines.iter().any(|line| line.account == account);
    Some(match natural_key.split(':').next()? {
        "purchase" | "inv" => Cause::Billed,
        "earned" if meets(LedgerAccount::RevenueSubscription) => Cause::Rendered,
        // What was recognised and is taken back with the line it was of.
        "inv-void" | "inv-write-off" | "cn" | "earned" => Cause::Credited,
        "debit" | "debt" => Cause::Used,
        "adjust" => Cause::Conceded,
        "expire" => Cause::Expired,
        "revoke" if meets(LedgerAccount::ContraRefunds) => Cause::Refunded,
        "revoke" if meets(LedgerAccount::ContraDisputes) => Cause::Disputed,
        "grant" | "revoke" if meets(LedgerAccount::ContraConcessions) => Cause::Conceded,
        "grant" if meets(LedgerAccount::OpeningBalances) => Cause::Migrated,
        "grant" if meets(LedgerAccount::Bank) => Cause::Billed,
        "grant" | "revoke" | "rollover" | "transfer" => Cause::Transferred,
        _ => return None,
    })
}
