//! How long the tests may take.

/// Multiplies what a test repeats, e.g. for a night's run. 1 if unset.
pub const VARIABLE: &str = "TALLYBOOK_TEST_SCALE";

/// `count`, times the scale.
///
/// # Panics
/// When the variable is not a positive whole number.
pub fn scaled(count: usize) -> usize {
    match std::env::var(VARIABLE) {
        Err(_) => count,
        Ok(text) => {
            let factor: usize = text.parse().unwrap_or(0);
            assert!(
                factor > 0,
                "{VARIABLE} must be a positive whole number, not {text:?}"
            );
            count * factor
        }
    }
}
