//! Looks at every instance of a region, page by page, and does what is to be done about those that
//! are not as required, oldest first.

use std::collections::BTreeMap;
use std::time::Duration;

use imds_core::decide::{Decision, Occasion, Remedy, decide};
use imds_core::instance::{Instance, InstanceId};
use imds_core::marks;
use imds_core::plan::{Plan, Step};
use imds_core::policy::Policy;
use imds_core::report::{InstanceReport, Outcome, Summary, Unseen};
use imds_core::usage::{Breaking, Usage};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::apply::apply;
use crate::client::Client;
use crate::cloudwatch::Metric;
use crate::ec2::Filter;
use crate::error::CallError;
use crate::terms::Terms;

/// What bounds a sweep's memory, shared by its regions.
#[derive(Debug)]
pub struct Bounds {
    pages: Semaphore,
    most: usize,
}

impl Default for Bounds {
    /// A page of 1,000 instances takes about 5 MB while it is read, so four regions read at once. In
    /// five minutes EC2 takes some 1,400 changes of a region, so no more are kept.
    fn default() -> Self {
        Bounds {
            pages: Semaphore::new(4),
            most: 1500,
        }
    }
}

/// What a sweep found in a region, and did.
#[derive(Debug, Default)]
pub struct Swept {
    /// Every instance's outcome is counted here.
    pub summary: Summary,
    /// All instances but the compliant ones, and those of them whose software fails.
    pub instances: Vec<InstanceReport>,
    /// Wrong instances beyond what can be done at once: counted as failed, and not listed.
    pub left: usize,
    /// Instances whose very id could not be read.
    pub nameless: Vec<Unseen>,
    /// Why the region was not seen, or not to its end.
    pub unseen: Option<CallError>,
    /// The region's answer did not come before the deadline.
    pub late: bool,
}

/// Sweeps a region.
pub async fn sweep_region(
    client: &Client,
    region: &str,
    policy: &Policy,
    terms: Terms<'_>,
    bounds: &Bounds,
) -> Swept {
    let mut swept = Swept::default();
    let mut seen = Seen {
        most: bounds.most,
        ..Seen::default()
    };
    let read = read_pages(client, region, policy, terms, bounds, &mut seen, &mut swept);
    match timeout_at(terms.deadline.act, read).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => swept.unseen = Some(error),
        Err(_elapsed) => swept.late = true,
    }
    let wrong: Vec<Instance> = seen.wrong.into_values().collect();
    swept.left = seen.left;
    let plan = gated(client, region, policy, terms, wrong).await;
    swept.instances.extend(apply(client, plan, terms).await);
    let watched = watch(client, region, terms, seen.watched).await;
    swept.summary.add(Summary::of(&swept.instances));
    swept.summary.failed += swept.left;
    swept.instances.extend(watched);
    swept
}

#[derive(Default)]
struct Seen {
    most: usize,
    /// The oldest of the wrong instances, by their launch.
    wrong: BTreeMap<(Timestamp, InstanceId), Instance>,
    left: usize,
    watched: Vec<(Timestamp, Instance)>,
}

async fn read_pages(
    client: &Client,
    region: &str,
    policy: &Policy,
    terms: Terms<'_>,
    bounds: &Bounds,
    seen: &mut Seen,
    swept: &mut Swept,
) -> Result<(), CallError> {
    // Nobody closes the semaphore.
    let _page = bounds.pages.acquire().await;
    // Terminated instances stay visible for an hour, and nothing about them is left to judge.
    let states = ["pending", "running", "stopping", "stopped"];
    let filters = [Filter {
        name: "instance-state-name",
        values: states.to_vec(),
    }];
    let now = (terms.now)();
    let mut pages = client.pages(region, &filters);
    while let Some(page) = pages.next().await? {
        // Nothing is known of it but that it is there, so it is left, and told.
        for unreadable in page.unreadable {
            match unreadable.into_report(region) {
                Ok(report) => swept.instances.push(report),
                Err(nameless) => swept.nameless.push(nameless),
            }
        }
        for instance in page.instances {
            match decide(policy, &instance, now, &Occasion::Launch) {
                Decision::Compliant(_) => {
                    swept.summary.compliant += 1;
                    if let Some(since) = marks::watched_since(&instance, &policy.existing, now) {
                        let slim = Instance {
                            tags: BTreeMap::new(),
                            ..instance
                        };
                        seen.watched.push((since, slim));
                    }
                }
                decision @ Decision::Exempt(_) if swept.instances.len() < bounds.most => {
                    let outcome = Outcome::Exempt;
                    let report = InstanceReport::decided(instance, &decision, outcome, None);
                    swept.instances.push(report);
                }
                Decision::Exempt(_) => swept.summary.exempt += 1,
                Decision::Gone(_) => {}
                Decision::Wrong(_) => seen.keep(instance),
            }
        }
    }
    Ok(())
}

