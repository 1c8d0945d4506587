//! A recorded stream in any of its forms: lines are deliveries or refusals, never a panic and never an endless read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tallybook_stripe::replay::{Line, StreamReader};

fuzz_target!(|stream: &[u8]| {
    let mut deliveries = 0_usize;
    for line in StreamReader::new(stream) {
        if let Ok(Line::Delivery(_)) = line {
            deliveries += 1;
        }
    }
    assert!(deliveries <= stream.len());
});
