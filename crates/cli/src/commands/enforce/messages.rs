//! Messages before and after the changes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;

use imds_core::plan::{Plan, Step};
use imds_core::usage::Usage;
use imds_engine::ScannedInstance;
use jiff::{SignedDuration, Timestamp};

use super::act::Enforcement;
use super::intended::Intended;
use crate::args::Connection;
use crate::commands::journals::rollback_command;
use crate::document::{CommandTrigger, Document};
use crate::error::Problem;
use crate::journal::Ending;
use crate::output::{count, thousands};
use crate::plan_file::UsageBasis;
use crate::terminal;

/// The plan that is applied, as a scan shows it.
pub(super) fn plan(document: &Document, plan: &Plan) -> Document {
    let step = |step: &Step| ScannedInstance::new(&step.instance, &step.decision, None, Vec::new());
    Document {
        trigger: CommandTrigger::Scan,
        is_plan: true,
        instances: plan.steps.iter().map(step).collect(),
        ..document.clone()
    }
}

/// Why nothing is to be applied.
pub(super) fn nothing_planned(document: &Document) -> String {
    let left = document.summary().reported;
    match (left, document.unreachable.len()) {
        (0, 0) => "nothing to do".to_owned(),
        (0, errors) => format!("nothing was changed: {}, see above", count(errors, "error")),
        (left, errors) => format!(
            "nothing was changed: {} left as they are, {}; the reasons are in the report",
            count(left, "instance"),
            count(errors, "error")
        ),
    }
}

/// Prints how many starts were not observed: software may call without a token at the next start.
pub(super) fn warn_of_starts(intended: &Intended) {
    let is_unobserved = |step: &&Step| {
        let usage = step.non_compliant().and_then(|it| it.usage.as_ref());
        matches!(
            usage,
            Some(Usage::Unused {
                not_started_within_window: true,
                ..
            })
        )
    };
    let unobserved = intended.plan.steps.iter().filter(is_unobserved).count();
    if unobserved > 0 {
        let search = match intended.document.user_data {
            true => "",
            false => "; `--user-data` leaves out those whose user data makes such calls",
        };
        terminal::say(format!(
            "{} of {}: the last start was before the window, so that calls without a token at a start \
             were not observed{search}",
            thousands(unobserved),
            count(intended.plan.steps.len(), "instance"),
        ));
    }
}

/// The instances of the plan on which software may fail, as far as nobody asked.
fn unasked(intended: &Intended, now: Timestamp) -> usize {
    let policy = &intended.chosen.policy;
    let steps = intended.plan.steps.iter();
    match intended.basis {
        UsageBasis::NotAsked => steps.filter(|it| it.needs_usage(policy, now)).count(),
        UsageBasis::Ignored | UsageBasis::Policy { .. } | UsageBasis::UnusedOnly { .. } => 0,
    }
}

/// Refuses to enforce without a question where software may fail, and nobody asked or said that it does not
/// matter.
///
/// # Errors
/// With the options that say how use counts.
pub(super) fn refuse_unasked(intended: &Intended, now: Timestamp) -> Result<(), Problem> {
    match unasked(intended, now) {
        0 => Ok(()),
        n => Err(Problem::Usage(format!(
            "`--yes` is refused: whether software uses IMDSv1 on {} of the plan was not asked, and it \
             would fail; add `--unused-only`, `--policy FILE`, which decides by use, or `--ignore-usage` \
             if it does not matter",
            count(n, "instance")
        ))),
    }
}

/// The question before the plan is applied.
pub(super) fn question(intended: &Intended, account: &str, now: Timestamp) -> String {
    let steps = &intended.plan.steps;
    let mut regions: BTreeMap<&str, usize> = BTreeMap::new();
    let mut changes: BTreeMap<String, usize> = BTreeMap::new();
    for step in steps {
        *regions.entry(&step.instance.region).or_default() += 1;
        if let Some(non_compliant) = step.non_compliant() {
            let change = &non_compliant.change;
            for (option, values) in change.transitions(&step.instance.options) {
                let change = format!("{} {values}", option.name());
                *changes.entry(change).or_default() += 1;
            }
        }
    }
    let usage = match (intended.basis, unasked(intended, now)) {
        (UsageBasis::Ignored, _) => {
            "Whether software uses IMDSv1 is ignored (`--ignore-usage`).\n".to_owned()
        }
        (_, 0) => String::new(),
        (_, n) => format!(
            "Whether software uses IMDSv1 on {} of them was not asked, and it would fail: `--unused-only` \
             leaves it out, `--policy` decides by use, and `--ignore-usage` says that it does not matter.\n",
            count(n, "instance")
        ),
    };
    format!(
        "{usage}Set {} on {} in {} in account {account}?",
        listed(&changes),
        count(steps.len(), "instance"),
        listed(&regions)
    )
}

/// What was counted, such as `eu-central-1 (3), us-east-1 (12)`.
fn listed(counts: &BTreeMap<impl Display, usize>) -> String {
    let each = counts.iter().map(|(what, n)| format!("{what} ({n})"));
    each.collect::<Vec<_>>().join(", ")
}

/// Announces the pause after the canaries.
pub(super) fn observing(canaries: usize, others: usize, pause: SignedDuration) -> String {
    format!(
        "observing {} for {pause:#}: {} will follow if no call without a token is rejected",
        count(canaries, "canary instance"),
        count(others, "other instance")
    )
}

/// Says that the others are not enforced.
pub(super) fn stopped(left: usize, why: &str) -> String {
    format!("{} left unchanged {why}", count(left, "instance"))
}

/// Prints what is left undone, and how to roll back.
pub(super) fn afterwards(done: &Enforcement, journal: &Path, connection: &Connection) {
    let summary = done.document.summary();
    let enforced = summary.enforced;
    if done.ending == Ending::Interrupted {
        let (changed, left) = (count(enforced, "instance"), summary.failed + done.left);
        terminal::say(format!(
            "interrupted: {changed} changed, {} not changed; calls in flight were finished and are in the journal",
            thousands(left)
        ));
    }
    if done.pending > 0 {
        let pending = count(done.pending, "change");
        terminal::say(format!(
            "EC2 has not applied {pending} yet: check with `imdsctl scan{}`",
            done.document.scope.words()
        ));
    }
    if enforced > 0 {
        let words = done.document.scope.observed_words();
        let usage = format!("imdsctl usage --rejected --days 1{words}");
        terminal::offer("roll back with:", &rollback_command(journal, connection));
        terminal::offer("check whose calls are rejected now:", &usage);
    }
}
