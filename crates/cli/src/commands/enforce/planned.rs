//! Applies a reviewed plan: only the changes that are still valid.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use imds_core::chain::chain;
use imds_core::decide::{Decision, Discovery, Evidence, decide};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step};
use imds_core::report::{Outcome, Unreachable};
use imds_engine::{ScanDecision, ScannedInstance};
use tokio::time::Instant;

use super::intended::Intended;
use crate::commands::chosen_policy::ChosenPolicy;
use crate::connect::Connected;
use crate::document::{CommandTrigger, Document};
use crate::environment::Environment;
use crate::error::Problem;
use crate::plan_file::{PlanFile, PlannedChange};
use crate::scope::Scope;

pub(super) async fn read(
    connected: &Connected,
    path: &Path,
    scope: Scope,
    environment: &Environment,
) -> Result<Intended, Problem> {
    let begin = Instant::now();
    let account = connected.account().await?;
    let (file, policy) =
        PlanFile::read(path, &account).map_err(|error| Problem::Usage(chain(&error)))?;
    let (mut described, unreachable) = describe(connected, &file.instances).await;
    let at = (environment.now)();
    let mut plan = Plan::default();
    let mut instances = Vec::new();
    for change in &file.instances {
        let Some(instance) = described.remove(&change.instance_id) else {
            continue;
        };
        let evidence = Evidence::NotAsked;
        let decision = decide(&policy, &instance, at, Discovery::Request, &evidence);
        let scanned = scanned(change, &instance, &decision);
        if scanned.decision == ScanDecision::Enforce {
            plan.steps.push(Step { instance, decision });
        }
        instances.push(scanned);
    }
    instances.sort_by(|a, b| a.report.region.cmp(&b.report.region));
    let chosen = ChosenPolicy {
        policy,
        text: file.policy.to_string(),
    };
    let document = Document {
        trigger: CommandTrigger::Enforce,
        is_plan: false,
        scope,
        policy: chosen.identity(),
        sources: Vec::new(),
        account: Some(account),
        at,
        took: begin.elapsed(),
        regions: Vec::new(),
        unreachable,
        instances,
        usage_days: None,
        user_data: false,
        kept_templates: None,
        templates: None,
        defaults: None,
        journal: None,
    };
    Ok(Intended {
        document: document.count(),
        plan,
        chosen,
    })
}

async fn describe(
    connected: &Connected,
    planned: &[PlannedChange],
) -> (BTreeMap<InstanceId, Instance>, Vec<Unreachable>) {
    let mut regions: BTreeMap<&str, Vec<InstanceId>> = BTreeMap::new();
    for change in planned {
        let ids = regions.entry(&change.region).or_default();
        ids.push(change.instance_id.clone());
    }
    let calls = regions
        .iter()
        .map(|(region, ids)| connected.client.describe_by_id(region, ids));
    let (mut instances, mut unreachable) = (BTreeMap::new(), Vec::new());
    for (region, answer) in regions.keys().zip(join_all(calls).await) {
        let mut fail = |error: String| unreachable.push(Unreachable::fatal(region, error));
        match answer {
            Ok(described) => {
                for id in described.unknown {
                    fail(format!("EC2 does not know {id}, which is in the plan"));
                }
                for unreadable in described.unreadable {
                    fail(unreadable.to_string());
                }
                let known = described.instances.into_iter();
                instances.extend(known.map(|it| (it.id.clone(), it)));
            }
            Err(error) => fail(chain(&error)),
        }
    }
    (instances, unreachable)
}

/// Skips an instance for which the plan is no longer valid. If the instance is compliant by now, that is
/// not an error.
fn scanned(change: &PlannedChange, instance: &Instance, decision: &Decision) -> ScannedInstance {
    let mut scanned = ScannedInstance::new(instance, decision, None, Vec::new());
    if let Err(error) = change.still_valid(instance, decision) {
        if scanned.report.outcome == Outcome::Reported {
            scanned.decision = ScanDecision::Report;
        }
        scanned.report.reason = format!("skipped: {error}");
    }
    scanned
}
