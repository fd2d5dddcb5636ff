//! A stand-in for EC2's query API, and for what is needed of STS, CloudWatch and Auto Scaling, on loopback.
//! CloudWatch is asked in CBOR, the others by forms, which they answer with XML.
//! It behaves as AWS does where that is awkward, records every call, and takes faults.

mod account;
mod actions;
mod attribute;
mod bucket;
mod cbor;
mod controls;
mod describe;
mod fault;
mod filter;
mod fleet;
mod images;
mod instance;
mod instance_xml;
mod launch;
mod launch_configurations;
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
mod template_data;
mod templates;
mod world;
mod xml;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use fault::Fault;
pub use images::{Image, image};
pub use instance::{Instance, Options};
use jiff::Timestamp;
pub use launch::{Launch, launch};
pub use launch_configurations::{LaunchConfiguration, launch_configuration};
pub use metadata_defaults::Defaults;
pub use modify::TemplateOptions;
pub use record::{Call, Outcome};
pub use settle::Settle;
pub use template_data::{TemplateData, template_data};
pub use world::{LastPage, REGIONS};

use serve::Shared;
use templates::Template;
use tokio_rustls::rustls::ServerConfig;

use crate::server::Server;

/// A running stand-in; it stops when dropped. No two of one program share anything.
#[derive(Debug)]
pub struct Standin {
    shared: Arc<Shared>,
    url: String,
    _server: Server,
}

/// What else a stand-in listens at; it stops when dropped.
#[derive(Debug)]
pub struct TlsListener {
    url: String,
    _server: Server,
}

impl TlsListener {
    /// For `AWS_ENDPOINT_URL`, as [`Standin::url`].
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
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
        let server = Server::start((Ipv4Addr::LOCALHOST, port), None, Arc::clone(&shared))
            .unwrap_or_else(|error| panic!("could not listen on port {port}: {error}"));
        let url = format!("http://{}", server.address);
        Standin {
            shared,
            url,
            _server: server,
        }
    }

    /// Listens with TLS too, for as long as the answer lives; its URL has this host, which resolves
    /// to loopback.
    ///
    /// # Panics
    /// When it does not, or there is no free port.
    #[must_use]
    pub fn listen_tls(&self, host: &str, tls: ServerConfig) -> TlsListener {
        let server = Server::start((host, 0), Some(tls), Arc::clone(&self.shared))
            .unwrap_or_else(|error| panic!("could not listen at `{host}`: {error}"));
        TlsListener {
            url: format!("https://{host}:{}", server.address.port()),
            _server: server,
        }
    }

    /// For `AWS_ENDPOINT_URL`: EC2, STS, CloudWatch and Auto Scaling alike.
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
        self.shared.world().machine(id).visible = Settle::Never.begin();
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

    /// A version of a launch template; gives its number, counted from 1. The first is the default
    /// until another is chosen.
    ///
    /// # Panics
    /// On an unknown template.
    pub fn template_version(&self, template: &str, data: impl Into<TemplateData>) -> u64 {
        self.shared.world().template(template).add(data.into())
    }

    /// Chooses the default version of a launch template.
    ///
    /// # Panics
    /// On an unknown template or version.
    pub fn set_default_version(&self, template: &str, version: u64) {
        self.shared.world().template(template).set_default(version);
    }

    /// A launch configuration of Auto Scaling.
    ///
    /// # Panics
    /// On a name that the region has.
    pub fn add_launch_configuration(&self, region: &str, configuration: LaunchConfiguration) {
        let mut world = self.shared.world();
        let known = &mut world.region(region).launch_configurations;
        let name = &configuration.name;
        let taken = known.iter().any(|known| known.name == *name);
        assert!(!taken, "there are two launch configurations `{name}`");
        known.push(configuration);
    }

    /// An AMI that a region's DescribeImages sees.
    pub fn add_image(&self, region: &str, image: Image) {
        self.shared.world().region(region).images.push(image);
    }

    /// A datapoint of a metric of `AWS/EC2` with the dimension `InstanceId`.
    pub fn datapoint(&self, id: &str, metric: &str, at: Timestamp, value: f64) {
        let mut world = self.shared.world();
        let region = world.machine(id).instance.region.clone();
        world.metrics.add(&region, metric, id, at, value);
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

    /// The calls that may change something: anything but Describe, Get, List and dry runs.
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
