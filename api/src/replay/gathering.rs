//! The canonical state of a tenant as its database has it, one stream and one object in memory at a time.

use std::io;

use chrono_tz::Tz;
use futures::TryStreamExt;
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::aggregate::{Aggregate, DecodeError, Event};
use tallybook_domain::identity::{AccountId, TenantId};
use tallybook_domain::treasury::{Treasury, TreasuryEvent};
use tallybook_journal::{Journal, ReadError, Recorded};
use tallybook_stripe::replay::state::{Lines, LinesHash, State, Totals};

use super::sorting::{Sorted, Sorting};
use crate::stripe::Inbox;

/// The state could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// The database did not answer.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The database did not answer.
    #[error("the settled objects cannot be read: {0}")]
    Objects(#[from] sqlx::Error),
    /// The log holds what this release cannot read.
    #[error("position {position}: {source}")]
    Undecodable {
        /// Where.
        position: i64,
        /// Why.
        source: DecodeError,
    },
    /// What does not fit in memory could not be kept on disk.
    #[error("the state cannot be sorted: {0}")]
    Disk(#[from] io::Error),
}

/// A state whose parts are in order.
pub(super) struct Gathered {
    parts: Sorted,
    /// The state in numbers.
    pub(super) totals: Totals,
}

impl Gathered {
    /// The hash of its lines, each of which is shown as it passes.
    pub(super) fn hash(self, mut show: impl FnMut(&str) -> io::Result<()>) -> io::Result<String> {
        let mut hash = LinesHash::default();
        for line in Lines::new(self.parts) {
            let line = line?;
            hash.add(&line);
            show(&line)?;
        }
        Ok(hash.finish())
    }
}

/// Fold the streams of a tenant, each from its beginning.
pub(super) async fn state_of(
    journal: &Journal,
    inbox: &Inbox,
    tenant: &TenantId,
    zone: Tz,
    as_of: Timestamp,
) -> Result<Gathered, StateError> {
    let mut gathering = Gathering {
        state: State::default(),
        sorting: Sorting::new(),
        as_of,
        zone,
    };
    gathering.objects(inbox, tenant).await?;
    gathering.accounts(journal, tenant).await?;
    gathering.treasuries(journal, tenant).await?;
    Ok(Gathered {
        parts: gathering.sorting.finish()?,
        totals: gathering.state.totals,
    })
}

/// [`state_of`], where a test can hold all lines.
#[cfg(test)]
pub(crate) async fn whole_state_of(
    journal: &Journal,
    inbox: &Inbox,
    tenant: &TenantId,
    zone: Tz,
    as_of: Timestamp,
) -> Result<tallybook_stripe::replay::state::Finished, StateError> {
    let gathered = state_of(journal, inbox, tenant, zone, as_of).await?;
    let totals = gathered.totals.clone();
    let mut lines = std::collections::BTreeSet::new();
    let hash = gathered.hash(|line| {
        lines.insert(line.to_owned());
        Ok(())
    })?;
    Ok(tallybook_stripe::replay::state::Finished { hash, lines, totals })
}

struct Gathering {
    state: State,
    sorting: Sorting,
    as_of: Timestamp,
    zone: Tz,
}

impl Gathering {
    async fn objects(&mut self, inbox: &Inbox, tenant: &TenantId) -> Result<(), StateError> {
        let mut winners = std::pin::pin!(inbox.winners(tenant));
        while let Some(winner) = winners.try_next().await? {
            self.state.add_object(&winner);
            self.sorting.add(self.state.take_parts())?;
        }
        Ok(())
    }

    async fn accounts(&mut self, journal: &Journal, tenant: &TenantId) -> Result<(), StateError> {
        let mut events = std::pin::pin!(journal.read_tenant(Account::TYPE, tenant));
        let mut open: Option<(AccountId, Account)> = None;
        while let Some(recorded) = events.try_next().await? {
            let Some(stream) = recorded.stream() else { continue };
            let id = AccountId::from(stream.name());
            let (id, mut account) = match open.take() {
                Some((of, account)) if of == id => (of, account),
                other => {
                    self.close(other)?;
                    (id, Account::default())
                }
            };
            let event: AccountEvent = decoded(&recorded)?;
            self.state
                .add_event(&id, &mut account, &event, self.as_of, self.zone);
            self.sorting.add(self.state.take_parts())?;
            open = Some((id, account));
        }
        self.close(open)
    }

    fn close(&mut self, account: Option<(AccountId, Account)>) -> Result<(), StateError> {
        if let Some((id, account)) = account {
            self.state.close_account(&id, account, self.as_of, self.zone);
            self.sorting.add(self.state.take_parts())?;
        }
        Ok(())
    }

    async fn treasuries(&mut self, journal: &Journal, tenant: &TenantId) -> Result<(), StateError> {
        let mut events = std::pin::pin!(journal.read_tenant(Treasury::TYPE, tenant));
        while let Some(recorded) = events.try_next().await? {
            let event: TreasuryEvent = decoded(&recorded)?;
            self.state.add_treasury(&[event], self.as_of, self.zone);
            self.sorting.add(self.state.take_parts())?;
        }
        Ok(())
    }
}

fn decoded<E: Event>(recorded: &Recorded) -> Result<E, StateError> {
    let version = recorded.version().unwrap_or(0);
    E::decode(&recorded.event_type, version, &recorded.payload).map_err(|source| StateError::Undecodable {
        position: recorded.position,
        source,
    })
}
