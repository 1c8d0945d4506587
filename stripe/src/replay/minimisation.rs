//! From a run that went wrong to the few deliveries that make it go wrong.

/// A search by removal: [`candidate`](Self::candidate) is tried by the caller (who may need a database and time for it),
/// [`report`](Self::report) tells how it went. What is left in the end is enough, and no single element of it can be
/// missed.
///
/// First large pieces are removed, then halves of them, down to single elements: n log n trials where little matters, at
/// worst n^2.
#[derive(Debug, Clone)]
pub struct Minimisation<T> {
    failing: Vec<T>,
    piece: usize,
    start: usize,
    removed_in_pass: bool,
}

impl<T: Clone> Minimisation<T> {
    /// A search that starts from everything, which is known to fail.
    pub fn new(failing: Vec<T>) -> Self {
        let piece = failing.len().div_ceil(2);
        Self {
            failing,
            piece,
            start: 0,
            removed_in_pass: false,
        }
    }

    /// The next smaller set to try, in order; `None` when nothing more can be removed.
    pub fn candidate(&self) -> Option<Vec<T>> {
        if self.start >= self.failing.len() {
            return None;
        }
        let (before, rest) = self.failing.split_at(self.start);
        Some([before, &rest[self.piece.min(rest.len())..]].concat())
    }

    /// Whether the candidate failed as the whole did.
    pub fn report(&mut self, still_fails: bool) {
        if still_fails {
            let end = self.failing.len().min(self.start + self.piece);
            self.failing.drain(self.start..end);
            self.removed_in_pass = true;
        } else {
            self.start += self.piece;
        }
        let pass_is_over = self.start >= self.failing.len();
        if pass_is_over && (self.piece > 1 || self.removed_in_pass) {
            self.piece = (self.piece / 2).max(1);
            self.start = 0;
            self.removed_in_pass = false;
        }
    }

    /// The smallest failing set so far, in order.
    pub fn smallest(&self) -> &[T] {
        &self.failing
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minimise(count: usize, fails: impl Fn(&[usize]) -> bool) -> (Vec<usize>, usize) {
        let mut search = Minimisation::new((0..count).collect());
        let mut trials = 0;
        while let Some(candidate) = search.candidate() {
            trials += 1;
            let still_fails = fails(&candidate);
            search.report(still_fails);
        }
        (search.smallest().to_vec(), trials)
    }

    #[test]
    fn one_guilty_among_a_thousand_is_found_in_few_trials() {
        let (smallest, trials) = minimise(1000, |set| set.contains(&617));
        assert_eq!(smallest, [617]);
        assert!(trials < 40, "{trials}");
    }

    #[test]
    fn what_fails_without_anything_minimises_to_nothing() {
        assert_eq!(minimise(50, |_| true).0, Vec::<usize>::new());
        assert_eq!(minimise(0, |_| true), (Vec::new(), 0));
        assert_eq!(minimise(3, |set| set.len() == 3).0, [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn exactly_the_guilty_remain_in_order(guilty in proptest::collection::btree_set(0_usize..60, 1..6)) {
            let (smallest, _) = minimise(60, |set| guilty.iter().all(|it| set.contains(it)));
            prop_assert_eq!(smallest, guilty.into_iter().collect::<Vec<_>>());
        }
    }
}
