//! What was done to which instance, as the fake recorded it.

use imds_tests::{CallOutcome, RecordedCall};

use crate::scenes::Scene;
use crate::troubles::{Trouble, TroubleKind};

/// The calls that name this instance.
pub(crate) fn naming<'c>(
    calls: &'c [RecordedCall],
    id: &str,
) -> impl Iterator<Item = &'c RecordedCall> {
    calls
        .iter()
        .filter(move |call| call.params.values().any(|value| value == id))
}

/// How often an action took effect on an instance more than once, not counting lost answers.
pub(crate) fn repeated_changes(
    (first_run, calls): (&[RecordedCall], &[RecordedCall]),
    id: &str,
    scene: &Scene,
    trouble: &Trouble,
) -> Option<String> {
    [
        "ModifyInstanceMetadataOptions",
        "TerminateInstances",
        "StopInstances",
    ]
    .into_iter()
    .find_map(|action| {
        let is_hit = action == scene.action && trouble.loses_answers();
        let took_effect = |calls: &[RecordedCall]| {
            let of_action = naming(calls, id).filter(|call| call.action == action);
            of_action
                .filter(|call| call.outcome == CallOutcome::Ok || is_hit && is_reset(call))
                .count()
        };
        let lost = match trouble.times {
            _ if !is_hit => 0,
            Some(times) => usize::try_from(times).unwrap(),
            None => took_effect(first_run),
        };
        let times = took_effect(calls);
        (times > 1 + lost)
            .then(|| format!("{action} took effect {times} times on {id}, {lost} answers lost"))
    })
}

/// Whether calls are not answered yet.
pub(crate) fn are_in_flight(calls: &[RecordedCall], scene: &Scene, trouble: &Trouble) -> bool {
    matches!(trouble.kind, TroubleKind::TimeOut)
        && calls
            .iter()
            .any(|call| call.action == scene.action && is_reset(call))
}

fn is_reset(call: &RecordedCall) -> bool {
    call.outcome == CallOutcome::Reset
}
