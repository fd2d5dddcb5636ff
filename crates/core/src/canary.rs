//! The first instances of a plan: they show whether software fails before the others are enforced.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::instance::{Instance, State};
use crate::plan::Step;
use crate::usage::{CallData, NotKnown, RejectedCalls};

/// The longest period of CloudWatch's data on an instance: one that began before the change may hold calls that
/// were rejected since.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/viewing_metrics_with_cloudwatch.html>
pub const LONGEST_PERIOD: SignedDuration = SignedDuration::from_mins(5);

/// Takes the canaries out of a plan: running instances before others, and of as many launch sources as possible.
pub fn take_canaries(steps: &mut Vec<Step>, most: usize) -> Vec<Step> {
    let mut of_source: BTreeMap<String, usize> = BTreeMap::new();
    let ranked = std::mem::take(steps).into_iter().enumerate();
    let mut ranked: Vec<_> = ranked
        .map(|(place, step)| {
            let taken = of_source.entry(source(&step.instance)).or_default();
            *taken += 1;
            ((!runs(&step.instance), *taken, place), step)
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let mut others = ranked.split_off(most.min(ranked.len()));
    others.sort_by_key(|((.., place), _)| *place);
    steps.extend(others.into_iter().map(|(_, step)| step));
    ranked.into_iter().map(|(_, step)| step).collect()
}

/// Whether the calls of its software can be observed.
pub fn runs(instance: &Instance) -> bool {
    instance.state == Some(State::Running)
}

/// What launched it: an instance without a group and a template is its own source.
fn source(instance: &Instance) -> String {
    let group = instance.auto_scaling_group().map(str::to_owned);
    let template = || instance.launch_template().map(|template| template.id);
    group
        .or_else(template)
        .unwrap_or_else(|| instance.id.to_string())
}

/// What CloudWatch shows of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryCalls {
    /// No call was rejected.
    NoneRejected,
    /// Software fails.
    Rejected(RejectedCalls),
    /// It is not known.
    NotKnown(NotKnown),
}

impl CanaryCalls {
    /// Evaluates a canary whose options were set after `since`. Without a datapoint from then on, its data has not
    /// arrived, and it is not known whether calls were rejected.
    pub fn evaluate(data: &CallData, since: Timestamp) -> Self {
        let earliest = since.checked_sub(LONGEST_PERIOD).unwrap_or(since);
        let rejected = data.rejected.iter().copied();
        let rejected: Vec<_> = rejected.filter(|(at, _)| *at >= earliest).collect();
        if let Some(rejected) = RejectedCalls::count(&rejected) {
            return CanaryCalls::Rejected(rejected);
        }
        if let Some(status) = &data.incomplete {
            return CanaryCalls::NotKnown(NotKnown::Incomplete(status.clone()));
        }
        let minute = since.as_second() - since.as_second().rem_euclid(60);
        match data.accepted.iter().any(|(at, _)| at.as_second() >= minute) {
            true => CanaryCalls::NoneRejected,
            false => CanaryCalls::NotKnown(NotKnown::NoData),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Compliant, Decision};
    use crate::instance::InstanceId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_020 + seconds).unwrap()
    }

    fn step(n: usize, state: State, tags: &[(&str, &str)]) -> Step {
        let id = InstanceId::try_from(format!("i-{n:08x}")).unwrap();
        let tags = tags.iter();
        let tags = tags.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Step {
            instance: Instance {
                state: Some(state),
                tags: tags.collect(),
                ..Instance::unknown(id, "eu-central-1")
            },
            decision: Decision::Compliant(Compliant::EndpointDisabled),
        }
    }

    fn numbers(steps: &[Step]) -> Vec<String> {
        let id = |step: &Step| {
            step.instance
                .id
                .as_str()
                .trim_start_matches("i-0000000")
                .to_owned()
        };
        steps.iter().map(id).collect()
    }

    #[test]
    fn canaries_run_and_are_of_as_many_sources_as_possible() {
        let group = [("aws:autoscaling:groupName", "web")];
        let template = [("aws:ec2launchtemplate:id", "lt-1")];
        let plan = || {
            vec![
                step(0, State::Stopped, &[]),
                step(1, State::Running, &group),
                step(2, State::Running, &group),
                step(3, State::Running, &template),
                step(4, State::Running, &[]),
                step(5, State::Running, &template),
            ]
        };
        for (most, canaries, others) in [
            (0, "", "012345"),
            (2, "13", "0245"),
            (4, "1342", "05"),
            (5, "13425", "0"),
            (9, "134250", ""),
        ] {
            let mut rest = plan();
            let taken = take_canaries(&mut rest, most);
            assert_eq!(numbers(&taken).concat(), canaries);
            assert_eq!(numbers(&rest).concat(), others);
        }
    }

    #[test]
    fn a_rejected_call_of_a_period_that_the_change_lies_in_counts() {
        for (begin, counts) in [(0, true), (-300, true), (-301, false)] {
            let data = CallData {
                accepted: vec![(at(60), 0.0)],
                rejected: vec![(at(begin), 4.0)],
                incomplete: None,
            };
            let calls = CanaryCalls::evaluate(&data, at(0));
            let last_at = at(begin);
            let rejected = CanaryCalls::Rejected(RejectedCalls { calls: 4, last_at });
            let expected = if counts {
                rejected
            } else {
                CanaryCalls::NoneRejected
            };
            assert_eq!(calls, expected, "{begin}");
        }
    }

    #[test]
    fn without_data_from_then_on_or_a_complete_answer_it_is_not_known() {
        let known = |accepted: &[i64], incomplete: Option<&str>| {
            let data = CallData {
                accepted: accepted.iter().map(|second| (at(*second), 0.0)).collect(),
                rejected: Vec::new(),
                incomplete: incomplete.map(str::to_owned),
            };
            CanaryCalls::evaluate(&data, at(30))
        };
        assert_eq!(
            known(&[0], None),
            CanaryCalls::NoneRejected,
            "the minute of the change"
        );
        let no_data = CanaryCalls::NotKnown(NotKnown::NoData);
        assert_eq!(known(&[-60, -300], None), no_data);
        assert_eq!(known(&[], None), no_data);
        let incomplete = NotKnown::Incomplete("PartialData".to_owned());
        assert_eq!(
            known(&[60], Some("PartialData")),
            CanaryCalls::NotKnown(incomplete)
        );
    }
}
