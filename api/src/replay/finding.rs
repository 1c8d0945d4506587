//! What the runs of a replay say together, and which few deliveries show what is wrong.

use serde_json::{Value, json};
use tallybook_stripe::replay::state::{Discrepancy, discrepancies};
use tallybook_stripe::replay::{Difference, Step};

use super::options::ReplayArgs;
use super::private::PrivateCluster;
use super::run::{Ran, Setting};
use super::shrink::{Symptom, shrink};
use crate::cli::CliError;
use crate::cli::output::line;

/// Discrepancies that are told: the first few say it all.
const TOLD_MAX: usize = 100;

/// What the runs say together.
pub(super) struct Finding {
    /// Runs that end in another state than the first, counted from 1.
    pub(super) disagreeing: Vec<u32>,
    /// In what the first of them and the first run of all differ.
    discrepancies: Vec<Discrepancy>,
    /// What is not as expected.
    pub(super) differences: Vec<Difference>,
    /// Whether everything is as it should be.
    pub(super) holds: bool,
    /// A smallest set of deliveries that shows what is wrong, if deliveries can show it.
    pub(super) smallest: Option<Vec<String>>,
}

impl Finding {
    /// Of these runs, one at least.
    pub(super) fn of(runs: &mut [Ran]) -> Result<Self, CliError> {
        let (first, others) = runs.split_first_mut().ok_or_else(|| CliError::new("no run"))?;
        let disagreeing: Vec<u32> = others
            .iter()
            .zip(2..)
            .filter(|(ran, _)| ran.hash != first.hash)
            .map(|(_, number)| number)
            .collect();
        let apart = others.iter_mut().find(|ran| ran.hash != first.hash);
        let discrepancies = apart.map_or_else(|| Ok(Vec::new()), |other| compared(first, other));
        let failed =
            first.deliveries.inbox.failed + others.iter().map(|ran| ran.deliveries.inbox.failed).sum::<i64>();
        Ok(Self {
            holds: disagreeing.is_empty() && first.differences.is_empty() && failed == 0,
            disagreeing,
            discrepancies: discrepancies.map_err(CliError::from_error)?,
            differences: std::mem::take(&mut first.differences),
            smallest: None,
        })
    }

    /// Look for the few deliveries that show what went wrong, if anything did that deliveries can show.
    pub(super) async fn search(
        &mut self,
        args: &ReplayArgs,
        setting: &Setting<'_>,
        cluster: &mut PrivateCluster,
    ) -> Result<(), CliError> {
        // What is not there at all is shown by no delivery.
        let wrong = self.differences.iter().find(|it| it.field.is_some());
        let (run, symptom) = match (self.disagreeing.first(), wrong) {
            (Some(run), _) => (run - 1, Symptom::Order),
            (None, Some(wrong)) => (0, Symptom::Difference(wrong.clone())),
            (None, None) => return Ok(()),
        };
        let streams = setting.streams;
        let plan = args.perturbation(streams, run)?.plan(streams.len());
        eprintln!("looking for the deliveries that show it ..");
        let smallest = shrink(cluster, setting, &plan, &symptom).await?;
        let name = |step: &Step| {
            let id = streams.event_id(step.event);
            if step.twin { format!("{id} (its twin)") } else { id }
        };
        self.smallest = Some(smallest.iter().map(name).collect());
        Ok(())
    }

    /// For people.
    pub(super) fn tell(&self) -> Result<(), CliError> {
        if let Some(other) = self.disagreeing.first() {
            line(format!(
                "runs {:?} end in another state than run 1",
                self.disagreeing
            ))?;
            line(format!("in run 1 and in run {other}:"))?;
            self.discrepancies
                .iter()
                .try_for_each(|it| line(format!("  {it}")))?;
        }
        self.differences
            .iter()
            .try_for_each(|it| line(format!("not as expected: {it}")))?;
        if let Some(smallest) = &self.smallest {
            line("these deliveries, in this order, show it:")?;
            smallest.iter().try_for_each(|event| line(format!("  {event}")))?;
        }
        Ok(())
    }

    /// For programs.
    pub(super) fn discrepancies_json(&self) -> Vec<Value> {
        self.discrepancies
            .iter()
            .map(|it| json!({"subject": it.subject, "field": it.field, "first": it.first, "other": it.other}))
            .collect()
    }
}

fn compared(first: &mut Ran, other: &mut Ran) -> std::io::Result<Vec<Discrepancy>> {
    discrepancies(first.lines.lines()?, other.lines.lines()?)
        .take(TOLD_MAX)
        .collect()
}
