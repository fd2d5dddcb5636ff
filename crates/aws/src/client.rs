//! Sends calls through the SDK: a client for each region, one pool of connections, and one place that
//! keeps to AWS's rates, retries and gives up.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

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
use tokio::sync::{Semaphore, watch};

use crate::error::{CallError, Fault};
use crate::rate_limiter::RateLimiter;
use crate::retry::LeaveThrottling;
use crate::timing;
use crate::trust::{CaBundle, Https, Roots, is_untrusted};
use crate::whole::WholeAnswers;

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
        }
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

    /// Whether [`Client::halt`] was called.
    pub fn is_halted(&self) -> bool {
        *self.halted.borrow()
    }

    /// How many calls have been throttled so far.
    pub fn throttled(&self) -> usize {
        self.throttled.load(Ordering::Relaxed)
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
            let mut halted = self.halted.subscribe();
            let (permit, in_flight) = tokio::select! {
                biased;
                _ = halted.wait_for(|halted| *halted) => return Err(CallError::halted(action, region)),
                ready = async { (self.rate_limiter.permit(action, region).await, self.in_flight.acquire().await) } => ready,
            };
            permits += 1;
            let answer = self.send(region, &send).await;
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
        let _in_flight = self.in_flight.acquire().await;
        let answer = self.send(region, &send).await;
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
        let services = Arc::new(Services::new(config.build()));
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

/// The SDK's clients for a region; each is created on first use.
#[derive(Debug)]
pub(crate) struct Services {
    config: SdkConfig,
    hides_managed: AtomicBool,
    ec2: OnceLock<aws_sdk_ec2::Client>,
    cloudwatch: OnceLock<aws_sdk_cloudwatch::Client>,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    #[cfg(feature = "command")]
    sts: OnceLock<aws_sdk_sts::Client>,
    #[cfg(feature = "command")]
    auto_scaling: OnceLock<aws_sdk_autoscaling::Client>,
}

impl Services {
    fn new(config: SdkConfig) -> Self {
        Services {
            config,
            hides_managed: AtomicBool::new(true),
            ec2: OnceLock::new(),
            cloudwatch: OnceLock::new(),
            dynamodb: OnceLock::new(),
            #[cfg(feature = "command")]
            sts: OnceLock::new(),
            #[cfg(feature = "command")]
            auto_scaling: OnceLock::new(),
        }
    }

    /// Whether EC2 may hide instances that AWS services manage, and knows the parameter that shows them.
    pub(crate) fn hides_managed(&self) -> &AtomicBool {
        &self.hides_managed
    }

    pub(crate) fn ec2(&self) -> &aws_sdk_ec2::Client {
        self.ec2.get_or_init(|| {
            let config = aws_sdk_ec2::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling)
                .interceptor(WholeAnswers);
            aws_sdk_ec2::Client::from_conf(config.build())
        })
    }

    pub(crate) fn cloudwatch(&self) -> &aws_sdk_cloudwatch::Client {
        self.cloudwatch.get_or_init(|| {
            let config = aws_sdk_cloudwatch::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling);
            aws_sdk_cloudwatch::Client::from_conf(config.build())
        })
    }

    /// An answer takes milliseconds, and whoever waits for it has another minute at most.
    pub(crate) fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| {
            let retries = self.config.retry_config().cloned();
            let retries = retries.unwrap_or_else(RetryConfig::standard);
            let timeouts = TimeoutConfig::builder()
                .operation_attempt_timeout(timing::STATE_ATTEMPT_TIMEOUT)
                .build();
            let config = aws_sdk_dynamodb::config::Builder::from(&self.config)
                .retry_config(
                    retries
                        .with_initial_backoff(timing::STATE_FIRST_RETRY)
                        .with_max_backoff(timing::STATE_LONGEST_RETRY)
                        .with_max_attempts(timing::STATE_ATTEMPTS),
                )
                .timeout_config(timeouts)
                .retry_classifier(LeaveThrottling);
            aws_sdk_dynamodb::Client::from_conf(config.build())
        })
    }

    #[cfg(feature = "command")]
    pub(crate) fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| {
            let config = aws_sdk_sts::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling)
                .interceptor(WholeAnswers);
            aws_sdk_sts::Client::from_conf(config.build())
        })
    }

    #[cfg(feature = "command")]
    pub(crate) fn auto_scaling(&self) -> &aws_sdk_autoscaling::Client {
        self.auto_scaling.get_or_init(|| {
            let config = aws_sdk_autoscaling::config::Builder::from(&self.config)
                .retry_classifier(LeaveThrottling)
                .interceptor(WholeAnswers);
            aws_sdk_autoscaling::Client::from_conf(config.build())
        })
    }
}
