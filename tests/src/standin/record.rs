//! Every call that came, in the order in which they came.

use std::collections::BTreeMap;
use std::time::Instant;

use super::request::Request;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it arrived.
    pub at: Instant,
    /// The region of its signature.
    pub region: String,
    /// The service of its signature: `ec2`, `sts`, `monitoring`, `autoscaling`.
    pub service: String,
    /// Such as `DescribeInstances`.
    pub action: String,
    /// All of its form, `Action` and `Version` included; what came as CBOR is named as in a form.
    pub params: BTreeMap<String, String>,
    /// Whose call it was.
    pub access_key: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// How it was answered.
    pub outcome: Outcome,
}

impl Call {
    /// One parameter, such as `InstanceId`.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// Whether it may change something: anything but Describe, Get, List and dry runs.
    #[must_use]
    pub fn changes(&self) -> bool {
        let rehearses = self.param("DryRun") == Some("true");
        !rehearses
            && !["Describe", "Get", "List"]
                .iter()
                .any(|reading| self.action.starts_with(reading))
    }
}

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done; also where the answer was garbled on its way.
    Ok,
    /// Refused, with this error code.
    Err(String),
    /// Not answered, or not yet: the connection was reset.
    Reset,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct Record {
    calls: Vec<Call>,
    forgotten: usize,
}

impl Record {
    /// Notes a call; the number given back is for `answered`.
    pub(super) fn arrived(&mut self, at: Instant, request: &Request) -> usize {
        let request = request.clone();
        self.calls.push(Call {
            at,
            region: request.region,
            service: request.service,
            action: request.action,
            params: request.params,
            access_key: request.access_key,
            user_agent: request.user_agent,
            outcome: Outcome::Reset,
        });
        self.forgotten + self.calls.len() - 1
    }

    pub(super) fn answered(&mut self, number: usize, outcome: Outcome) {
        let call = number
            .checked_sub(self.forgotten)
            .and_then(|index| self.calls.get_mut(index));
        if let Some(call) = call {
            call.outcome = outcome;
        }
    }

    pub(super) fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub(super) fn forget(&mut self) {
        self.forgotten += self.calls.len();
        self.calls.clear();
    }
}
