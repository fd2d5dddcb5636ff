//! The fake's state: regions, instances, settings.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::api_error::ApiError;
use super::bucket::Buckets;
use super::fault::InjectedFault;
use super::fleets::Fleet;
use super::groups::Group;
use super::images::Image;
use super::instance::FakeMachine;
use super::launch::{LaunchBuilder, digits};
use super::launch_configurations::LaunchConfiguration;
use super::ledger::Disruption;
use super::metadata_defaults::Defaults;
use super::metrics::{Metrics, Series};
use super::power::{replacement, shut_down};
use super::record::CallLog;
use super::request::ApiRequest;
use super::roles::AssumableRole;
use super::settle::Settle;
use super::table::{Table, TableSettings};
use super::templates::Template;

/// The regions that every account has.
pub const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Some of the regions that an account must opt in to.
const OPT_IN_REGIONS: [&str; 4] = ["af-south-1", "ap-east-1", "eu-south-1", "me-south-1"];

/// The whole state, behind one lock.
#[derive(Debug)]
pub(super) struct FakeState {
    pub(super) account: String,
    pub(super) regions: BTreeMap<String, FakeRegion>,
    pub(super) settings: FakeSettings,
    pub(super) record: CallLog,
    pub(super) disruptions: Vec<Disruption>,
    pub(super) faults: Vec<InjectedFault>,
    pub(super) buckets: Buckets,
    pub(super) metrics: Metrics,
    pub(super) table: TableSettings,
    pub(super) roles: Vec<AssumableRole>,
    /// How far the clock of the answers is ahead.
    pub(super) clock_skew: SignedDuration,
    pub(super) latency: Duration,
    numbers: u64,
    homes: HashMap<String, String>,
}

/// One region of the account.
#[derive(Debug, Default)]
pub(super) struct FakeRegion {
    /// The error code that the region answers with while it is opted out.
    pub(super) opted_out: Option<String>,
    pub(super) machines: Vec<FakeMachine>,
    pub(super) positions: HashMap<String, usize>,
    pub(super) defaults: Defaults,
    pub(super) refuses_metadata_tags: bool,
    /// Whether its endpoint is older than `IncludeManagedResources`.
    pub(super) knows_no_managed_resources: bool,
    pub(super) templates: Vec<Template>,
    pub(super) launch_configurations: Vec<LaunchConfiguration>,
    pub(super) images: Vec<Image>,
    pub(super) groups: Vec<Group>,
    pub(super) fleets: Vec<Fleet>,
    pub(super) spot_fleets: Vec<Fleet>,
    /// Systems Manager parameters that hold the id of an image.
    pub(super) parameters: BTreeMap<String, String>,
    /// Whether the caller may read them.
    pub(super) denies_parameters: bool,
    pub(super) table: Table,
    /// By client token: the request of the launch and its reservation.
    pub(super) launches: HashMap<String, (ApiRequest, String)>,
}

/// How the fake behaves in every region.
#[derive(Debug)]
pub(super) struct FakeSettings {
    pub(super) applied: Settle,
    pub(super) transitions: Settle,
    /// When DescribeInstances begins to show what RunInstances has launched.
    pub(super) launches_visible: Settle,
    pub(super) page_size: usize,
    pub(super) last_page: LastPage,
    /// Whether the last page was an empty one.
    pub(super) alternate: bool,
    pub(super) demands_endpoint: bool,
    pub(super) forgets_options: bool,
    pub(super) replaces_in_groups: bool,
}

/// What the last page carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastPage {
    /// Alternates between `Empty` and `Absent`.
    Alternate,
    /// An empty `nextToken`.
    Empty,
    /// No `nextToken`.
    Absent,
}

impl FakeState {
    pub(super) fn new() -> Self {
        let enabled = REGIONS.map(|name| (name.to_owned(), FakeRegion::default()));
        let opted_out =
            OPT_IN_REGIONS.map(|name| (name.to_owned(), FakeRegion::opted_out("AuthFailure")));
        FakeState {
            account: "111122223333".to_owned(),
            regions: enabled.into_iter().chain(opted_out).collect(),
            settings: FakeSettings {
                applied: Settle::Describes(1),
                transitions: Settle::Describes(1),
                launches_visible: Settle::Now,
                page_size: 1000,
                last_page: LastPage::Alternate,
                alternate: false,
                demands_endpoint: false,
                forgets_options: false,
                replaces_in_groups: false,
            },
            record: CallLog::default(),
            disruptions: Vec::new(),
            faults: Vec::new(),
            buckets: Buckets::default(),
            metrics: Metrics::default(),
            table: TableSettings::default(),
            roles: Vec::new(),
            clock_skew: SignedDuration::ZERO,
            latency: Duration::ZERO,
            numbers: 0,
            homes: HashMap::new(),
        }
    }

