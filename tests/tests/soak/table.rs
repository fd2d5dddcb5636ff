//! The state table in virtual time: conditional writes, and calls that fail, or whose answer is lost, or that
//! arrive late.

use std::collections::BTreeMap;

use imds_core::instance::InstanceId;
use imds_core::state::{Item, Key, Value};

use crate::ec2::{SECOND, Time};
use crate::sim::Sim;

#[derive(Debug, Default)]
pub(crate) struct SimTable {
    items: BTreeMap<Key, Item>,
    /// Nothing is answered.
    pub(crate) is_down: bool,
}

/// What becomes of a call to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Answered,
    NotDone,
    /// It is done, and the caller does not hear of it.
    AnswerLost,
    /// It is done after the caller has given up.
    Late,
}

impl SimTable {
    pub(crate) fn get(&self, key: &Key) -> Option<&Item> {
        self.items.get(key)
    }

    pub(crate) fn put(&mut self, key: Key, item: Item) {
        self.items.insert(key, item);
    }

    pub(crate) fn remove(&mut self, key: &Key) {
        self.items.remove(key);
    }

    /// Writes an item if it has this version; else returns it as it is.
    pub(crate) fn update(
        &mut self,
        key: &Key,
        item: Item,
        version: Option<i64>,
    ) -> Result<(), Option<Item>> {
        let before = self.items.get(key);
        let found = before.and_then(|item| item.get("version"));
        if found != version.map(Value::Number).as_ref() {
            return Err(before.cloned());
        }
        self.items.insert(key.clone(), item);
        Ok(())
    }
}

impl Sim {
    pub(crate) fn fate(&mut self, action: &'static str) -> Fate {
        let (how, fate) = if self.table.is_down {
            ("unavailable", Fate::NotDone)
        } else if self.rng.u32(0..100) >= self.faults {
            ("done", Fate::Answered)
        } else {
            match self.rng.u32(0..9) {
                0..3 => ("unavailable", Fate::NotDone),
                3..6 => ("done, and its answer lost", Fate::AnswerLost),
                _ => ("late", Fate::Late),
            }
        };
        self.count(action, how);
        fate
    }

    pub(crate) fn table_latency(&mut self) -> Time {
        match self.rng.u32(0..20) {
            0 => self.rng.i64(100..SECOND),
            _ => self.rng.i64(5..100),
        }
    }
}

/// A time in which something holds.
type Period = (Time, Time);

/// What people have written into the table, and when the table did not answer, apart from the table.
#[derive(Debug, Default)]
pub(crate) struct Written {
    exempt: BTreeMap<InstanceId, Vec<Period>>,
    /// By region; the empty name is for all.
    paused: BTreeMap<String, Vec<Period>>,
    outages: Vec<Period>,
}

impl Written {
    pub(crate) fn exempt(&mut self, id: &InstanceId, period: Period) {
        self.exempt.entry(id.clone()).or_default().push(period);
    }

    pub(crate) fn paused(&mut self, region: &str, period: Period) {
        let periods = self.paused.entry(region.to_owned());
        periods.or_default().push(period);
    }

    pub(crate) fn outage(&mut self, period: Period) {
        self.outages.push(period);
    }

    /// Why an instance must not be changed by what began to be handled then, whatever the policy says.
    pub(crate) fn forbids(
        &self,
        id: &InstanceId,
        region: &str,
        begun: Time,
        now: Time,
    ) -> Option<&'static str> {
        let exempt = self.exempt.get(id).into_iter().flatten();
        let paused = ["", region].map(|region| self.paused.get(region));
        let mut paused = paused.into_iter().flatten().flatten();
        let holds = |(from, until): &Period| *from < begun && now < *until;
        match () {
            () if exempt.copied().any(|it| holds(&it)) => Some("exempt by an entry"),
            () if paused.any(holds) => Some("paused"),
            () if self.outages.iter().any(holds) => Some("while the table is not available"),
            () => None,
        }
    }

    pub(crate) fn is_exempt(&self, id: &InstanceId, at: Time) -> bool {
        let mut periods = self.exempt.get(id).into_iter().flatten();
        periods.any(|(from, until)| (*from..*until).contains(&at))
    }
}
