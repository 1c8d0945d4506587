//! An API key: `tb_test_<64 hex digits>` or `tb_live_..`.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// Whether a tenant is for trying things out, or for real. A Stripe delivery of the other mode is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// For trying things out.
    Test,
    /// For real.
    Live,
}

/// What a key may do. Each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Read,
    /// Open accounts, give, use and hold credits.
    Write,
    /// Correct, price and close.
    Finance,
    /// Everything, secrets included.
    Admin,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ }) => {
        impl $type {
            /// The word, as stored and shown.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("unknown ", stringify!($type), " {:?}"), word)),
                }
            }
        }
    };
}

words!(Mode { Test = "test", Live = "live" });
words!(Role { Read = "read", Write = "write", Finance = "finance", Admin = "admin" });

/// A key in clear: exists where it is made and shown, and in a request's header. Its `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A new key of 256 random bits.
    pub fn generate(mode: Mode) -> Self {
        let secret: [u8; 32] = rand::random();
        Self(format!("tb_{mode}_{}", hex::encode(secret)))
    }

    /// A key as a request carries it. `None` if it can't be one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = text
            .strip_prefix("tb_test_")
            .or_else(|| text.strip_prefix("tb_live_"))?;
        let fits = secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| Self(text.to_owned()))
    }

    /// The key in clear, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// What tells keys apart in a list: prefix and the last four digits.
    pub fn hint(&self) -> String {
        let (mode, secret) = self.0.split_at("tb_test_".len());
        format!("{mode}..{}", &secret[secret.len() - 4..])
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_hides_itself() {
        let key = ApiKey::generate(Mode::Test);
        assert_eq!(ApiKey::parse(key.reveal()), Some(key.clone()));
        assert!(!format!("{key:?}").contains(&key.reveal()[8..60]));
        assert_ne!(key.digest(), ApiKey::generate(Mode::Test).digest());
    }

    #[test]
    fn roles_include_those_before_them() {
        assert!(Role::Read < Role::Write && Role::Write < Role::Finance && Role::Finance < Role::Admin);
    }
}
