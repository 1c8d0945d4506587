//! A caller that writes to accounts through one of those compared.

use std::future::Future;
use std::sync::Arc;

use tallybook_domain::account::AccountCommand;
use tallybook_domain::identity::StreamId;

use super::accounts::Accounts;
use super::load::Caller;
use super::workload::{Mix, Script};
use crate::cli::CliError;

/// Who is given commands on accounts.
pub(super) trait Recorder: Send + Sync + 'static {
    /// Judge a command, record it under a key that nothing else has, and try again as long as somebody else was faster.
    fn record(
        &self,
        stream: &StreamId,
        command: AccountCommand,
        key: String,
    ) -> impl Future<Output = Result<(), CliError>> + Send;
}

/// A caller with accounts of its own, one after another; where there are fewer accounts than callers, they share.
pub(super) struct AccountCaller<R> {
    recorder: Arc<R>,
    accounts: Arc<Accounts>,
    script: Script,
    /// The account of the last command.
    current: usize,
    first: usize,
    stride: usize,
}

impl<R: Recorder> AccountCaller<R> {
    /// So many callers on these accounts. `run` names them apart from those of other measurements.
    pub(super) fn several(
        callers: usize,
        recorder: &Arc<R>,
        accounts: &Arc<Accounts>,
        mix: Mix,
        run: &str,
    ) -> Vec<Self> {
        let of_caller = |caller: usize| {
            let first = caller % accounts.len();
            Self {
                recorder: Arc::clone(recorder),
                accounts: Arc::clone(accounts),
                script: Script::new(mix, format!("{run}-{caller}")),
                current: first,
                first,
                stride: callers,
            }
        };
        (0..callers).map(of_caller).collect()
    }

    /// Write to each of its accounts once, holds with their captures.
    pub(super) async fn see_all(&mut self) -> Result<(), CliError> {
        let own = (self.accounts.len() - self.first).div_ceil(self.stride);
        for _ in 0..own {
            self.call().await?;
            while self.script.is_between() {
                self.call().await?;
            }
        }
        Ok(())
    }
}

impl<R: Recorder> Caller for AccountCaller<R> {
    async fn call(&mut self) -> Result<u64, CliError> {
        let stays = self.script.is_between();
        let (key, step) = self.script.next();
        if !stays {
            let next = self.current + self.stride;
            self.current = if next < self.accounts.len() {
                next
            } else {
                self.first
            };
        }
        let stream = self.accounts.stream(self.current);
        self.recorder.record(stream, step.command, key).await?;
        self.accounts.accepted(self.current, step.available);
        Ok(1)
    }
}
