//! Errors of calls, by what the caller can do about them.

use std::error::Error;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_runtime_api::client::endpoint::error::ResolveEndpointError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use imds_core::chain::{causes, chain};
use imds_core::plain::Plain;
use imds_core::region_name;

use crate::denial::Denial;
use crate::halt::Halt;
use crate::permissions::permission;
use crate::trust::is_untrusted;

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not call {action} in {}{}", Plain(region), self.hint())]
pub struct CallError {
    /// The API action.
    pub action: &'static str,
    /// The region.
    pub region: String,
    /// What kind of error it is.
    pub fault: Fault,
    source: Box<dyn Error + Send + Sync>,
    /// The body of a response that could not be read.
    pub(crate) body: Option<Box<[u8]>>,
}

/// The kind of a failed call, by what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// EC2 does not know the instance yet, or no longer knows it.
    NotFound,
    /// The instance's state does not allow the call yet, or no longer allows it.
    IncorrectState,
    /// Termination protection, or the service that manages the instance, prevents the call.
    Protected,
    /// The account or the role is not authorized to do this, or not in this region.
    Unauthorized,
    /// The credentials are not valid, or the clock is wrong; the call would fail in every region.
    Credentials,
    /// EC2 does not support an option, or its value, on this instance or in this partition.
    Unsupported,
    /// AWS rejects the request itself, or it cannot be sent from here, for example because of the
    /// certificate or the endpoint; retrying does not help.
    Refused,
    /// Too many requests.
    Throttled,
    /// No response, or a transient error of the service. The call may have taken effect.
    Transient,
    /// The response could not be read.
    Unreadable,
    /// A dry run: the call would have succeeded.
    DryRun,
    /// The client is halted: the call was not sent, or only reads and was not answered in time.
    Halted,
}

impl Fault {
    /// Whether the same call may succeed later.
    pub fn is_retryable(self) -> bool {
        match self {
            Fault::NotFound
            | Fault::IncorrectState
            | Fault::Throttled
            | Fault::Transient
            | Fault::Unreadable => true,
            Fault::Protected
            | Fault::Unauthorized
            | Fault::Credentials
            | Fault::Unsupported
            | Fault::Refused
            | Fault::DryRun
            | Fault::Halted => false,
        }
    }

    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
    fn from_code(status: u16, code: &str) -> Self {
        match code {
            "InvalidInstanceID.NotFound" => Fault::NotFound,
            "IncorrectInstanceState" | "IncorrectState" => Fault::IncorrectState,
            "DryRunOperation" => Fault::DryRun,
            "OperationNotPermitted" => Fault::Protected,
            "InvalidParameterValue"
            | "InvalidParameterCombination"
            | "InvalidParameter"
            | "UnsupportedOperation"
            | "Unsupported" => Fault::Unsupported,
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
            code if THROTTLING_ERRORS.contains(&code) => Fault::Throttled,
            "InternalError" | "InternalFailure" | "Unavailable" | "ServiceUnavailable"
            | "RequestTimeout" => Fault::Transient,
            _ if status >= 500 => Fault::Transient,
            _ => Fault::Refused,
        }
    }
}

impl CallError {
    pub(crate) fn new<E>(
        action: &'static str,
        region: &str,
        source: SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let status = source.raw_response().map(|answer| answer.status());
        let fault = match &source {
            // The SDK also reports a response that it cannot read as a service error.
            SdkError::ServiceError(_) if status.is_some_and(|status| status.is_success()) => {
                Fault::Unreadable
            }
            SdkError::ServiceError(refusal) => {
                let status = refusal.raw().status().as_u16();
                Fault::from_code(status, refusal.err().code().unwrap_or_default())
            }
            SdkError::ResponseError(_) => Fault::Unreadable,
            SdkError::ConstructionFailure(_) if has_source::<CredentialsError>(&source) => {
                Fault::Credentials
            }
            SdkError::ConstructionFailure(_) => Fault::Refused,
            // The cause is local and permanent.
            _ if is_untrusted(&source) || has_source::<ResolveEndpointError>(&source) => {
                Fault::Refused
            }
            _ => Fault::Transient,
        };
        let body = match (fault, source.raw_response()) {
            (Fault::Unreadable, Some(answer)) => answer.body().bytes().map(Box::from),
            _ => None,
        };
        // The response is more specific than the SDK's "service error" around it.
        let source: Box<dyn Error + Send + Sync> = match source {
            SdkError::ServiceError(refusal) if fault != Fault::Unreadable => {
                let status = refusal.raw().status().as_u16();
                Box::new(Refusal::new(action, status, refusal.err()))
            }
            SdkError::ServiceError(unread) => Box::new(unread.into_err()),
            other => Box::new(other),
        };
        CallError {
            action,
            region: region.to_owned(),
            fault,
            source,
            body,
        }
    }

