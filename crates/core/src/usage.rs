//! Which instances use IMDSv1, with the evidence, from CloudWatch's `MetadataNoToken` and
//! `MetadataNoTokenRejected`.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html>

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::count::count;
use crate::instance::{Instance, InstanceId};
use crate::plain::Plain;
use crate::policy::{Action, Existing, NewInstances};

/// Whether software on an instance uses IMDSv1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Usage {
    /// IMDSv1 was not used in the window.
    Unused {
        /// The start of the window.
        #[cfg_attr(feature = "schema", schemars(with = "crate::report_schema::Time"))]
        since: Timestamp,
        /// It was not started within the window, so that calls of its start were not observed.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        not_started_within_window: bool,
    },
    /// Software would fail if tokens were required, or fails because they are.
    InUse {
        /// Calls without a token in the window, accepted and rejected.
        calls: u64,
        /// The start of the period of the last one.
        #[cfg_attr(feature = "schema", schemars(with = "crate::report_schema::Time"))]
        last_at: Timestamp,
    },
    /// Not known, and so never taken for unused.
    Unknown {
        /// Why.
        because: NotKnown,
    },
}

/// Why it is not known whether IMDSv1 is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NotKnown {
    /// CloudWatch has no datapoint of the window: it did not run.
    NoData,
    /// CloudWatch has datapoints of so many hours, which are too few.
    TooLittleData(u32),
    /// CloudWatch's answer is not complete; its status code.
    Incomplete(String),
    /// CloudWatch could not be asked.
    Unreadable(String),
}

/// The start of a period, and the calls of one instance in it.
pub type Datapoint = (Timestamp, f64);

/// CloudWatch's answer about one instance, in periods of one hour unless another length was asked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallData {
    /// Calls without a token that were answered (`MetadataNoToken`).
    pub accepted: Vec<Datapoint>,
    /// Calls without a token that were rejected (`MetadataNoTokenRejected`).
    pub rejected: Vec<Datapoint>,
    /// The status code, where it is not `Complete`.
    pub incomplete: Option<String>,
}

/// CloudWatch's answer about instances, or why there is none.
pub type CallAnswer = Result<BTreeMap<InstanceId, CallData>, String>;

/// The time in which calls count, and how much of it must be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageWindow {
    /// Its start.
    pub since: Timestamp,
    /// The hours with data without which an instance without calls is unknown.
    pub data_hours: u8,
}

impl UsageWindow {
    /// Evaluates an instance. While tokens are required no call is accepted, so the rejected ones count
    /// as well.
    pub fn evaluate(&self, instance: &Instance, data: &CallData) -> Usage {
        let calls = data.accepted.iter().chain(&data.rejected);
        if let Some((calls, last_at)) = calls_in(calls) {
            return Usage::InUse { calls, last_at };
        }
        let unknown = |because| Usage::Unknown { because };
        if let Some(status) = &data.incomplete {
            return unknown(NotKnown::Incomplete(status.clone()));
        }
        let since = self.since;
        match u32::try_from(data.accepted.len()).unwrap_or(u32::MAX) {
            0 => unknown(NotKnown::NoData),
            hours if hours < u32::from(self.data_hours) => unknown(NotKnown::TooLittleData(hours)),
            _ => Usage::Unused {
                since,
                not_started_within_window: instance.started_at.is_none_or(|it| it < since),
            },
        }
    }

    /// Evaluates one of the instances that CloudWatch was asked about; without its answer the usage
    /// is unknown.
    pub fn evaluate_answer(&self, instance: &Instance, answer: &CallAnswer) -> Usage {
        match answer {
            Ok(data) => {
                let none = CallData::default();
                self.evaluate(instance, data.get(&instance.id).unwrap_or(&none))
            }
            Err(why) => Usage::Unknown {
                because: NotKnown::Unreadable(why.clone()),
            },
        }
    }
}

/// The start of the window of so many days that ends at `now`.
pub fn window_begin(days: u8, now: Timestamp) -> Timestamp {
    let window = SignedDuration::from_hours(24 * i64::from(days));
    now.checked_sub(window).unwrap_or(Timestamp::MIN)
}

impl Existing {
    /// The window that ends at `now`.
    pub fn usage_window(&self, now: Timestamp) -> UsageWindow {
        UsageWindow {
            since: window_begin(self.usage_window_days, now),
            data_hours: self.usage_data_hours,
        }
    }

    /// The most that may be done to an existing instance of this usage.
    pub fn at_most(&self, usage: &Usage) -> Action {
        match usage {
            Usage::Unused { .. } => Action::Enforce,
            Usage::InUse { .. } => self.in_use,
            // It may be in use, so no more is done than if it were.
            Usage::Unknown {
                because: NotKnown::Incomplete(_) | NotKnown::Unreadable(_),
            } => self.in_use.min(self.unknown),
            Usage::Unknown {
                because: NotKnown::NoData | NotKnown::TooLittleData(_),
            } => self.unknown,
        }
    }
}

impl NewInstances {
    /// The most that may be done to an instance of this usage that is recent and that no launch event
    /// names: too little data does not count, because there cannot be much.
    pub fn at_most(&self, usage: &Usage) -> Action {
        match usage {
            Usage::Unused { .. }
            | Usage::Unknown {
                because: NotKnown::NoData | NotKnown::TooLittleData(_),
            } => Action::Enforce,
            Usage::InUse { .. }
            | Usage::Unknown {
                because: NotKnown::Incomplete(_) | NotKnown::Unreadable(_),
            } => self.in_use,
        }
    }
}

