//! What was done to whom, as the stand-in recorded it.

use imds_tests::{Call, Outcome};

use crate::scenes::Scene;
use crate::troubles::{Kind, Trouble};

/// The calls that name this instance.
pub(crate) fn naming<'c>(calls: &'c [Call], id: &str) -> impl Iterator<Item = &'c Call> {
    calls
        .iter()
        .filter(move |call| call.params.values().any(|value| value == id))
}

/// How often an action took effect on an instance more than once, beyond those times when its answer
/// was lost, so that nobody could know.
pub(crate) fn needless_touches(
    calls: &[Call],
    first_run: usize,
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
        let befallen = action == scene.action && trouble.loses_answers();
        let took_effect = |calls: &[Call]| {
            let of_action = naming(calls, id).filter(|call| call.action == action);
            of_action
                .filter(|call| call.outcome == Outcome::Ok || befallen && is_reset(call))
                .count()
        };
        let lost = match trouble.times {
            _ if !befallen => 0,
            Some(times) => usize::try_from(times).unwrap(),
            None => took_effect(calls.get(..first_run).unwrap_or(calls)),
        };
        let touches = took_effect(calls);
        (touches > 1 + lost)
            .then(|| format!("{action} took effect {touches} times on {id}, {lost} answers lost"))
    })
}

/// Calls that are not answered yet.
pub(crate) fn are_under_way(calls: &[Call], scene: &Scene, trouble: &Trouble) -> bool {
    matches!(trouble.kind, Kind::TimeOut)
        && calls
            .iter()
            .any(|call| call.action == scene.action && is_reset(call))
}

fn is_reset(call: &Call) -> bool {
    call.outcome == Outcome::Reset
}
