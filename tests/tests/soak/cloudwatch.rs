//! What software on an instance calls without a token, and what CloudWatch tells of it.

use imds_core::usage::{CallData, Datapoint};

use crate::ec2::{HOUR, NEVER, Time, timestamp};

/// The software of an instance.
#[derive(Debug)]
pub(crate) struct Software {
    /// From when until when it calls without a token whenever it runs.
    pub(crate) calls: (Time, Time),
    /// What was counted from when on, the oldest first.
    pub(crate) history: Vec<(Time, Metered)>,
    pub(crate) told: ToldByCloudWatch,
    /// When CloudWatch begins to tell all.
    pub(crate) complete_from: Time,
}

/// How calls without a token are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metered {
    /// The instance does not run.
    Off,
    Accepted,
    Rejected,
}

/// What CloudWatch tells of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToldByCloudWatch {
    Complete,
    /// Half of the datapoints.
    PartialData,
    /// All datapoints, it says, but not for sure.
    InternalError,
    Forbidden,
    /// It does not answer the query at all.
    Missing,
}

/// Calls of an hour.
const CALLS: f64 = 60.0;

impl Software {
    pub(crate) fn meter(&mut self, now: Time, metered: Metered) {
        if self.history.last().map(|(_, before)| *before) != Some(metered) {
            self.history.push((now, metered));
        }
    }

    /// When it began and ended to be counted like this, within a window.
    pub(crate) fn spans(
        &self,
        (since, until): (Time, Time),
    ) -> impl Iterator<Item = (Time, Time, Metered)> + '_ {
        let ends = self.history.iter().skip(1).map(|(at, _)| *at);
        let spans = self.history.iter().zip(ends.chain([NEVER]));
        spans
            .map(move |((from, metered), to)| ((*from).max(since), to.min(until), *metered))
            .filter(|(from, to, metered)| from < to && *metered != Metered::Off)
    }

    /// The answer to `GetMetricData` now, in periods of an hour.
    pub(crate) fn answer(&self, window: (Time, Time), now: Time) -> CallData {
        let mut data = CallData::default();
        for (from, to, metered) in self.spans(window) {
            let mut hour = from - from.rem_euclid(HOUR);
            while hour < to {
                let (first, last) = (from.max(hour), to.min(hour + HOUR));
                let calls = if self.calls.0 < last && first < self.calls.1 {
                    CALLS
                } else {
                    0.0
                };
                let (accepted, rejected) = match metered {
                    Metered::Rejected => (0.0, calls),
                    _ => (calls, 0.0),
                };
                add(&mut data.accepted, hour, accepted);
                if rejected > 0.0 {
                    add(&mut data.rejected, hour, rejected);
                }
                hour += HOUR;
            }
        }
        self.told_of(data, now)
    }

    fn told_of(&self, mut data: CallData, now: Time) -> CallData {
        let told = if now >= self.complete_from {
            ToldByCloudWatch::Complete
        } else {
            self.told
        };
        data.incomplete = match told {
            ToldByCloudWatch::Complete => None,
            ToldByCloudWatch::PartialData => Some("PartialData"),
            ToldByCloudWatch::InternalError => Some("InternalError"),
            ToldByCloudWatch::Forbidden => Some("Forbidden"),
            ToldByCloudWatch::Missing => Some("no result"),
        }
        .map(str::to_owned);
        match told {
            ToldByCloudWatch::Complete | ToldByCloudWatch::InternalError => {}
            ToldByCloudWatch::PartialData => {
                // The newer half, in which there may be no call.
                let half = data.accepted.len() / 2;
                data.accepted.drain(..half);
                data.rejected.clear();
            }
            ToldByCloudWatch::Forbidden | ToldByCloudWatch::Missing => {
                data.accepted.clear();
                data.rejected.clear();
            }
        }
        data
    }

    pub(crate) fn is_told(&self, now: Time) -> bool {
        self.told == ToldByCloudWatch::Complete || now >= self.complete_from
    }
}

fn add(points: &mut Vec<Datapoint>, hour: Time, calls: f64) {
    let at = timestamp(hour);
    match points.last_mut() {
        Some((last, sum)) if *last == at => *sum += calls,
        _ => points.push((at, calls)),
    }
}
