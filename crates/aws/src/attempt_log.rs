//! Tells of every HTTP request that is sent, without anything secret.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_types::request_id::RequestId;
use imds_core::chain::chain;
use imds_core::plain::Plain;
use jiff::Timestamp;
use tokio::time::Instant;

/// One HTTP request and its answer. It has no headers, parameters and bodies, and so no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallAttempt {
    /// When it was sent.
    pub at: Timestamp,
    /// The service, as the SDK names it.
    pub service: String,
    /// The API action.
    pub action: String,
    /// The region.
    pub region: String,
    /// Counted from 1; the SDK repeats what failed with a transient error.
    pub number: u32,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// Why there is no answer, or why it could not be read.
    pub error: Option<String>,
    /// The time from signing the request to reading the complete response.
    pub took: Duration,
    /// AWS's id of the request.
    pub request_id: Option<String>,
}

impl fmt::Display for CallAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallAttempt {
            at,
            service,
            action,
            region,
            ..
        } = self;
        let status = self.status.map_or("-".to_owned(), |it| it.to_string());
        let id = Plain(self.request_id.as_deref().unwrap_or("-"));
        let (took, number) = (self.took.as_millis(), self.number);
        write!(
            f,
            "{at:.3} {service} {action} {region} {status} {took}ms request={id} attempt={number}"
        )?;
        match &self.error {
            Some(error) => write!(f, " {}", Plain(error)),
            None => Ok(()),
        }
    }
}

/// Called with every HTTP request once it has ended.
pub type OnAttempt = Arc<dyn Fn(&CallAttempt) + Send + Sync>;

/// Tells of the requests of a region's clients, if somebody listens.
#[derive(Clone, Default)]
pub(crate) struct AttemptLog {
    pub(crate) region: String,
    pub(crate) on_attempt: Option<OnAttempt>,
}

impl fmt::Debug for AttemptLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AttemptLog");
        shown.field("region", &self.region).finish_non_exhaustive()
    }
}

/// When an attempt began, by both clocks.
#[derive(Debug)]
struct AttemptBegin(SystemTime, Instant);

impl Storable for AttemptBegin {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for AttemptLog {
    fn name(&self) -> &'static str {
        "attempt log"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let clock = components
            .time_source()
            .filter(|_| self.on_attempt.is_some());
        if let Some(clock) = clock {
            let begin = AttemptBegin(clock.now(), Instant::now());
            state.interceptor_state().store_put(begin);
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let begin = state.load::<AttemptBegin>();
        let (Some(on_attempt), Some(AttemptBegin(at, begin))) = (&self.on_attempt, begin) else {
            return Ok(());
        };
        let response = context.response();
        let call = state.load::<Metadata>();
        let name = |name: fn(&Metadata) -> &str| call.map(name).unwrap_or_default().to_owned();
        on_attempt(&CallAttempt {
            at: Timestamp::try_from(*at)?,
            service: name(Metadata::service).replace(' ', ""),
            action: name(Metadata::name),
            region: self.region.clone(),
            number: state
                .load::<RequestAttempts>()
                .map_or(1, RequestAttempts::attempts),
            status: response.map(|response| response.status().as_u16()),
            error: match context.output_or_error() {
                Some(Err(error)) if !error.is_operation_error() => Some(chain(error)),
                _ => None,
            },
            took: begin.elapsed(),
            request_id: response.and_then(RequestId::request_id).map(str::to_owned),
        });
        Ok(())
    }
}
