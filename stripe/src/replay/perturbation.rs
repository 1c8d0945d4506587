//! Disturbing a stream as Stripe does, but by seed: shuffled, delivered twice, as twins, with events lost.

use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::Value;

use crate::json::{parse_strict, sha256_hex};

/// What to do to a stream. The same value and the same stream give the same steps, on any machine and release: the
/// generator is `ChaCha8`, and sampling is written out here instead of borrowed from a library that may change it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Perturbation {
    /// Of all that is left to chance below.
    pub seed: u64,
    /// Every order as likely as any other. Without it copies follow their originals.
    pub shuffle: bool,
    /// How likely each event is delivered once more.
    pub duplicate: Probability,
    /// How likely each event has a twin: another event id for the same change.
    pub twins: Probability,
    /// Ids of events that never arrive, neither they nor their copies.
    pub drop: Vec<String>,
}

/// One delivery to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Index of the recorded event.
    pub event: usize,
    /// Send it as its twin: [`twin_of`] its body.
    pub twin: bool,
}

impl Perturbation {
    /// The deliveries to make of the events with these ids, in this order.
    pub fn plan<'a>(&self, event_ids: impl IntoIterator<Item = &'a str>) -> Vec<Step> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut steps = Vec::new();
        for (event, id) in event_ids.into_iter().enumerate() {
            // Drawn for dropped events, too: dropping one must not deal the others anew.
            let duplicate = self.duplicate.happens(&mut random);
            let twin = self.twins.happens(&mut random);
            if self.drop.iter().any(|dropped| dropped == id) {
                continue;
            }
            steps.push(Step { event, twin: false });
            steps.extend(duplicate.then_some(Step { event, twin: false }));
            steps.extend(twin.then_some(Step { event, twin: true }));
        }
        if self.shuffle {
            shuffle(&mut steps, &mut random);
        }
        steps
    }
}

/// Fisher-Yates.
fn shuffle(steps: &mut [Step], random: &mut ChaCha8Rng) {
    for last in (1..steps.len()).rev() {
        steps.swap(last, below(last + 1, random));
    }
}

/// A number below `bound`: the high word of a 64 by 64 bit product. Its bias is bound / 2^64.
fn below(bound: usize, random: &mut ChaCha8Rng) -> usize {
    let product = u128::from(random.next_u64()) * bound as u128;
    usize::try_from(product >> 64).expect("less than the bound")
}

/// The body of a second event for the same change: as Stripe makes them now and then, with another id and all else equal.
/// The id derives from the original's. `None` if the body is no event with an id.
pub fn twin_of(body: &[u8]) -> Option<Vec<u8>> {
    let mut body = parse_strict(std::str::from_utf8(body).ok()?).ok()?;
    let event = match &body {
        Value::Object(map) if map.get("detail").is_some_and(Value::is_object) => body.get_mut("detail")?,
        Value::Object(map) if map.contains_key("specversion") => body.get_mut("data")?,
        _ => &mut body,
    };
    let id = event.get_mut("id")?;
    let twin_id = format!("evt_twin{}", &sha256_hex(id.as_str()?.as_bytes())[..24]);
    *id = Value::String(twin_id);
    Some(body.to_string().into_bytes())
}

/// A probability in millionths, read from a decimal such as `0.05`. Exact, so that a plan is the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Probability {
    millionths: u32,
}

/// Not a decimal from 0 to 1 with at most six places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no probability: a decimal from 0 to 1 with at most six places")]
pub struct ProbabilityError(String);

impl Probability {
    const CERTAIN: u32 = 1_000_000;

    /// So many in a million; more is certain.
    pub fn from_millionths(millionths: u32) -> Self {
        Self {
            millionths: millionths.min(Self::CERTAIN),
        }
    }

    fn happens(self, random: &mut ChaCha8Rng) -> bool {
        below(Self::CERTAIN as usize, random) < self.millionths as usize
    }
}

impl FromStr for Probability {
    type Err = ProbabilityError;

