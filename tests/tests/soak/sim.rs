//! Virtual time, and EC2 behind calls that may fail.

use std::collections::BTreeMap;

use fastrand::Rng;
use imds_core::instance::InstanceId;
use imds_core::policy::Policy;

use crate::ec2::{HOUR, MINUTE, SECOND, SimEc2, SimError, Time};
use crate::table::SimTable;

/// Something that happens at a scheduled time.
type ScheduledAct = Box<dyn FnOnce(&mut Sim)>;

/// The simulation: EC2, its clock, and what is scheduled.
pub(crate) struct Sim {
    pub(crate) ec2: SimEc2,
    pub(crate) policy: Policy,
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    /// How many of a hundred calls fail.
    pub(crate) faults: u32,
    /// Counts, by kind and by result.
    pub(crate) ledger: BTreeMap<(&'static str, &'static str), usize>,
    pub(crate) table: SimTable,
    /// Changes of options by people, by instance: when the function was told, and when they happened.
    pub(crate) drifts: BTreeMap<InstanceId, Vec<(Time, Time)>>,
    /// Why instances were only reported, and why they were only enforced.
    pub(crate) reported: BTreeMap<String, usize>,
    pub(crate) enforced: BTreeMap<String, usize>,
    order: u64,
    queue: BTreeMap<(Time, u64), ScheduledAct>,
}

impl Sim {
    pub(crate) fn new(policy: Policy, now: Time, seed: u64) -> Self {
        Sim {
            ec2: SimEc2::default(),
            policy,
            now,
            rng: Rng::with_seed(seed),
            faults: 0,
            ledger: BTreeMap::new(),
            table: SimTable::default(),
            drifts: BTreeMap::new(),
            reported: BTreeMap::new(),
            enforced: BTreeMap::new(),
            order: 0,
            queue: BTreeMap::new(),
        }
    }

    pub(crate) fn at(&mut self, time: Time, act: impl FnOnce(&mut Sim) + 'static) {
        self.order += 1;
        let key = (time.max(self.now), self.order);
        self.queue.insert(key, Box::new(act));
    }

    /// Runs until nothing is scheduled.
    pub(crate) fn run(&mut self) {
        while let Some(((time, _), act)) = self.queue.pop_first() {
            self.now = time;
            act(self);
        }
    }

    pub(crate) fn count(&mut self, what: &'static str, how: &'static str) {
        *self.ledger.entry((what, how)).or_default() += 1;
    }

    /// A call, which may fail before or after it takes effect.
    pub(crate) fn call<T>(
        &mut self,
        action: &'static str,
        region: &str,
        call: impl FnOnce(&mut SimEc2) -> Result<T, SimError>,
    ) -> Result<T, SimError> {
        let (how, result) = if self.is_down(region) {
            ("unavailable", Err(SimError::Transient))
        } else if self.rng.u32(0..100) >= self.faults {
            let result = call(&mut self.ec2);
            let how = match &result {
                Ok(_) => "done",
                Err(SimError::Transient) => "unavailable",
                Err(SimError::NotFound) => "not found",
                Err(SimError::IncorrectState) => "incorrect state",
                Err(SimError::Protected) => "protected",
                Err(SimError::Unauthorized) => "unauthorized",
                Err(SimError::Unsupported) => "unsupported",
            };
            (how, result)
        } else {
            match self.rng.u32(0..10) {
                0 => ("unauthorized", Err(SimError::Unauthorized)),
                1..=3 => ("throttled", Err(SimError::Transient)),
                4..=6 => ("unavailable", Err(SimError::Transient)),
                _ => {
                    let done = call(&mut self.ec2).is_ok();
                    let how = if done {
                        "done, and its answer lost"
                    } else {
                        "lost"
                    };
                    (how, Err(SimError::Transient))
                }
            }
        };
        self.count(action, how);
        result
    }

    /// Each region is unavailable for seven minutes in every three hours.
    fn is_down(&self, region: &str) -> bool {
        let phase: Time = region.bytes().map(Time::from).sum::<Time>() % 180 * MINUTE;
        self.faults > 0 && (self.now + phase) % (3 * HOUR) < 7 * MINUTE
    }

    /// How long a call waits because other software uses up EC2's rates, which it does every third hour.
    pub(crate) fn waits_for_rates(&mut self) -> Time {
        let often = match (self.now / HOUR) % 3 {
            0 => 60,
            _ => 10,
        };
        match self.rng.u32(0..100) < often {
            true => self.rng.i64(0..100 * SECOND),
            false => 0,
        }
    }

    pub(crate) fn latency(&mut self) -> Time {
        self.rng.i64(50..500)
    }
}
