//! Counts what is limited by the hour before it is done, as the function does.

use std::collections::BTreeSet;
use std::rc::Rc;

use imds_core::state::{Entries, Grant, Item, Key};

use crate::ec2::{MINUTE, SECOND, Time, timestamp};
use crate::function::SimInvocation;
use crate::sim::Sim;
use crate::table::Fate;

/// How long a permit is good.
const PERMIT: Time = MINUTE;

/// The longest that counting takes.
const WITHIN: Time = 5 * SECOND;

/// How long an attempt waits for its answer.
const ATTEMPT: Time = 2 * SECOND;

/// How many of a thousand functions are killed once they have counted.
const KILLED: u32 = 30;

/// What may be done until when.
pub(crate) struct SimPermits {
    pub(crate) granted: BTreeSet<String>,
    pub(crate) counted: usize,
    pub(crate) until: Time,
}

/// What follows.
type Then = Box<dyn FnOnce(&mut Sim, &Rc<SimInvocation>, Result<SimPermits, String>)>;

struct Counting {
    key: Key,
    wanted: Vec<String>,
    limit: u32,
    deadline: Time,
    tries: u32,
    then: Then,
}

/// A write, which is sent until it is answered.
struct SentEntries {
    grant: Grant,
    item: Item,
    write: Entries,
    /// The version that it must find.
    version: Option<i64>,
    at: Time,
    /// How far the table's clock, which shows whole seconds to those who read it, is behind.
    behind: Time,
}

impl Sim {
    pub(crate) fn permits(
        &mut self,
        run: &Rc<SimInvocation>,
        (key, limit): (Key, u32),
        wanted: Vec<String>,
        then: impl FnOnce(&mut Sim, &Rc<SimInvocation>, Result<SimPermits, String>) + 'static,
    ) {
        let counting = Counting {
            key,
            wanted,
            limit,
            deadline: run.act_until.min(self.now + WITHIN),
            tries: 0,
            then: Box::new(then),
        };
        self.read_entries(run, counting);
    }

    fn read_entries(&mut self, run: &Rc<SimInvocation>, mut counting: Counting) {
        let answered = self.now + self.table_latency();
        if self.fate("GetItem") == Fate::Answered {
            let item = self.table.get(&counting.key);
            let entries = Entries::read(&counting.key, item).unwrap();
            // The header `Date` has no fractions, and the answer takes its time.
            let behind = self.now % SECOND + answered - self.now;
            return self.later(run, answered, move |sim, run| {
                sim.write_entries(run, counting, &entries, behind);
            });
        }
        counting.tries += 1;
        match self.again(&counting) {
            Some(next) => self.later(run, next, |sim, run| sim.read_entries(run, counting)),
            None => (counting.then)(self, run, Err("not read".to_owned())),
        }
    }

    fn write_entries(
        &mut self,
        run: &Rc<SimInvocation>,
        counting: Counting,
        entries: &Entries,
        behind: Time,
    ) {
        let now = timestamp(self.now - behind);
        let grant = entries.grant(&counting.wanted, counting.limit, now);
        let Some(write) = grant.write.clone() else {
            let permits = permits(grant, self.now);
            return (counting.then)(self, run, Ok(permits));
        };
        let sent = SentEntries {
            item: write.item(),
            version: entries.version(),
            at: self.now,
            grant,
            write,
            behind,
        };
        self.send_entries(run, counting, sent);
    }

    fn send_entries(&mut self, run: &Rc<SimInvocation>, counting: Counting, sent: SentEntries) {
        let (key, item, version) = (counting.key.clone(), sent.item.clone(), sent.version);
        let again = match self.fate("UpdateItem") {
            Fate::Answered => {
                let written = self.table.update(&key, item, version);
                let answered = self.now + self.table_latency();
                return self.later(run, answered, move |sim, run| {
                    sim.entries_answered(run, counting, sent, written);
                });
            }
            Fate::NotDone => self.now + SECOND / 10,
            Fate::AnswerLost => {
                let _lost = self.table.update(&key, item, version);
                self.now + ATTEMPT
            }
            Fate::Late => {
                let late = self.now + self.rng.i64(0..10 * SECOND);
                self.at(late, move |sim| {
                    let _lost = sim.table.update(&key, item, version);
                });
                self.now + ATTEMPT
            }
        };
        if again < counting.deadline {
            self.later(run, again, |sim, run| sim.send_entries(run, counting, sent));
        } else {
            (counting.then)(self, run, Err("not written".to_owned()));
        }
    }

    fn entries_answered(
        &mut self,
        run: &Rc<SimInvocation>,
        mut counting: Counting,
        sent: SentEntries,
        written: Result<(), Option<Item>>,
    ) {
        if let Err(item) = written {
            let entries = Entries::read(&counting.key, item.as_ref()).unwrap();
            if !entries.includes(&sent.grant.granted, &sent.write) {
                self.count("UpdateItem", "condition failed");
                counting.tries += 1;
                return match self.again(&counting) {
                    Some(next) => self.later(run, next, move |sim, run| {
                        sim.write_entries(run, counting, &entries, sent.behind);
                    }),
                    None => (counting.then)(self, run, Err("written by others".to_owned())),
                };
            }
            self.count("UpdateItem", "its own entries found");
        }
        if self.faults > 0 && self.rng.u32(0..1000) < KILLED {
            self.count("invocation", "killed");
            return run.kill();
        }
        let permits = permits(sent.grant, sent.at);
        (counting.then)(self, run, Ok(permits));
    }

    fn again(&self, counting: &Counting) -> Option<Time> {
        let next = self.now + ((SECOND / 50) << counting.tries.min(8));
        (next < counting.deadline).then_some(next)
    }
}

fn permits(grant: Grant, at: Time) -> SimPermits {
    let Grant {
        granted, counted, ..
    } = grant;
    let until = at + PERMIT;
    SimPermits {
        granted,
        counted,
        until,
    }
}