    fn from_str(text: &str) -> Result<Self, ProbabilityError> {
        let refuse = || ProbabilityError(text.to_owned());
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + places.len() == 0 || places.len() > 6 || !digits(whole) || !digits(places) {
            return Err(refuse());
        }
        let whole: u32 = format!("0{whole}").parse().map_err(|_| refuse())?;
        let places: u32 = format!("{places:0<6}").parse().map_err(|_| refuse())?;
        let millionths = whole
            .checked_mul(Self::CERTAIN)
            .and_then(|it| it.checked_add(places));
        match millionths {
            Some(millionths) if millionths <= Self::CERTAIN => Ok(Self { millionths }),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("evt_{index}")).collect()
    }

    fn plan(perturbation: &Perturbation, count: usize) -> Vec<Step> {
        perturbation.plan(ids(count).iter().map(String::as_str))
    }

    #[test]
    fn nothing_asked_changes_nothing() {
        let steps = plan(&Perturbation::default(), 3);
        assert_eq!(steps, [0, 1, 2].map(|event| Step { event, twin: false }));
    }

    #[test]
    fn a_seed_is_a_promise() {
        let perturbation = Perturbation {
            seed: 7,
            shuffle: true,
            ..Perturbation::default()
        };
        let order: Vec<usize> = plan(&perturbation, 10).iter().map(|step| step.event).collect();
        assert_eq!(order, SEED_7, "a changed order breaks every recorded seed");
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        let other = Perturbation {
            seed: 8,
            ..perturbation
        };
        assert_ne!(
            order,
            plan(&other, 10).iter().map(|step| step.event).collect::<Vec<_>>()
        );
    }

    const SEED_7: [usize; 10] = [5, 9, 6, 3, 2, 1, 8, 0, 7, 4];

    #[test]
    fn copies_come_about_as_often_as_asked() {
        let perturbation = Perturbation {
            duplicate: "0.2".parse().unwrap(),
            twins: "0.05".parse().unwrap(),
            ..Perturbation::default()
        };
        let steps = plan(&perturbation, 10_000);
        let twins = steps.iter().filter(|step| step.twin).count();
        let duplicates = steps.len() - 10_000 - twins;
        assert!((1_850..2_150).contains(&duplicates), "{duplicates}");
        assert!((430..570).contains(&twins), "{twins}");
        let all = Perturbation {
            duplicate: "1".parse().unwrap(),
            ..Perturbation::default()
        };
        assert_eq!(plan(&all, 100).len(), 200);
    }

    #[test]
    fn a_dropped_event_leaves_the_others_as_they_were() {
        let whole = Perturbation {
            seed: 3,
            duplicate: "0.5".parse().unwrap(),
            ..Perturbation::default()
        };
        let without = Perturbation {
            drop: vec!["evt_4".into()],
            ..whole.clone()
        };
        let mut expected = plan(&whole, 50);
        expected.retain(|step| step.event != 4);
        assert_eq!(plan(&without, 50), expected);
    }

    #[test]
    fn a_twin_differs_in_its_id_alone() {
        use crate::event::{Delivery, parse};
        let body = br#"{"id":"evt_1","type":"customer.created","created":5,"request":{"id":"req_1"},
            "data":{"object":{"id":"cus_1","object":"customer"}}}"#;
        let read = |body: &[u8]| match parse(body).unwrap() {
            Delivery::Event(event) => event.snapshot,
            Delivery::Thin(_) => panic!("not thin"),
        };
        let (original, mut twin) = (read(body), read(&twin_of(body).unwrap()));
        assert_ne!(twin.event_id, original.event_id);
        assert_ne!(twin.content_hash, original.content_hash);
        twin.event_id.clone_from(&original.event_id);
        twin.content_hash.clone_from(&original.content_hash);
        assert_eq!(twin, original);
        assert_eq!(twin_of(body), twin_of(body), "derived, not drawn");
        assert_eq!(twin_of(b"{}"), None);
    }

    #[test]
    fn probabilities_are_decimals_from_0_to_1() {
        for (text, millionths) in [
            ("0", 0),
            ("1", 1_000_000),
            ("0.2", 200_000),
            (".05", 50_000),
            ("0.000001", 1),
            ("1.0", 1_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Probability { millionths }), "{text}");
        }
        for text in [
            "",
            ".",
            "1.1",
            "2",
            "-0.1",
            "0.0000001",
            "1e-3",
            "NaN",
            "0,2",
            "99999999999",
        ] {
            assert!(text.parse::<Probability>().is_err(), "{text}");
        }
    }
}
