//! A fake of EC2 and of the parts of STS, CloudWatch, Auto Scaling and DynamoDB that are needed, on loopback.
//! CloudWatch speaks CBOR, DynamoDB JSON; the others read forms and answer with XML.
//! The fake reproduces AWS's awkward behaviour, records every call, and injects faults.

mod account;
mod actions;
mod api_error;
mod attachments;
mod attribute;
mod bucket;
mod cbor;
mod controls;
mod describe;
mod fault;
mod filter;
mod fleet;
mod fleets;
mod groups;
mod images;
mod instance;
mod instance_xml;
mod json;
mod launch;
mod launch_configurations;
mod ledger;
mod managed;
mod metadata_defaults;
mod metrics;
mod modify;
mod option_refusals;
mod page;
mod power;
mod record;
mod request;
mod roles;
mod run;
mod serve;
mod settle;
mod spot;
mod state;
mod table;
mod tags;
mod template_data;
mod templates;
mod xml;

use std::iter;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub use actions::actions;
pub use fault::InjectedFault;
pub use fleets::{Fleet, fleet};
pub use groups::{Group, group};
pub use images::{Image, image};
pub use instance::{FakeInstance, Options};
use jiff::Timestamp;
pub use launch::{LaunchBuilder, launch};
pub use launch_configurations::{LaunchConfiguration, launch_configuration};
pub use ledger::Disruption;
pub use metadata_defaults::Defaults;
pub use modify::TemplateOptions;
pub use record::{CallOutcome, RecordedCall};
pub use roles::AssumableRole;
pub use settle::Settle;
pub use state::{LastPage, REGIONS};
pub use table::{StateTable, TableCall};
pub use template_data::{TemplateData, template_data};

use serve::SharedState;
use templates::Template;
use tokio_rustls::rustls::ServerConfig;

use crate::server::Server;

/// A running fake, which stops when dropped. Fakes share nothing.
#[derive(Debug)]
pub struct FakeAws {
    shared: Arc<SharedState>,
    url: String,
    _server: Server,
}

/// A listener with TLS of a fake; it stops when dropped.
#[derive(Debug)]
pub struct TlsListener {
    url: String,
    _server: Server,
}

impl TlsListener {
    /// A URL for `AWS_ENDPOINT_URL`, as [`FakeAws::url`].
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Starting it.
impl FakeAws {
    /// Starts a fake on a free port.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start() -> Self {
        FakeAws::start_on(0)
    }

    /// Starts a fake on this port.
    ///
    /// # Panics
    /// When it is taken.
    #[must_use]
    pub fn start_on(port: u16) -> Self {
        let shared = Arc::new(SharedState::new());
        let server = Server::start((Ipv4Addr::LOCALHOST, port), None, Arc::clone(&shared))
            .unwrap_or_else(|error| panic!("could not listen on port {port}: {error}"));
        let url = format!("http://{}", server.address);
        FakeAws {
            shared,
            url,
            _server: server,
        }
    }

    /// Listens with TLS too, until the listener is dropped. Its URL has this host, which must resolve
    /// to loopback.
    ///
    /// # Panics
    /// When the host does not resolve to loopback, or no port is free.
    #[must_use]
    pub fn listen_tls(&self, host: &str, tls: ServerConfig) -> TlsListener {
        let server = Server::start((host, 0), Some(tls), Arc::clone(&self.shared))
            .unwrap_or_else(|error| panic!("could not listen at `{host}`: {error}"));
        TlsListener {
            url: format!("https://{host}:{}", server.address.port()),
            _server: server,
        }
    }

    /// A URL for `AWS_ENDPOINT_URL`, which serves EC2, STS, CloudWatch, Auto Scaling and DynamoDB.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The account and what others do in it.
impl FakeAws {
    /// Launches one instance and returns its id.
    pub fn launch(&self, launch: LaunchBuilder) -> String {
        self.launch_many(launch, 1).remove(0)
    }

    /// Launches identical instances in one reservation and returns their ids.
    pub fn launch_many(&self, launch: LaunchBuilder, count: usize) -> Vec<String> {
        self.shared.lock().launch(&launch, count)
    }

    /// The instance as it is now, whatever DescribeInstances shows.
    ///
    /// # Panics
    /// On an unknown id, as all methods that take an id.
    #[must_use]
    pub fn instance(&self, id: &str) -> FakeInstance {
        self.shared.lock().machine(id).instance.clone()
    }

    /// All instances of a region, in the order of their launch.
    #[must_use]
    pub fn instances(&self, region: &str) -> Vec<FakeInstance> {
        let mut fake = self.shared.lock();
        let machines = fake.region(region).machines.iter_mut();
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
        let mut fake = self.shared.lock();
        let machine = fake.machine(id);
        machine.next_state = None;
        state.clone_into(&mut machine.instance.state);
    }

    /// Terminates an instance without a call: it shuts down, and is terminated later.
    pub fn terminate(&self, id: &str) {
        self.shared.lock().terminate(id);
    }

