//! Applies the plan, recorded in the journal.

use imds_core::canary::take_canaries;
use imds_core::plan::Plan;
use imds_engine::{EnforceOptions, Enforced, RegionOrder, Until, enforce as enforce_plan};
use tokio::time::Instant;

use super::canary::Canaries;
use super::intended::Intended;
use super::messages;
use crate::args;
use crate::commands::interrupt;
use crate::connect::Connected;
use crate::document::Document;
use crate::environment::Environment;
use crate::error::{Exit, Problem};
use crate::journal::{Ending, Writer};
use crate::progress::ProgressLine;

/// The result of applying the plan.
pub(super) struct Enforcement {
    pub(super) document: Document,
    pub(super) ending: Ending,
    /// How many changes EC2 has not applied yet.
    pub(super) pending: usize,
    /// How many instances were left because of the canaries.
    pub(super) left: usize,
}

impl Enforcement {
    pub(super) fn exit(&self) -> Exit {
        let is_cut_short = self.left > 0 && self.ending == Ending::Interrupted;
        if self.pending > 0 || is_cut_short {
            return Exit::Failed;
        }
        self.document.exit()
    }
}

pub(super) async fn act(
    connected: &Connected,
    intended: Intended,
    args: &args::EnforceArgs,
    journal: &Writer,
    environment: &Environment,
) -> Result<Enforcement, Problem> {
    let begin = Instant::now();
    let client = &connected.client;
    let progress = ProgressLine::new(client);
    interrupt::halts(client, &progress)?;
    let options = EnforceOptions {
        order: if args.region_by_region {
            RegionOrder::OneByOne
        } else {
            RegionOrder::SideBySide
        },
        until: if args.no_wait {
            Until::Answered
        } else {
            Until::Applied
        },
        recorder: &|record| journal.record(record),
        on_progress: &progress.hear(),
    };
    let Intended {
        mut document,
        mut plan,
        chosen,
        ..
    } = intended;
    let enforce = |steps| {
        let plan = Plan {
            steps,
            observed_at: plan.observed_at,
        };
        enforce_plan(client, &chosen.policy, plan, environment.now, options)
    };
    let mut steps = std::mem::take(&mut plan.steps);
    let (mut enforced, mut left) = (Enforced::default(), 0);
    if let Some((most, pause)) = args.canaries().filter(|(most, _)| *most < steps.len()) {
        let first = take_canaries(&mut steps, most);
        let (canaries, since) = (Canaries::of(&first), (environment.now)());
        enforced = enforce(first).await;
        progress.print(&messages::observing(most, steps.len(), pause));
        let connected = (client.as_ref(), &progress);
        let observed = canaries.observe(
            connected,
            &enforced.reports,
            (since, pause),
            environment.now,
        );
        if let Err(stopped) = observed.await {
            left = steps.len();
            progress.print(&messages::stopped(left, &stopped.why));
            document.leave(&steps, &stopped.why);
            document.unreachable.extend(stopped.unknown);
            steps.clear();
        }
    }
    if !steps.is_empty() {
        enforced.add(enforce(steps).await);
    }
    progress.end();
    let took = document.took + begin.elapsed();
    let document = document.with_outcomes(enforced.reports);
    Ok(Enforcement {
        document: Document {
            at: (environment.now)(),
            took,
            ..document
        },
        ending: Ending::after(client),
        pending: enforced.pending,
        left,
    })
}
