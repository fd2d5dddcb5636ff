//! The state table, as the engine uses it: what is exempt or paused, and what counts towards the hourly
//! limits. Without a table nothing is remembered.

use std::collections::{BTreeMap, BTreeSet};

use imds_aws::timing::{Backoff, PERMIT_COUNTS, STATE_WITHIN};
use imds_aws::{Condition, StateTable, Written};
use imds_core::decide::{Discovery, Evidence, is_decided_by_principals};
use imds_core::instance::{Instance, InstanceId};
use imds_core::plan::{Plan, Step};
use imds_core::state::{self, Entries, Exemption, Grant, Item, Key, Pause};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::attempt::{FailedCall, in_flight, in_time};
use crate::engine::Engine;

/// Entries count for about an hour.
const ENTRIES_EXPIRE: SignedDuration = SignedDuration::from_hours(2);

/// Nothing tells for how long an instance will exist, and nothing tells again who launched it.
const LAUNCHER_EXPIRES: SignedDuration = SignedDuration::from_hours(24 * 1826);

/// Days that an item outlives the time for which an instance is watched.
const WATCH_OUTLIVES: i64 = 1;

/// What may be done now, because it is counted.
#[derive(Debug)]
pub(crate) struct Permits {
    pub(crate) granted: BTreeSet<String>,
    /// How many others count within the hour.
    pub(crate) counted: usize,
    /// Until when it may be done.
    pub(crate) until: Instant,
}

impl Permits {
    /// `at`: when they were counted.
    fn new(grant: Grant, at: Instant) -> Self {
        Permits {
            granted: grant.granted,
            counted: grant.counted,
            until: at + PERMIT_COUNTS,
        }
    }
}