    /// Sets the time of an instance's last start, as if it had been stopped and started.
    pub fn set_started(&self, id: &str, at: Timestamp) {
        self.shared.lock().machine(id).instance.started = at;
    }

    /// Changes metadata options without a call.
    pub fn set_options(&self, id: &str, change: impl FnOnce(&mut Options)) {
        change(&mut self.shared.lock().machine(id).instance.options);
    }

    /// Tags an instance without a call.
    pub fn tag(&self, id: &str, key: &str, value: &str) {
        let mut fake = self.shared.lock();
        fake.machine(id)
            .instance
            .tags
            .insert(key.to_owned(), value.to_owned());
    }

    /// Makes an instance visible now.
    pub fn set_visible(&self, id: &str) {
        self.shared.lock().machine(id).visible = Settle::Now.begin();
    }

    /// Hides an instance, as EC2 does an hour after its termination.
    pub fn forget(&self, id: &str) {
        self.shared.lock().machine(id).visible = Settle::Never.begin();
    }

    /// Creates a launch template without versions and returns its id.
    pub fn template(&self, region: &str, name: &str) -> String {
        let mut fake = self.shared.lock();
        let id = format!("lt-0{}", fake.digits());
        fake.region(region)
            .templates
            .push(Template::new(id.clone(), name));
        id
    }

    /// Adds a version to a launch template and returns its number, counted from 1. The first is the
    /// default until another is chosen.
    ///
    /// # Panics
    /// On an unknown template.
    pub fn template_version(&self, template: &str, data: impl Into<TemplateData>) -> u64 {
        self.shared.lock().template(template).add(data.into())
    }

    /// Sets the default version of a launch template.
    ///
    /// # Panics
    /// On an unknown template or version.
    pub fn set_default_version(&self, template: &str, version: u64) {
        self.shared.lock().template(template).set_default(version);
    }

    /// Adds a launch configuration of Auto Scaling.
    ///
    /// # Panics
    /// On a name that the region already has.
    pub fn add_launch_configuration(&self, region: &str, configuration: LaunchConfiguration) {
        let mut fake = self.shared.lock();
        let known = &mut fake.region(region).launch_configurations;
        let name = &configuration.name;
        let taken = known.iter().any(|known| known.name == *name);
        assert!(!taken, "there are two launch configurations `{name}`");
        known.push(configuration);
    }

    /// Adds a role; of two with the same name the last counts.
    pub fn add_role(&self, role: AssumableRole) {
        self.shared.lock().roles.push(role);
    }

    /// Adds an AMI to a region.
    pub fn add_image(&self, region: &str, image: Image) {
        self.shared.lock().region(region).images.push(image);
    }

    /// Adds a datapoint of a metric of `AWS/EC2` with the dimension `InstanceId`.
    pub fn datapoint(&self, id: &str, metric: &str, at: Timestamp, value: f64) {
        self.shared.lock().add_datapoints(id, metric, [(at, value)]);
    }

    /// Adds a datapoint at `from` and after every `every`, before `until`.
    ///
    /// # Panics
    /// When `every` is zero.
    pub fn datapoints(
        &self,
        id: &str,
        metric: &str,
        from: Timestamp,
        until: Timestamp,
        every: Duration,
        value: f64,
    ) {
        assert!(!every.is_zero(), "datapoints are apart");
        let times = iter::successors(Some(from), |at| Some(*at + every));
        let points = times.take_while(|at| *at < until).map(|at| (at, value));
        self.shared.lock().add_datapoints(id, metric, points);
    }
}

/// The calls that it received.
impl FakeAws {
    /// Every call, including rejected ones, in the order of arrival.
    #[must_use]
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.calls_where(|_| true)
    }

    /// The calls of one action.
    #[must_use]
    pub fn calls_to(&self, action: &str) -> Vec<RecordedCall> {
        self.calls_where(|call| call.action == action)
    }

    /// The calls that may change something: anything but Describe, Get, BatchGet, List and dry
    /// runs.
    #[must_use]
    pub fn changing_calls(&self) -> Vec<RecordedCall> {
        self.calls_where(RecordedCall::changes)
    }

    /// How many calls of one action arrived.
    #[must_use]
    pub fn count(&self, action: &str) -> usize {
        self.shared
            .lock()
            .record
            .calls()
            .iter()
            .filter(|call| call.action == action)
            .count()
    }

    /// Clears the record of calls.
    pub fn forget_calls(&self) {
        self.shared.lock().record.forget();
        self.shared.most_in_flight.store(0, Ordering::SeqCst);
    }

    /// The most calls that were in flight at the same time.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(Ordering::SeqCst)
    }

    /// How many connections were opened.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    fn calls_where(&self, wanted: impl Fn(&RecordedCall) -> bool) -> Vec<RecordedCall> {
        let fake = self.shared.lock();
        fake.record
            .calls()
            .iter()
            .filter(|call| wanted(call))
            .cloned()
            .collect()
    }
}
