//! Virtual time, and EC2 behind calls that may fail.

use std::collections::BTreeMap;

use fastrand::Rng;
use imds_core::instance::InstanceId;
use imds_core::policy::Policy;

use crate::ec2::{Ec2, HOUR, MINUTE, Refusal, SECOND, Time};

/// Something that happens at its time.
type Act = Box<dyn FnOnce(&mut Sim)>;

/// The world, its clock, and what is yet to happen.
pub(crate) struct Sim {
    pub(crate) ec2: Ec2,
    pub(crate) policy: Policy,
    pub(crate) now: Time,
    pub(crate) rng: Rng,
    /// Of a hundred calls, those that fail.
    pub(crate) faults: u32,
    /// Counts, by what and by how it went.
    pub(crate) ledger: BTreeMap<(&'static str, &'static str), usize>,
    /// Mends of drift, by instance.
    pub(crate) mends: BTreeMap<InstanceId, Vec<Time>>,
    order: u64,
    queue: BTreeMap<(Time, u64), Act>,
}

impl Sim {
    pub(crate) fn new(policy: Policy, now: Time, seed: u64) -> Self {
        Sim {
            ec2: Ec2::default(),
            policy,
            now,
            rng: Rng::with_seed(seed),
            faults: 0,
            ledger: BTreeMap::new(),
            mends: BTreeMap::new(),
            order: 0,
            queue: BTreeMap::new(),
        }
    }

    pub(crate) fn at(&mut self, time: Time, act: impl FnOnce(&mut Sim) + 'static) {
        self.order += 1;
        let key = (time.max(self.now), self.order);
        self.queue.insert(key, Box::new(act));
    }

    /// Lets everything happen that is to happen.
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
        call: impl FnOnce(&mut Ec2) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (how, result) = if self.is_down(region) {
            ("unavailable", Err(Refusal::Passing))
        } else if self.rng.u32(0..100) >= self.faults {
            let result = call(&mut self.ec2);
            let how = match &result {
                Ok(_) => "done",
                Err(Refusal::Passing) => "unavailable",
                Err(Refusal::NotFound) => "not found",
                Err(Refusal::WrongState) => "wrong state",
                Err(Refusal::Protected) => "protected",
                Err(Refusal::Unauthorised) => "unauthorised",
            };
            (how, result)
        } else {
            match self.rng.u32(0..10) {
                0 => ("unauthorised", Err(Refusal::Unauthorised)),
                1..=3 => ("throttled", Err(Refusal::Passing)),
                4..=6 => ("unavailable", Err(Refusal::Passing)),
                _ => {
                    let done = call(&mut self.ec2).is_ok();
                    let how = if done {
                        "done, and the answer lost"
                    } else {
                        "lost"
                    };
                    (how, Err(Refusal::Passing))
                }
            }
        };
        self.count(action, how);
        result
    }

    /// Once in three hours each region answers nothing for seven minutes.
    fn is_down(&self, region: &str) -> bool {
        let phase: Time = region.bytes().map(Time::from).sum::<Time>() % 180 * MINUTE;
        self.faults > 0 && (self.now + phase) % (3 * HOUR) < 7 * MINUTE
    }

    /// Whether one of three attempts gets through, and how long those before it took.
    pub(crate) fn tries(&mut self, region: &str) -> (bool, Time) {
        let mut took = 0;
        for attempt in 0..3 {
            if !self.is_down(region) && self.rng.u32(0..100) >= self.faults {
                return (true, took);
            }
            took += (SECOND / 2) << attempt;
        }
        (false, took)
    }

    pub(crate) fn latency(&mut self) -> Time {
        self.rng.i64(50..500)
    }
}
