//! Disturbing a stream as Stripe does, but by seed: in another order, late, delivered twice, as twins, with events lost.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::envelope;
use crate::json::{parse_strict, sha256_hex};

/// What to do to a stream. The same value and the same stream give the same steps, on any machine and release: the
/// generator is `ChaCha8`, and sampling is written out here instead of borrowed from a library that may change it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Perturbation {
    /// Of all that is left to chance below.
    pub seed: u64,
    /// In which order events arrive.
    pub order: Order,
    /// How many places a delivery may come late, at most.
    pub jitter: u32,
    /// How likely each event is delivered once more.
    pub duplicate: Probability,
    /// How likely each event has a twin: another event id for the same change.
    pub twins: Probability,
    /// The events that never arrive, neither they nor their copies, by index.
    pub drop: BTreeSet<u32>,
}

/// In which order events arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As they were recorded, copies right after their originals.
    #[default]
    Recorded,
    /// The last one first.
    Reversed,
    /// Every order as likely as any other.
    Shuffled,
}

/// One delivery to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Index of the recorded event.
    pub event: u32,
    /// Send it as its twin: [`twin_of`] its body.
    pub twin: bool,
}

impl Perturbation {
    /// The deliveries to make of a stream of so many events: some bytes each, whatever their bodies hold.
    pub fn plan(&self, events: u32) -> Vec<Step> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut steps = Vec::with_capacity(events as usize);
        for event in 0..events {
            // Drawn for dropped events, too: dropping one must not deal the others anew.
            let duplicate = self.duplicate.happens(&mut random);
            let twin = self.twins.happens(&mut random);
            if self.drop.contains(&event) {
                continue;
            }
            steps.push(Step { event, twin: false });
            steps.extend(duplicate.then_some(Step { event, twin: false }));
            steps.extend(twin.then_some(Step { event, twin: true }));
        }
        match self.order {
            Order::Recorded => {}
            Order::Reversed => steps.reverse(),
            Order::Shuffled => shuffle(&mut steps, &mut random),
        }
        if self.jitter > 0 {
            delay(&mut steps, self.jitter, &mut random);
        }
        steps
    }
}