impl Seen {
    fn keep(&mut self, instance: Instance) {
        let age = (
            instance.launched_at.unwrap_or(Timestamp::MIN),
            instance.id.clone(),
        );
        self.wrong.insert(age, instance);
        if self.wrong.len() > self.most {
            self.wrong.pop_last();
            self.left += 1;
        }
    }
}

/// The plan for instances that were there before: how they use IMDSv1 decides what may be done.
async fn gated(
    client: &Client,
    region: &str,
    policy: &Policy,
    terms: Terms<'_>,
    wrong: Vec<Instance>,
) -> Plan {
    let now = (terms.now)();
    let window = (policy.existing.window_begin(now), now);
    // What the policy only reports needs no evidence.
    let gated: Vec<&InstanceId> = wrong
        .iter()
        .filter(|instance| acts(&decide(policy, instance, now, &Occasion::Launch)))
        .map(|instance| &instance.id)
        .collect();
    let read = client.datapoints(region, Metric::NoToken, &gated, window);
    let points = match timeout_at(terms.deadline.act, read).await {
        Ok(Ok(points)) => Ok(points),
        Ok(Err(error)) => Err(error.cause()),
        Err(_elapsed) => Err("no answer before the deadline".to_owned()),
    };
    let steps = wrong.into_iter().map(|instance| {
        let usage = Usage::of(&instance, &points, &policy.existing, now);
        let decision = decide(policy, &instance, now, &Occasion::Existing(usage));
        Step { instance, decision }
    });
    let mut plan = Plan {
        steps: steps.collect(),
    };
    // The young ones are not waited for here: the next sweep finds them old enough.
    plan.leave_waiting(policy, now);
    plan
}

fn acts(decision: &Decision) -> bool {
    matches!(decision, Decision::Wrong(wrong) if !matches!(wrong.remedy, Remedy::Report(_)))
}

/// Those of the watched instances whose calls without a token are refused since they were mended.
async fn watch(
    client: &Client,
    region: &str,
    terms: Terms<'_>,
    watched: Vec<(Timestamp, Instance)>,
) -> Vec<InstanceReport> {
    let now = (terms.now)();
    let Some(begin) = watched.iter().map(|(since, _)| *since).min() else {
        return Vec::new();
    };
    let ids: Vec<&InstanceId> = watched.iter().map(|(_, instance)| &instance.id).collect();
    let window = (floor(begin), now);
    let read = client.datapoints(region, Metric::NoTokenRejected, &ids, window);
    let points = match timeout_at(terms.deadline.act, read).await {
        Ok(Ok(points)) => points,
        Ok(Err(error)) => {
            tracing::warn!(
                region,
                "could not see whose calls are refused: {}",
                error.cause()
            );
            return Vec::new();
        }
        Err(_elapsed) => {
            tracing::warn!(
                region,
                "could not see whose calls are refused before the deadline"
            );
            return Vec::new();
        }
    };
    let breaking = watched.into_iter().filter_map(|(since, instance)| {
        // A period that began before the mend may hold calls refused before it.
        let of_instance = points
            .get(&instance.id)?
            .iter()
            .filter(|(at, _)| *at >= floor(since));
        let breaking = Breaking::judge(&of_instance.copied().collect::<Vec<_>>())?;
        Some(InstanceReport::breaking(instance, breaking))
    });
    breaking.collect()
}

/// The begin of the hour, as CloudWatch's periods begin on whole hours.
fn floor(time: Timestamp) -> Timestamp {
    const HOUR: i64 = Duration::from_secs(3600).as_secs().cast_signed();
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(HOUR)).unwrap_or(time)
}
