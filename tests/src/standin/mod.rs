//! A stand-in for EC2's query API, and for what is needed of STS and CloudWatch, on loopback.
//! It behaves as AWS does where that is awkward, records every call, and takes faults.

mod account;
mod actions;
mod attribute;
mod bucket;
mod describe;
mod fault;
mod filter;
mod instance;
mod instance_xml;
mod launch;
mod metadata_defaults;
mod metrics;
mod modify;
mod page;
mod power;
mod record;
mod refusal;
mod request;
mod run;
mod serve;
mod settle;
mod tags;
mod templates;
mod world;
mod xml;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use fault::Fault;
pub use instance::{Instance, Options};
use jiff::Timestamp;
pub use launch::{Launch, launch};
pub use metadata_defaults::Defaults;
pub use modify::TemplateOptions;
pub use record::{Call, Outcome};
pub use settle::Settle;
pub use world::LastPage;

use bucket::Rate;
use serve::Shared;
use templates::Template;

use crate::server::Server;

/// A running stand-in; it stops when dropped. No two of one program share anything.
#[derive(Debug)]
pub struct Standin {
    shared: Arc<Shared>,
    url: String,
    _server: Server,
}

/// Starting it.
impl Standin {
    /// On a free port.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn start() -> Self {
        Standin::start_on(0)
    }

    /// On this port.
    ///
    /// # Panics
    /// When it is taken.
    #[must_use]
    pub fn start_on(port: u16) -> Self {
        let shared = Arc::new(Shared::new());
        let server = Server::start(port, Arc::clone(&shared))
            .unwrap_or_else(|error| panic!("could not listen on port {port}: {error}"));
        let url = format!("http://{}", server.address);
        Standin {
            shared,
            url,
            _server: server,
        }
    }

    /// For `AWS_ENDPOINT_URL`: EC2, STS and CloudWatch alike.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The world as it is.
impl Standin {
    /// Launches one instance and gives its id.
    pub fn launch(&self, launch: Launch) -> String {
        self.launch_many(launch, 1).remove(0)
    }

    /// Launches instances alike, in one reservation, and gives their ids.
    pub fn launch_many(&self, launch: Launch, count: usize) -> Vec<String> {
        self.shared.world().launch(&launch, count)
    }

    /// The truth now, whatever DescribeInstances shows.
    ///
    /// # Panics
    /// On an unknown id, as all methods that take one.
    #[must_use]
    pub fn instance(&self, id: &str) -> Instance {
        self.shared.world().machine(id).instance.clone()
    }

    /// All instances of a region, in the order of their launch.
    #[must_use]
    pub fn instances(&self, region: &str) -> Vec<Instance> {
        let mut world = self.shared.world();
        let machines = world.region(region).machines.iter_mut();
        machines
            .map(|machine| {
                machine.settle();
                machine.instance.clone()
            })
            .collect()
    }

    /// Puts an instance into a state, where it stays.
    pub fn set_state(&self, id: &str, state: &str) {
        instance::state_code(state);
        let mut world = self.shared.world();
        let machine = world.machine(id);
        machine.next_state = None;
        state.clone_into(&mut machine.instance.state);
    }

    /// Somebody else changes metadata options.
    pub fn set_options(&self, id: &str, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.world().machine(id).instance.options);
    }

    /// Somebody else tags an instance.
    pub fn tag(&self, id: &str, key: &str, value: &str) {
        let mut world = self.shared.world();
        world
            .machine(id)
            .instance
            .tags
            .insert(key.to_owned(), value.to_owned());
    }

    /// EC2 has forgotten an instance, as it does an hour after its termination.
    pub fn forget(&self, id: &str) {
        let mut world = self.shared.world();
        let machine = world.machine(id);
        machine.forgotten = true;
        machine.visible = Settle::Never.begin();
    }

    /// A launch template without versions; gives its id.
    pub fn template(&self, region: &str, name: &str) -> String {
        let mut world = self.shared.world();
        let id = format!("lt-0{}", world.digits());
        world
            .region(region)
            .templates
            .push(Template::new(id.clone(), name));
        id
    }

    /// A version of a launch template; gives its number, counted from 1, which is the default.
    ///
    /// # Panics
    /// On an unknown template.
    pub fn template_version(&self, template: &str, options: TemplateOptions) -> u64 {
        let mut world = self.shared.world();
        let mut templates = world
            .regions
            .values_mut()
            .flat_map(|region| &mut region.templates);
        let found = templates.find(|found| found.is(template));
        found
            .unwrap_or_else(|| panic!("there is no launch template `{template}`"))
            .add(options)
    }

    /// A datapoint of a metric of `AWS/EC2` with the dimension `InstanceId`.
    pub fn datapoint(&self, id: &str, metric: &str, at: Timestamp, value: f64) {
        let mut world = self.shared.world();
        let region = world.machine(id).instance.region.clone();
        world.metrics.add(&region, metric, id, at, value);
    }
}

