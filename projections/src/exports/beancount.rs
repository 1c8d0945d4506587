//! A ledger for beancount, an implementation that shares nothing with hledger.
//!
//! Its tolerances are set to zero: by default 10.005 is as good as 10.00. A `balance` directive speaks of the *start* of its
//! day, so closing balances are asserted on the day after the period, and it counts an account's sub-accounts in.

use std::io::{self, Write};

use chrono::NaiveDate;

use super::names::{beancount_account, beancount_commodity, beancount_text};
use super::{Layout, Opening, SubAccount, decimal};
use crate::reads::EntryRow;

pub(super) struct Beancount;

impl Layout for Beancount {
    fn head(&mut self, out: &mut dyn Write, title: &str) -> io::Result<()> {
        writeln!(out, "option \"title\" {}", beancount_text(title))?;
        writeln!(out, "option \"tolerance_multiplier\" \"0\"\n")
    }

    fn commodity(&mut self, out: &mut dyn Write, commodity: &str, first: NaiveDate) -> io::Result<()> {
        writeln!(out, "{first} commodity {}", beancount_commodity(commodity))?;
        writeln!(out, "  code: {}", beancount_text(commodity))
    }

    fn account(&mut self, out: &mut dyn Write, account: &SubAccount, first: NaiveDate) -> io::Result<()> {
        let name = beancount_account(account.account, &account.key);
        writeln!(out, "{first} open {name}")?;
        if !account.key.is_empty() {
            writeln!(out, "  key: {}", beancount_text(&account.key))?;
        }
        Ok(())
    }

    fn opening(&mut self, out: &mut dyn Write, opening: &Opening, date: NaiveDate) -> io::Result<()> {
        let narration = format!("opening balances of {}", opening.account_id);
        writeln!(out, "\n{date} * {}", beancount_text(&narration))?;
        for (account, balance) in &opening.balances {
            posting(out, account, *balance)?;
        }
        Ok(())
    }

    fn entry(&mut self, out: &mut dyn Write, entry: &EntryRow) -> io::Result<()> {
        writeln!(
            out,
            "\n{} * {}",
            entry.accounting_date,
            beancount_text(&entry.event_type)
        )?;
        writeln!(out, "  entry_no: {}", entry.entry_no)?;
        writeln!(out, "  account: {}", beancount_text(&entry.account_id))?;
        writeln!(out, "  natural_key: {}", beancount_text(&entry.natural_key))?;
        writeln!(out, "  position: {}", entry.position)?;
        writeln!(out, "  effective_at: \"{}\"", entry.effective_at.to_rfc3339())?;
        writeln!(out, "  recorded_at: \"{}\"", entry.recorded_at.to_rfc3339())?;
        if entry.is_reversal {
            writeln!(out, "  reversal: TRUE")?;
        }
        for line in &entry.lines {
            posting(out, &SubAccount::of(line), i128::from(line.amount))?;
        }
        Ok(())
    }

    fn closing(
        &mut self,
        out: &mut dyn Write,
        account: &SubAccount,
        balances: &super::Closing,
        date: NaiveDate,
    ) -> io::Result<()> {
        let balance = if account.key.is_empty() {
            balances.with_sub_accounts
        } else {
            balances.own
        };
        writeln!(
            out,
            "{} balance {}  {} {}",
            date.succ_opt().unwrap_or(date),
            beancount_account(account.account, &account.key),
            decimal(balance, &account.commodity),
            beancount_commodity(&account.commodity)
        )
    }
}

fn posting(out: &mut dyn Write, account: &SubAccount, amount: i128) -> io::Result<()> {
    writeln!(
        out,
        "  {}  {} {}",
        beancount_account(account.account, &account.key),
        decimal(amount, &account.commodity),
        beancount_commodity(&account.commodity)
    )
}
