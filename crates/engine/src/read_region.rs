//! Observes every instance of a region, page by page, and finds out on which watched instances software
//! fails. Nothing is done before all regions are read.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use imds_aws::{DescribedPage, Fault, Filter, Metric};
use imds_core::age::Age;
use imds_core::chain::chain;
use imds_core::decide::{Decision, Discovery, Evidence, decide};
use imds_core::instance::{Instance, InstanceId};
use imds_core::report::{InstanceReport, Outcome, Unreachable};
use imds_core::usage::{RejectedCalls, whole_hour};
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::timeout_at;

use crate::attempt::in_time;
use crate::engine::Engine;
use crate::observed::undecided;
use crate::pages::{HandlePage, each_page};
use crate::sweep_region::SweptRegion;

/// Regions read at once; a page of 1,000 instances takes about 5 MB while it is read.
pub(crate) const REGIONS_READ_AT_ONCE: usize = 4;

/// Non-compliant instances of a region that are kept: in five minutes EC2 takes some 1,400 changes.
const KEPT: usize = 1500;

/// What an error of authorization means for the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfDenied {
    /// The region is known to be open to the function.
    Fatal,
    /// The region may be closed to the function.
    Reported,
}

/// A region that is read, and not handled yet.
pub(crate) struct ReadRegion {
    pub(crate) swept: SweptRegion,
    pub(crate) non_compliant: Vec<Instance>,
    pub(crate) observed_at: Timestamp,
    /// Why it is not known whether calls are rejected on watched instances.
    pub(crate) watch_error: Option<String>,
}

impl ReadRegion {
    /// Watched instances on which calls without a token are rejected.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = &InstanceId> {
        let instances = self.swept.failing.iter();
        instances.map(|instance| &instance.instance_id)
    }
}

impl Engine<'_> {
    /// Reads a region.
    pub(crate) async fn read_region(
        &self,
        region: &str,
        if_denied: IfDenied,
        reading: &Semaphore,
    ) -> ReadRegion {
        let mut reader = RegionReader::new(self, region);
        let read = async {
            // The semaphore is never closed.
            let _permit = reading.acquire().await;
            reader.read().await
        };
        let error = match timeout_at(self.deadline.observe, read).await {
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
            compliant,
            now: observed_at,
            ..
        } = reader;
        swept
            .unreachable
            .extend(error.map(|(error, fatal)| Unreachable {
                fatal,
                ..Unreachable::fatal(region, error)
            }));
        let mut watch_error = None;
        match self.failing(region, compliant).await {
            Ok(failing) => swept.failing = failing,
            Err(error) => {
                let what = format!("calls on watched instances are not known: {error}");
                swept.unreachable.push(Unreachable::fatal(region, what));
                watch_error = Some(error);
            }
        }
        ReadRegion {
            watch_error,
            swept,
            non_compliant: non_compliant.into_values().collect(),
            observed_at,
        }
    }

    /// Those of the watched instances whose calls without a token are refused since their options were
    /// enforced.
    async fn failing(
        &self,
        region: &str,
        compliant: Vec<Instance>,
    ) -> Result<Vec<InstanceReport>, String> {
        let ids: Vec<&InstanceId> = compliant.iter().map(|instance| &instance.id).collect();
        let watched = self.watched(&ids).await?;
        let Some(begin) = watched.values().min() else {
            return Ok(Vec::new());
        };
        let ids: Vec<&InstanceId> = watched.keys().collect();
        let window = (whole_hour(*begin), (self.now)());
        let call = self
            .client
            .call_data(region, &[Metric::NoTokenRejected], &ids, window);
        let points = in_time(self.deadline.observe, call).await;
        let points = points.map_err(|error| error.to_string())?;
        let failing = compliant.into_iter().filter_map(|instance| {
            let since = watched.get(&instance.id)?;
            // A period that began before the enforcement may hold calls refused before it.
            let points = points.get(&instance.id)?.rejected.iter().copied();
            let since_then = points.filter(|(at, _)| *at >= whole_hour(*since));
            let rejected = RejectedCalls::count(&since_then.collect::<Vec<_>>())?;
            Some(InstanceReport::failing(instance, rejected))
        });
        Ok(failing.collect())
    }
}

/// The order in which non-compliant instances are handled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// The youngest first.
    New(Reverse<Timestamp>, InstanceId),
    /// Existing ones, in another order in each hour: no more of them than `KEPT` are handled by a sweep, and
    /// each gets its turn.
    Existing(u64, InstanceId),
}

/// Reads a region.
struct RegionReader<'a> {
    engine: &'a Engine<'a>,
    now: Timestamp,
    swept: SweptRegion,
    non_compliant: BTreeMap<Turn, Instance>,
    /// Those that may be watched.
    compliant: Vec<Instance>,
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
            compliant: Vec::new(),
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
                if policy.existing.watch_days > 0 && self.engine.table.is_some() {
                    let tags = BTreeMap::new();
                    self.compliant.push(Instance { tags, ..instance });
                }
            }
            decision @ Decision::Exempt(_) if self.swept.instances.len() < KEPT => {
                let report = InstanceReport::decided(instance, &decision, Outcome::Exempt, None);
                self.swept.instances.push(report);
            }
            Decision::Exempt(_) => self.swept.summary.exempt += 1,
            Decision::Gone(_) => {}
            Decision::NonCompliant(_) => {
                self.non_compliant.insert(self.turn(&instance), instance);
                if self.non_compliant.len() > KEPT {
                    self.non_compliant.pop_last();
                    self.swept.not_evaluated += 1;
                }
            }
        }
    }

    fn turn(&self, instance: &Instance) -> Turn {
        let id = instance.id.clone();
        let first = instance.first_launched_at(self.now);
        match (
            Age::new(&self.engine.policy.new_instances, first, self.now),
            first,
        ) {
            (Age::New | Age::Recent, Some(first)) => Turn::New(Reverse(first), id),
            _ => {
                let mut hasher = DefaultHasher::new();
                (id.as_str(), whole_hour(self.now).as_second()).hash(&mut hasher);
                Turn::Existing(hasher.finish(), id)
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