    /// Sixteen unique hexadecimal digits.
    pub(super) fn digits(&mut self) -> String {
        self.numbers += 1;
        digits(self.numbers)
    }

    /// Launches into one reservation. A region that does not exist yet is created.
    pub(super) fn launch(&mut self, launch: &LaunchBuilder, count: usize) -> Vec<String> {
        let name = launch.instance.region.clone();
        let reservation = format!("r-0{}", self.digits());
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            self.numbers += 1;
            let machine = launch.clone().machine(self.numbers, &reservation);
            let id = machine.instance.id.clone();
            let known = self.homes.insert(id.clone(), name.clone());
            assert!(known.is_none(), "`{id}` is launched twice");
            self.region(&name).add(machine);
            ids.push(id);
        }
        ids
    }

    /// Terminates an instance; one of a group may be replaced.
    pub(super) fn terminate(&mut self, id: &str) {
        let replaces = self.settings.replaces_in_groups;
        let when = self.settings.transitions.begin();
        let machine = self.machine(id);
        if machine.is_terminated() {
            return;
        }
        let replacement = replacement(machine).filter(|_| replaces);
        shut_down(machine, when);
        if let Some(replacement) = replacement {
            self.launch(&replacement, 1);
        }
    }

    /// Adds datapoints of a metric of `AWS/EC2` for an instance.
    pub(super) fn add_datapoints(
        &mut self,
        id: &str,
        metric: &str,
        points: impl IntoIterator<Item = (Timestamp, f64)>,
    ) {
        let series = self.series(id, metric);
        self.metrics.add(series, points);
    }

    pub(super) fn series(&mut self, id: &str, metric: &str) -> Series {
        let region = self.machine(id).instance.region.clone();
        (region, metric.to_owned(), id.to_owned())
    }

    /// The region, which is created if it does not exist.
    pub(super) fn region(&mut self, name: &str) -> &mut FakeRegion {
        self.regions.entry(name.to_owned()).or_default()
    }

    /// The instance, after all changes that are due.
    ///
    /// # Panics
    /// On an unknown id, which is a mistake in the test.
    pub(super) fn machine(&mut self, id: &str) -> &mut FakeMachine {
        let home = self
            .homes
            .get(id)
            .unwrap_or_else(|| panic!("nobody launched `{id}`"));
        let region = self.regions.get_mut(home).expect("homes are regions");
        let position = region.positions[id];
        let machine = &mut region.machines[position];
        machine.settle();
        machine
    }

    /// The launch template, in any region.
    ///
    /// # Panics
    /// On an unknown id, which is a mistake in the test.
    pub(super) fn template(&mut self, id: &str) -> &mut Template {
        self.regions
            .values_mut()
            .flat_map(|region| &mut region.templates)
            .find(|template| template.is(id))
            .unwrap_or_else(|| panic!("there is no launch template `{id}`"))
    }
}

impl FakeRegion {
    pub(super) fn opted_out(code: &str) -> Self {
        FakeRegion {
            opted_out: Some(code.to_owned()),
            ..FakeRegion::default()
        }
    }

    pub(super) fn add(&mut self, machine: FakeMachine) {
        self.positions
            .insert(machine.instance.id.clone(), self.machines.len());
        self.machines.push(machine);
    }

    /// The positions of these ids, after all changes that are due; fails if one is unknown.
    pub(super) fn all_of(&mut self, ids: &[&str]) -> Result<Vec<usize>, ApiError> {
        if let Some(id) = ids.iter().find(|id| !is_id("i-", id)) {
            return Err(ApiError::new(
                "InvalidInstanceID.Malformed",
                format!("Invalid id: \"{id}\""),
            ));
        }
        let mut found = Vec::with_capacity(ids.len());
        let mut unknown = Vec::new();
        for id in ids {
            match self
                .positions
                .get(*id)
                .filter(|position| self.machines[**position].is_known())
            {
                Some(position) if found.contains(position) => {}
                Some(position) => found.push(*position),
                None => unknown.push(*id),
            }
        }
        if !unknown.is_empty() {
            return Err(ApiError::unknown_instances(unknown));
        }
        for position in &found {
            self.machines[*position].settle();
        }
        Ok(found)
    }

    pub(super) fn one(&mut self, id: &str) -> Result<&mut FakeMachine, ApiError> {
        let position = self.all_of(&[id])?[0];
        Ok(&mut self.machines[position])
    }
}

/// A prefix such as `i-`, and 8 or 17 hexadecimal digits.
pub(super) fn is_id(prefix: &str, id: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|rest| {
        matches!(rest.len(), 8 | 17)
            && rest
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}
