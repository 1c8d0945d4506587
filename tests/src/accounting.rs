//! hledger and beancount, which check our exports, and the exports as text to tamper with. `bin/ensure-accounting-tools`
//! installs the programs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::Value;
use tokio::process::Command;

use crate::binary::{self, Finished};
use crate::database::TestDatabase;

/// What an account and commodity come to, in hundred-millionths; no zeros. Accounts are named by the last of the chart's
/// two names, `2110` or `wallet`, which all programs share.
pub type Balances = BTreeMap<(String, String), i128>;

/// A program that checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// hledger.
    Hledger,
    /// beancount.
    Beancount,
}

impl Program {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hledger, Self::Beancount];

    /// As `--format` names it.
    pub fn format(self) -> &'static str {
        match self {
            Self::Hledger => "hledger",
            Self::Beancount => "beancount",
        }
    }

    /// Export a tenant's books for it, by the binary, to a file.
    pub async fn export(self, database: &TestDatabase, tenant: &str, options: &[&str], to: &Path) {
        let to = to.to_str().expect("a path in UTF-8");
        let url = database.url();
        let mut arguments = vec!["export", "--format", self.format(), "--tenant", tenant];
        arguments.extend(["--output", to, "--database-url", &url]);
        arguments.extend(options);
        binary::run(arguments).await.succeeded();
    }

    /// Whether it accepts a file, at its strictest.
    pub async fn accepts(self, file: &Path) -> Result<(), String> {
        let checks: Vec<Vec<&str>> = match self {
            Self::Hledger => vec![vec!["check", "--strict"], vec!["check", "ordereddates"]],
            Self::Beancount => vec![vec![]],
        };
        for check in checks {
            let finished = match self {
                Self::Hledger => hledger(file, &check).await,
                Self::Beancount => beancount("bean-check", file, &["-C"], &[]).await,
            };
            if finished.code != Some(0) {
                return Err(finished.stderr);
            }
        }
        Ok(())
    }

    /// What it makes of a file's balances, sub-accounts added up.
    ///
    /// # Panics
    /// When it can't say.
    pub async fn balances(self, file: &Path) -> Balances {
        let csv = match self {
            Self::Hledger => {
                hledger(
                    file,
                    &[
                        "bal",
                        "--flat",
                        "-N",
                        "--layout=bare",
                        "-O",
                        "csv",
                        "--depth",
                        "2",
                    ],
                )
                .await
            }
            Self::Beancount => {
                let query = "select account, currency, sum(number) as n group by account, currency";
                beancount("bean-query", file, &["-f", "csv"], &[query]).await
            }
        };
        let mut balances = Balances::new();
        for line in csv.succeeded().stdout.lines().skip(1) {
            let cells: Vec<&str> = line
                .split(',')
                .map(|cell| cell.trim().trim_matches('"'))
                .collect();
            let [account, commodity, amount] = cells[..] else {
                panic!("not three cells: {line}")
            };
            // `.U` marks codes of credits that beancount could not take as they are.
            let commodity = commodity.trim_end_matches(".U").to_owned();
            *balances.entry((leaf(account), commodity)).or_default() += hundred_millionths(amount);
        }
        balances.retain(|_, amount| *amount != 0);
        balances
    }

    /// The lines of a file that are postings of entries: they move something.
    fn postings(self, lines: &[String]) -> Vec<usize> {
        let is_posting = |line: &String| match self {
            Self::Hledger => {
                line.starts_with("    ") && !line.trim_start().starts_with(';') && !line.contains(" = ")
            }
            Self::Beancount => line.starts_with("  ") && line.as_bytes()[2].is_ascii_uppercase(),
        };
        (0..lines.len())
            .filter(|index| is_posting(&lines[*index]) && posting(&lines[*index]).is_some())
            .collect()
    }

    /// A file's text with one posting dropped or changed, and what was done.
    ///
    /// # Panics
    /// When there is no posting.
    pub fn mutant(self, text: &str, damage: Damage, rng: &mut impl Rng) -> (String, String) {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let postings = self.postings(&lines);
        let index = *postings.choose(rng).expect("there are postings");
        let original = lines[index].clone();
        let (account, amount, commodity) = posting(&original).expect("chosen among postings");
        match damage {
            Damage::Dropped => drop(lines.remove(index)),
            Damage::OneMinorUnitMore => {
                lines[index] = original.replacen(&amount, &one_more(&amount), 1);
            }
            Damage::OnAnotherAccount => {
                let others: Vec<String> = postings
                    .iter()
                    .filter_map(|index| posting(&lines[*index]))
                    .filter(|other| other.0 != account && other.2 == commodity)
                    .map(|other| other.0)
                    .collect();
                let other = others
                    .choose(rng)
                    .expect("a commodity moves between two accounts");
                lines[index] = original.replacen(&account, other, 1);
            }
        }
        let told = format!("{damage:?} in line {}: {original}", index + 1);
        (lines.join("\n") + "\n", told)
    }
}

