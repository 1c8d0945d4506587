//! Recorded deliveries, signed as Stripe signs them, shuffled and repeated by a seed.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::Sha256;

/// A file of `tests/data`.
pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// The bodies of a recorded stream: one Event a line.
///
/// # Panics
/// When the file can't be read.
pub fn bodies(name: &str) -> Vec<Bytes> {
    let path = data(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Bytes::copy_from_slice(line.as_bytes()))
        .collect()
}

/// `Stripe-Signature` of a body, made now. Stripe: HMAC-SHA256 over `<unix seconds>.<body>`, in hexadecimal, as `v1`.
///
/// # Panics
/// When the clock is before 1970.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a secret of any length");
    mac.update(format!("{now}.").as_bytes());
    mac.update(body);
    format!("t={now},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// The bodies in an order drawn by `seed`, with about `share` of them twice.
pub fn disturbed(bodies: &[Bytes], seed: u64, share: f64) -> Vec<Bytes> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut sent: Vec<Bytes> = bodies.to_vec();
    sent.extend(bodies.iter().filter(|_| random.random_bool(share)).cloned());
    sent.shuffle(&mut random);
    sent
}
