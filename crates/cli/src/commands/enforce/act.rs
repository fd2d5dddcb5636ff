//! Does what was agreed to, recorded in the journal.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use imds_aws::{Backoff, Client, Deadline, Remember, Terms, Witness, apply};
use imds_core::instance::{Instance, InstanceId, MetadataOptions, State};
use imds_core::plan::{Plan, Step};
use imds_core::report::{InstanceReport, Outcome, Summary, Unseen};
use tokio::time::Instant;

use super::intended::Intended;
use crate::args;
use crate::commands::interrupt;
use crate::connect::Connected;
use crate::document::{Document, RegionTotal};
use crate::error::{Exit, Problem};
use crate::journal::{How, Writer};
use crate::output::Format;
use crate::progress::Progress;
use crate::world::World;

/// EC2 takes five changes a second in a region; other software may have four of them.
const EACH: Duration = Duration::from_secs(1);

/// Beside that, for what fails in passing.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long EC2 is given to apply what it has answered.
const APPLIED_IN: Duration = Duration::from_secs(120);

/// What came of it.
pub(super) struct Done {
    pub(super) document: Document,
    pub(super) interrupted: bool,
    /// Those that EC2 took and has not applied yet.
    pub(super) pending: usize,
}

impl Done {
    pub(super) fn how(&self) -> How {
        if self.interrupted {
            How::Interrupted
        } else {
            How::Done
        }
    }

    pub(super) fn exit(&self) -> Exit {
        if self.pending > 0 {
            return Exit::Failed;
        }
        crate::commands::scan::exit(&self.document)
    }
}

pub(super) async fn act(
    connected: &Connected,
    intended: Intended,
    args: &args::Enforce,
    journal: &Writer,
    world: &World,
    progress: &Arc<Progress>,
) -> Result<Done, Problem> {
    let Intended {
        document,
        steps,
        chosen,
    } = intended;
    let client = &connected.client;
    let begin = Instant::now();
    interrupt::halts(client, progress)?;
    progress.begin("instances", steps.len());
    let recorder = Recorder {
        journal,
        client,
        progress,
    };
    let mut outcomes: HashMap<InstanceId, InstanceReport> = HashMap::new();
    let mut pending = 0;
    for steps in groups(steps, args.region_by_region) {
        let begin = Instant::now();
        let most = u32::try_from(most_in_a_region(&steps)).unwrap_or(u32::MAX);
        let end = begin + PATIENCE + EACH.saturating_mul(most);
        let terms = Terms {
            limits: &chosen.policy.limits,
            deadline: Deadline {
                look: end,
                act: end,
            },
            remember: Remember::Nothing,
            witness: Some(&recorder),
            now: world.now,
        };
        // What is stopped applies its options when it starts.
        let running: Vec<InstanceId> = steps
            .iter()
            .filter(|step| !step.instance.state.is_some_and(State::is_stopped))
            .map(|step| step.instance.id.clone())
            .collect();
        let mut reports = apply(client, Plan { steps }, terms).await;
        if !args.no_wait && !client.is_halted() {
            pending += settle(client, &mut reports, &running, progress).await;
        }
        outcomes.extend(reports.into_iter().map(|r| (r.instance_id.clone(), r)));
    }
    progress.end();
    let table = args.output.format == Format::Table;
    let document = with_outcomes(document, outcomes, table);
    Ok(Done {
        document: Document {
            at: (world.now)(),
            took: document.took + begin.elapsed(),
            ..document
        },
        interrupted: client.is_halted(),
        pending,
    })
}

/// Region by region, or all at once.
fn groups(steps: Vec<Step>, by_region: bool) -> Vec<Vec<Step>> {
    if !by_region {
        return vec![steps];
    }
    let mut groups: BTreeMap<String, Vec<Step>> = BTreeMap::new();
    for step in steps {
        let region = step.instance.region.clone();
        groups.entry(region).or_default().push(step);
    }
    groups.into_values().collect()
}

