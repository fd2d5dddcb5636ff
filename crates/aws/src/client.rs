//! Sends calls through the SDK: a client for each region, one pool of connections, and one place that
//! keeps to AWS's rates, retries and gives up.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use jiff::SignedDuration;
use tokio::sync::{Semaphore, watch};

use crate::attempt_log::AttemptLog;
#[cfg(feature = "command")]
use crate::attempt_log::OnAttempt;
use crate::error::{CallError, Fault};
use crate::halt::{Halt, TimeLimit};
use crate::rate_limiter::RateLimiter;
use crate::services::Services;
use crate::timing;
use crate::trust::{CaBundle, Https, Roots, is_untrusted};

/// The maximum number of concurrent calls, over all regions.
const IN_FLIGHT: usize = 64;

/// A client for all regions and services, with one pool of connections.
#[derive(Debug)]
pub struct Client {
    config: SdkConfig,
    connections: Mutex<Connections>,
    rate_limiter: RateLimiter,
    in_flight: Semaphore,
    throttled: AtomicUsize,
    halted: watch::Sender<bool>,
    time_limit: TimeLimit,
    log: AttemptLog,
}

#[derive(Debug)]
struct Connections {
    http: Https,
    regions: HashMap<String, Arc<Services>>,
}

impl Client {
    /// Creates a client with its own connections; sends nothing yet. It replaces the region, credentials,
    /// time-outs and app name of the configuration, and keeps the rest. Without a bundle it trusts Amazon's roots, and falls
    /// back to the system's roots where those are not enough.
    pub fn new(
        config: &SdkConfig,
        credentials: impl ProvideCredentials + 'static,
        ca_bundle: Option<CaBundle>,
    ) -> Self {
        let roots = ca_bundle.map_or(Roots::Amazon, Roots::Bundle);
        Client::with_connections(Https::new(roots), config, credentials)
    }

