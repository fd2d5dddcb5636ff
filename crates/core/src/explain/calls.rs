//! The calls that the function would make, as EC2 names them.

use jiff::Timestamp;

use crate::decide::{Decision, NonCompliant};
use crate::options::MetadataOptions;
use crate::plan::Step;
use crate::policy::{Action, Limits};

/// The exemption is read, and the disruption is counted before it is done.
const STATE: [&str; 3] = [
    "BatchGetItem exempt#",
    "GetItem limit#",
    "UpdateItem limit#",
];

pub(super) const DESCRIBE: &str = "DescribeInstances";

/// The calls for one launched instance, in their order. An instance that the event shows to be
/// compliant takes none. `remembers`: who launched it is remembered.
pub(super) fn calls(step: &Step, waits_until: Option<Timestamp>, remembers: bool) -> Vec<String> {
    let remember = remembers.then(|| "UpdateItem launcher#".to_owned());
    let non_compliant = match &step.decision {
        Decision::Compliant(_) | Decision::Exempt(_) => return remember.into_iter().collect(),
        Decision::Gone(_) => return vec![DESCRIBE.to_owned()],
        Decision::NonCompliant(non_compliant) => non_compliant,
    };
    let describes = if waits_until.is_some() { 2 } else { 1 };
    let mut calls = vec![DESCRIBE.to_owned(); describes];
    calls.extend(remember);
    match non_compliant.action {
        Action::Report => {}
        Action::Enforce => calls.push(modify(non_compliant)),
        Action::Stop => {
            calls.extend(STATE.map(str::to_owned));
            calls.push(modify(non_compliant));
            calls.push("StopInstances".to_owned());
        }
        Action::Terminate => {
            calls.extend(STATE.map(str::to_owned));
            calls.push("TerminateInstances".to_owned());
        }
    }
    calls
}

fn modify(non_compliant: &NonCompliant) -> String {
    let set = parameters(non_compliant.change.set());
    format!("ModifyInstanceMetadataOptions {set}")
}

/// What is done where EC2 refuses the disruption.
pub(super) fn fallback(non_compliant: &NonCompliant, limits: &Limits) -> Option<String> {
    match non_compliant.action {
        Action::Report | Action::Enforce => None,
        Action::Stop => Some(format!(
            "if EC2 refuses to stop it, or {} were stopped or terminated within the hour, only its \
             options are set",
            limits.disruptions_per_hour
        )),
        Action::Terminate => Some(format!(
            "if EC2 refuses to terminate it, or {} were stopped or terminated within the hour, its \
             options are set instead",
            limits.disruptions_per_hour
        )),
    }
}

/// The options as parameters of the call.
pub(super) fn parameters(options: &MetadataOptions) -> String {
    let parameters = options
        .settings()
        .map(|setting| format!("{}={}", setting.option().parameter(), setting.value()));
    parameters.collect::<Vec<_>>().join(" ")
}
