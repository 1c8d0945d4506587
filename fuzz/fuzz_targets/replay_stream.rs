//! A recorded stream in any of its forms: lines are deliveries or refusals, never a panic and never an endless read, and
//! every body stands where its place says.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use tallybook_stripe::replay::{Line, StreamReader};

fuzz_target!(|stream: &[u8]| {
    let mut again = Cursor::new(stream);
    let mut lines = 0_usize;
    for line in StreamReader::new(stream) {
        lines += 1;
        if let Line::Delivery(recorded) = line.expect("bytes in memory can be read") {
            let body = recorded.place.read(&mut again).expect("a place within the stream");
            assert_eq!(body, recorded.body);
        }
    }
    assert!(lines <= stream.len());
});
