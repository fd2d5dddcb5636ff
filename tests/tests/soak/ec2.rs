//! EC2 in memory and in virtual time: what it knows, shows, refuses, and what was done to it.

use std::collections::BTreeMap;

use imds_core::change::Change;
use imds_core::instance::{HttpTokens, Instance, InstanceId, MetadataOptions, State, Toggle};
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

/// Why EC2 does not do what it is asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It may work the next time, and may have taken effect.
    Passing,
    NotFound,
    WrongState,
    Protected,
    Unauthorised,
}

/// One instance, as it truly is.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) instance: Instance,
    pub(crate) client_token: String,
    /// Unknown before.
    pub(crate) visible: Time,
    /// `pending` before.
    pub(crate) running: Time,
    pub(crate) ended: Option<Time>,
    pub(crate) protected: bool,
    /// Tags that are set but cannot be seen before.
    pub(crate) late_tags: Vec<(Time, String, String)>,
}

#[derive(Debug, Default)]
pub(crate) struct Ec2 {
    machines: BTreeMap<InstanceId, Machine>,
    by_region: BTreeMap<String, Vec<InstanceId>>,
    by_token: BTreeMap<String, Vec<InstanceId>>,
    by_claim: BTreeMap<String, Vec<InstanceId>>,
    /// When the function terminated instances, by region.
    pub(crate) terminations: BTreeMap<String, Vec<Time>>,
    pub(crate) forbidden: BTreeMap<&'static str, Vec<String>>,
    /// Changes that changed nothing.
    pub(crate) needless: usize,
    /// Endpoints that somebody disabled after the function had seen them enabled, and before its call.
    pub(crate) raced: usize,
}

impl Machine {
    fn is_known(&self, now: Time) -> bool {
        // Terminated instances stay visible for an hour.
        now >= self.visible && self.ended.is_none_or(|ended| now < ended + HOUR)
    }

    /// What EC2 shows now.
    fn seen(&mut self, now: Time) -> Instance {
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

impl Ec2 {
    pub(crate) fn launch(&mut self, machine: Machine) {
        let id = machine.instance.id.clone();
        let region = machine.instance.region.clone();
        self.by_region.entry(region).or_default().push(id.clone());
        let token = machine.client_token.clone();
        self.by_token.entry(token).or_default().push(id.clone());
        self.machines.insert(id, machine);
    }

    pub(crate) fn machine(&mut self, id: &InstanceId) -> &mut Machine {
        self.machines.get_mut(id).unwrap()
    }

    pub(crate) fn all(&mut self, now: Time) -> impl Iterator<Item = &Machine> {
        self.machines.values_mut().map(move |machine| {
            machine.settle(now);
            &*machine
        })
    }

    pub(crate) fn look(&mut self, ids: &[InstanceId], now: Time) -> Vec<Instance> {
        let mut seen = Vec::new();
        for id in ids {
            let machine = self.machines.get_mut(id);
            seen.extend(machine.filter(|m| m.is_known(now)).map(|m| m.seen(now)));
        }
        seen
    }

    pub(crate) fn by_token(&mut self, token: &str, now: Time) -> Vec<Instance> {
        let ids = self.by_token.get(token).cloned().unwrap_or_default();
        self.look(&ids, now)
    }

    pub(crate) fn living(&mut self, region: &str, now: Time) -> Vec<Instance> {
        let ids = self.by_region.get(region).cloned().unwrap_or_default();
        let mut seen = self.look(&ids, now);
        seen.retain(|instance| !instance.state.is_some_and(State::is_final));
        seen
    }

    pub(crate) fn with_claims(&mut self, region: &str, now: Time) -> Vec<Instance> {
        let mut ids = self.by_claim.get(region).cloned().unwrap_or_default();
        ids.sort_unstable();
        ids.dedup();
        let mut seen = self.look(&ids, now);
        let claim = imds_core::marks::TERMINATE;
        seen.retain(|instance| instance.tags.contains_key(claim));
        seen
    }

    /// All or none; the tags can be seen from the given time on.
    pub(crate) fn tag(
        &mut self,
        ids: &[InstanceId],
        key: &str,
        value: &str,
        now: Time,
        visible: Time,
    ) -> Result<(), Refusal> {
        if ids.iter().any(|id| !self.machine(id).is_known(now)) {
            return Err(Refusal::NotFound);
        }
        for id in ids {
            let machine = self.machine(id);
            machine.late_tags.retain(|(_, late, _)| late != key);
            let tag = (visible, key.to_owned(), value.to_owned());
            machine.late_tags.push(tag);
            if key == imds_core::marks::TERMINATE {
                let region = machine.instance.region.clone();
                self.by_claim.entry(region).or_default().push(id.clone());
            }
        }
        Ok(())
    }

    /// The call that the function makes for an instance that it has seen.
    pub(crate) fn modify(
        &mut self,
        seen: &Instance,
        change: &Change,
        now: Time,
    ) -> Result<MetadataOptions, Refusal> {
        let machine = self.machine(&seen.id);
        if !machine.is_known(now) {
            return Err(Refusal::NotFound);
        }
        machine.settle(now);
        let has = machine.instance.options;
        match machine.instance.state {
            Some(State::ShuttingDown | State::Terminated) => return Err(Refusal::WrongState),
            // Undocumented: here every other instance refuses.
            Some(State::Pending) if machine.running % 2 == 0 => return Err(Refusal::WrongState),
            _ => {}
        }
        let send = change.to_send(&seen.options);
        let edge = machine.instance.tags.contains_key("edge");
        let enables = has.http_endpoint == Some(Toggle::Disabled)
            && send.http_endpoint == Some(Toggle::Enabled);
        let raced = enables && seen.options.http_endpoint == Some(Toggle::Enabled);
        let lowers = send.hop_limit.is_some_and(|to| Some(to) < has.hop_limit) && !edge;
        let opens = send.http_tokens == Some(HttpTokens::Optional);
        let exempt = is_exempt(&seen.tags);
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
            (exempt, "exempt instance mended"),
        ] {
            self.forbid(broken, what, seen, now);
        }
        Ok(after)
    }

    /// All or none.
    pub(crate) fn end(
        &mut self,
        action: Action,
        ids: &[InstanceId],
        now: Time,
    ) -> Result<(), Refusal> {
        for id in ids {
            let machine = self.machine(id);
            if !machine.is_known(now) {
                return Err(Refusal::NotFound);
            }
            machine.settle(now);
            if machine.protected && machine.ended.is_none() {
                return Err(Refusal::Protected);
            }
        }
        for id in ids {
            let machine = self.machine(id);
            if machine.ended.is_some() {
                continue;
            }
            let exempt = machine.will_be_exempt();
            let replaced = Replacer::of(&machine.instance).is_some();
            let instance = machine.instance.clone();
            if action == Action::Terminate {
                machine.ended = Some(now);
                let region = instance.region.clone();
                self.terminations.entry(region).or_default().push(now);
            } else {
                machine.instance.state = Some(State::Stopped);
            }
            self.forbid(exempt, "exempt instance ended", &instance, now);
            self.forbid(replaced, "replaced instance ended", &instance, now);
        }
        Ok(())
    }

    fn forbid(&mut self, broken: bool, what: &'static str, instance: &Instance, now: Time) {
        if broken {
            let which = format!("{} at {}", instance.id, timestamp(now));
            self.forbidden.entry(what).or_default().push(which);
        }
    }
}
