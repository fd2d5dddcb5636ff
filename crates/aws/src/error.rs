//! What can go wrong with a call, sorted by what follows from it.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use serde::Deserialize;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not call {action} in {region}")]
pub struct CallError {
    /// The API action.
    pub action: &'static str,
    /// The region.
    pub region: String,
    /// What follows from it.
    pub fault: Fault,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// What follows from a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EC2 does not know the instance: not yet, or no more.
    NotFound,
    /// The instance's state does not allow it: not yet, or no more.
    WrongState,
    /// A protection, or the service that manages the instance, forbids it.
    Protected,
    /// The account or the role may not do this, or not in this region.
    Unauthorized,
    /// The credentials, or the clock that signs with them, are out of date: in every region alike.
    Credentials,
    /// The request itself is refused; asking again is no use.
    Refused,
    /// Too many requests.
    Throttled,
    /// No answer, or a passing fault of the service: it may work the next time, and the call may
    /// have taken effect.
    Passing,
    /// An answer that is not understood.
    Unreadable,
    /// It was a dry run, and would have been done.
    DryRun,
    /// It was not sent.
    Halted,
}

impl Fault {
    /// Whether the same call may succeed later.
    pub fn may_pass(self) -> bool {
        match self {
            Fault::NotFound
            | Fault::WrongState
            | Fault::Throttled
            | Fault::Passing
            | Fault::Unreadable => true,
            Fault::Protected
            | Fault::Unauthorized
            | Fault::Credentials
            | Fault::Refused
            | Fault::DryRun
            | Fault::Halted => false,
        }
    }

    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
    fn of(status: u16, code: &str) -> Self {
        match code {
            "InvalidInstanceID.NotFound" => Fault::NotFound,
            "IncorrectInstanceState" | "IncorrectState" => Fault::WrongState,
            "DryRunOperation" => Fault::DryRun,
            "OperationNotPermitted" => Fault::Protected,
            "UnauthorizedOperation"
            | "AuthFailure"
            | "OptInRequired"
            | "Blocked"
            | "AccessDenied"
            | "AccessDeniedException"
            | "PendingVerification" => Fault::Unauthorized,
            "ExpiredToken"
            | "ExpiredTokenException"
            | "RequestExpired"
            | "InvalidClientTokenId"
            | "UnrecognizedClientException"
            | "SignatureDoesNotMatch"
            | "MissingAuthenticationToken" => Fault::Credentials,
            "RequestLimitExceeded"
            | "Throttling"
            | "ThrottlingException"
            | "EC2ThrottledException"
            | "TooManyRequestsException"
            | "SlowDown" => Fault::Throttled,
            "InternalError" | "InternalFailure" | "Unavailable" | "ServiceUnavailable"
            | "RequestTimeout" => Fault::Passing,
            _ if status >= 500 => Fault::Passing,
            _ => Fault::Refused,
        }
    }
}

impl CallError {
    pub(crate) fn new(
        action: &'static str,
        region: &str,
        source: SdkError<Answer, HttpResponse>,
    ) -> Self {
        let fault = match &source {
            SdkError::ServiceError(refusal) => refusal.err().fault(),
            SdkError::ResponseError(_) => Fault::Unreadable,
            SdkError::ConstructionFailure(_) => Fault::Credentials,
            _ => Fault::Passing,
        };
        // The answer itself says more than the SDK's "service error" around it.
        let source: Box<dyn std::error::Error + Send + Sync> = match source {
            SdkError::ServiceError(refusal) => Box::new(refusal.into_err()),
            other => Box::new(other),
        };
        CallError {
            action,
            region: region.to_owned(),
            fault,
            source,
        }
    }

    pub(crate) fn unreadable(
        action: &'static str,
        region: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let region = region.to_owned();
        CallError {
            action,
            region,
            fault: Fault::Unreadable,
            source: source.into(),
        }
    }

    pub(crate) fn halted(action: &'static str, region: &str) -> Self {
        CallError {
            action,
            region: region.to_owned(),
            fault: Fault::Halted,
            source: "interrupted before it was sent".into(),
        }
    }

    /// The innermost cause in one line, for a report that names act and subject itself.
    pub fn cause(&self) -> String {
        let mut innermost: &dyn std::error::Error = &*self.source;
        let mut words = innermost.to_string();
        while let Some(source) = innermost.source() {
            innermost = source;
            let deeper = innermost.to_string();
            if !words.contains(&deeper) {
                words = format!("{words}: {deeper}");
            }
        }
        words
    }
}

/// A refusal, as EC2 words it.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    meta: ErrorMetadata,
}

impl Answer {
    /// Reads `<Response><Errors><Error><Code>` (EC2) and `<ErrorResponse><Error><Code>` (others).
    pub(crate) fn refusal(status: u16, body: &str) -> Self {
        #[derive(Deserialize, Default)]
        struct Body {
            #[serde(rename = "Errors", default)]
            errors: Errors,
            #[serde(rename = "Error", default)]
            error: Detail,
        }
        #[derive(Deserialize, Default)]
        struct Errors {
            #[serde(rename = "Error", default)]
            error: Detail,
        }
        #[derive(Deserialize, Default)]
        struct Detail {
            #[serde(rename = "Code", default)]
            code: String,
            #[serde(rename = "Message", default)]
            message: String,
        }
        // A body that is no XML leaves both empty: the status then speaks alone.
        let body: Body = quick_xml::de::from_str(body).unwrap_or_default();
        let of_ec2 = !body.errors.error.code.is_empty();
        let Detail { code, message } = if of_ec2 {
            body.errors.error
        } else {
            body.error
        };
        let meta = ErrorMetadata::builder().code(code).message(message).build();
        Answer { status, meta }
    }

    pub(crate) fn fault(&self) -> Fault {
        Fault::of(self.status, self.code_or())
    }

    fn code_or(&self) -> &str {
        self.meta.code().unwrap_or_default()
    }
}

impl ProvideErrorMetadata for Answer {
    fn meta(&self) -> &ErrorMetadata {
        &self.meta
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code_or(), self.meta.message().unwrap_or_default()) {
            ("", _) => write!(f, "HTTP status {}", self.status),
            (code, "") => f.write_str(code),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

impl std::error::Error for Answer {}
