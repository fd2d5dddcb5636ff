//! EC2 in memory and in virtual time: its instances, what it describes and rejects, and what was done to it.

use std::collections::BTreeMap;

use imds_core::change::Change;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::{HttpTokens, MetadataOptions, Toggle};
use imds_core::policy::Action;
use imds_core::replacer::Replacer;
use jiff::Timestamp;

/// Milliseconds since 1970.
pub(crate) type Time = i64;

pub(crate) const SECOND: Time = 1000;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;

pub(crate) fn timestamp(time: Time) -> Timestamp {
    Timestamp::from_millisecond(time).unwrap()
}

/// Why EC2 rejects a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SimError {
    /// A retry may succeed, and the call may have taken effect.
    Transient,
    NotFound,
    IncorrectState,
    Protected,
    Unauthorized,
}

/// One instance, with what EC2 does not show yet.
#[derive(Debug)]
pub(crate) struct SimInstance {
    pub(crate) instance: Instance,
    pub(crate) client_token: String,
    /// When EC2 begins to describe it.
    pub(crate) visible: Time,
    /// When it leaves `pending`.
    pub(crate) running: Time,
    pub(crate) ended: Option<Time>,
    pub(crate) protected: bool,
    /// Tags that EC2 does not show before their time.
    pub(crate) late_tags: Vec<(Time, String, String)>,
}

/// A tag that a call sets.
pub(crate) struct SimTag {
    pub(crate) key: &'static str,
    pub(crate) value: String,
    /// When the call is made.
    pub(crate) now: Time,
    /// When EC2 begins to show it.
    pub(crate) visible_at: Time,
}

