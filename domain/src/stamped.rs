//! Events of the aggregates that have one family of facts: a catalog, a claim, a treasury.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::aggregate::{DecodeError, Event, Timestamp};

/// A family of facts, as declared by `event_family!`: its names and versions on the wire.
pub trait Family:
    Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static
{
    /// Wire name and newest version of every fact of the family.
    const CONTRACT: &'static [(&'static str, u32)];
    /// The name on the wire.
    fn name(&self) -> &'static str;
    /// The version on the wire.
    fn version(&self) -> u32;
}

/// Make declared families usable in [`Stamped`].
macro_rules! families {
    ($($family:ty),+ $(,)?) => {$(
        impl $crate::stamped::Family for $family {
            const CONTRACT: &'static [(&'static str, u32)] = <$family>::CONTRACT;

            fn name(&self) -> &'static str {
                <$family>::name(self)
            }

            fn version(&self) -> u32 {
                <$family>::version(self)
            }
        }
    )+};
}

pub(crate) use families;

/// A fact with its two dates: one flat object on the wire, `"type"` first, the dates last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped<F> {
    /// What happened.
    #[serde(flatten)]
    pub fact: F,
    /// When it was judged.
    pub at: Timestamp,
    /// When it is true.
    pub effective_at: Timestamp,
}

impl<F: Family> Stamped<F> {
    /// Wire name and newest version of every event of the stream.
    pub fn contract() -> impl Iterator<Item = (&'static str, u32)> {
        F::CONTRACT.iter().copied()
    }
}

impl<F: Family> Event for Stamped<F> {
    fn name(&self) -> &'static str {
        self.fact.name()
    }

    fn version(&self) -> u32 {
        self.fact.version()
    }

    fn decode(name: &str, version: u32, payload: &str) -> Result<Self, DecodeError> {
        let (_, known) =
            Self::contract()
                .find(|(n, _)| *n == name)
                .ok_or_else(|| DecodeError::UnknownName {
                    name: name.to_owned(),
                    version,
                })?;
        if version == 0 || version > known {
            return Err(DecodeError::UnknownVersion {
                name: name.to_owned(),
                version,
                known,
            });
        }
        let malformed = |reason: String| DecodeError::Malformed {
            name: name.to_owned(),
            version,
            reason,
        };
        let event: Self = serde_json::from_str(payload).map_err(|e| malformed(e.to_string()))?;
        if event.name() == name {
            Ok(event)
        } else {
            Err(malformed(format!("its type is {}", event.name())))
        }
    }
}
