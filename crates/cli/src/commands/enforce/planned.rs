//! Applies a reviewed plan: only the changes that are still valid.

use std::collections::BTreeMap;
use std::path::Path;

use imds_core::chain::chain;
use imds_core::instance::InstanceId;
use imds_core::report::Outcome;
use imds_engine::{
    Include, InstanceFilter, Keep, RegionSelection, ScanDecision, ScanOptions, ScannedInstance,
};

use super::intended::Intended;
use crate::args;
use crate::commands::chosen_policy::ChosenPolicy;
use crate::commands::fleet;
use crate::connect::Connected;
use crate::document::CommandTrigger;
use crate::environment::Environment;
use crate::error::Problem;
use crate::plan_file::{PlanFile, PlanFileError, PlannedChange, UsageBasis};
use crate::scope::Scope;
use crate::terminal;

/// Reads a plan, and observes its instances and their use of IMDSv1 again.
pub(super) async fn read(
    connected: &Connected,
    path: &Path,
    (args, scope): (&args::EnforceArgs, Scope),
    environment: &Environment,
) -> Result<Intended, Problem> {
    let account = connected.account().await?;
    let now = (environment.now)();
    let refused = |error: PlanFileError| Problem::Usage(chain(&error));
    let (file, policy) = PlanFile::read(path, &account).map_err(refused)?;
    let age = file.age(path, now, args.max_plan_age()).map_err(refused)?;
    terminal::say(format!(
        "the plan is {age} old: it was created at {}",
        file.created_at
    ));
    let basis = match args.ignore_usage {
        true => UsageBasis::Ignored,
        false => file.usage,
    };
    let ids = ids_by_region(&file);
    let options = ScanOptions {
        regions: RegionSelection {
            only: ids.keys().cloned().collect(),
            ..args.regions.selection()
        },
        instances: InstanceFilter {
            ids_by_region: Some(ids),
            ..InstanceFilter::default()
        },
        policy: policy.clone(),
        keep: Keep::Plan(basis.gate()),
        usage_days: basis.days(),
        include: Include {
            user_data: file.user_data,
            ..Include::default()
        },
        now,
    };
    let chosen = ChosenPolicy {
        policy,
        text: file.policy.to_string(),
    };
    let scope = (scope, chosen.identity());
    let (mut document, mut plan) =
        fleet::scan(connected, options, CommandTrigger::Enforce, scope).await?;
    let changes = file.instances.iter().map(|it| (&it.instance_id, it));
    let changes: BTreeMap<&InstanceId, &PlannedChange> = changes.collect();
    for instance in &mut document.instances {
        let id = instance.report.instance_id.clone();
        if !changes
            .get(&id)
            .is_some_and(|change| holds(change, instance))
        {
            plan.steps.retain(|step| step.instance.id != id);
        }
    }
    Ok(Intended {
        document: document.count(),
        plan,
        chosen,
        basis,
    })
}

/// The instances of the plan, each in its region.
fn ids_by_region(file: &PlanFile) -> BTreeMap<String, Vec<InstanceId>> {
    let mut regions: BTreeMap<String, Vec<InstanceId>> = BTreeMap::new();
    for change in &file.instances {
        let ids = regions.entry(change.region.clone()).or_default();
        ids.push(change.instance_id.clone());
    }
    regions
}

/// Whether the plan still holds for an instance; if not, it says why it is skipped. If the instance is
/// compliant by now, that is not an error.
fn holds(change: &PlannedChange, instance: &mut ScannedInstance) -> bool {
    let Err(error) = change.still_valid(instance) else {
        return true;
    };
    if instance.report.outcome == Outcome::Reported {
        instance.decision = ScanDecision::Report;
    }
    instance.report.reason = format!("skipped: {error}");
    false
}
