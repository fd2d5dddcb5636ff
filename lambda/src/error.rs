//! Why an invocation fails, so that Lambda retries it and the event is not lost.

use imds_core::chain::chain;
use imds_core::event::Malformed;
use imds_core::report::{Outcome, Report};
use lambda_runtime::Diagnostic;

/// Why an invocation fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the event is from account {event}; expected the function's own account, {own}")]
    OtherAccount { event: String, own: String },
    #[error("the event names no account; expected the function's own account, {own}")]
    NoAccount { own: String },
    #[error("{}", incomplete(.0))]
    Incomplete(Box<Report>),
}

impl From<Failure> for Diagnostic {
    fn from(failure: Failure) -> Self {
        let error_type = match failure {
            Failure::Malformed(_) => "MalformedEvent",
            Failure::OtherAccount { .. } | Failure::NoAccount { .. } => "OtherAccount",
            Failure::Incomplete(_) => "Incomplete",
        };
        Diagnostic {
            error_type: error_type.to_owned(),
            error_message: chain(&failure),
        }
    }
}

/// Lambda truncates the errors that it stores.
const NAMED: usize = 50;

fn incomplete(report: &Report) -> String {
    let failed = report
        .instances
        .iter()
        .filter(|instance| instance.outcome == Outcome::Failed);
    let mut named: Vec<String> = failed
        .map(|i| format!("{} in {}: {}", i.instance_id, i.region, i.reason))
        .collect();
    named.extend(
        report
            .unreachable
            .iter()
            .filter(|unreachable| unreachable.fatal)
            .map(|unreachable| format!("{}: {}", unreachable.region, unreachable.error)),
    );
    let more = named.len().saturating_sub(NAMED);
    named.truncate(NAMED);
    if more > 0 {
        named.push(format!("and {more} more"));
    }
    format!("left undone: {}", named.join("; "))
}