/// How it behaves.
impl Standin {
    /// Twelve digits; `111122223333` at first.
    pub fn set_account(&self, account: &str) {
        account.clone_into(&mut self.shared.world().account);
    }

    /// The regions that are opted in; at first the 17 that every account has.
    /// Those left out are opted out; instances launched before are kept.
    pub fn set_regions(&self, regions: &[&str]) {
        let mut world = self.shared.world();
        for region in world.regions.values_mut() {
            region
                .opted_out
                .get_or_insert_with(|| "AuthFailure".to_owned());
        }
        for name in regions {
            world.region(name).opted_out = None;
        }
    }

    /// The region answers with this code: `AuthFailure` or `OptInRequired`.
    pub fn opt_out(&self, region: &str, code: &str) {
        self.shared.world().region(region).opted_out = Some(code.to_owned());
    }

    /// `HttpTokensEnforced` is on.
    pub fn enforce_tokens(&self, region: &str) {
        self.shared.world().region(region).defaults.tokens_enforced = Some("enabled".to_owned());
    }

    /// The account's defaults for metadata options.
    pub fn set_defaults(&self, region: &str, defaults: Defaults) {
        self.shared.world().region(region).defaults = defaults;
    }

    /// As the API was: `HttpTokens` or a hop limit without `HttpEndpoint=enabled` is refused.
    pub fn demand_endpoint(&self) {
        self.shared.world().settings.demands_endpoint = true;
    }

    /// `InstanceMetadataTags` is `UnsupportedOperation`, as in some partitions.
    pub fn refuse_metadata_tags(&self, region: &str) {
        self.shared.world().region(region).refuses_metadata_tags = true;
    }

    /// A terminated instance of an Auto Scaling group is replaced by one just like it.
    pub fn replace_in_groups(&self) {
        self.shared.world().settings.replaces_in_groups = true;
    }

    /// When changed options turn from `pending` to `applied`; at first after one describe.
    pub fn set_applied(&self, settle: Settle) {
        self.shared.world().settings.applied = settle;
    }

    /// When an instance on its way to another state gets there; at first after one describe.
    pub fn set_transitions(&self, settle: Settle) {
        self.shared.world().settings.transitions = settle;
    }

    /// How much a page holds at most, whatever MaxResults says; 1000 at first.
    pub fn set_page_size(&self, most: usize) {
        self.shared.world().settings.page_size = most.max(1);
    }

    /// What the last page carries; an empty token and none by turns at first.
    pub fn set_last_page(&self, last: LastPage) {
        self.shared.world().settings.last_page = last;
    }

    /// How many datapoints an answer of GetMetricData holds at most; 100,800 at first.
    pub fn set_metric_page(&self, datapoints: usize) {
        self.shared.world().metrics.page = datapoints.max(1);
    }
}

/// Hardship.
impl Standin {
    /// Every call takes so long.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.world().latency = latency;
    }

    /// EC2's own token buckets, refilled `time_factor` times as fast.
    pub fn with_real_rates(&self, time_factor: f64) {
        self.shared.world().buckets.real(time_factor);
    }

    /// A token bucket of one action, in every region.
    pub fn set_rate(&self, action: &str, burst: f64, per_second: f64) {
        self.shared
            .world()
            .buckets
            .choose(action, Rate { burst, per_second });
    }

    /// Adds a fault; those added first are tried first.
    pub fn fault(&self, fault: Fault) {
        self.shared.world().faults.push(fault);
    }

    /// All is well again.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }
}

/// What came.
impl Standin {
    /// Every call, refused ones too, in the order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls_where(|_| true)
    }

    /// The calls of one action.
    #[must_use]
    pub fn calls_to(&self, action: &str) -> Vec<Call> {
        self.calls_where(|call| call.action == action)
    }

    /// The calls that may change something: anything but Describe, Get and List.
    #[must_use]
    pub fn changing_calls(&self) -> Vec<Call> {
        self.calls_where(Call::changes)
    }

    /// How many calls of one action came.
    #[must_use]
    pub fn count(&self, action: &str) -> usize {
        self.shared
            .world()
            .record
            .calls()
            .iter()
            .filter(|call| call.action == action)
            .count()
    }

    /// Starts the record anew.
    pub fn forget_calls(&self) {
        self.shared.world().record.forget();
        self.shared.most_in_flight.store(0, Ordering::SeqCst);
    }

    /// The most calls that were under way at once.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(Ordering::SeqCst)
    }

    /// How many connections were opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    fn calls_where(&self, wanted: impl Fn(&Call) -> bool) -> Vec<Call> {
        let world = self.shared.world();
        world
            .record
            .calls()
            .iter()
            .filter(|call| wanted(call))
            .cloned()
            .collect()
    }
}
