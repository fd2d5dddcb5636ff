//! Observes every instance of a region, page by page, and handles those that are not compliant, oldest
//! first.

use std::collections::BTreeMap;

use futures_util::future::join;
use imds_aws::{DescribedPage, Fault, Filter, Metric};
use imds_core::chain::chain;
use imds_core::decide::{Decision, Discovery, Evidence, decide};
use imds_core::instance::{Instance, InstanceId};
use imds_core::marks;
use imds_core::plan::Plan;
use imds_core::report::{InstanceReport, Outcome, Summary, Unreachable};
use imds_core::usage::RejectedCalls;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::apply::ApplyOptions;
use crate::attempt::in_time;
use crate::engine::{Engine, Remember};
use crate::observed::undecided;
use crate::pages::{HandlePage, each_page};

/// Regions read at once; a page of 1,000 instances takes about 5 MB while it is read.
pub(crate) const REGIONS_READ_AT_ONCE: usize = 4;

/// Non-compliant instances of a region that are kept: in five minutes EC2 takes some 1,400 changes.
const KEPT: usize = 1500;

/// What a sweep found in a region, and did.
#[derive(Debug, Default)]
pub struct SweptRegion {
    /// The region.
    pub region: String,
    /// Counts the outcome of every instance.
    pub summary: Summary,
    /// All instances but the compliant ones, and those of them whose software fails.
    pub instances: Vec<InstanceReport>,
    /// Non-compliant instances beyond `KEPT`: counted as failed, and not listed.
    pub left: usize,
    /// Why the region was not observed, or not wholly.
    pub unreachable: Vec<Unreachable>,
}

/// What an error of authorization means for the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfDenied {
    /// The region is known to be open to the function.
    Fatal,
    /// The region may be closed to the function.
    Reported,
}

impl Engine<'_> {
    /// Sweeps a region.
    pub(crate) async fn sweep_region(
        &self,
        region: &str,
        if_denied: IfDenied,
        reading: &Semaphore,
    ) -> SweptRegion {
        let mut reader = RegionReader::new(self, region);
        let read = async {
            // The semaphore is never closed.
            let _permit = reading.acquire().await;
            reader.read().await
        };
        let error = match timeout_at(self.deadline.act, read).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                let fatal = if_denied == IfDenied::Fatal || error.fault != Fault::Unauthorized;
                Some((chain(&error), fatal))
            }
            Err(_elapsed) => Some(("not wholly described before the deadline".to_owned(), true)),
        };
        let RegionReader {
            mut swept,
            non_compliant,
            watched,
            now: observed_at,
            ..
        } = reader;
        swept
            .unreachable
            .extend(error.map(|(error, fatal)| Unreachable {
                fatal,
                ..Unreachable::fatal(region, error)
            }));
        if swept.left > 0 {
            let error = format!(
                "{} non-compliant instances are left for the next sweep",
                swept.left
            );
            swept.unreachable.push(Unreachable::fatal(region, error));
        }
        let found = non_compliant.into_values().collect();
        let handled = self.handle_swept(region, observed_at, found).await;
        swept.instances.extend(handled);
        swept.summary.add(Summary::count(&swept.instances));
        swept.summary.failed += swept.left;
        let failing = self.failing(region, watched).await;
        swept.instances.extend(failing);
        swept
    }

    /// Handles what a sweep found: what the age of an instance does not allow at once depends on whether
    /// it uses IMDSv1, and the others do not wait for the answer.
    async fn handle_swept(
        &self,
        region: &str,
        observed_at: Timestamp,
        found: Vec<Instance>,
    ) -> Vec<InstanceReport> {
        let mut plan = Plan::new(self.policy, found, observed_at, Discovery::Sweep);
        let asking = plan.split_off_questions();
        let asked = async {
            let plan = self.ask(region, asking, Discovery::Sweep).await;
            self.apply_swept(plan).await
        };
        let (handled, asked) = join(self.apply_swept(plan), asked).await;
        handled.into_iter().chain(asked).collect()
    }

    async fn apply_swept(&self, mut plan: Plan) -> Vec<InstanceReport> {
        // The next sweep finds them old enough.
        plan.leave_waiting(self.policy, (self.now)());
        let remember = match self.policy.existing.watch_days {
            0 => Remember::Nothing,
            _ => Remember::Watch,
        };
        let options = ApplyOptions {
            remember,
            recorder: None,
        };
        self.apply(plan, options).await
    }

    /// Those of the watched instances whose calls without a token are refused since their options were
    /// enforced.
    async fn failing(
        &self,
        region: &str,
        watched: Vec<(Timestamp, Instance)>,
    ) -> Vec<InstanceReport> {
        let Some(begin) = watched.iter().map(|(since, _)| *since).min() else {
            return Vec::new();
        };
        let ids: Vec<&InstanceId> = watched.iter().map(|(_, instance)| &instance.id).collect();
        let window = (whole_hour(begin), (self.now)());
        let call = self
            .client
            .call_data(region, &[Metric::NoTokenRejected], &ids, window);
        let points = match in_time(self.deadline.act, call).await {
            Ok(points) => points,
            Err(error) => {
                tracing::warn!(region, "could not read MetadataNoTokenRejected: {error}");
                return Vec::new();
            }
        };
        let failing = watched.into_iter().filter_map(|(since, instance)| {
            // A period that began before the enforcement may hold calls refused before it.
            let points = points.get(&instance.id)?.rejected.iter().copied();
            let since_then = points.filter(|(at, _)| *at >= whole_hour(since));
            let rejected = RejectedCalls::count(&since_then.collect::<Vec<_>>())?;
            Some(InstanceReport::failing(instance, rejected))
        });
        failing.collect()
    }
}

