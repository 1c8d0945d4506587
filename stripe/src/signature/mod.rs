//! `Stripe-Signature`: who sent these bytes, and when.
//!
//! Header: `t=<unix>,v1=<hex>[,v1=<hex>..][,v0=<hex>]`. Signed are the bytes `<t>.<raw body>`; the key is the whole secret as
//! text, `whsec_` included. While a secret is rolled the header has several `v1` and any may match; an endpoint may have
//! several secrets, too. There is no switch that turns verification off, and no secret that is blank.
//!
//! Stripe's SDKs differ in corners. Decided here, each with its test:
//!
//! | corner | SDKs | here |
//! |---|---|---|
//! | `t` twice | first (Python), last (Node) | refused: two readers, two times |
//! | `t` with sign, blank or underscore | Python takes it | refused: ASCII digits only |
//! | `t` in the future | taken | taken: only the holder of the secret can sign it, and our clock may be slow |
//! | age equal to the tolerance | taken | taken |
//! | tolerance zero | Node: skips the clock | nothing older than this second |
//! | upper-case hex | refused by Python and Node, Go decodes it | refused: Stripe sends lower case |
//! | a `v1` that is no hex | Go skips it | skipped: another may match |
//! | a part with two or no `=` | Go: invalid header | malformed |
//! | blanks after commas | the scheme is then ` v1`, unknown | the same: unknown schemes are ignored |
//! | `v0` alone | no signature | no signature (it would be a downgrade) |
//! | signature and time both bad | signature is told first | the same: who cannot sign learns nothing of our clock |

mod secret;

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

pub use secret::{SecretError, WebhookSecret};

/// The official SDKs' default: five minutes.
pub const DEFAULT_TOLERANCE: Duration = Duration::from_mins(5);

/// Bytes of an HMAC-SHA256.
const TAG_LENGTH: usize = 32;

/// More than any rolling secret makes. What a stranger can make us compute must have a bound.
const SIGNATURES_MAX: usize = 16;

/// Why a delivery is not believed. None is worth a retry with the same header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No header, or an empty one.
    #[error("the Stripe-Signature header is missing")]
    Missing,
    /// Not `key=value` parts joined by commas, or `t` is absent or no plain number.
    #[error("the Stripe-Signature header is malformed")]
    Malformed,
    /// Two times in one header.
    #[error("the Stripe-Signature header has more than one t")]
    DuplicateTimestamp,
    /// No `v1`: another scheme alone is not accepted.
    #[error("the Stripe-Signature header has no v1 signature")]
    NoSignature,
    /// No `v1` matches the body under any secret.
    #[error("no v1 signature matches the body")]
    NoMatch,
    /// Signed too long ago: perhaps a replay. Stripe signs each retry afresh.
    #[error("the signature is older than the tolerance")]
    TooOld,
}

impl SignatureError {
    /// A stable code for answers and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "signature_missing",
            Self::Malformed => "signature_malformed",
            Self::DuplicateTimestamp => "signature_duplicate_timestamp",
            Self::NoSignature => "signature_scheme_unsupported",
            Self::NoMatch => "signature_mismatch",
            Self::TooOld => "signature_too_old",
        }
    }
}

/// What a good signature proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// When it was signed, Unix seconds.
    pub timestamp: i64,
    /// Which of the endpoint's secrets signed it, by its place in [`Verifier::new`]'s list.
    pub secret: usize,
}

/// An endpoint's secrets and how old a signature may be.
#[derive(Debug, Clone)]
pub struct Verifier {
    secrets: Vec<WebhookSecret>,
    tolerance_seconds: i64,
}

/// An endpoint without a secret cannot verify anything, so it does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint needs at least one webhook secret")]
pub struct NoSecrets;

impl Verifier {
    /// A verifier for these secrets, newest first by convention; all are tried.
    pub fn new(secrets: Vec<WebhookSecret>, tolerance: Duration) -> Result<Self, NoSecrets> {
        if secrets.is_empty() {
            return Err(NoSecrets);
        }
        Ok(Self {
            secrets,
            tolerance_seconds: i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX),
        })
    }

    /// Judges the header of a delivery against its raw body, byte for byte as received, before anything parses it.
    /// `now` is Unix seconds.
    pub fn verify(&self, header: &[u8], body: &[u8], now: i64) -> Result<Verified, SignatureError> {
        let header = Header::parse(header)?;
        let secret = self
            .matching_secret(&header, body)
            .ok_or(SignatureError::NoMatch)?;
        if now.saturating_sub(header.timestamp) > self.tolerance_seconds {
            return Err(SignatureError::TooOld);
        }
        Ok(Verified {
            timestamp: header.timestamp,
            secret,
        })
    }

    /// Every secret is tried on every signature, whatever matched before, and each comparison takes the same time.
    fn matching_secret(&self, header: &Header<'_>, body: &[u8]) -> Option<usize> {
        let mut matching = None;
        for (index, secret) in self.secrets.iter().enumerate() {
            let expected = tag(secret, header.timestamp_text, body);
            let mut matches = Choice::from(0);
            for signature in &header.signatures {
                matches |= expected.ct_eq(signature);
            }
            if bool::from(matches) && matching.is_none() {
                matching = Some(index);
            }
        }
        matching
    }
}

/// The header that Stripe would send with `body`: for the replayer, which must sign afresh.
pub fn sign(secret: &WebhookSecret, timestamp: i64, body: &[u8]) -> String {
    let signature = hex::encode(tag(secret, &timestamp.to_string(), body));
    format!("t={timestamp},v1={signature}")
}

fn tag(secret: &WebhookSecret, timestamp: &str, body: &[u8]) -> [u8; TAG_LENGTH] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.key()).expect("HMAC takes keys of any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
}

struct Header<'a> {
    timestamp: i64,
    /// As written: the signed bytes begin with this text, not with a number printed again.
    timestamp_text: &'a str,
    signatures: Vec<[u8; TAG_LENGTH]>,
}

impl<'a> Header<'a> {
    fn parse(header: &'a [u8]) -> Result<Self, SignatureError> {
        let header = std::str::from_utf8(header).map_err(|_| SignatureError::Malformed)?;
        if header.trim().is_empty() {
            return Err(SignatureError::Missing);
        }
        let mut timestamp = None;
        let mut signatures = Vec::new();
        let mut has_v1 = false;
        for part in header.split(',') {
            let (scheme, value) = part.split_once('=').ok_or(SignatureError::Malformed)?;
            if value.contains('=') {
                return Err(SignatureError::Malformed);
            }
            match scheme {
                "t" if timestamp.is_some() => return Err(SignatureError::DuplicateTimestamp),
                "t" => timestamp = Some((plain_number(value).ok_or(SignatureError::Malformed)?, value)),
                "v1" if signatures.len() < SIGNATURES_MAX => {
                    has_v1 = true;
                    signatures.extend(lower_hex(value));
                }
                _ => {}
            }
        }
        let (timestamp, timestamp_text) = timestamp.ok_or(SignatureError::Malformed)?;
        if !has_v1 {
            return Err(SignatureError::NoSignature);
        }
        Ok(Self {
            timestamp,
            timestamp_text,
            signatures,
        })
    }
}

fn plain_number(text: &str) -> Option<i64> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits_only.then(|| text.parse().ok()).flatten()
}

fn lower_hex(text: &str) -> Option<[u8; TAG_LENGTH]> {
    let mut tag = [0; TAG_LENGTH];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (is_lower && hex::decode_to_slice(text, &mut tag).is_ok()).then_some(tag)
}

#[cfg(test)]
mod tests;
