//! Two states, line against line: which objects differ, and in which fields.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;

use serde_json::Value;

/// One field of one thing that two states do not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discrepancy {
    /// What it is about: the words of its line before the values, e.g. `object ch_1 charge`.
    pub subject: String,
    /// The field; none where only one of the states has the whole thing.
    pub field: Option<String>,
    /// Its value, or the values of the whole thing, in the first state.
    pub first: Option<String>,
    /// The same in the other.
    pub other: Option<String>,
}

/// The names of a lot's columns, in their order.
const LOT_COLUMNS: [&str; 7] = [
    "granted",
    "available",
    "held",
    "frozen",
    "consumed",
    "expired",
    "revoked",
];

/// Where two states differ, given the lines of both in byte order. One line of each is held at a time.
pub fn discrepancies<E>(
    first: impl Iterator<Item = Result<String, E>>,
    other: impl Iterator<Item = Result<String, E>>,
) -> impl Iterator<Item = Result<Discrepancy, E>> {
    let mut pairs = Pairs {
        first: first.peekable(),
        other: other.peekable(),
    };
    let mut of_pair = Vec::new().into_iter();
    std::iter::from_fn(move || {
        loop {
            if let Some(discrepancy) = of_pair.next() {
                return Some(Ok(discrepancy));
            }
            match pairs.next()? {
                Ok((first, other)) => of_pair = compare(first.as_deref(), other.as_deref()).into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

/// Lines of the same subject side by side.
struct Pairs<A: Iterator, B: Iterator> {
    first: Peekable<A>,
    other: Peekable<B>,
}

type Pair = (Option<String>, Option<String>);

impl<E, A, B> Pairs<A, B>
where
    A: Iterator<Item = Result<String, E>>,
    B: Iterator<Item = Result<String, E>>,
{
    fn next(&mut self) -> Option<Result<Pair, E>> {
        let order = match (self.first.peek(), self.other.peek()) {
            (Some(Ok(first)), Some(Ok(other))) => {
                let (first, other) = (Thing::read(first).subject, Thing::read(other).subject);
                first.cmp(other)
            }
            (None, None) => return None,
            (Some(Err(_)), _) | (_, None) => Ordering::Less,
            (_, Some(_)) => Ordering::Greater,
        };
        let first = (order != Ordering::Greater)
            .then(|| self.first.next())
            .flatten()
            .transpose();
        let other = (order != Ordering::Less)
            .then(|| self.other.next())
            .flatten()
            .transpose();
        Some(first.and_then(|first| Ok((first, other?))))
    }
}

fn compare(first: Option<&str>, other: Option<&str>) -> Vec<Discrepancy> {
    if first == other {
        return Vec::new();
    }
    let (Some(first), Some(other)) = (first.map(Thing::read), other.map(Thing::read)) else {
        let text = |line: Option<&str>| line.map(|line| Thing::read(line).values.to_owned());
        let subject = first.or(other).map(|line| Thing::read(line).subject.to_owned());
        return vec![Discrepancy {
            subject: subject.unwrap_or_default(),
            field: None,
            first: text(first),
            other: text(other),
        }];
    };
    let (mut of_first, mut of_other) = (first.fields(), other.fields());
    let names: Vec<String> = of_first.keys().chain(of_other.keys()).cloned().collect();
    let mut found: Vec<Discrepancy> = names
        .into_iter()
        .map(|name| Discrepancy {
            subject: first.subject.to_owned(),
            first: of_first.remove(&name),
            other: of_other.remove(&name),
            field: Some(name),
        })
        .filter(|discrepancy| discrepancy.first != discrepancy.other)
        .collect();
    found.sort_unstable_by(|one, another| one.field.cmp(&another.field));
    found
}

/// A line, parted into what it is about and its values.
#[derive(Clone, Copy)]
struct Thing<'a> {
    subject: &'a str,
    values: &'a str,
}

impl<'a> Thing<'a> {
    fn read(line: &'a str) -> Self {
        let kind = line.split(' ').next().unwrap_or_default();
        let values_at = match kind {
            "object" | "subscription" | "trial" => line.find(" {"),
            // The account, the grant and the unit stand before the numbers.
            "lot" => line.match_indices(' ').nth(3).map(|(at, _)| at),
            _ => line.rfind(' '),
        };
        let (subject, values) = line.split_at(values_at.unwrap_or(line.len()));
        Self {
            subject,
            values: values.trim_start(),
        }
    }

    fn fields(self) -> BTreeMap<String, String> {
        if self.subject.starts_with("lot ") {
            let columns = LOT_COLUMNS.iter().zip(self.values.splitn(LOT_COLUMNS.len(), ' '));
            return columns
                .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
                .collect();
        }
        match serde_json::from_str(self.values) {
            Ok(Value::Object(map)) => map
                .into_iter()
                .map(|(key, value)| (key, value.to_string()))
                .collect(),
            _ => BTreeMap::from([("amount".to_owned(), self.values.to_owned())]),
        }
    }
}

impl fmt::Display for Discrepancy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject.strip_prefix("object ").unwrap_or(&self.subject);
        let field = self.field.as_deref().unwrap_or_default();
        let space = if field.is_empty() { "" } else { " " };
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(
            f,
            "{subject}{space}{field}: {} and {}",
            value(&self.first),
            value(&self.other)
        )
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn told(first: &[&str], other: &[&str]) -> Vec<String> {
        let lines = |lines: &[&str]| {
            assert!(lines.is_sorted(), "lines of a state are");
            let lines: Vec<Result<String, Infallible>> =
                lines.iter().map(|line| Ok((*line).to_owned())).collect();
            lines.into_iter()
        };
        discrepancies(lines(first), lines(other))
            .map(|Ok(discrepancy)| discrepancy.to_string())
            .collect()
    }

    #[test]
    fn equal_states_differ_in_nothing() {
        let lines = ["debt a CREDIT 5", "object ch_1 charge {\"amount\":5}"];
        assert_eq!(told(&lines, &lines), Vec::<String>::new());
        assert_eq!(told(&[], &[]), Vec::<String>::new());
    }

    #[test]
    fn what_differs_is_named_by_object_and_field_with_both_values() {
        let first = [
            "ledger refund:re_1 1110 USD 2026-01-31 -500",
            "lot acme grant:pi_1 CREDIT 1000 500 0 0 0 0 500",
            "object ch_1 charge {\"amount\":500,\"amount_refunded\":500,\"status\":\"succeeded\"}",
            "subscription acme sub_1 {\"status\":\"active\"}",
        ];
        let other = [
            "ledger refund:re_1 1110 USD 2026-01-31 -400",
            "lot acme grant:pi_1 CREDIT 1000 600 0 0 0 0 400 moved 7",
            "object ch_1 charge {\"amount\":500,\"amount_refunded\":400,\"status\":\"succeeded\"}",
            "subscription acme sub_1 {\"ended_at\":5,\"status\":\"canceled\"}",
        ];
        assert_eq!(
            told(&first, &other),
            [
                "ledger refund:re_1 1110 USD 2026-01-31 amount: -500 and -400",
                "lot acme grant:pi_1 CREDIT available: 500 and 600",
                "lot acme grant:pi_1 CREDIT revoked: 500 and 400 moved 7",
                "ch_1 charge amount_refunded: 500 and 400",
                "subscription acme sub_1 ended_at: nothing and 5",
                "subscription acme sub_1 status: \"active\" and \"canceled\"",
            ]
        );
    }

    #[test]
    fn what_only_one_state_has_is_named_once() {
        let first = ["object ch_1 charge {\"amount\":5}", "trial acme sub_1 {}"];
        let other = ["debt acme CREDIT 5", "object ch_2 charge {\"amount\":5}"];
        assert_eq!(
            told(&first, &other),
            [
                "debt acme CREDIT: nothing and 5",
                "ch_1 charge: {\"amount\":5} and nothing",
                "ch_2 charge: nothing and {\"amount\":5}",
                "trial acme sub_1: {} and nothing",
            ]
        );
    }
}