impl Engine<'_> {
    /// Counts the first of the wanted ids towards an hourly limit before what they stand for is done. Permits
    /// are never given back: whoever is killed, or hears no answer, may have used them.
    pub(crate) async fn permits(
        &self,
        key: &Key,
        wanted: &[String],
        limit: u32,
    ) -> Result<Permits, String> {
        let Some(table) = self.table.filter(|_| limit > 0 && !wanted.is_empty()) else {
            let grant = Entries::default().grant(wanted, limit, (self.now)());
            return Ok(Permits::new(grant, Instant::now()));
        };
        let deadline = self.state_deadline(self.deadline.act);
        let failed = |error: FailedCall| error.to_string();
        let read = in_time(deadline, self.client.get_item(table, key)).await;
        let read = read.map_err(failed)?;
        let mut entries = Entries::read(key, read.item.as_ref()).map_err(|it| it.to_string())?;
        let mut backoff = Backoff::short();
        loop {
            let (at, now) = (Instant::now(), read.now());
            let grant = entries.grant(wanted, limit, now);
            let Some(write) = &grant.write else {
                return Ok(Permits::new(grant, at));
            };
            let condition = Condition::Version(entries.version());
            let item = write.item();
            let call =
                self.client
                    .update_item(table, key, &item, later(now, ENTRIES_EXPIRE), condition);
            match in_time(deadline, call).await.map_err(failed)? {
                Written::Done(_) => return Ok(Permits::new(grant, at)),
                Written::ConditionFailed(item) => {
                    entries = Entries::read(key, item.as_ref()).map_err(|it| it.to_string())?;
                    // The answer to an earlier attempt was lost.
                    if entries.includes(&grant.granted, write) {
                        return Ok(Permits::new(grant, at));
                    }
                }
            }
            if !backoff.wait(deadline).await {
                return Err(format!(
                    "item `{}` was written by others each time",
                    key.as_str()
                ));
            }
        }
    }

    /// Reads what people and launches have left in the table about the instances of a plan, and decides
    /// again.
    pub(crate) async fn consult(
        &self,
        region: &str,
        mut plan: Plan,
        discovery: Discovery,
    ) -> (Plan, Option<Pause>) {
        let Some(table) = self.table else {
            return (plan, None);
        };
        let now = (self.now)();
        let needs = |step: &Step| step.needs_state(discovery, now);
        let mut keys: Vec<Key> = Vec::new();
        for step in plan.steps.iter().filter(|step| needs(step)) {
            keys.push(Key::exemption(&step.instance.id));
            if step.needs_launcher() {
                keys.push(Key::launcher(&step.instance.id));
            }
        }
        if keys.is_empty() {
            return (plan, None);
        }
        let pauses = [None, Some(region)].map(|region| Key::pause(self.account, region));
        keys.extend(pauses.clone());
        let call = self.client.get_items(table, &keys);
        let items = match in_time(self.deadline.ask(), call).await {
            Ok(items) => items,
            Err(error) => {
                let error = error.to_string();
                for step in plan.steps.iter_mut().filter(|step| needs(step)) {
                    step.without_state(&error, discovery, now);
                }
                return (plan, None);
            }
        };
        let mut pauses = pauses.iter().filter_map(|key| pause(key, &items, now));
        let pause = pauses.next();
        let steps = plan.steps.into_iter().map(|step| match needs(&step) {
            true => self.decide_with(step, &items, pause.as_ref(), discovery),
            false => step,
        });
        plan.steps = steps.collect();
        (plan, pause)
    }

    fn decide_with(
        &self,
        mut step: Step,
        items: &BTreeMap<Key, Item>,
        pause: Option<&Pause>,
        discovery: Discovery,
    ) -> Step {
        let now = (self.now)();
        let launcher = Key::launcher(&step.instance.id);
        if let Some(item) = items.get(&launcher) {
            match state::principals(&launcher, item) {
                Ok(principals) => {
                    let instance = Instance {
                        principals,
                        ..step.instance
                    };
                    let evidence = Evidence::NotAsked;
                    step = Step::new(self.policy, instance, now, discovery, &evidence);
                }
                Err(error) => tracing::warn!("could not read the launcher: {error}"),
            }
        }
        let exemption = Key::exemption(&step.instance.id);
        let item = items.get(&exemption);
        let is_non_compliant = step.non_compliant().is_some();
        match item.and_then(|item| Exemption::read(&exemption, item, now)) {
            Some(exemption) if is_non_compliant => step.exempt(exemption),
            _ => {
                if let Some(pause) = pause {
                    step.pause(pause);
                }
            }
        }
        step
    }

    /// The pauses of the account and of these regions.
    pub(crate) async fn pauses(&self, regions: &[String]) -> Result<Vec<Pause>, FailedCall> {
        let Some(table) = self.table else {
            return Ok(Vec::new());
        };
        let now = (self.now)();
        let regions = regions.iter().map(|region| Some(region.as_str()));
        let keys = [None].into_iter().chain(regions);
        let keys: Vec<Key> = keys.map(|it| Key::pause(self.account, it)).collect();
        let call = self.client.get_items(table, &keys);
        let items = in_time(self.deadline.observe, call).await?;
        Ok(keys
            .iter()
            .filter_map(|key| pause(key, &items, now))
            .collect())
    }

    /// Since when each of the instances is watched, of those that are.
    pub(crate) async fn watched(
        &self,
        ids: &[&InstanceId],
    ) -> Result<BTreeMap<InstanceId, Timestamp>, String> {
        let existing = &self.policy.existing;
        let Some(table) = self.table.filter(|_| existing.watch_days > 0) else {
            return Ok(BTreeMap::new());
        };
        let now = (self.now)();
        let keys: Vec<Key> = ids.iter().map(|id| Key::watch(id)).collect();
        let call = self.client.get_items(table, &keys);
        let items = in_time(self.deadline.observe, call).await;
        let items = items.map_err(|error| error.to_string())?;
        let mut watched = BTreeMap::new();
        for (id, key) in ids.iter().zip(&keys) {
            let Some(item) = items.get(key) else {
                continue;
            };
            let since = state::watched_since(key, item, existing, now);
            if let Some(since) = since.map_err(|error| error.to_string())? {
                watched.insert((*id).clone(), since);
            }
        }
        Ok(watched)
    }

    /// Remembers that the options of an instance are enforced now, and what they were.
    pub(crate) async fn watch(&self, instance: &Instance) -> Result<(), String> {
        let Some(table) = self.table else {
            return Ok(());
        };
        let now = (self.now)();
        let days = i64::from(self.policy.existing.watch_days) + WATCH_OUTLIVES;
        let expires_at = later(now, SignedDuration::from_hours(24 * days));
        let key = Key::watch(&instance.id);
        let item = state::watch_item(now, &instance.options);
        self.put(table, &key, &item, expires_at).await
    }

    /// Whether to remember who launched an instance: a rule by `principals` decides.
    pub(crate) fn remembers_launcher(&self, instance: &Instance) -> bool {
        self.table.is_some() && is_decided_by_principals(self.policy, instance, (self.now)())
    }

    /// Remembers who launched instances. Returns those of which it could not be remembered, and why.
    pub(crate) async fn remember_launchers(
        &self,
        ids: Vec<InstanceId>,
        principals: &[String],
    ) -> BTreeMap<InstanceId, String> {
        let Some(table) = self.table else {
            return BTreeMap::new();
        };
        let expires_at = later((self.now)(), LAUNCHER_EXPIRES);
        let item = state::launcher_item(principals.to_vec());
        let item = &item;
        let calls = ids.into_iter().map(|id| async move {
            let key = Key::launcher(&id);
            let put = self.put(table, &key, item, expires_at).await;
            put.err().map(|error| (id, error))
        });
        in_flight(calls).await.into_iter().flatten().collect()
    }

    /// The table answers within milliseconds or is not waited for.
    pub(crate) fn state_deadline(&self, at_most: Instant) -> Instant {
        at_most.min(Instant::now() + STATE_WITHIN)
    }

    async fn put(
        &self,
        table: &StateTable,
        key: &Key,
        item: &Item,
        expires_at: Timestamp,
    ) -> Result<(), String> {
        let deadline = self.state_deadline(self.deadline.act);
        let condition = Condition::Always;
        let call = self
            .client
            .update_item(table, key, item, expires_at, condition);
        let written = in_time(deadline, call).await;
        written.map(drop).map_err(|error| error.to_string())
    }
}

fn pause(key: &Key, items: &BTreeMap<Key, Item>, now: Timestamp) -> Option<Pause> {
    Pause::read(key, items.get(key)?, now)
}

pub(crate) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
