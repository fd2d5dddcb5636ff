//! Errors as AWS answers them: a code, an HTTP status, a message.

use std::fmt::Display;

use serde_json::Value;

/// An error of an API call.
#[derive(Clone, Debug)]
pub(super) struct ApiError {
    pub(super) code: String,
    pub(super) status: u16,
    pub(super) message: String,
    /// The item whose condition failed, in DynamoDB, where the call asks for it.
    pub(super) item: Option<Value>,
}

impl ApiError {
    /// With the HTTP status that EC2 gives this code; 400 for most.
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        let status = match code {
            "AuthFailure" => 401,
            "UnauthorizedOperation" | "MissingAuthenticationToken" | "OptInRequired" => 403,
            "UnknownOperationException" => 404,
            "DryRunOperation" => 412,
            "InternalError" => 500,
            "RequestLimitExceeded" | "Unavailable" => 503,
            _ => 400,
        };
        ApiError {
            code: code.to_owned(),
            status,
            message: message.into(),
            item: None,
        }
    }

    pub(super) fn missing(name: &str) -> Self {
        ApiError::new(
            "MissingParameter",
            format!("The request must contain the parameter {name}"),
        )
    }

    pub(super) fn unknown_parameter(name: &str) -> Self {
        ApiError::new(
            "UnknownParameter",
            format!("The parameter {name} is not recognized"),
        )
    }

    pub(super) fn value(name: &str, value: impl Display, expected: &str) -> Self {
        ApiError::new(
            "InvalidParameterValue",
            format!("Value ({value}) for parameter {name} is invalid. {expected}"),
        )
    }

    pub(super) fn unknown_instances<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let ids: Vec<_> = ids.into_iter().collect();
        let message = match ids.as_slice() {
            [id] => format!("The instance ID '{id}' does not exist"),
            _ => format!("The instance IDs '{}' do not exist", ids.join(", ")),
        };
        ApiError::new("InvalidInstanceID.NotFound", message)
    }

    pub(super) fn state(id: &str) -> Self {
        ApiError::new(
            "IncorrectInstanceState",
            format!("The instance '{id}' is not in a state that allows this operation."),
        )
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        ApiError::new("UnsupportedOperation", message)
    }

    pub(super) fn not_permitted(message: impl Into<String>) -> Self {
        ApiError::new("OperationNotPermitted", message)
    }

    pub(super) fn throttled() -> Self {
        ApiError::new("RequestLimitExceeded", "Request limit exceeded.")
    }
}