    pub(crate) fn unreadable(
        action: &'static str,
        region: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        CallError {
            action,
            region: region.to_owned(),
            fault: Fault::Unreadable,
            source: source.into(),
            body: None,
        }
    }

    pub(crate) fn unsent(action: &'static str, region: &str, halt: Halt) -> Self {
        CallError::halted(action, region, format!("{halt} before it was sent"))
    }

    pub(crate) fn unanswered(action: &'static str, region: &str, halt: Halt) -> Self {
        CallError::halted(action, region, format!("{halt} before it was answered"))
    }

    fn halted(action: &'static str, region: &str, why: String) -> Self {
        CallError {
            action,
            region: region.to_owned(),
            fault: Fault::Halted,
            source: why.into(),
            body: None,
        }
    }

    /// Whether AWS answered with this error code.
    pub(crate) fn has_code(&self, code: &str) -> bool {
        let refusal = self.source.downcast_ref::<Refusal>();
        refusal.is_some_and(|refusal| refusal.code == code)
    }

    /// Whether AWS denies the call because of a missing permission, and not because of the region.
    #[cfg(feature = "command")]
    pub fn is_denied(&self) -> bool {
        DENIALS.iter().any(|code| self.has_code(code))
    }

    /// The policy that denies the call, in AWS's words: `with an explicit deny in …` or `because no …`.
    #[cfg(feature = "command")]
    pub fn denied_by(&self) -> Option<&str> {
        self.source.downcast_ref::<Refusal>()?.denied_by.as_deref()
    }

    /// The permission that the call needs, such as `ec2:DescribeInstances`.
    #[cfg(feature = "command")]
    pub fn permission(&self) -> String {
        permission(self.action)
    }

    /// What was meant, if the region is probably a typing error.
    fn hint(&self) -> String {
        let is_of_region = match self.fault {
            Fault::Transient | Fault::Refused => true,
            Fault::Unauthorized => !DENIALS.iter().any(|code| self.has_code(code)),
            _ => false,
        };
        let meant = region_name::meant(&self.region).filter(|_| is_of_region);
        meant.map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"))
    }

    /// The causes in one line, for a message that already names the action and the region.
    pub fn cause(&self) -> String {
        chain(&*self.source)
    }
}

/// The codes of calls that a policy denies.
const DENIALS: [&str; 3] = [
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
];

/// An error response, in AWS's words.
#[derive(Debug)]
struct Refusal {
    status: u16,
    code: String,
    message: String,
    denied_by: Option<String>,
}

impl Refusal {
    fn new(action: &str, status: u16, error: &impl ProvideErrorMetadata) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let code = text(error.code());
        let message = error.message().unwrap_or_default();
        let is_denial = DENIALS.contains(&code.as_str());
        let denial = Denial::read(message).filter(|_| is_denial);
        let (message, denied_by) = match denial {
            Some(denial) => (denial.reason_first(&permission(action)), denial.by),
            None => (message.to_owned(), None),
        };
        Refusal {
            status,
            code,
            message,
            denied_by,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { code, message, .. } = self;
        match (code.as_str(), message.as_str()) {
            // If the body cannot be read, both are empty and only the status is known.
            ("", _) => write!(f, "HTTP status {}", self.status),
            (code, "") => f.write_str(code),
            (code, message) => write!(f, "{code}: {message}"),
        }
    }
}

impl Error for Refusal {}

fn has_source<T: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<T>())
}
