//! Lists: `?limit=` (1 to 200) and `?cursor=`, answered with `{"data": [..], "next_cursor": ..}`.
//!
//! A cursor is the key of the last thing shown, as hexadecimal so that nobody is tempted to make one up. What comes
//! after it in the list's own order is the next page; a thing added before it does not shift the page.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use tallybook_projections::reads;

use super::problem::Problem;

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 200;

/// Which page.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageRequest {
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    cursor: Option<String>,
}

/// One page.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// What is on it.
    pub data: Vec<T>,
    /// Where the next one begins; none on the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of a read model's list.
    pub fn of_rows<R: Into<T>>(rows: reads::Rows<R>) -> Self {
        Self {
            data: rows.data.into_iter().map(Into::into).collect(),
            next_cursor: rows.next_cursor.map(|cursor| cursor.to_string()),
        }
    }
}

/// How many things a page may show.
#[derive(Debug, Clone, Copy)]
pub struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .ok()
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .map(Self)
            .ok_or_else(|| de::Error::custom("a limit is 1 to 200"))
    }
}

impl Limit {
    /// As a number.
    pub fn get(self) -> usize {
        self.0
    }
}

impl PageRequest {
    /// So many after a cursor.
    pub fn new(limit: Limit, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// The same of a read model's list.
    pub fn of_rows(&self) -> Result<reads::Page, Problem> {
        let after = self
            .cursor
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|_| not_ours())?;
        let limit = u32::try_from(self.limit()).ok();
        reads::Page::new(limit, after).map_err(|error| Problem::invalid_field("limit", error.to_string()))
    }

    /// How many.
    pub fn limit(&self) -> usize {
        self.limit.0
    }

    /// The key of the last thing shown before.
    pub fn after(&self) -> Result<Option<String>, Problem> {
        self.cursor.as_deref().map(decode).transpose()
    }

    /// The number that everything on the page is below, of a list by number, newest first.
    pub fn below(&self) -> Result<i64, Problem> {
        let Some(after) = self.after()? else {
            return Ok(i64::MAX);
        };
        after.parse().map_err(|_| not_ours())
    }

    /// How many rows to ask for to know whether there is a page after this one.
    pub fn with_one_more(&self) -> i64 {
        i64::try_from(self.limit()).map_or(i64::MAX, |limit| limit.saturating_add(1))
    }

    /// A page of rows that were asked for by number, newest first, [with one more](Self::with_one_more) than it shows.
    pub fn of_numbered<T>(&self, mut rows: Vec<T>, number: impl Fn(&T) -> i64) -> Page<T> {
        let is_last = rows.len() <= self.limit();
        rows.truncate(self.limit());
        let last = rows.last().filter(|_| !is_last);
        Page {
            next_cursor: last.map(|row| encode(&number(row).to_string())),
            data: rows,
        }
    }

    /// A page of things that come sorted by key.
    pub fn of_sorted<'a, T, B>(
        &self,
        things: impl Iterator<Item = (&'a str, T)>,
        show: impl Fn(T) -> B,
    ) -> Result<Page<B>, Problem> {
        let after = self.after()?;
        let mut rest = things
            .skip_while(|(key, _)| after.as_deref().is_some_and(|after| *key <= after))
            .peekable();
        let mut data = Vec::new();
        let mut last = None;
        while data.len() < self.limit()
            && let Some((key, thing)) = rest.next()
        {
            data.push(show(thing));
            last = Some(key);
        }
        let next_cursor = rest.peek().and(last).map(encode);
        Ok(Page { data, next_cursor })
    }
}

/// The cursor behind a key.
pub fn encode(key: &str) -> String {
    hex::encode(key)
}

fn decode(cursor: &str) -> Result<String, Problem> {
    hex::decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(not_ours)
}

fn not_ours() -> Problem {
    Problem::invalid_field("cursor", "not a cursor of ours: take next_cursor as it comes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_without_a_gap() {
        let things = ["a", "b", "c", "d", "e"];
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let request = PageRequest {
                limit: Limit(2),
                cursor: cursor.clone(),
            };
            let page = request.of_sorted(things.iter().map(|t| (*t, *t)), |t| t).unwrap();
            seen.extend(page.data);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, things);
    }

    #[test]
    fn a_made_up_cursor_is_refused() {
        let request = PageRequest {
            cursor: Some("zz".to_owned()),
            ..PageRequest::default()
        };
        assert_eq!(request.after().unwrap_err().code(), "invalid_field");
    }
}
