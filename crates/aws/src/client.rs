//! Sends signed calls to AWS's Query APIs through the SDK's orchestrator.

use std::collections::HashMap;
use std::str::Utf8Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::identity::{SharedIdentityCache, SharedIdentityResolver};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, watch};

use crate::endpoint::Endpoints;
use crate::error::{Answer, CallError, Fault};
use crate::pace::Pacer;
use crate::trust::{Roots, https, is_untrusted};

/// Calls in flight at once, over all regions.
const IN_FLIGHT: usize = 64;

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Attempts of a call that fails in passing, with the SDK's jittered backoff between them.
    pub attempts: u32,
    /// How often a throttled call takes its turn in the queue of its region.
    pub turns: u32,
    /// The first backoff of failed calls; it doubles with each attempt.
    pub first_backoff: Duration,
    /// The longest time that one attempt may take.
    pub attempt_timeout: Duration,
    /// Roots in PEM that are trusted and no others, as `AWS_CA_BUNDLE` names them; `None`: Amazon's,
    /// and where they do not do the system's.
    pub ca_bundle: Option<Arc<[u8]>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            attempts: 4,
            turns: 20,
            first_backoff: Duration::from_millis(500),
            attempt_timeout: Duration::from_secs(15),
            ca_bundle: None,
        }
    }
}

/// A client for all regions and services, with one pool of connections.
#[derive(Debug)]
pub struct Client {
    http: Mutex<(Roots, SharedHttpClient)>,
    credentials: SharedIdentityResolver,
    identity_cache: SharedIdentityCache,
    endpoints: Endpoints,
    settings: Settings,
    pacer: Pacer,
    in_flight: Semaphore,
    throttled: AtomicUsize,
    halted: watch::Sender<bool>,
    operations: Mutex<HashMap<(Service, String), Arc<Query>>>,
}

type Query = Operation<Request, SdkBody, Answer>;

/// The services that are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Service {
    Ec2,
    CloudWatch,
    Sts,
    AutoScaling,
}

impl Service {
    /// The name in host names and signatures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Service::Ec2 => "ec2",
            Service::CloudWatch => "monitoring",
            Service::Sts => "sts",
            Service::AutoScaling => "autoscaling",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Service::Ec2 => "2016-11-15",
            Service::CloudWatch => "2010-08-01",
            Service::Sts => "2011-06-15",
            Service::AutoScaling => "2011-01-01",
        }
    }
}

/// The parameters of a call, in the form of AWS's Query protocol.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) action: &'static str,
    body: String,
}

impl Request {
    pub(crate) fn new(action: &'static str) -> Self {
        Request {
            action,
            body: String::new(),
        }
        .with("Action", action)
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        form_urlencoded::Serializer::for_suffix(&mut self.body, 0)
            .append_pair(name, value.as_ref());
        self
    }

    pub(crate) fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value.to_string()),
            None => self,
        }
    }
}

impl Client {
    /// A client with connections of its own; nothing is sent yet.
    pub fn new(
        credentials: impl ProvideCredentials + 'static,
        endpoints: Endpoints,
        settings: Settings,
    ) -> Self {
        let roots = settings
            .ca_bundle
            .clone()
            .map_or(Roots::Amazon, Roots::Bundle);
        let http = https(&roots);
        Client {
            http: Mutex::new((roots, http)),
            credentials: SharedIdentityResolver::new(SharedCredentialsProvider::new(credentials)),
            identity_cache: IdentityCache::lazy().build(),
            endpoints,
            settings,
            pacer: Pacer::default(),
            in_flight: Semaphore::new(IN_FLIGHT),
            throttled: AtomicUsize::new(0),
            halted: watch::Sender::new(false),
            operations: Mutex::default(),
        }
    }

    /// From now on no call is sent; those under way are answered.
    pub fn halt(&self) {
        self.halted.send_replace(true);
    }

    /// Whether [`Client::halt`] was called.
    pub fn is_halted(&self) -> bool {
        *self.halted.borrow()
    }

    /// How many calls were throttled so far.
    pub fn throttled(&self) -> usize {
        self.throttled.load(Ordering::Relaxed)
    }