/// What is done to a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It is gone.
    Dropped,
    /// Its last decimal is one higher.
    OneMinorUnitMore,
    /// It is on another account that the file knows and that has the commodity.
    OnAnotherAccount,
}

impl Damage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Dropped, Self::OneMinorUnitMore, Self::OnAnotherAccount];
}

/// Account, amount and commodity of a posting.
fn posting(line: &str) -> Option<(String, String, String)> {
    let mut words = line.split_whitespace().map(str::to_owned);
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(account), Some(amount), Some(commodity), None) if account.contains(':') => {
            Some((account, amount, commodity))
        }
        _ => None,
    }
}

/// An amount whose last decimal is one higher.
fn one_more(amount: &str) -> String {
    let decimals = amount.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let digits: i128 = amount.replace('.', "").parse().expect("digits");
    let more = digits + 1;
    let sign = if more < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", more.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if decimals == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// `2110` of `liabilities:2110-contract-credits:g1`, `wallet` of `Equity:Units-wallet:Xg1`.
fn leaf(account: &str) -> String {
    let name = account.split(':').nth(1).expect("root:leaf");
    let name = name.strip_prefix("Units-").unwrap_or(name);
    match name.split_once('-') {
        Some((code, _)) if code.bytes().all(|byte| byte.is_ascii_digit()) => code.to_owned(),
        _ => name.to_owned(),
    }
}

/// A decimal number, exactly.
///
/// # Panics
/// When it is none, or finer than that.
pub fn hundred_millionths(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<8}")
        .parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What `tallybook report trial-balance` says: closing debits less credits.
pub async fn trial_balance(database: &TestDatabase, tenant: &str, options: &[&str]) -> Balances {
    let url = database.url();
    let mut arguments = vec!["report", "trial-balance", "--tenant", tenant, "--format", "json"];
    arguments.extend(["--database-url", &url]);
    arguments.extend(options);
    balances_of(&binary::run(arguments).await.succeeded().json())
}

/// What a trial balance says, as JSON: closing debits less credits.
///
/// # Panics
/// When it is none.
pub fn balances_of(report: &Value) -> Balances {
    let rows = report["rows"].as_array().expect("rows").iter().map(|row| {
        let text = |column: &str| row[column].as_str().expect("text");
        let code = text("account_code");
        let account = if code.starts_with('U') {
            text("account_name").rsplit(':').next().unwrap_or_default()
        } else {
            code
        };
        let net = hundred_millionths(text("closing_debit")) - hundred_millionths(text("closing_credit"));
        ((account.to_owned(), text("commodity").to_owned()), net)
    });
    rows.filter(|(_, net)| *net != 0).collect()
}

async fn hledger(file: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new("hledger");
    // Whatever the locale: an export is ASCII.
    command.env("LC_ALL", "C").arg("-f").arg(file).args(arguments);
    run(command, "hledger").await
}

async fn beancount(program: &str, file: &Path, options: &[&str], arguments: &[&str]) -> Finished {
    let mut command = Command::new(venv().join("bin").join(program));
    command.args(options).arg(file).args(arguments);
    run(command, program).await
}

/// Where `bin/ensure-accounting-tools` puts beancount: in the target folder that the binary is in.
fn venv() -> PathBuf {
    let target = binary::path()
        .ancestors()
        .nth(2)
        .expect("target/<profile>/tallybook");
    target.join("accounting-tools")
}

async fn run(mut command: Command, name: &str) -> Finished {
    command.stdin(std::process::Stdio::null()).kill_on_drop(true);
    let program = command.as_std().get_program().to_owned();
    assert!(
        name == "hledger" || Path::new(&program).is_file(),
        "{name} is missing; first run: bin/ensure-accounting-tools"
    );
    binary::finish(command).await
}
