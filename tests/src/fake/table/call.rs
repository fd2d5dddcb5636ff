//! The calls to the table, as a test reads them.

use std::time::Instant;

use super::input;
use crate::fake::record::{CallOutcome, RecordedCall};
use crate::fake::request::ApiRequest;
use crate::fake::{FakeAws, api_error::ApiError};

/// A call of DynamoDB that the fake received.
#[derive(Clone, Debug)]
pub struct TableCall {
    /// Such as `UpdateItem`.
    pub action: String,
    /// The region of its signature.
    pub region: String,
    /// The keys that it names, in their order.
    pub keys: Vec<String>,
    /// When it arrived.
    pub at: Instant,
    /// When the table was read or written, or the condition failed; `None` if it was rejected before.
    pub took_effect: Option<Instant>,
    /// Whether its condition held; `None` if it has none, or was rejected before.
    pub condition: Option<bool>,
    /// How it was answered.
    pub outcome: CallOutcome,
}

/// What the record keeps of a call of DynamoDB besides.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableTrace {
    keys: Vec<String>,
    has_condition: bool,
    took_effect: Option<Instant>,
    condition: Option<bool>,
}

impl TableTrace {
    pub(crate) fn of(request: &ApiRequest) -> Self {
        TableTrace {
            keys: input::keys(&request.body),
            has_condition: input::member(&request.body, "ConditionExpression").is_some(),
            ..TableTrace::default()
        }
    }

    pub(crate) fn performed(&mut self, result: Result<(), &ApiError>) {
        let held = match result {
            Ok(()) => true,
            Err(error) if error.code == "ConditionalCheckFailedException" => false,
            Err(_) => return,
        };
        self.took_effect = Some(Instant::now());
        self.condition = self.has_condition.then_some(held);
    }
}

impl FakeAws {
    /// Every call of DynamoDB, including rejected ones, in the order of arrival.
    #[must_use]
    pub fn table_calls(&self) -> Vec<TableCall> {
        let calls = self.calls_where(|call| call.service == "dynamodb");
        calls.into_iter().map(TableCall::from).collect()
    }
}

impl From<RecordedCall> for TableCall {
    fn from(call: RecordedCall) -> TableCall {
        TableCall {
            action: call.action,
            region: call.region,
            keys: call.table.keys,
            at: call.at,
            took_effect: call.table.took_effect,
            condition: call.table.condition,
            outcome: call.outcome,
        }
    }
}
