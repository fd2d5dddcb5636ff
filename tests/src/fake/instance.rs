//! Instances: what tests read, and what else the fake keeps.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attachments::Attachments;
use super::settle::PendingChange;

/// An instance as it is, whatever DescribeInstances shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeInstance {
    /// `i-` and 17 hexadecimal digits.
    pub id: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// Availability zone, such as `eu-central-1a`.
    pub az: String,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`.
    pub state: String,
    /// The AMI's id.
    pub image: String,
    /// Such as `t3.micro`.
    pub instance_type: String,
    /// The name of its instance profile.
    pub instance_profile: Option<String>,
    /// The public IPv4 address that it has while it runs.
    pub public_ip: Option<String>,
    /// The IPv6 addresses of its primary network interface.
    pub ipv6_addresses: Vec<String>,
    /// Empty if the launch had none.
    pub client_token: String,
    /// The reservation that it was launched in.
    pub reservation: String,
    /// Metadata options.
    pub options: Options,
    /// Tags that EC2 already shows.
    pub tags: BTreeMap<String, String>,
    /// When it was launched; a stop and a start do not change this.
    pub first_launched: Timestamp,
    /// When it was last started, which EC2 calls its launch time.
    pub started: Timestamp,
    /// Termination protection.
    pub protected: bool,
    /// Stop protection.
    pub stop_protected: bool,
    /// Whether its root is an instance store.
    pub instance_store: bool,
    /// Whether it is a Spot instance.
    pub spot: bool,
    /// Whether its Spot request is persistent; otherwise it is a one-time request.
    pub persistent_spot: bool,
    /// Whether it runs in a Capacity Block.
    pub capacity_block: bool,
    /// `default`, `dedicated` or `host`.
    pub tenancy: String,
    /// The AWS service that operates it.
    pub managed_by: Option<String>,
}

/// Metadata options, in EC2's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `pending` or `applied`.
    pub state: String,
    /// `HttpTokens`: `optional` or `required`.
    pub tokens: String,
    /// `HttpEndpoint`: `enabled` or `disabled`.
    pub endpoint: String,
    /// `HttpPutResponseHopLimit`: 1 to 64.
    pub hop_limit: u8,
    /// `HttpProtocolIpv6`: `enabled` or `disabled`.
    pub ipv6: String,
    /// `InstanceMetadataTags`: `enabled` or `disabled`.
    pub metadata_tags: String,
}

impl Default for Options {
    /// The options of a launch that names none: IMDSv1 is allowed.
    fn default() -> Self {
        Options {
            state: "applied".to_owned(),
            tokens: "optional".to_owned(),
            endpoint: "enabled".to_owned(),
            hop_limit: 1,
            ipv6: "disabled".to_owned(),
            metadata_tags: "disabled".to_owned(),
        }
    }
}

/// An instance with what only the fake knows.
#[derive(Clone, Debug)]
pub(super) struct FakeMachine {
    pub(super) instance: FakeInstance,
    /// Counts launches; addresses are made from it.
    pub(super) number: u64,
    pub(super) visible: PendingChange,
    pub(super) attachments: Attachments,
    /// When the primary network interface of a visible instance is shown.
    pub(super) interface_visible: PendingChange,
    pub(super) applied: PendingChange,
    /// The next state, and when it is reached.
    pub(super) next_state: Option<(&'static str, PendingChange)>,
    pub(super) late_tags: Vec<(String, String, PendingChange)>,
    pub(super) refused_modifies: u32,
    pub(super) refuses_changes: bool,
    pub(super) denies_changes: bool,
    pub(super) discards_changes: bool,
    pub(super) shows_options: bool,
    pub(super) user_data: Option<Vec<u8>>,
    /// Text that DescribeInstances replaces in its XML, and by what.
    pub(super) garbled: Vec<(String, String)>,
}

impl FakeMachine {
    /// Applies the changes that are due.
    pub(super) fn settle(&mut self) {
        if self.applied.is_over() {
            "applied".clone_into(&mut self.instance.options.state);
        }
        if let Some((state, waiting)) = &self.next_state
            && waiting.is_over()
        {
            (*state).clone_into(&mut self.instance.state);
            self.next_state = None;
        }
        for (key, value, _) in self
            .late_tags
            .extract_if(.., |(_, _, waiting)| waiting.is_over())
        {
            self.instance.tags.insert(key, value);
        }
    }

    /// Counts a describe that has shown the instance.
    pub(super) fn described(&mut self) {
        self.applied.described();
        self.interface_visible.described();
        if let Some((_, waiting)) = &mut self.next_state {
            waiting.described();
        }
        for (_, _, waiting) in &mut self.late_tags {
            waiting.described();
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.visible.is_over()
    }

    pub(super) fn is_terminated(&self) -> bool {
        self.is(&["shutting-down", "terminated"])
    }

    /// Whether it has never reached `running`: it is pending, and was not started since its launch.
    pub(super) fn never_ran(&self) -> bool {
        self.is(&["pending"]) && self.instance.started == self.instance.first_launched
    }

    pub(super) fn is(&self, states: &[&str]) -> bool {
        states.contains(&self.instance.state.as_str())
    }
}

/// EC2's number for a state.
pub(super) fn state_code(state: &str) -> u8 {
    match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        "stopped" => 80,
        other => panic!("`{other}` is no state of an instance"),
    }
}