/// Reads a region.
struct RegionReader<'a> {
    engine: &'a Engine<'a>,
    now: Timestamp,
    swept: SweptRegion,
    /// The oldest of the non-compliant instances, by their launch.
    non_compliant: BTreeMap<(Timestamp, InstanceId), Instance>,
    watched: Vec<(Timestamp, Instance)>,
}

impl<'a> RegionReader<'a> {
    fn new(engine: &'a Engine<'a>, region: &str) -> Self {
        RegionReader {
            engine,
            now: (engine.now)(),
            swept: SweptRegion {
                region: region.to_owned(),
                ..SweptRegion::default()
            },
            non_compliant: BTreeMap::new(),
            watched: Vec::new(),
        }
    }

    async fn read(&mut self) -> Result<(), imds_aws::CallError> {
        // Terminated instances stay visible for an hour, and need no decision.
        let states = ["pending", "running", "stopping", "stopped"];
        let filters = [Filter {
            name: "instance-state-name".into(),
            values: states.to_vec(),
        }];
        let region = self.swept.region.clone();
        each_page(self.engine.client, &region, &filters, self).await
    }

    fn instance(&mut self, instance: Instance) {
        let policy = self.engine.policy;
        let evidence = Evidence::NotAsked;
        match decide(policy, &instance, self.now, Discovery::Sweep, &evidence) {
            Decision::Compliant(_) => {
                self.swept.summary.compliant += 1;
                if let Some(since) = marks::watched_since(&instance, &policy.existing, self.now) {
                    let slim = Instance {
                        tags: BTreeMap::new(),
                        ..instance
                    };
                    self.watched.push((since, slim));
                }
            }
            decision @ Decision::Exempt(_) if self.swept.instances.len() < KEPT => {
                let report = InstanceReport::decided(instance, &decision, Outcome::Exempt, None);
                self.swept.instances.push(report);
            }
            Decision::Exempt(_) => self.swept.summary.exempt += 1,
            Decision::Gone(_) => {}
            Decision::NonCompliant(_) => {
                let first = instance.first_launched_at(self.now);
                let launched = first.unwrap_or(Timestamp::MIN);
                self.non_compliant
                    .insert((launched, instance.id.clone()), instance);
                if self.non_compliant.len() > KEPT {
                    self.non_compliant.pop_last();
                    self.swept.left += 1;
                }
            }
        }
    }
}

impl HandlePage for RegionReader<'_> {
    async fn page(&mut self, page: DescribedPage) {
        let (undecided, unreachable) = undecided(&page.unreadable, &self.swept.region);
        self.swept.instances.extend(undecided);
        self.swept.unreachable.extend(unreachable);
        for instance in page.instances {
            self.instance(instance);
        }
    }
}

/// The beginning of the hour, as CloudWatch's periods begin on whole hours.
fn whole_hour(time: Timestamp) -> Timestamp {
    let hour = SignedDuration::from_hours(1).as_secs();
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(hour)).unwrap_or(time)
}
