//! Text to credits and back: what is accepted is exact.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tallybook_domain::quantity::Units;

fuzz_target!(|text: &str| {
    if let Ok(units) = text.parse::<Units>() {
        assert!(units.micros().abs() <= Units::MAX.micros());
        assert_eq!(units.to_string().parse::<Units>(), Ok(units));
    }
});
