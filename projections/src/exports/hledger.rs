//! A journal for hledger (and ledger), strict: `hledger check --strict` passes, and a minor unit that is missing fails.
//!
//! hledger takes a transaction for balanced if its sum *rounds* to zero at the decimals of the `commodity` directive, so
//! these have two more than any amount. The directive has two lines, because ledger does not know the short form; comments
//! of accounts have lines of their own, because ledger takes `account x  ; type:A` for a name.

use std::io::{self, Write};

use chrono::NaiveDate;
use tallybook_domain::postings::LedgerAccount;

use super::names::{decimals, hledger_account, hledger_commodity, hledger_text};
use super::{Layout, Opening, SubAccount, decimal};
use crate::reads::EntryRow;

#[derive(Default)]
pub(super) struct Hledger {
    /// The ledger account whose closing balances are being asserted.
    closing: Option<LedgerAccount>,
}

impl Layout for Hledger {
    fn head(&mut self, out: &mut dyn Write, title: &str) -> io::Result<()> {
        writeln!(out, "; {}", hledger_text(title).replace("%20", " "))?;
        writeln!(out, "decimal-mark .")?;
        // hledger knows the other roots by their names; units are on no statement.
        writeln!(out, "account contra-revenue\n    ; type:R\n")
    }

    fn commodity(&mut self, out: &mut dyn Write, commodity: &str, _: NaiveDate) -> io::Result<()> {
        let name = hledger_commodity(commodity);
        let zeros = decimals(commodity) + 2;
        writeln!(out, "commodity {name}\n    format 1000.{:0zeros$} {name}", 0)
    }

    fn account(&mut self, out: &mut dyn Write, account: &SubAccount, _: NaiveDate) -> io::Result<()> {
        writeln!(out, "account {}", hledger_account(account.account, &account.key))
    }

    fn opening(&mut self, out: &mut dyn Write, opening: &Opening, date: NaiveDate) -> io::Result<()> {
        writeln!(
            out,
            "\n{date} * opening balances of {}",
            hledger_text(&opening.account_id)
        )?;
        for (account, balance) in &opening.balances {
            posting(out, account, *balance)?;
        }
        Ok(())
    }

    fn entry(&mut self, out: &mut dyn Write, entry: &EntryRow) -> io::Result<()> {
        writeln!(
            out,
            "\n{} * ({}) {}",
            entry.accounting_date, entry.entry_no, entry.event_type
        )?;
        writeln!(
            out,
            "    ; account:{}, natural_key:{}, position:{}, effective_at:{}, recorded_at:{}{}",
            hledger_text(&entry.account_id),
            hledger_text(&entry.natural_key),
            entry.position,
            entry.effective_at.to_rfc3339(),
            entry.recorded_at.to_rfc3339(),
            if entry.is_reversal { ", reversal:true" } else { "" }
        )?;
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
        let commodity = hledger_commodity(&account.commodity);
        let name = hledger_account(account.account, &account.key);
        let balance = decimal(balances.own, &account.commodity);
        if self.closing.replace(account.account) != Some(account.account) {
            writeln!(out, "\n{date} * closing balances of {}", account.account.code())?;
        }
        writeln!(out, "    {name}  0 {commodity} = {balance} {commodity}")
    }
}

fn posting(out: &mut dyn Write, account: &SubAccount, amount: i128) -> io::Result<()> {
    writeln!(
        out,
        "    {}  {} {}",
        hledger_account(account.account, &account.key),
        decimal(amount, &account.commodity),
        hledger_commodity(&account.commodity)
    )
}
