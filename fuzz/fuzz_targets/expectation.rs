//! The final state that somebody expects: read or refused, and never at odds with itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tallybook_stripe::replay::Expectation;

fuzz_target!(|text: &str| {
    let Ok(expected) = Expectation::read(text) else { return };
    let itself = |id: &str| expected.objects().get(id).map(|object| object.normalised());
    assert_eq!(expected.differences(itself), []);
    drop(expected.differences(|_| None));
});
