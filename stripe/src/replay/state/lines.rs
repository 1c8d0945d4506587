//! From parts in any order to the lines of a state, and their hash.

use std::iter::Peekable;

use sha2::{Digest, Sha256};

/// A line of the state, or a share of one. Shares of a line may come from far apart and are summed once all parts are sorted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// The line. Of a share, all of it that stands before the sum; it ends with a space, so that parts sort as lines do.
    pub text: String,
    /// What the share adds.
    pub net: Option<i128>,
}

/// The lines that sorted parts make, in byte order: equal ones once, shares summed, sums of zero dropped.
pub struct Lines<I: Iterator> {
    parts: Peekable<I>,
}

impl<E, I: Iterator<Item = Result<Part, E>>> Lines<I> {
    /// Lines of parts that come in their order.
    pub fn new(parts: I) -> Self {
        Self {
            parts: parts.peekable(),
        }
    }

    /// A part and all that follow with the same text, as one.
    fn whole(&mut self, mut part: Part) -> Result<Part, E> {
        while let Some(Ok(next)) = self.parts.peek()
            && next.text == part.text
        {
            let share = self.parts.next().transpose()?.and_then(|next| next.net);
            part.net = match (part.net, share) {
                (Some(sum), Some(share)) => Some(sum + share),
                (sum, share) => sum.or(share),
            };
        }
        Ok(part)
    }
}

impl<E, I: Iterator<Item = Result<Part, E>>> Iterator for Lines<I> {
    type Item = Result<String, E>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let whole = self.parts.next()?.and_then(|part| self.whole(part));
            match whole {
                Err(error) => return Some(Err(error)),
                Ok(Part { net: Some(0), .. }) => {}
                Ok(Part { text, net: Some(sum) }) => return Some(Ok(format!("{text}{sum}"))),
                Ok(Part { text, net: None }) => return Some(Ok(text)),
            }
        }
    }
}

/// SHA-256 over lines, each ended by a newline.
#[derive(Debug, Default)]
pub struct LinesHash(Sha256);

impl LinesHash {
    /// Take in the next line.
    pub fn add(&mut self, line: &str) {
        self.0.update(line);
        self.0.update("\n");
    }

    /// Lower hex.
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn lines(parts: &[(&str, Option<i128>)]) -> Vec<String> {
        let mut parts: Vec<Part> = parts
            .iter()
            .map(|(text, net)| Part {
                text: (*text).to_owned(),
                net: *net,
            })
            .collect();
        parts.sort();
        Lines::new(parts.into_iter().map(Ok::<_, Infallible>))
            .map(|Ok(line)| line)
            .collect()
    }

    #[test]
    fn shares_are_summed_wherever_they_come_from_and_nothing_is_no_line() {
        let parts = [
            ("ledger b 1110 USD 2026-01-01 ", Some(5)),
            ("object z", None),
            ("ledger a 1110 USD 2026-01-01 ", Some(7)),
            ("object z", None),
            ("ledger b 1110 USD 2026-01-01 ", Some(-5)),
            ("ledger a 1110 USD 2026-01-01 ", Some(-10)),
            ("debt y CREDIT 1", None),
        ];
        assert_eq!(
            lines(&parts),
            ["debt y CREDIT 1", "ledger a 1110 USD 2026-01-01 -3", "object z"]
        );
    }

    #[test]
    fn parts_sort_as_their_lines_do() {
        let parts = [
            ("ledger pay:pi_1 1110 USD 2026-01-01 ", Some(1)),
            ("ledger pay:pi_1! 1110 USD 2026-01-01 ", Some(1)),
            ("ledger pay:pi_10 1110 USD 2026-01-01 ", Some(-9)),
            ("ledger pay:pi_1 111 USD 2026-01-01 ", Some(1)),
        ];
        let made = lines(&parts);
        let mut sorted = made.clone();
        sorted.sort();
        assert_eq!(made, sorted);
        assert_eq!(made.len(), 4);
    }
}