impl SimTag {
    pub(crate) fn visible_now(key: &'static str, value: String, now: Time) -> Self {
        SimTag {
            key,
            value,
            now,
            visible_at: now,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct SimEc2 {
    machines: BTreeMap<InstanceId, SimInstance>,
    by_region: BTreeMap<String, Vec<InstanceId>>,
    by_token: BTreeMap<String, Vec<InstanceId>>,
    by_claim: BTreeMap<String, Vec<InstanceId>>,
    /// When the function terminated instances, by region.
    pub(crate) terminations: BTreeMap<String, Vec<Time>>,
    pub(crate) forbidden: BTreeMap<&'static str, Vec<String>>,
    /// Changes that changed nothing.
    pub(crate) needless: usize,
    /// Endpoints that somebody disabled between the function's describe and its call.
    pub(crate) raced: usize,
}

impl SimInstance {
    fn is_known(&self, now: Time) -> bool {
        // Terminated instances stay visible for an hour.
        now >= self.visible && self.ended.is_none_or(|ended| now < ended + HOUR)
    }

    /// What EC2 describes now.
    fn describe(&mut self, now: Time) -> Instance {
        self.settle(now);
        self.instance.clone()
    }

    pub(crate) fn settle(&mut self, now: Time) {
        let tags = &mut self.instance.tags;
        self.late_tags.retain(|(from, key, value)| {
            let late = now < *from;
            if !late {
                tags.insert(key.clone(), value.clone());
            }
            late
        });
        let state = match (self.ended, self.instance.state) {
            (Some(_), _) => State::Terminated,
            (None, Some(State::Pending)) if now >= self.running => State::Running,
            (None, Some(state)) => state,
            (None, None) => State::Running,
        };
        self.instance.state = Some(state);
    }

    pub(crate) fn is_exempt(&self) -> bool {
        is_exempt(&self.instance.tags)
    }

    fn will_be_exempt(&self) -> bool {
        self.is_exempt() || self.late_tags.iter().any(|(_, key, _)| key == "app")
    }
}

pub(crate) fn is_exempt(tags: &BTreeMap<String, String>) -> bool {
    tags.get("app")
        .is_some_and(|app| app.starts_with("scanner-"))
}

impl SimEc2 {
    pub(crate) fn launch(&mut self, machine: SimInstance) {
        let id = machine.instance.id.clone();
        let region = machine.instance.region.clone();
        self.by_region.entry(region).or_default().push(id.clone());
        let token = machine.client_token.clone();
        self.by_token.entry(token).or_default().push(id.clone());
        self.machines.insert(id, machine);
    }

    pub(crate) fn machine(&mut self, id: &InstanceId) -> &mut SimInstance {
        self.machines.get_mut(id).unwrap()
    }

    pub(crate) fn all(&mut self, now: Time) -> impl Iterator<Item = &SimInstance> {
        self.machines.values_mut().map(move |machine| {
            machine.settle(now);
            &*machine
        })
    }

    pub(crate) fn describe(&mut self, ids: &[InstanceId], now: Time) -> Vec<Instance> {
        let mut described = Vec::new();
        for id in ids {
            let machine = self.machines.get_mut(id);
            described.extend(machine.filter(|m| m.is_known(now)).map(|m| m.describe(now)));
        }
        described
    }

    pub(crate) fn by_token(&mut self, token: &str, now: Time) -> Vec<Instance> {
        let ids = self.by_token.get(token).cloned().unwrap_or_default();
        self.describe(&ids, now)
    }

    pub(crate) fn living(&mut self, region: &str, now: Time) -> Vec<Instance> {
        let ids = self.by_region.get(region).cloned().unwrap_or_default();
        let mut described = self.describe(&ids, now);
        described.retain(|instance| !instance.state.is_some_and(State::is_final));
        described
    }

    pub(crate) fn with_claims(&mut self, region: &str, now: Time) -> Vec<Instance> {
        let mut ids = self.by_claim.get(region).cloned().unwrap_or_default();
        ids.sort_unstable();
        ids.dedup();
        let mut described = self.describe(&ids, now);
        let claim = imds_core::marks::TERMINATE;
        described.retain(|instance| instance.tags.contains_key(claim));
        described
    }

    /// Tags all instances or none; EC2 shows the tag from `visible_at` on.
    pub(crate) fn tag(&mut self, ids: &[InstanceId], tag: &SimTag) -> Result<(), SimError> {
        if ids.iter().any(|id| !self.machine(id).is_known(tag.now)) {
            return Err(SimError::NotFound);
        }
        for id in ids {
            let machine = self.machine(id);
            machine.late_tags.retain(|(_, late, _)| late != tag.key);
            let late = (tag.visible_at, tag.key.to_owned(), tag.value.clone());
            machine.late_tags.push(late);
            if tag.key == imds_core::marks::TERMINATE {
                let region = machine.instance.region.clone();
                self.by_claim.entry(region).or_default().push(id.clone());
            }
        }
        Ok(())
    }

    /// Changes the options of an instance that the function has described.
    pub(crate) fn modify(
        &mut self,
        described: &Instance,
        change: &Change,
        now: Time,
    ) -> Result<MetadataOptions, SimError> {
        let machine = self.machine(&described.id);
        if !machine.is_known(now) {
            return Err(SimError::NotFound);
        }
        machine.settle(now);
        let has = machine.instance.options;
        match machine.instance.state {
            Some(State::ShuttingDown | State::Terminated) => return Err(SimError::IncorrectState),
            // Not documented: here every other pending instance rejects it.
            Some(State::Pending) if machine.running % 2 == 0 => {
                return Err(SimError::IncorrectState);
            }
            _ => {}
        }
        let send = change.to_send(&described.options);
        let edge = machine.instance.tags.contains_key("edge");
        let enables = has.http_endpoint == Some(Toggle::Disabled)
            && send.http_endpoint == Some(Toggle::Enabled);
        let raced = enables && described.options.http_endpoint == Some(Toggle::Enabled);
        let lowers = send.hop_limit.is_some_and(|to| Some(to) < has.hop_limit) && !edge;
        let opens = send.http_tokens == Some(HttpTokens::Optional);
        let exempt = is_exempt(&described.tags);
        let options = &mut machine.instance.options;
        *options = MetadataOptions {
            http_tokens: send.http_tokens.or(has.http_tokens),
            http_endpoint: send.http_endpoint.or(has.http_endpoint),
            hop_limit: send.hop_limit.or(has.hop_limit),
            http_protocol_ipv6: send.http_protocol_ipv6.or(has.http_protocol_ipv6),
            instance_metadata_tags: send.instance_metadata_tags.or(has.instance_metadata_tags),
        };
        let after = *options;
        self.needless += usize::from(after == has);
        self.raced += usize::from(raced);
        for (broken, what) in [
            (enables && !raced, "endpoint enabled"),
            (lowers, "hop limit lowered"),
            (opens, "tokens made optional"),
            (exempt, "exempt instance enforced"),
        ] {
            if broken {
                self.forbid(what, described, now);
            }
        }
        Ok(after)
    }

    /// Stops or terminates all instances or none.
    pub(crate) fn disrupt(
        &mut self,
        action: Action,
        ids: &[InstanceId],
        now: Time,
    ) -> Result<(), SimError> {
        for id in ids {
            let machine = self.machine(id);
            if !machine.is_known(now) {
                return Err(SimError::NotFound);
            }
            machine.settle(now);
            if machine.protected && machine.ended.is_none() {
                return Err(SimError::Protected);
            }
        }
        for id in ids {
            let machine = self.machine(id);
            if machine.ended.is_some() {
                continue;
            }
            let exempt = machine.will_be_exempt();
            let replaced = Replacer::find(&machine.instance).is_some();
            let instance = machine.instance.clone();
            if action == Action::Terminate {
                machine.ended = Some(now);
                let region = instance.region.clone();
                self.terminations.entry(region).or_default().push(now);
            } else {
                machine.instance.state = Some(State::Stopped);
            }
            if exempt {
                self.forbid("exempt instance disrupted", &instance, now);
            }
            if replaced {
                self.forbid("replaced instance disrupted", &instance, now);
            }
        }
        Ok(())
    }

    fn forbid(&mut self, what: &'static str, instance: &Instance, now: Time) {
        let which = format!("{} at {}", instance.id, timestamp(now));
        self.forbidden.entry(what).or_default().push(which);
    }
}