/// Each step up to `jitter` places later: those that are late wait in a window of that size.
fn delay(steps: &mut [Step], jitter: u32, random: &mut ChaCha8Rng) {
    let mut late = BinaryHeap::new();
    let mut arrived = 0;
    for place in 0..=steps.len() {
        if let Some(step) = steps.get(place) {
            late.push(Reverse((
                place + below(jitter as usize + 1, random),
                place,
                *step,
            )));
        }
        let nobody_follows = place == steps.len();
        while let Some(Reverse((due, _, step))) = late.peek()
            && (*due <= place || nobody_follows)
        {
            steps[arrived] = *step;
            arrived += 1;
            late.pop();
        }
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

/// The body of a second event for the same change: as Stripe makes them now and then, with another id and every other byte
/// the same. The id derives from the original's. `None` if the body is no event with an id.
pub fn twin_of(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let Value::Object(read) = parse_strict(text).ok()? else {
        return None;
    };
    let event = match envelope::event_key(&read) {
        Some(key) => member(text, key)?,
        None => text,
    };
    let id = member(event, "id")?;
    let original: String = serde_json::from_str(id).ok()?;
    let twin = format!("\"evt_twin{}\"", &sha256_hex(original.as_bytes())[..24]);
    let start = id.as_ptr() as usize - text.as_ptr() as usize;
    let (before, after) = (&text[..start], &text[start + id.len()..]);
    Some([before, twin.as_str(), after].concat().into_bytes())
}

/// The text of a member of an object.
fn member<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let members: BTreeMap<String, &'a RawValue> = serde_json::from_str(object).ok()?;
    members.get(key).map(|value| value.get())
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

    fn events(steps: &[Step]) -> Vec<u32> {
        steps.iter().map(|step| step.event).collect()
    }

    #[test]
    fn nothing_asked_changes_nothing() {
        let steps = Perturbation::default().plan(3);
        assert_eq!(steps, [0, 1, 2].map(|event| Step { event, twin: false }));
    }

    #[test]
    fn a_seed_is_a_promise() {
        let perturbation = Perturbation {
            seed: 7,
            order: Order::Shuffled,
            ..Perturbation::default()
        };
        let order = events(&perturbation.plan(10));
        assert_eq!(order, SEED_7, "a changed order breaks every recorded seed");
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        let other = Perturbation {
            seed: 8,
            ..perturbation
        };
        assert_ne!(order, events(&other.plan(10)));
    }

    const SEED_7: [u32; 10] = [5, 9, 6, 3, 2, 1, 8, 0, 7, 4];

    #[test]
    fn reversed_the_last_comes_first_and_copies_before_their_originals() {
        let perturbation = Perturbation {
            order: Order::Reversed,
            twins: "1".parse().unwrap(),
            ..Perturbation::default()
        };
        let steps = [(1, true), (1, false), (0, true), (0, false)];
        assert_eq!(
            perturbation.plan(2),
            steps.map(|(event, twin)| Step { event, twin })
        );
    }

    #[test]
    fn jitter_is_late_by_no_more_places_than_asked_and_loses_nothing() {
        let perturbation = Perturbation {
            seed: 5,
            jitter: 20,
            ..Perturbation::default()
        };
        let order = events(&perturbation.plan(1_000));
        let late = |(place, event): (usize, &u32)| i64::try_from(place).unwrap() - i64::from(*event);
        let latest = order.iter().enumerate().map(late).max().unwrap();
        assert!((10..=20).contains(&latest), "{latest}");
        let moved = order.iter().enumerate().filter(|it| late(*it) != 0).count();
        assert!(moved > 800, "{moved}");
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn copies_come_about_as_often_as_asked() {
        let perturbation = Perturbation {
            duplicate: "0.2".parse().unwrap(),
            twins: "0.05".parse().unwrap(),
            ..Perturbation::default()
        };
        let steps = perturbation.plan(10_000);
        let twins = steps.iter().filter(|step| step.twin).count();
        let duplicates = steps.len() - 10_000 - twins;
        assert!((1_850..2_150).contains(&duplicates), "{duplicates}");
        assert!((430..570).contains(&twins), "{twins}");
        let all = Perturbation {
            duplicate: "1".parse().unwrap(),
            ..Perturbation::default()
        };
        assert_eq!(all.plan(100).len(), 200);
    }

    #[test]
    fn a_dropped_event_leaves_the_others_as_they_were() {
        let whole = Perturbation {
            seed: 3,
            duplicate: "0.5".parse().unwrap(),
            ..Perturbation::default()
        };
        let without = Perturbation {
            drop: BTreeSet::from([4]),
            ..whole.clone()
        };
        let mut expected = whole.plan(50);
        expected.retain(|step| step.event != 4);
        assert_eq!(without.plan(50), expected);
    }

    #[test]
    fn a_step_takes_eight_bytes() {
        assert_eq!(size_of::<Step>(), 8, "millions of them are held at once");
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
    fn a_twin_has_every_other_byte_of_its_original_in_an_envelope_too() {
        // Numbers that no reader keeps exactly, white space, escapes: written anew they would be another change.
        let event = |id: &str| {
            format!(
                "{{ \"object\":\"event\", \"id\": {id},\"type\":\"x.y\",\"created\":1, \"detail\":{{\"id\":\"not_this\"}},\
                 \"data\":{{\"object\":{{\"id\":\"x_1\",\"n\":170033333333333333333333333333333333333300,\"t\":\"\\u00e9\"}}}}}}"
            )
        };
        let twin = format!("\"evt_twin{}\"", &sha256_hex(b"evt_1")[..24]);
        let envelopes: [fn(&str) -> String; 3] = [
            |event| event.to_owned(),
            |event| format!("{{\"id\":\"bus\",\"detail\":{event}}}"),
            |event| format!("{{\"specversion\":\"1.0\",\"data\":{event},\"id\":\"bus\"}}"),
        ];
        for envelope in envelopes {
            let made = twin_of(envelope(&event("\"evt_\\u0031\"")).as_bytes()).unwrap();
            assert_eq!(String::from_utf8(made).unwrap(), envelope(&event(&twin)));
        }
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