    /// Sends a call and reads its answer.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        service: Service,
        region: &str,
        request: Request,
    ) -> Result<T, CallError> {
        let action = request.action;
        let body = self.call(service, region, request).await?;
        let text = text_of(&body).map_err(|e| CallError::unreadable(action, region, e))?;
        quick_xml::de::from_str(text).map_err(|e| CallError::unreadable(action, region, e))
    }

    /// Sends a call and returns the body of its answer; one that is throttled takes its turn again.
    pub(crate) async fn call(
        &self,
        service: Service,
        region: &str,
        request: Request,
    ) -> Result<SdkBody, CallError> {
        let action = request.action;
        let request = request.with("Version", service.version());
        let mut turns = 0;
        loop {
            let (operation, roots) = self.operation(service, region);
            let mut halted = self.halted.subscribe();
            let (turn, in_flight) = tokio::select! {
                biased;
                _ = halted.wait_for(|halted| *halted) => return Err(CallError::halted(action, region)),
                ready = async { (self.pacer.turn(action, region).await, self.in_flight.acquire().await) } => ready,
            };
            turns += 1;
            let answer = operation.invoke(request.clone()).await;
            drop(in_flight);
            match answer {
                Ok(body) => {
                    turn.passed();
                    return Ok(body);
                }
                Err(source) if roots == Roots::Amazon && is_untrusted(&source) => {
                    self.trust_the_system();
                }
                Err(source) => {
                    let error = CallError::new(action, region, source);
                    if error.fault != Fault::Throttled {
                        return Err(error);
                    }
                    self.throttled.fetch_add(1, Ordering::Relaxed);
                    self.pacer.throttled(action, region, turn);
                    if turns >= self.settings.turns {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn operation(&self, service: Service, region: &str) -> (Arc<Query>, Roots) {
        // A poisoned lock guards what is whole: nothing panics while it is held.
        let http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        let mut operations = self
            .operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let operation = operations
            .entry((service, region.to_owned()))
            .or_insert_with(|| Arc::new(self.build_operation(service, region, &http.1)));
        (Arc::clone(operation), http.0.clone())
    }

    fn trust_the_system(&self) {
        let mut http = self.http.lock().unwrap_or_else(PoisonError::into_inner);
        if http.0 == Roots::Amazon {
            *http = (Roots::System, https(&Roots::System));
            let operations = self.operations.lock();
            operations.unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn build_operation(&self, service: Service, region: &str, http: &SharedHttpClient) -> Query {
        let mut config = Layer::new("query");
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(SigningName::from_static(service.name()));
        config.store_put(SigningRegion::from(aws_types::region::Region::new(
            region.to_owned(),
        )));
        config.store_put(SigV4OperationSigningConfig::default());
        let components = RuntimeComponentsBuilder::new("query")
            .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
                StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
            )))
            .with_identity_cache(Some(self.identity_cache.clone()))
            .with_identity_resolver(SCHEME_ID, self.credentials.clone());
        let signing = StaticRuntimePlugin::new()
            .with_config(config.freeze())
            .with_runtime_components(components);
        let retries = RetryConfig::standard()
            .with_max_attempts(self.settings.attempts)
            .with_initial_backoff(self.settings.first_backoff);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(self.settings.attempt_timeout)
            .build();
        let host = self.endpoints.host_header(service, region);
        Operation::builder()
            .service_name(service.name())
            .operation_name("Query")
            .behavior_version(BehaviorVersion::latest())
            .http_client(http.clone())
            .endpoint_url(&self.endpoints.url(service, region))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SystemTimeSource::new())
            .standard_retry(&retries)
            .timeout_config(timeouts)
            .retry_classifier(TransientErrorClassifier::<Answer>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(LeaveThrottling)
            .with_connection_poisoning()
            .runtime_plugin(signing)
            .serializer(move |request: Request| serialize(request, &host))
            .deserializer(deserialize)
            .build()
    }
}

fn serialize(request: Request, host: &str) -> Result<HttpRequest, BoxError> {
    let mut http = HttpRequest::new(SdkBody::from(request.body));
    http.set_method("POST")?;
    http.set_uri("/")?;
    let headers = http.headers_mut();
    headers.try_insert("host", host.to_owned())?;
    headers.try_insert("content-type", "application/x-www-form-urlencoded")?;
    headers.try_insert(
        "user-agent",
        concat!("imds-enforcer/", env!("CARGO_PKG_VERSION")),
    )?;
    Ok(http)
}

/// A page of a thousand instances is 3 MB, which are shared and not copied.
fn deserialize(response: &HttpResponse) -> Result<SdkBody, OrchestratorError<Answer>> {
    if response.status().is_success() {
        let body = response.body().try_clone();
        return body.ok_or_else(|| OrchestratorError::other("the answer is not in memory"));
    }
    let text = text_of(response.body()).map_err(OrchestratorError::other)?;
    let status = response.status().as_u16();
    Err(OrchestratorError::operation(Answer::refusal(status, text)))
}

pub(crate) fn text_of(body: &SdkBody) -> Result<&str, Utf8Error> {
    std::str::from_utf8(body.bytes().unwrap_or_default())
}

/// Keeps throttled calls from the SDK's own retries, where each would back off for itself: here they
/// take turns. Nor does a certificate get trusted by asking again.
#[derive(Debug)]
struct LeaveThrottling;

impl ClassifyRetry for LeaveThrottling {
    fn classify_retry(&self, ctx: &InterceptorContext) -> RetryAction {
        let error = ctx.output_or_error().and_then(Result::err);
        if error.is_some_and(|error| is_untrusted(error)) {
            return RetryAction::RetryForbidden;
        }
        let answer = error.and_then(|e| e.as_operation_error()?.downcast_ref::<Answer>());
        match answer {
            Some(answer) if answer.fault() == Fault::Throttled => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "leave throttling to the pacer"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::http_status_code_classifier())
    }
}
