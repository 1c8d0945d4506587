//! One page of a list.

use std::fmt;
use std::str::FromStr;

/// The most rows a page has.
const LIMIT_MAX: u32 = 200;

/// Where a page ends, to go on from. Opaque to callers; stays good for ever, since what it names stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(pub(crate) i64);

/// A text that no list gave out as a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct InvalidCursor;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{:x}", self.0)
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let digits = text.strip_prefix('c').ok_or(InvalidCursor)?;
        let is_hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        i64::from_str_radix(digits, 16)
            .ok()
            .filter(|_| is_hex)
            .map(Self)
            .ok_or(InvalidCursor)
    }
}

/// Which page is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    limit: u32,
    after: Option<Cursor>,
}

/// A limit outside 1 to 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page has 1 to 200 rows")]
pub struct InvalidLimit;

impl Page {
    /// So many rows after a cursor; 50 from the start if nothing is said.
    pub fn new(limit: Option<u32>, after: Option<Cursor>) -> Result<Self, InvalidLimit> {
        let limit = limit.unwrap_or(50);
        if (1..=LIMIT_MAX).contains(&limit) {
            Ok(Self { limit, after })
        } else {
            Err(InvalidLimit)
        }
    }

    /// The key of the last row seen.
    pub(crate) fn after(self) -> i64 {
        self.after.map_or(0, |cursor| cursor.0)
    }

    /// One row more than the page has tells whether there is a next one.
    pub(crate) fn fetch(self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cut what was fetched to the page.
    pub(crate) fn cut<T>(self, mut rows: Vec<T>, key: impl Fn(&T) -> i64) -> Rows<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Rows {
            next_cursor: rows.last().filter(|_| more).map(|row| Cursor(key(row))),
            data: rows,
        }
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows<T> {
    /// The rows, in the list's order.
    pub data: Vec<T>,
    /// Where to go on; none at the end.
    pub next_cursor: Option<Cursor>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went_and_nothing_else_does() {
        let cursor = Cursor(987_654_321);
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "c", "c-1", "c+1", "x1", "cffffffffffffffffff", "c1 ", "C1"] {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text:?}");
        }
    }

    #[test]
    fn a_page_has_one_to_two_hundred_rows() {
        assert!(Page::new(Some(0), None).is_err());
        assert!(Page::new(Some(201), None).is_err());
        let page = Page::new(Some(2), None).expect("lawful");
        let rows = page.cut(vec![1, 2, 3], |n| *n);
        assert_eq!((rows.data, rows.next_cursor), (vec![1, 2], Some(Cursor(2))));
        assert_eq!(page.cut(vec![1, 2], |n| *n).next_cursor, None);
    }
}
