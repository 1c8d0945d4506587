//! What the accounts and commodities are called in the journals of other programs.
//!
//! Sub-ledger keys are ids of customers, Stripe and callers: any text. Both programs take only some of it in the name of an
//! account, so a key is written in an alphabet that both programs' grammars and any locale have, one name a key: two
//! keys never share a name, or the other program would add up what is not one account.

use std::fmt::Write;

use tallybook_domain::money::Currency;
use tallybook_domain::postings::LedgerAccount;

/// Decimal places of a commodity's amounts: a currency's minor unit, else a millionth of a credit.
pub(super) fn decimals(commodity: &str) -> usize {
    commodity
        .parse::<Currency>()
        .map_or(6, |currency| currency.iso_exponent() as usize)
}

/// `liabilities:2110-contract-credits:<grant>`; accounts of units go by name: `units:wallet:<grant>`.
pub(super) fn hledger_account(account: LedgerAccount, key: &str) -> String {
    let (root, leaf) = split(account);
    let mut name = if account.is_units() {
        format!("{root}:{leaf}")
    } else {
        format!("{root}:{}-{leaf}", account.code())
    };
    if !key.is_empty() {
        name.push(':');
        name.push_str(&percent_encoded(key, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
        }));
    }
    name
}

/// `Liabilities:2110-contract-credits:X<grant>`. Beancount has five roots: contra-revenue is a part of income, and units,
/// which are on no balance sheet, are equity, as `Equity:Units-wallet:X<grant>`.
pub(super) fn beancount_account(account: LedgerAccount, key: &str) -> String {
    let (root, leaf) = split(account);
    let mut name = match root {
        "units" => format!("Equity:Units-{leaf}"),
        root => {
            let root = match root {
                "assets" => "Assets",
                "liabilities" => "Liabilities",
                "revenue" | "contra-revenue" => "Income",
                "expenses" => "Expenses",
                _ => "Equity",
            };
            format!("{root}:{}-{leaf}", account.code())
        }
    };
    if !key.is_empty() {
        // A part of a name has to begin with a capital or a digit.
        name.push_str(":X");
        for byte in key.bytes() {
            match byte {
                b'_' => name.push_str("--"),
                byte if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
                byte => write!(name, "-{byte:02X}").expect("a string takes all that is written to it"),
            }
        }
    }
    name
}

fn split(account: LedgerAccount) -> (&'static str, &'static str) {
    account
        .name()
        .split_once(':')
        .expect("a name of the chart is root:leaf")
}

/// A commodity as hledger reads it: bare if it is letters and `_`, else in quotes.
pub(super) fn hledger_commodity(commodity: &str) -> String {
    if commodity
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    {
        commodity.to_owned()
    } else {
        format!("\"{commodity}\"")
    }
}

/// A commodity as beancount reads it. Codes of credits that are words of its language, have one letter or end in `_` get a
/// suffix that no code has.
pub(super) fn beancount_commodity(commodity: &str) -> String {
    let taken = matches!(commodity, "TRUE" | "FALSE" | "NULL");
    if taken || commodity.len() == 1 || commodity.ends_with('_') {
        format!("{commodity}.U")
    } else {
        commodity.to_owned()
    }
}

/// A text in a comment of hledger's, where a comma ends a tag's value: printable ASCII, whatever the locale.
pub(super) fn hledger_text(text: &str) -> String {
    percent_encoded(text, |byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'%' | b',' | b';' | b'[' | b']')
    })
}

/// A text between beancount's quotes.
pub(super) fn beancount_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            character if character.is_control() => quoted.push('\u{fffd}'),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// RFC 3986's way: `%`, which is never kept, and two hexadecimal digits for every byte that is not kept.
fn percent_encoded(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_kept(byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes all that is written to it");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Keys that a careless escape would let meet in one name.
    fn keys() -> Vec<String> {
        let alphabet = [
            "a", "A", "_", "-", "--", ":", "2", "D", "%", " ", ".", "é", "\"", ";", "(",
        ];
        let mut keys = vec![String::new()];
        for _ in 0..3 {
            let longer: Vec<String> = keys
                .iter()
                .flat_map(|key| alphabet.iter().map(move |next| format!("{key}{next}")))
                .collect();
            keys.extend(longer);
        }
        let unique: BTreeSet<String> = keys.into_iter().collect();
        unique.into_iter().collect()
    }

    #[test]
    fn no_two_keys_share_a_name() {
        let keys = keys();
        for named in [hledger_account, beancount_account] {
            let names: BTreeSet<String> = keys
                .iter()
                .map(|key| named(LedgerAccount::ContractCredits, key))
                .collect();
            assert_eq!(names.len(), keys.len());
        }
    }

    #[test]
    fn no_two_accounts_of_the_chart_share_a_name() {
        for named in [hledger_account, beancount_account] {
            let names: BTreeSet<String> = LedgerAccount::ALL
                .iter()
                .map(|account| named(*account, ""))
                .collect();
            assert_eq!(names.len(), LedgerAccount::ALL.len());
        }
    }

    #[test]
    fn names_are_within_both_grammars() {
        for account in LedgerAccount::ALL {
            for key in keys() {
                let name = beancount_account(*account, &key);
                let lawful = name.split(':').skip(1).all(|part| {
                    part.starts_with(|first: char| first.is_ascii_uppercase() || first.is_ascii_digit())
                        && part
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                });
                assert!(lawful, "{name}");
                let name = hledger_account(*account, &key);
                assert!(
                    name.bytes()
                        .all(|byte| byte.is_ascii_graphic() && !b";([\"".contains(&byte)),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn commodities_are_read_back_as_they_are() {
        assert_eq!(hledger_commodity("GPU_HOUR"), "GPU_HOUR");
        assert_eq!(hledger_commodity("T4"), "\"T4\"");
        assert_eq!(beancount_commodity("GPU_HOUR"), "GPU_HOUR");
        assert_eq!(beancount_commodity("TRUE"), "TRUE.U");
        assert_eq!(beancount_commodity("A_"), "A_.U");
        assert_eq!((decimals("JPY"), decimals("KWD"), decimals("CREDIT")), (0, 3, 6));
    }

    #[test]
    fn no_text_ends_a_comment_or_a_string() {
        assert_eq!(
            hledger_text("key, date:2026 [x]\né"),
            "key%2C%20date:2026%20%5Bx%5D%0A%C3%A9"
        );
        assert_eq!(beancount_text("a \"b\" \\ c\nd"), "\"a \\\"b\\\" \\\\ c\\nd\"");
    }
}