    /// A client with these connections.
    pub(crate) fn with_connections(
        http: Https,
        config: &SdkConfig,
        credentials: impl ProvideCredentials + 'static,
    ) -> Self {
        let retries = config.retry_config().cloned();
        let retries = retries
            .unwrap_or_else(RetryConfig::standard)
            .with_initial_backoff(timing::FIRST_RETRY);
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(timing::ATTEMPT_TIMEOUT)
            .build();
        let mut config = config
            .to_builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::lazy().build())
            .retry_config(retries)
            .timeout_config(timeouts)
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            // The time-out of an attempt covers stalled streams.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_app_name(AppName::new("imds-enforcer").ok());
        Client {
            config: config.build(),
            connections: Mutex::new(Connections {
                http,
                regions: HashMap::new(),
            }),
            rate_limiter: RateLimiter::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
            throttled: AtomicUsize::new(0),
            halted: watch::Sender::new(false),
            time_limit: TimeLimit::default(),
            log: AttemptLog::default(),
        }
    }

    /// Tells of every HTTP request from now on.
    #[cfg(feature = "command")]
    #[must_use]
    pub fn with_log(mut self, on_attempt: OnAttempt) -> Self {
        self.log.on_attempt = Some(on_attempt);
        self
    }

    /// Whether somebody is told of every HTTP request.
    #[cfg(feature = "command")]
    pub fn is_logged(&self) -> bool {
        self.log.on_attempt.is_some()
    }

    /// Limits the time of all calls together. When it is over, calls in flight that only read are given
    /// up, those that change something are finished, and no further call is sent.
    pub fn limit_time(&self, limit: SignedDuration) {
        self.time_limit.begin(limit);
    }

    /// Makes the limit longer, by time that was spent waiting for a person.
    pub fn extend_time(&self, by: Duration) {
        self.time_limit.extend(by);
    }

    /// Prepares what the first call in a region would have to wait for.
    pub fn prepare(&self, region: &str) {
        let (services, http) = self.services(region);
        services.ec2();
        http.connector();
    }

    /// Stops sending calls; calls in flight are finished.
    pub fn halt(&self) {
        self.halted.send_replace(true);
    }

    /// Why no further call is sent: [`Client::halt`] was called, or the time is over.
    pub fn halted_by(&self) -> Option<Halt> {
        if *self.halted.borrow() {
            return Some(Halt::Interrupted);
        }
        self.time_limit.exceeded().map(Halt::TimeOver)
    }

    /// Whether no further call is sent.
    pub fn is_halted(&self) -> bool {
        self.halted_by().is_some()
    }

    /// How many calls have been throttled so far.
    pub fn throttled(&self) -> usize {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Waits until no further call may be sent.
    async fn until_halted(&self) -> Halt {
        let mut halted = self.halted.subscribe();
        tokio::select! {
            _ = halted.wait_for(|halted| *halted) => Halt::Interrupted,
            limit = self.time_limit.over() => Halt::TimeOver(limit),
        }
    }

    /// Waits for the answer of a call; if the call only reads, until the time is over.
    async fn in_time<T>(
        &self,
        action: &'static str,
        region: &str,
        answer: impl Future<Output = T>,
    ) -> Result<T, CallError> {
        tokio::select! {
            biased;
            answer = answer => Ok(answer),
            limit = self.time_limit.over(), if is_reading(action) => {
                Err(CallError::unanswered(action, region, Halt::TimeOver(limit)))
            }
        }
    }

    /// Sends a call and returns its answer. A throttled call is sent again once it has a permit.
    pub(crate) async fn call<T, E, F>(
        &self,
        action: &'static str,
        region: &str,
        send: impl Fn(&Services) -> F,
    ) -> Result<T, CallError>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let mut permits: u32 = 0;
        loop {
            let (permit, in_flight) = tokio::select! {
                biased;
                halt = self.until_halted() => return Err(CallError::unsent(action, region, halt)),
                ready = async { (self.rate_limiter.permit(action, region).await, self.in_flight.acquire().await) } => ready,
            };
            permits += 1;
            let answer = self
                .in_time(action, region, self.send(region, &send))
                .await?;
            drop(in_flight);
            match answer {
                Ok(answer) => {
                    permit.accepted();
                    return Ok(answer);
                }
                Err(source) => {
                    let error = CallError::new(action, region, source);
                    if error.fault != Fault::Throttled {
                        return Err(error);
                    }
                    self.throttled.fetch_add(1, Ordering::Relaxed);
                    self.rate_limiter.throttled(action, region, permit);
                    if permits >= timing::PERMITS {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Sends a call that no rate limiter holds back: DynamoDB throttles a key, not an action.
    pub(crate) async fn call_at_once<T, E, F>(
        &self,
        action: &'static str,
        region: &str,
        send: impl Fn(&Services) -> F,
    ) -> Result<T, CallError>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        if let Some(halt) = self.halted_by() {
            return Err(CallError::unsent(action, region, halt));
        }
        let _in_flight = self.in_flight.acquire().await;
        let answer = self
            .in_time(action, region, self.send(region, &send))
            .await?;
        answer.map_err(|source| CallError::new(action, region, source))
    }

    /// Sends a call, and again with the system's roots where Amazon's do not trust the certificate.
    async fn send<T, E, F>(
        &self,
        region: &str,
        send: &impl Fn(&Services) -> F,
    ) -> Result<T, SdkError<E, HttpResponse>>
    where
        E: Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        loop {
            let (services, http) = self.services(region);
            // The SDK's future takes 10 KB; without the box, every future around it would be as large.
            match Box::pin(send(&services)).await {
                Err(source) if *http.roots() == Roots::Amazon && is_untrusted(&source) => {
                    self.trust_the_system();
                }
                answer => return answer,
            }
        }
    }

    pub(crate) fn services(&self, region: &str) -> (Arc<Services>, Https) {
        let mut connections = self.connections();
        let Connections { http, regions } = &mut *connections;
        if let Some(services) = regions.get(region) {
            return (Arc::clone(services), http.clone());
        }
        let config = self
            .config
            .to_builder()
            .region(Region::new(region.to_owned()))
            .http_client(http.clone());
        let log = AttemptLog {
            region: region.to_owned(),
            ..self.log.clone()
        };
        let services = Arc::new(Services::new(config.build(), log));
        regions.insert(region.to_owned(), Arc::clone(&services));
        (services, http.clone())
    }

    fn trust_the_system(&self) {
        let mut connections = self.connections();
        if *connections.http.roots() == Roots::Amazon {
            *connections = Connections {
                http: Https::new(Roots::System),
                regions: HashMap::new(),
            };
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // Nothing panics while the lock is held, so that its value is consistent even if poisoned.
        let connections = self.connections.lock();
        connections.unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a call changes nothing, so that it may be given up.
fn is_reading(action: &str) -> bool {
    let changing = ["Modify", "Stop", "Terminate", "Update", "Put", "Delete"];
    !changing.iter().any(|verb| action.starts_with(verb))
}
