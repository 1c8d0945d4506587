//! A delivery's body: read or refused with a code, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tallybook_stripe::event;

fuzz_target!(|body: &[u8]| {
    if let Err(rejection) = event::parse(body) {
        assert!(!rejection.code().is_empty());
    }
});
