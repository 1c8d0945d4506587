//! The key a caller puts on a write, what was asked under it, and the ids that follow from it.
//!
//! The journal records the key and the hash with the command's events; a retry is answered from there. Nothing here
//! remembers anything: ids derive from (tenant, path, key), so a retry names the same thing before it is known to be one.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tallybook_domain::identity::TenantId;

use super::problem::Problem;

/// The header of the key.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// On the answer to a retry of what was accepted before.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const KEY_LENGTH_MAX: usize = 255;

/// Hexadecimal digits of an id: 96 bits, which tenants do not exhaust by chance.
const ID_DIGITS: usize = 24;

/// A caller's idempotency key: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// A key from its text, if it may be one.
    pub fn parse(text: &str) -> Option<Self> {
        let printable = text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        ((1..=KEY_LENGTH_MAX).contains(&text.len()) && printable).then(|| Self(text.to_owned()))
    }

    /// The key of one item of a batch that names none itself: `<key>:<index>`. Not a caller's, so it may be longer.
    #[must_use]
    pub fn of_item(&self, index: usize) -> Self {
        Self(format!("{}:{index}", self.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut values = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_required",
                "this write needs one Idempotency-Key header, chosen by you and the same on a retry",
            ));
        };
        value.to_str().ok().and_then(Self::parse).ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "idempotency_key_invalid",
                "an Idempotency-Key is 1 to 255 printable ASCII characters",
            )
        })
    }
}

/// What was asked: SHA-256 over method, path and the typed request re-serialised, so that white space, member order and
/// another spelling of the same value (`12.50`) do not make it another request.
pub fn request_hash<T: Serialize>(method: &Method, path: &str, request: &T) -> [u8; 32] {
    let body = serde_json::to_vec(request).expect("requests are made of text, numbers and lists");
    digest(&[method.as_str().as_bytes(), path.as_bytes(), &body])
}

/// The id of what a write creates: `<prefix><96 bits>` of (tenant, path, key).
pub fn derived_id(prefix: &str, tenant: &TenantId, path: &str, key: &IdempotencyKey) -> String {
    let digest = digest(&[tenant.as_str().as_bytes(), path.as_bytes(), key.0.as_bytes()]);
    format!("{prefix}{}", &hex::encode(digest)[..ID_DIGITS])
}

/// Each part with its length before it, so that no two lists of parts run together.
pub(crate) fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_tenant_path_and_key_and_nothing_else() {
        let key = |text| IdempotencyKey::parse(text).unwrap();
        let id = |tenant: &str, path, k| derived_id("grant_", &tenant.into(), path, &key(k));
        let first = id("t", "/v1/accounts/a/grants", "k");
        assert_eq!(first, id("t", "/v1/accounts/a/grants", "k"));
        assert_eq!(first.len(), "grant_".len() + 24);
        for other in [
            id("u", "/v1/accounts/a/grants", "k"),
            id("t", "/v1/accounts/b/grants", "k"),
            id("t", "/v1/accounts/a/grants", "l"),
            id("t", "/v1/accounts/a/grantsk", "k"),
        ] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn keys_are_printable_ascii() {
        for text in ["", "a\u{7f}", "ü", "a\nb", &"k".repeat(256)] {
            assert_eq!(IdempotencyKey::parse(text), None, "{text:?}");
        }
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_some());
        assert!(IdempotencyKey::parse("order 17 / retry").is_some());
    }
}
