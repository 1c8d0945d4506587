//! What payments, refunds and disputes do to the books.

use super::LedgerAccount::{
    Bank, ContraDisputes, ContraRefunds, ContractCredits, DisputeFees, DisputedFunds, RefundsPayable,
    StripeBalance, TaxPayable, UnappliedCash,
};
use super::{LedgerAccount, Lines};
use crate::identity::AccountId;
use crate::purchases::{
    CashReceived, Channel, DisputeClosed, DisputeFunds, PurchasePaid, PurchasesEvent, Refund, RefundMoney,
};

/// The lines of an event of the purchases family; none where no money moves by it.
pub(super) fn lines(account: &AccountId, event: &PurchasesEvent) -> Option<Lines> {
    match event {
        PurchasesEvent::CashReceived(e) => Some(cash_received(account, e)),
        PurchasesEvent::PurchasePaid(e) => Some(purchase_paid(account, e)),
        PurchasesEvent::RefundRecorded(e) => Some(refund_recorded(account, e)),
        PurchasesEvent::RefundReversed(e) => Some(refund_recorded(account, e).negated()),
        PurchasesEvent::RefundPaid(e) => Some(refund_paid(e)),
        PurchasesEvent::RefundReturned(e) => Some(refund_paid(e).negated()),
        // Money moves by balance transactions alone; that a dispute exists moves none.
        PurchasesEvent::DisputeOpened(_) => None,
        PurchasesEvent::DisputeFundsWithdrawn(e) => Some(funds_withdrawn(e)),
        PurchasesEvent::DisputeFundsReinstated(e) => Some(funds_withdrawn(e).negated()),
        PurchasesEvent::DisputeClosed(e) => Some(dispute_closed(account, e)),
    }
}

/// Where money of a channel is.
fn held_at(channel: &Channel) -> LedgerAccount {
    match channel {
        Channel::Stripe => StripeBalance,
        Channel::Bank { .. } => Bank,
    }
}

/// Row 0.
fn cash_received(account: &AccountId, cash: &CashReceived) -> Lines {
    let mut lines = Lines::default();
    let commodity = cash.amount.currency.code();
    lines.debit(held_at(&cash.channel), "", commodity, cash.amount.minor);
    lines.credit(UnappliedCash, account.as_str(), commodity, cash.amount.minor);
    lines
}

/// Row 1, money.
fn purchase_paid(account: &AccountId, purchase: &PurchasePaid) -> Lines {
    let mut lines = Lines::default();
    let commodity = purchase.gross.currency.code();
    let (gross, tax) = (i128::from(purchase.gross.minor), i128::from(purchase.tax));
    lines.debit(UnappliedCash, account.as_str(), commodity, gross);
    let bundled: i128 = purchase.bundled.iter().map(|lot| i128::from(lot.net)).sum();
    lines.credit(
        ContractCredits,
        purchase.grant.as_str(),
        commodity,
        gross - tax - bundled,
    );
    for lot in &purchase.bundled {
        lines.credit(ContractCredits, lot.grant.as_str(), commodity, lot.net);
    }
    lines.credit(TaxPayable, "", commodity, tax);
    lines
}

/// What money of a payment goes out of: contra-revenue, or the customer's cash where that had paid for nothing.
fn given_from(account: &AccountId, contra: LedgerAccount, unapplied: bool) -> (LedgerAccount, &str) {
    if unapplied {
        (UnappliedCash, account.as_str())
    } else {
        (contra, "")
    }
}

/// Rows 11 and 12, money: all of it contra-revenue, until the clawback moves the unused part to the lot.
fn refund_recorded(account: &AccountId, refund: &Refund) -> Lines {
    let mut lines = Lines::default();
    let commodity = refund.amount.currency.code();
    let (amount, tax) = (i128::from(refund.amount.minor), i128::from(refund.tax));
    let (from, key) = given_from(account, ContraRefunds, refund.unapplied);
    lines.debit(from, key, commodity, amount - tax);
    lines.debit(TaxPayable, "", commodity, tax);
    lines.credit(RefundsPayable, &refund.refund, commodity, amount);
    lines
}

/// Row 13.
fn refund_paid(refund: &RefundMoney) -> Lines {
    let mut lines = Lines::default();
    let commodity = refund.amount.currency.code();
    lines.debit(RefundsPayable, &refund.refund, commodity, refund.amount.minor);
    lines.credit(held_at(&refund.channel), "", commodity, refund.amount.minor);
    lines
}

/// Rows 14 and 15, money.
fn funds_withdrawn(funds: &DisputeFunds) -> Lines {
    let mut lines = Lines::default();
    let commodity = funds.amount.currency.code();
    let (amount, fee) = (i128::from(funds.amount.minor), i128::from(funds.fee));
    lines.debit(DisputedFunds, &funds.dispute, commodity, amount);
    lines.debit(DisputeFees, "", commodity, fee);
    lines.credit(StripeBalance, "", commodity, amount + fee);
    lines
}

/// Row 16, money: what stays withdrawn is gone. Nothing is lost by a dispute that was won or dropped.
fn dispute_closed(account: &AccountId, closed: &DisputeClosed) -> Lines {
    let mut lines = Lines::default();
    let commodity = closed.lost.currency.code();
    let (lost, tax) = (i128::from(closed.lost.minor), i128::from(closed.tax));
    let (from, key) = given_from(account, ContraDisputes, closed.unapplied);
    lines.debit(from, key, commodity, lost - tax);
    lines.debit(TaxPayable, "", commodity, tax);
    lines.credit(DisputedFunds, &closed.dispute, commodity, closed.lost.minor);
    lines
}
