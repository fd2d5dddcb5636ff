//! All that the stand-in knows: regions, their instances, how it behaves.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::bucket::Buckets;
use super::fault::Fault;
use super::images::Image;
use super::instance::Machine;
use super::launch::{Launch, digits};
use super::launch_configurations::LaunchConfiguration;
use super::metadata_defaults::Defaults;
use super::metrics::Metrics;
use super::record::Record;
use super::refusal::Refusal;
use super::request::Request;
use super::settle::Settle;
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

/// Some of those that an account must ask for.
const OPT_IN_REGIONS: [&str; 4] = ["af-south-1", "ap-east-1", "eu-south-1", "me-south-1"];

/// Everything, behind one lock.
#[derive(Debug)]
pub(super) struct World {
    pub(super) account: String,
    pub(super) regions: BTreeMap<String, Region>,
    pub(super) settings: Settings,
    pub(super) record: Record,
    pub(super) faults: Vec<Fault>,
    pub(super) buckets: Buckets,
    pub(super) metrics: Metrics,
    pub(super) latency: Duration,
    numbers: u64,
    homes: HashMap<String, String>,
}

/// One region of the account.
#[derive(Debug, Default)]
pub(super) struct Region {
    /// The error code that a region answers with that is not opted in.
    pub(super) opted_out: Option<String>,
    pub(super) machines: Vec<Machine>,
    pub(super) positions: HashMap<String, usize>,
    pub(super) defaults: Defaults,
    pub(super) refuses_metadata_tags: bool,
    pub(super) templates: Vec<Template>,
    pub(super) launch_configurations: Vec<LaunchConfiguration>,
    pub(super) images: Vec<Image>,
    /// By client token: the form of the launch and its reservation.
    pub(super) launches: HashMap<String, (Request, String)>,
}

/// How it behaves everywhere.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) applied: Settle,
    pub(super) transitions: Settle,
    pub(super) page_size: usize,
    pub(super) last_page: LastPage,
    /// Whether the last page was an empty one.
    pub(super) alternate: bool,
    pub(super) demands_endpoint: bool,
    pub(super) replaces_in_groups: bool,
}

/// What the last page carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastPage {
    /// `Empty` and `Absent` by turns.
    Alternate,
    /// An empty `nextToken`.
    Empty,
    /// None.
    Absent,
}

impl World {
    pub(super) fn new() -> Self {
        let enabled = REGIONS.map(|name| (name.to_owned(), Region::default()));
        let opted_out =
            OPT_IN_REGIONS.map(|name| (name.to_owned(), Region::opted_out("AuthFailure")));
        World {
            account: "111122223333".to_owned(),
            regions: enabled.into_iter().chain(opted_out).collect(),
            settings: Settings {
                applied: Settle::Describes(1),
                transitions: Settle::Describes(1),
                page_size: 1000,
                last_page: LastPage::Alternate,
                alternate: false,
                demands_endpoint: false,
                replaces_in_groups: false,
            },
            record: Record::default(),
            faults: Vec::new(),
            buckets: Buckets::default(),
            metrics: Metrics::default(),
            latency: Duration::ZERO,
            numbers: 0,
            homes: HashMap::new(),
        }
    }

    /// Sixteen digits that nothing else here has.
    pub(super) fn digits(&mut self) -> String {
        self.numbers += 1;
        digits(self.numbers)
    }

    /// Launches into one reservation; the region is opted in by that.
    pub(super) fn launch(&mut self, launch: &Launch, count: usize) -> Vec<String> {
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

    /// The region, which comes to be if it must.
    pub(super) fn region(&mut self, name: &str) -> &mut Region {
        self.regions.entry(name.to_owned()).or_default()
    }

    /// The instance, up to date.
    ///
    /// # Panics
    /// On an unknown id, which is a mistake in the test.
    pub(super) fn machine(&mut self, id: &str) -> &mut Machine {
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

    /// The launch template, in whatever region.
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

impl Region {
    pub(super) fn opted_out(code: &str) -> Self {
        Region {
            opted_out: Some(code.to_owned()),
            ..Region::default()
        }
    }

    pub(super) fn add(&mut self, machine: Machine) {
        self.positions
            .insert(machine.instance.id.clone(), self.machines.len());
        self.machines.push(machine);
    }

    /// The instances of these ids, settled: all or none.
    pub(super) fn all_of(&mut self, ids: &[&str]) -> Result<Vec<usize>, Refusal> {
        if let Some(id) = ids.iter().find(|id| !is_id("i-", id)) {
            return Err(Refusal::new(
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
            return Err(Refusal::unknown_instances(unknown));
        }
        for position in &found {
            self.machines[*position].settle();
        }
        Ok(found)
    }

    pub(super) fn one(&mut self, id: &str) -> Result<&mut Machine, Refusal> {
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
