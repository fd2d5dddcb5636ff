//! EC2 in memory and in virtual time: its instances, and what it describes of them.

use std::collections::BTreeMap;

use imds_core::age::Attachments;
use imds_core::instance::{Instance, InstanceId, State};
use imds_core::options::HttpTokens;
use jiff::Timestamp;

use crate::cloudwatch::{Metered, Software};
use crate::table::Written;

/// Milliseconds since 1970.
pub(crate) type Time = i64;

pub(crate) const SECOND: Time = 1000;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;
pub(crate) const DAY: Time = 24 * HOUR;

/// A time that never comes.
pub(crate) const NEVER: Time = Time::MAX;

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
    /// EC2 does not support one of the options.
    Unsupported,
}

/// One instance, with what EC2 does not show yet, or never.
#[derive(Debug)]
pub(crate) struct SimInstance {
    /// As EC2 describes it, but for what is attached.
    pub(crate) instance: Instance,
    pub(crate) attached: Attached,
    /// When EC2 begins to describe it.
    pub(crate) visible: Time,
    /// When it leaves `pending`.
    pub(crate) running: Time,
    pub(crate) ended: Option<Time>,
    pub(crate) protected: bool,
    /// The service that manages it denies every change.
    pub(crate) denies: bool,
    /// Its Spot request launches another instance after it.
    pub(crate) is_persistent: bool,
    /// Tags that EC2 does not show before their time.
    pub(crate) late_tags: Vec<(Time, String, String)>,
    /// Tags that somebody removes then.
    pub(crate) early_tags: Vec<(Time, &'static str)>,
    pub(crate) software: Software,
    /// When somebody other than the function last changed it.
    pub(crate) touched: Time,
}

/// What is attached to an instance, by EC2's clock.
#[derive(Debug)]
pub(crate) struct Attached {
    /// The primary network interface.
    pub(crate) interface: Time,
    /// When EC2 begins to show it.
    pub(crate) shown: Time,
    pub(crate) volumes: Vec<AttachedVolume>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct AttachedVolume {
    pub(crate) at: Time,
    /// When EC2 begins to show it.
    pub(crate) shown: Time,
}

impl Attached {
    /// What a launch attaches.
    pub(crate) fn at_launch(at: Time) -> Self {
        Attached {
            interface: at,
            shown: at,
            volumes: vec![AttachedVolume { at, shown: at }],
        }
    }

    pub(crate) fn volumes(&self, now: Time) -> impl Iterator<Item = Time> + '_ {
        let shown = self
            .volumes
            .iter()
            .filter(move |volume| now >= volume.shown);
        shown.map(|volume| volume.at)
    }

    fn described(&self, now: Time) -> Attachments {
        let mut described = Attachments::default();
        if now >= self.shown {
            described.add_interface(0, timestamp(self.interface));
        }
        for volume in self.volumes(now) {
            described.add_volume(timestamp(volume));
        }
        described
    }
}

impl SimInstance {
    pub(crate) fn is_known(&self, now: Time) -> bool {
        // Terminated instances stay visible for an hour.
        now >= self.visible && self.ended.is_none_or(|ended| now < ended + HOUR)
    }

    /// What EC2 describes now.
    fn describe(&mut self, now: Time) -> &Instance {
        self.settle(now);
        self.instance.attachments = self.attached.described(now);
        &self.instance
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
        self.early_tags.retain(|(until, key)| {
            let still = now < *until;
            if !still && tags.remove(*key).is_some() {
                self.touched = *until;
            }
            still
        });
        let state = match (self.ended, self.instance.state) {
            (Some(_), _) => State::Terminated,
            (None, Some(State::Pending)) if now >= self.running => {
                self.software
                    .meter(self.running, self.metered_while_running());
                State::Running
            }
            (None, Some(state)) => state,
            (None, None) => State::Running,
        };
        self.instance.state = Some(state);
    }

    /// Puts it into a state, where it stays.
    pub(crate) fn set_state(&mut self, state: State, now: Time) {
        self.instance.state = Some(state);
        match state {
            State::Running => self.software.meter(now, self.metered_while_running()),
            _ => self.software.meter(now, Metered::Off),
        }
    }

    /// What CloudWatch counts from now on, after its options were set.
    pub(crate) fn options_set(&mut self, now: Time) {
        if self.instance.state == Some(State::Running) {
            self.software.meter(now, self.metered_while_running());
        }
    }

    fn metered_while_running(&self) -> Metered {
        match self.instance.options.http_tokens {
            Some(HttpTokens::Required) => Metered::Rejected,
            _ => Metered::Accepted,
        }
    }

    pub(crate) fn end(&mut self, now: Time) {
        self.ended = Some(now);
        self.software.meter(now, Metered::Off);
    }

