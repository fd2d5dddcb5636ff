//! Every call that arrived, in the order of arrival.

use std::collections::BTreeMap;
use std::time::Instant;

use super::api_error::ApiError;
use super::request::ApiRequest;
use super::table::TableTrace;

/// A call that the fake received.
#[derive(Clone, Debug)]
pub struct RecordedCall {
    /// When it arrived.
    pub at: Instant,
    /// The region of its signature.
    pub region: String,
    /// The service of its signature: `ec2`, `sts`, `monitoring`, `autoscaling`, `dynamodb`.
    pub service: String,
    /// Such as `DescribeInstances`.
    pub action: String,
    /// All parameters, including `Action` and `Version`; those in CBOR or JSON are named as in a form.
    pub params: BTreeMap<String, String>,
    /// The access key id of the caller.
    pub access_key: String,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// How it was answered.
    pub outcome: CallOutcome,
    pub(super) table: TableTrace,
}

impl RecordedCall {
    /// One parameter, such as `InstanceId`.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// Whether it may change an instance or the account: anything but Describe, Get, BatchGet, List, dry runs,
    /// sessions of roles, and what the function remembers.
    #[must_use]
    pub fn changes(&self) -> bool {
        let rehearses = self.param("DryRun") == Some("true");
        !rehearses
            && ![
                "Describe",
                "Get",
                "BatchGet",
                "List",
                "UpdateItem",
                "AssumeRole",
            ]
            .iter()
            .any(|reading| self.action.starts_with(reading))
    }

    fn widens(&self) -> bool {
        let asks_for_other = |name: &str, narrow: &str| {
            let asked = self.param(name);
            asked.is_some_and(|value| value != narrow)
        };
        self.action == "ModifyInstanceMetadataOptions"
            && (asks_for_other("HttpEndpoint", "disabled")
                || asks_for_other("HttpTokens", "required"))
    }
}

/// How a call was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It succeeded; also if the answer was truncated.
    Ok,
    /// It was rejected with this error code.
    Err(String),
    /// The connection was reset, or the call is not answered yet.
    Reset,
}

/// The calls so far.
#[derive(Debug, Default)]
pub(super) struct CallLog {
    calls: Vec<RecordedCall>,
    forgotten: usize,
    /// By number; these are not forgotten.
    widening: BTreeMap<usize, RecordedCall>,
}

impl CallLog {
    /// Records a call; returns its number for `answered`.
    pub(super) fn arrived(&mut self, at: Instant, request: &ApiRequest) -> usize {
        let table = TableTrace::of(request);
        let request = request.clone();
        let call = RecordedCall {
            at,
            region: request.region,
            service: request.service,
            action: request.action,
            params: request.params,
            access_key: request.access_key,
            user_agent: request.user_agent,
            outcome: CallOutcome::Reset,
            table,
        };
        let number = self.forgotten + self.calls.len();
        if call.widens() {
            self.widening.insert(number, call.clone());
        }
        self.calls.push(call);
        number
    }

    /// A call was not rejected before it came to its action, which ended with this.
    pub(super) fn performed(&mut self, number: usize, result: Result<(), &ApiError>) {
        let index = number.checked_sub(self.forgotten);
        if let Some(call) = index.and_then(|index| self.calls.get_mut(index)) {
            call.table.performed(result);
        }
    }

    pub(super) fn answered(&mut self, number: usize, outcome: CallOutcome) {
        let call = number
            .checked_sub(self.forgotten)
            .and_then(|index| self.calls.get_mut(index));
        for call in call.into_iter().chain(self.widening.get_mut(&number)) {
            call.outcome = outcome.clone();
        }
    }

    pub(super) fn widening(&self) -> Vec<RecordedCall> {
        self.widening.values().cloned().collect()
    }

    pub(super) fn calls(&self) -> &[RecordedCall] {
        &self.calls
    }

    pub(super) fn forget(&mut self) {
        self.forgotten += self.calls.len();
        self.calls.clear();
    }
}
