//! Applies the plan, recorded in the journal.

use imds_engine::{EnforceOptions, RegionOrder, Until, enforce as enforce_plan};
use tokio::time::Instant;

use super::intended::Intended;
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
}

impl Enforcement {
    pub(super) fn exit(&self) -> Exit {
        if self.pending > 0 {
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
        document,
        plan,
        chosen,
    } = intended;
    let policy = &chosen.policy;
    let enforced = enforce_plan(client, policy, plan, environment.now, options).await;
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
    })
}