    pub(crate) fn is_exempt(&self) -> bool {
        is_exempt(&self.instance.tags)
    }

    pub(crate) fn will_be_exempt(&self) -> bool {
        self.is_exempt() || self.late_tags.iter().any(|(_, key, _)| key == "app")
    }
}

pub(crate) fn is_exempt(tags: &BTreeMap<String, String>) -> bool {
    tags.get("app")
        .is_some_and(|app| app.starts_with("scanner-"))
}

#[derive(Debug, Default)]
pub(crate) struct SimEc2 {
    /// By the number in their ids.
    machines: BTreeMap<u64, SimInstance>,
    by_region: BTreeMap<String, Vec<u64>>,
    by_token: BTreeMap<String, Vec<InstanceId>>,
    /// By region, and by the minute in which they were started.
    by_start: BTreeMap<(String, Time), Vec<InstanceId>>,
    /// When the function stopped and terminated instances, by region.
    pub(crate) disruptions: BTreeMap<String, Vec<(Time, InstanceId)>>,
    /// When it set the options of which existing instances, by region.
    pub(crate) existing: BTreeMap<String, Vec<(Time, InstanceId)>>,
    /// When it set options that somebody had changed, and when they were changed, by instance.
    pub(crate) drifted: BTreeMap<InstanceId, Vec<(Time, Time)>>,
    pub(crate) written: Written,
    pub(crate) forbidden: BTreeMap<String, Vec<String>>,
    /// Changes that changed nothing.
    pub(crate) needless: usize,
    /// Endpoints that somebody disabled between the function's describe and its call.
    pub(crate) raced: usize,
}

impl SimEc2 {
    pub(crate) fn launch(&mut self, machine: SimInstance) {
        let id = machine.instance.id.clone();
        let region = machine.instance.region.clone();
        let number = number(&id);
        self.by_region.entry(region).or_default().push(number);
        let token = machine.instance.client_token.clone().unwrap();
        self.by_token.entry(token).or_default().push(id.clone());
        self.machines.insert(number, machine);
        self.started(&id);
    }

    pub(crate) fn machine(&mut self, id: &InstanceId) -> &mut SimInstance {
        self.machines.get_mut(&number(id)).unwrap()
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
            let machine = self.machines.get_mut(&number(id));
            let known = machine.filter(|machine| machine.is_known(now));
            described.extend(known.map(|machine| machine.describe(now).clone()));
        }
        described
    }

    /// The filter `client-token`, whose values are patterns: `*` finds the first launches of all.
    pub(crate) fn by_token(&mut self, token: &str, now: Time) -> Vec<Instance> {
        let ids: Vec<InstanceId> = match token {
            "*" => self.by_token.values().take(5).flatten().cloned().collect(),
            token => self.by_token.get(token).cloned().unwrap_or_default(),
        };
        self.describe(&ids, now)
    }

    /// Notes a start, so that it is found by its time.
    pub(crate) fn started(&mut self, id: &InstanceId) {
        let Instance {
            region, started_at, ..
        } = &self.machines[&number(id)].instance;
        let minute = started_at.unwrap().as_millisecond() / MINUTE;
        let started = self.by_start.entry((region.clone(), minute));
        started.or_default().push(id.clone());
    }

    /// The filter `launch-time`, by the minutes around a launch: everything that was started then.
    pub(crate) fn by_start(&mut self, region: &str, around: Time, now: Time) -> Vec<Instance> {
        let minute = around / MINUTE;
        let minutes = (region.to_owned(), minute - 1)..=(region.to_owned(), minute + 2);
        let ids: Vec<InstanceId> = self
            .by_start
            .range(minutes)
            .flat_map(|(_, ids)| ids.clone())
            .collect();
        self.describe(&ids, now)
    }

    /// The instances of a region that EC2 describes now and that have not ended.
    pub(crate) fn living(&mut self, region: &str, now: Time, mut of_each: impl FnMut(&Instance)) {
        for number in self.by_region.get(region).into_iter().flatten() {
            let machine = self.machines.get_mut(number);
            let living = machine.filter(|it| it.is_known(now) && it.ended.is_none());
            if let Some(machine) = living {
                of_each(machine.describe(now));
            }
        }
    }

    pub(crate) fn forbid(&mut self, what: &str, why: &str, id: &InstanceId, now: Time) {
        let which = format!("{id} at {}", timestamp(now));
        let what = format!("{what} {why}").trim().to_owned();
        self.forbidden.entry(what).or_default().push(which);
    }
}

/// Faster to compare than the id.
fn number(id: &InstanceId) -> u64 {
    let digits = id.as_str().strip_prefix("i-").unwrap();
    u64::from_str_radix(digits, 16).unwrap()
}
