//! The golden events: `<Name>.v<version>.json`, and `<Name>.v<version>.<case>.json` for further shapes of one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tallybook_domain::account::AccountEvent;
use tallybook_domain::catalog::CatalogEvent;
use tallybook_domain::claim::ClaimEvent;
use tallybook_domain::items::ItemEvent;
use tallybook_domain::treasury::TreasuryEvent;
use tallybook_domain::{DecodeError, Event};

/// An event of any of the domain's streams.
pub(crate) enum AnyEvent {
    Account(AccountEvent),
    Catalog(CatalogEvent),
    Claim(ClaimEvent),
    Item(ItemEvent),
    Treasury(TreasuryEvent),
}

pub(crate) struct Golden {
    /// The file's name without `.json`.
    pub(crate) stem: String,
    /// The event's name and version, by the file's name.
    pub(crate) name: String,
    pub(crate) version: u32,
    /// The event as stored, without the file's last line feed.
    pub(crate) payload: String,
}

impl Golden {
    /// Whether it is the one every event must have.
    pub(crate) fn is_the_first(&self) -> bool {
        self.stem == format!("{}.v{}", self.name, self.version)
    }

    pub(crate) fn event(&self) -> AnyEvent {
        decode(&self.name, self.version, &self.payload).unwrap_or_else(|e| panic!("{}: {e}", self.stem))
    }
}

pub(crate) fn decode(name: &str, version: u32, payload: &str) -> Result<AnyEvent, DecodeError> {
    let is_of =
        |mut contract: Box<dyn Iterator<Item = (&'static str, u32)>>| contract.any(|(n, _)| n == name);
    if is_of(Box::new(CatalogEvent::contract())) {
        return CatalogEvent::decode(name, version, payload).map(AnyEvent::Catalog);
    }
    if is_of(Box::new(ClaimEvent::contract())) {
        return ClaimEvent::decode(name, version, payload).map(AnyEvent::Claim);
    }
    if is_of(Box::new(ItemEvent::contract())) {
        return ItemEvent::decode(name, version, payload).map(AnyEvent::Item);
    }
    if is_of(Box::new(TreasuryEvent::contract())) {
        return TreasuryEvent::decode(name, version, payload).map(AnyEvent::Treasury);
    }
    AccountEvent::decode(name, version, payload).map(AnyEvent::Account)
}

/// Name and newest version of every event there is.
pub(crate) fn contract() -> impl Iterator<Item = (&'static str, u32)> {
    AccountEvent::contract()
        .chain(CatalogEvent::contract())
        .chain(ClaimEvent::contract())
        .chain(ItemEvent::contract())
        .chain(TreasuryEvent::contract())
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every file of the folder with its bytes, by name.
pub(crate) fn files() -> BTreeMap<String, String> {
    std::fs::read_dir(folder())
        .expect("the folder is committed")
        .map(|entry| entry.expect("readable").path())
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("text"))
        })
        .collect()
}

/// Every golden event, by the file's name.
pub(crate) fn all() -> Vec<Golden> {
    files()
        .into_iter()
        .filter_map(|(file, text)| {
            let stem = file.strip_suffix(".json")?.to_owned();
            let mut parts = stem.splitn(3, '.');
            let name = parts.next()?.to_owned();
            let version = parts.next()?.strip_prefix('v')?.parse().ok()?;
            let payload = text.strip_suffix('\n')?.to_owned();
            Some(Golden {
                stem,
                name,
                version,
                payload,
            })
        })
        .collect()
}