/// Calls without a token that were rejected because tokens are required: software fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RejectedCalls {
    /// How many calls were rejected.
    pub calls: u64,
    /// The start of the period of the last one.
    #[cfg_attr(feature = "schema", schemars(with = "crate::report_schema::Time"))]
    pub last_at: Timestamp,
}

impl RejectedCalls {
    /// Counts the datapoints of `MetadataNoTokenRejected`; `None`: no call was rejected.
    pub fn count(datapoints: &[Datapoint]) -> Option<Self> {
        calls_in(datapoints).map(|(calls, last_at)| RejectedCalls { calls, last_at })
    }
}

/// The calls, and the start of the period of the last one; `None`: there were no calls.
fn calls_in<'a>(
    datapoints: impl IntoIterator<Item = &'a Datapoint, IntoIter: Clone>,
) -> Option<(u64, Timestamp)> {
    let with_calls = datapoints.into_iter().filter(|(_, calls)| *calls > 0.0);
    let last_at = with_calls.clone().map(|(at, _)| *at).max()?;
    let calls: f64 = with_calls.map(|(_, calls)| calls).sum();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count, which saturates"
    )]
    Some((calls as u64, last_at))
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Usage::Unused {
                since,
                not_started_within_window,
            } => {
                write!(f, "IMDSv1 has not been used since {since}")?;
                if *not_started_within_window {
                    f.write_str(", in which time it was not started")?;
                }
                Ok(())
            }
            Usage::InUse { calls, last_at } => {
                let calls = count(*calls, "call");
                write!(f, "IMDSv1 is in use: {calls}, the last at {last_at}")
            }
            Usage::Unknown { because } => {
                f.write_str("it is not known whether IMDSv1 is used: ")?;
                match because {
                    NotKnown::NoData => f.write_str("CloudWatch has no data"),
                    NotKnown::TooLittleData(hours) => {
                        write!(f, "CloudWatch has data for only {}", count(*hours, "hour"))
                    }
                    NotKnown::Incomplete(status) => {
                        write!(f, "CloudWatch's answer is `{}`", Plain(status))
                    }
                    NotKnown::Unreadable(why) => {
                        write!(f, "CloudWatch could not be asked: {}", Plain(why))
                    }
                }
            }
        }
    }
}

/// The beginning of the hour, as CloudWatch's periods of an hour begin on whole hours.
pub fn whole_hour(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    let hour = SignedDuration::from_hours(1).as_secs();
    Timestamp::from_second(second - second.rem_euclid(hour)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-06-15T12:00:00Z".parse().unwrap()
    }

    fn hours(first: i64, count: i64, calls: f64) -> Vec<Datapoint> {
        let hour = |n| now() - SignedDuration::from_hours(first - n);
        (0..count).map(|n| (hour(n), calls)).collect()
    }

    fn evaluate(data: &CallData) -> Usage {
        let id = InstanceId::try_from("i-00000001").unwrap();
        Existing::default()
            .usage_window(now())
            .evaluate(&Instance::unknown(id, "eu-central-1"), data)
    }

    #[test]
    fn a_day_of_data_anywhere_in_the_window_shows_that_it_is_unused() {
        let mut data = CallData {
            accepted: hours(300, 12, 0.0),
            ..CallData::default()
        };
        let too_little = NotKnown::TooLittleData(12);
        assert_eq!(
            evaluate(&data),
            Usage::Unknown {
                because: too_little
            }
        );
        data.accepted.extend(hours(100, 12, 0.0));
        assert!(matches!(evaluate(&data), Usage::Unused { .. }));
    }

    #[test]
    fn rejected_calls_are_use_as_well() {
        let data = CallData {
            accepted: hours(300, 30, 0.0),
            rejected: hours(200, 2, 3.0),
            incomplete: None,
        };
        assert!(matches!(evaluate(&data), Usage::InUse { calls: 6, .. }));
    }

    #[test]
    fn an_incomplete_answer_is_unknown_unless_it_shows_calls() {
        let mut data = CallData {
            accepted: hours(300, 30, 0.0),
            incomplete: Some("PartialData".to_owned()),
            ..CallData::default()
        };
        let because = NotKnown::Incomplete("PartialData".to_owned());
        assert_eq!(evaluate(&data), Usage::Unknown { because });
        data.accepted.extend(hours(10, 1, 5000.0));
        assert!(matches!(evaluate(&data), Usage::InUse { calls: 5000, .. }));
    }

    #[test]
    fn while_cloudwatch_cannot_be_asked_no_more_is_done_than_if_it_were_in_use() {
        let existing = Existing {
            in_use: Action::Report,
            unknown: Action::Enforce,
            ..Existing::default()
        };
        for because in [
            NotKnown::Unreadable("Throttling".to_owned()),
            NotKnown::Incomplete("PartialData".to_owned()),
        ] {
            let unread = Usage::Unknown { because };
            assert_eq!(existing.at_most(&unread), Action::Report);
            assert_eq!(NewInstances::default().at_most(&unread), Action::Report);
        }
        let no_data = Usage::Unknown {
            because: NotKnown::NoData,
        };
        assert_eq!(existing.at_most(&no_data), Action::Enforce);
    }
}
