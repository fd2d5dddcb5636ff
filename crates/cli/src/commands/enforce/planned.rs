//! A plan that was reviewed: only what still holds is done.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use imds_core::chain::chain;
use imds_core::decide::{Occasion, decide};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::Step;
use imds_core::report::{Outcome, Summary, Unseen};
use tokio::time::Instant;

use super::intended::Intended;
use crate::commands::scan::Chosen;
use crate::connect::Connected;
use crate::document::{Document, RegionTotal};
use crate::error::Problem;
use crate::fleet;
use crate::plan_file::{Entry, PlanFile};
use crate::row::{Row, Verdict};
use crate::world::World;

pub(super) async fn read(
    connected: &Connected,
    path: &Path,
    world: &World,
) -> Result<Intended, Problem> {
    let begin = Instant::now();
    let account = connected.account().await?;
    let (plan, policy) =
        PlanFile::read(path, &account).map_err(|error| Problem::Usage(chain(&error)))?;
    let mut regions: BTreeMap<&str, Vec<InstanceId>> = BTreeMap::new();
    for entry in &plan.instances {
        let ids = regions.entry(&entry.region).or_default();
        ids.push(entry.instance_id.clone());
    }
    let looks = regions
        .iter()
        .map(|(region, ids)| connected.client.look(region, ids));
    let mut seen: BTreeMap<InstanceId, Instance> = BTreeMap::new();
    let mut unseen = Vec::new();
    for (region, answer) in regions.keys().zip(join_all(looks).await) {
        match answer {
            Ok(found) => {
                seen.extend(found.instances.into_iter().map(|i| (i.id.clone(), i)));
                let missing = found.unknown.iter().map(|id| {
                    Unseen::expected(region, format!("{id} is planned, and EC2 does not know it"))
                });
                unseen.extend(missing);
                let unreadable = found.unreadable.iter();
                unseen.extend(unreadable.map(|it| Unseen::expected(region, it.to_string())));
            }
            Err(error) => unseen.push(Unseen::expected(region, chain(&error))),
        }
    }
    let at = (world.now)();
    let mut steps = Vec::new();
    let mut totals: BTreeMap<String, (RegionTotal, Vec<Row>)> = BTreeMap::new();
    for entry in &plan.instances {
        let Some(instance) = seen.remove(&entry.instance_id) else {
            continue;
        };
        let decision = decide(&policy, &instance, at, &Occasion::Asked);
        let row = row(entry, &instance, &decision);
        let region = entry.region.clone();
        if row.decision == Verdict::Enforce {
            steps.push(Step { instance, decision });
        }
        let (total, rows) = totals.entry(region.clone()).or_default();
        total.region = region;
        total.summary.add(Summary::of([&row.report]));
        rows.push(row);
    }
    let mut summary = Summary::default();
    let (mut regions, mut rows) = (Vec::new(), Vec::new());
    for (total, of_region) in totals.into_values() {
        summary.add(total.summary);
        regions.push(total);
        rows.extend(of_region);
    }
    Ok(Intended {
        document: Document {
            trigger: "enforce",
            account: Some(account),
            at,
            took: begin.elapsed(),
            summary,
            regions,
            unseen,
            rows,
            usage_days: None,
            user_data: false,
            templates: None,
            defaults: None,
        },
        steps,
        chosen: Chosen {
            policy,
            text: plan.policy.to_string(),
        },
    })
}

/// Skipped where the plan does not hold any more; as it is required already is not a fault.
fn row(entry: &Entry, instance: &Instance, decision: &imds_core::decide::Decision) -> Row {
    let mut row = fleet::row(instance, decision, None, Vec::new());
    if let Err(why) = entry.still_valid(instance, decision) {
        if row.report.outcome == Outcome::Reported {
            row.decision = Verdict::Report;
        }
        row.report.reason = format!("skipped: {why}");
    }
    row
}
