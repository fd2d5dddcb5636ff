//! The builder of instances.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::attachments::Attachments;
use super::instance::{FakeInstance, FakeMachine, Options, state_code};
use super::settle::Settle;
use crate::clock::now;

/// An instance to launch. By default it is running, allows IMDSv1, was launched ten seconds ago, and is
/// visible immediately.
#[derive(Clone, Debug)]
#[must_use]
pub struct LaunchBuilder {
    pub(super) instance: FakeInstance,
    pub(super) user_data: Option<Vec<u8>>,
    pub(super) attachments: Attachments,
    pub(super) interface_visible: Settle,
    visible: Settle,
    running: Option<Settle>,
    late_tags: Vec<(String, String, Settle)>,
    refused_modifies: u32,
    refuses_changes: bool,
    denies_changes: bool,
    shows_options: bool,
}

/// An instance to launch in this region.
pub fn launch(region: &str) -> LaunchBuilder {
    let launched = now() - Duration::from_secs(10);
    LaunchBuilder {
        instance: FakeInstance {
            id: String::new(),
            region: region.to_owned(),
            az: format!("{region}a"),
            state: "running".to_owned(),
            image: "ami-0abcdef1234567890".to_owned(),
            instance_type: "t3.micro".to_owned(),
            instance_profile: None,
            public_ip: None,
            ipv6_addresses: Vec::new(),
            client_token: String::new(),
            reservation: String::new(),
            options: Options::default(),
            tags: BTreeMap::new(),
            first_launched: launched,
            started: launched,
            protected: false,
            stop_protected: false,
            instance_store: false,
            spot: false,
            persistent_spot: false,
            capacity_block: false,
            tenancy: "default".to_owned(),
            managed_by: None,
        },
        user_data: None,
        attachments: Attachments::default(),
        interface_visible: Settle::Now,
        visible: Settle::Now,
        running: None,
        late_tags: Vec::new(),
        refused_modifies: 0,
        refuses_changes: false,
        denies_changes: false,
        shows_options: true,
    }
}

#[allow(missing_docs, reason = "each sets the field of its name")]
impl LaunchBuilder {
    pub fn tokens(mut self, tokens: &str) -> Self {
        tokens.clone_into(&mut self.instance.options.tokens);
        self
    }

