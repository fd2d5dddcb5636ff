//! The calls that the function would make, as EC2 names them.

use imds_core::decide::{Decision, Remedy};
use imds_core::instance::MetadataOptions;
use imds_core::marks;
use imds_core::plan::Step;
use imds_core::policy::Limits;
use imds_core::report::Outcome;
use jiff::Timestamp;

/// For one launched instance, in their order; what the event shows to be right costs none.
pub(super) fn of(step: &Step, waits_until: Option<Timestamp>) -> Vec<String> {
    let Decision::Wrong(wrong) = &step.decision else {
        return match &step.decision {
            Decision::Compliant(_) | Decision::Exempt(_) => Vec::new(),
            Decision::Gone(_) | Decision::Wrong(_) => vec![look()],
        };
    };
    let mut calls = vec![look()];
    if waits_until.is_some() {
        calls.push(look());
    }
    match &wrong.remedy {
        Remedy::Report(_) | Remedy::AlreadyStopped => {}
        Remedy::Enforce(_) => {
            let sent = wrong.change.to_send(&step.instance.options);
            calls.push(format!("ModifyInstanceMetadataOptions {}", options(&sent)));
        }
        Remedy::Stop => calls.push("StopInstances".to_owned()),
        Remedy::Terminate => {
            // Who terminates claims first, and looks who else did within the hour.
            calls.push(format!("CreateTags {}", marks::TERMINATE));
            calls.push(format!("DescribeInstances tag-key={}", marks::TERMINATE));
            calls.push("TerminateInstances".to_owned());
        }
    }
    calls
}

/// What is done where the call is refused.
pub(super) fn fallback(outcome: Outcome, limits: &Limits) -> Option<String> {
    let mend = "its options are set instead";
    match outcome {
        Outcome::Stopped => Some(format!("where EC2 refuses to stop it, {mend}")),
        Outcome::Terminated => {
            let limit = limits.terminations_per_hour;
            Some(format!(
                "where EC2 refuses to terminate it, or {limit} were terminated within the hour, {mend}"
            ))
        }
        Outcome::Compliant
        | Outcome::Exempt
        | Outcome::Reported
        | Outcome::Enforced
        | Outcome::Spared
        | Outcome::Gone
        | Outcome::Failed => None,
    }
}

fn look() -> String {
    "DescribeInstances".to_owned()
}

/// The options given, as the call's parameters.
pub(super) fn options(options: &MetadataOptions) -> String {
    let named = [
        ("HttpTokens", options.http_tokens.map(|v| v.to_string())),
        ("HttpEndpoint", options.http_endpoint.map(|v| v.to_string())),
        (
            "HttpPutResponseHopLimit",
            options.hop_limit.map(|v| v.to_string()),
        ),
        (
            "HttpProtocolIpv6",
            options.http_protocol_ipv6.map(|v| v.to_string()),
        ),
        (
            "InstanceMetadataTags",
            options.instance_metadata_tags.map(|v| v.to_string()),
        ),
    ];
    let given = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    given.collect::<Vec<_>>().join(" ")
}