fn most_in_a_region(steps: &[Step]) -> usize {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for step in steps {
        *counts.entry(&step.instance.region).or_default() += 1;
    }
    counts.into_values().max().unwrap_or_default()
}

/// The journal, and the line that a person sees.
#[derive(Debug)]
struct Recorder<'a> {
    journal: &'a Writer,
    client: &'a Client,
    progress: &'a Progress,
}

impl Witness for Recorder<'_> {
    fn before(&self, instance: &Instance, send: &MetadataOptions) -> std::io::Result<()> {
        self.journal.before(instance, send)
    }

    fn after(&self, instance: &Instance, answer: Result<&MetadataOptions, &str>) {
        self.journal.after(instance, answer);
        if answer.is_ok() {
            self.progress.done();
        }
        self.progress.tell("", self.client.throttled());
    }
}

/// Waits until EC2 says `applied`, and says which have not got there. Returns how many.
async fn settle(
    client: &Client,
    reports: &mut [InstanceReport],
    running: &[InstanceId],
    progress: &Progress,
) -> usize {
    let until = Instant::now() + APPLIED_IN;
    let mut open: BTreeMap<String, Vec<InstanceId>> = BTreeMap::new();
    for report in reports.iter() {
        if report.outcome == Outcome::Enforced && running.contains(&report.instance_id) {
            let ids = open.entry(report.region.clone()).or_default();
            ids.push(report.instance_id.clone());
        }
    }
    let mut backoff = Backoff::default();
    loop {
        let looks = open.iter().map(|(region, ids)| client.look(region, ids));
        let answers = join_all(looks).await;
        let applied: Vec<InstanceId> = answers
            .into_iter()
            .flatten()
            .flat_map(|found| found.instances)
            .filter(is_settled)
            .map(|instance| instance.id)
            .collect();
        open.retain(|_, ids| {
            ids.retain(|id| !applied.contains(id));
            !ids.is_empty()
        });
        let left: usize = open.values().map(Vec::len).sum();
        if left == 0 {
            return 0;
        }
        progress.tell(
            &format!(" · waiting for {left} to be applied"),
            client.throttled(),
        );
        if client.is_halted() || !backoff.wait(until).await {
            break;
        }
    }
    let late: Vec<InstanceId> = open.into_values().flatten().collect();
    for report in reports {
        if late.contains(&report.instance_id) {
            report.reason.push_str("; EC2 has not applied it yet");
        }
    }
    late.len()
}

/// What ended since has nothing to apply any more.
fn is_settled(instance: &Instance) -> bool {
    instance.applied == Some(true) || instance.state.is_some_and(State::is_final)
}

/// Every instance with its outcome; in a table only those that are not as required, or were not.
fn with_outcomes(
    seen: Document,
    mut outcomes: HashMap<InstanceId, InstanceReport>,
    table: bool,
) -> Document {
    let mut totals: BTreeMap<String, RegionTotal> = BTreeMap::new();
    for region in &seen.regions {
        let name = region.region.clone();
        let total = RegionTotal {
            region: name.clone(),
            summary: Summary::default(),
        };
        totals.insert(name, total);
    }
    let mut rows = Vec::with_capacity(seen.rows.len());
    for mut row in seen.rows {
        let before = row.report.outcome;
        if let Some(outcome) = outcomes.remove(&row.report.instance_id) {
            row.report = outcome;
        }
        if let Some(total) = totals.get_mut(&row.report.region) {
            total.summary.add(Summary::of([&row.report]));
        }
        if !table || before == Outcome::Reported {
            rows.push(row);
        }
    }
    let mut summary = Summary::default();
    for total in totals.values() {
        summary.add(total.summary);
    }
    // Nothing that was done goes untold.
    let untold = outcomes.into_values().map(|report| {
        Unseen::expected(
            &report.region,
            format!("{}: {}", report.instance_id, report.reason),
        )
    });
    Document {
        summary,
        regions: totals.into_values().collect(),
        rows,
        unseen: seen.unseen.into_iter().chain(untold).collect(),
        ..seen
    }
}
