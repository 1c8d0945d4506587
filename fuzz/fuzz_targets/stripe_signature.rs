//! A signature header: accepted only if it is the one our own key makes, never a panic.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use tallybook_stripe::signature::{Verifier, WebhookSecret, sign};

const NOW: i64 = 1_700_000_000;
const BODY: &[u8] = b"{\"id\":\"evt_1\",\"object\":\"event\"}";

fuzz_target!(|header: &[u8]| {
    let secret = || WebhookSecret::new("whsec_fuzz").expect("it is not blank");
    let verifier = Verifier::new(vec![secret()], Duration::from_secs(300)).expect("there is a secret");
    let ours = sign(&secret(), NOW, BODY);
    assert!(verifier.verify(ours.as_bytes(), BODY, NOW).is_ok());
    // A header that is accepted carries a digest of this body under this key: nothing short of it can be guessed.
    if verifier.verify(header, BODY, NOW).is_ok() {
        assert!(header.len() >= 64, "{}", String::from_utf8_lossy(header));
    }
});