    pub fn endpoint(mut self, endpoint: &str) -> Self {
        endpoint.clone_into(&mut self.instance.options.endpoint);
        self
    }

    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.instance.options.hop_limit = hop_limit;
        self
    }

    pub fn ipv6(mut self, ipv6: &str) -> Self {
        ipv6.clone_into(&mut self.instance.options.ipv6);
        self
    }

    pub fn metadata_tags(mut self, metadata_tags: &str) -> Self {
        metadata_tags.clone_into(&mut self.instance.options.metadata_tags);
        self
    }

    /// DescribeInstances shows no metadata options.
    pub fn no_metadata_options(mut self) -> Self {
        self.shows_options = false;
        self
    }

    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.instance.tags.insert(key.to_owned(), value.to_owned());
        self
    }

    /// A tag that appears later, as from a controller that tags after the launch.
    pub fn late_tag(mut self, key: &str, value: &str, when: Settle) -> Self {
        self.late_tags
            .push((key.to_owned(), value.to_owned(), when));
        self
    }

    /// Launched by this Auto Scaling group.
    pub fn in_group(self, name: &str) -> Self {
        self.tag("aws:autoscaling:groupName", name)
    }

    /// Launched from this version of this launch template.
    pub fn from_template(self, id: &str, version: &str) -> Self {
        self.tag("aws:ec2launchtemplate:id", id)
            .tag("aws:ec2launchtemplate:version", version)
    }

    pub fn client_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.instance.client_token);
        self
    }

    /// A state that does not change by itself.
    pub fn state(mut self, state: &str) -> Self {
        state_code(state);
        state.clone_into(&mut self.instance.state);
        self
    }

    /// `pending`, then `running`.
    pub fn becomes_running(mut self, when: Settle) -> Self {
        self.running = Some(when);
        self.state("pending")
    }

    /// Launched this long ago, and not started again since.
    pub fn launched(self, ago: Duration) -> Self {
        self.launched_at(now() - ago)
    }

    /// Launched then, and not started again since.
    pub fn launched_at(mut self, at: Timestamp) -> Self {
        self.instance.first_launched = at;
        self.started_at(at)
    }

    /// Last started this long ago.
    pub fn started(self, ago: Duration) -> Self {
        self.started_at(now() - ago)
    }

    /// Last started then.
    pub fn started_at(mut self, at: Timestamp) -> Self {
        self.instance.started = at;
        self
    }

    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.instance.image);
        self
    }

    pub fn instance_type(mut self, instance_type: &str) -> Self {
        instance_type.clone_into(&mut self.instance.instance_type);
        self
    }

    /// With the instance profile of this name, in the path `/apps/`.
    pub fn instance_profile(mut self, name: &str) -> Self {
        self.instance.instance_profile = Some(name.to_owned());
        self
    }

    /// With this public IPv4 address while it runs.
    pub fn public_ip(mut self, address: &str) -> Self {
        self.instance.public_ip = Some(address.to_owned());
        self
    }

    /// With this IPv6 address too.
    pub fn ipv6_address(mut self, address: &str) -> Self {
        self.instance.ipv6_addresses.push(address.to_owned());
        self
    }

    /// The availability zone's letter.
    pub fn az(mut self, letter: &str) -> Self {
        self.instance.az = format!("{}{letter}", self.instance.region);
        self
    }

    /// A chosen id, such as one from an event.
    pub fn id(mut self, id: &str) -> Self {
        id.clone_into(&mut self.instance.id);
        self
    }

    /// Text, or any bytes; base64 on the wire.
    pub fn user_data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.user_data = Some(data.as_ref().to_vec());
        self
    }

    /// Protected from termination.
    pub fn protected(mut self) -> Self {
        self.instance.protected = true;
        self
    }

    pub fn stop_protected(mut self) -> Self {
        self.instance.stop_protected = true;
        self
    }

    /// Its root is an instance store, so that it cannot be stopped.
    pub fn instance_store(mut self) -> Self {
        self.instance.instance_store = true;
        self
    }

    /// A one-time Spot instance, which cannot be stopped or protected.
    pub fn spot(mut self) -> Self {
        self.instance.spot = true;
        self
    }

    /// A Spot instance of a persistent request, which can be stopped.
    pub fn persistent_spot(mut self) -> Self {
        self.instance.persistent_spot = true;
        self.spot()
    }

    /// Launched into a Capacity Block, which is paid for whether or not the instance runs.
    pub fn capacity_block(mut self) -> Self {
        self.instance.capacity_block = true;
        self
    }

    /// `default`, `dedicated` or `host`, which has the id of a Dedicated Host.
    pub fn tenancy(mut self, tenancy: &str) -> Self {
        tenancy.clone_into(&mut self.instance.tenancy);
        self
    }

    /// Operated by this AWS service, and therefore hidden from DescribeInstances without
    /// `IncludeManagedResources`.
    pub fn managed_by(mut self, principal: &str) -> Self {
        self.instance.managed_by = Some(principal.to_owned());
        self
    }

    /// Rejects every change with `OperationNotPermitted`, as a managing service may do.
    pub fn refuses_changes(mut self) -> Self {
        self.refuses_changes = true;
        self
    }

    /// Rejects ModifyInstanceMetadataOptions, StopInstances and TerminateInstances with
    /// `UnauthorizedOperation`, by a policy of the service that operates it.
    pub fn denies_changes(mut self) -> Self {
        self.denies_changes = true;
        self
    }

    /// Rejects the first so many ModifyInstanceMetadataOptions with `IncorrectInstanceState`.
    pub fn refuse_modify(mut self, times: u32) -> Self {
        self.refused_modifies = times;
        self
    }

    /// When EC2 begins to describe it.
    pub fn visible(mut self, when: Settle) -> Self {
        self.visible = when;
        self
    }

    pub(super) fn machine(self, number: u64, reservation: &str) -> FakeMachine {
        let mut instance = self.instance;
        if instance.id.is_empty() {
            instance.id = format!("i-0{}", digits(number));
        }
        reservation.clone_into(&mut instance.reservation);
        FakeMachine {
            instance,
            number,
            visible: self.visible.begin(),
            attachments: self.attachments,
            interface_visible: self.interface_visible.begin(),
            applied: Settle::Now.begin(),
            next_state: self.running.map(|when| ("running", when.begin())),
            late_tags: self
                .late_tags
                .into_iter()
                .map(|(key, value, when)| (key, value, when.begin()))
                .collect(),
            refused_modifies: self.refused_modifies,
            refuses_changes: self.refuses_changes,
            denies_changes: self.denies_changes,
            discards_changes: false,
            shows_options: self.shows_options,
            user_data: self.user_data,
            garbled: Vec::new(),
        }
    }
}

/// Sixteen hexadecimal digits that look random and differ for every number (SplitMix64).
pub(super) fn digits(number: u64) -> String {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    format!("{:016x}", z ^ (z >> 31))
}
