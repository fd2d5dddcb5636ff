//! The Runtime API itself: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response};
use serde_json::Value;
use tokio::sync::Notify;

use super::FunctionError;
use crate::clock::now;
use crate::server::{HangUp, HttpService, Reply};

/// Lambda's quota, in bytes.
const LARGEST_RESPONSE: usize = 6_291_556;

/// Numbers the invocations of all functions of this program.
static INVOCATIONS: AtomicU64 = AtomicU64::new(1);

/// Passes events and answers between the test and the function, one at a time.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// The function's ARN.
    arn: String,
    state: Mutex<ExchangeState>,
    changed: Condvar,
    offered: Notify,
}

#[derive(Debug, Default)]
struct ExchangeState {
    offered: Option<OfferedEvent>,
    current: Option<String>,
    handed_over: Option<Instant>,
    answered: Option<Instant>,
    answer: Option<Result<Value, FunctionError>>,
    init_error: Option<FunctionError>,
    first_poll: Option<Instant>,
    polling: bool,
}

#[derive(Debug)]
struct OfferedEvent {
    arn: String,
    id: String,
    body: String,
    timeout: Duration,
}

/// The test's side.
impl Exchange {
    pub(super) fn for_account(account: &str) -> Self {
        Exchange {
            arn: format!("arn:aws:lambda:eu-central-1:{account}:function:enforcer"),
            ..Exchange::default()
        }
    }

    /// Offers an event; returns its id, such as `8476a536-e9f4-11e8-9739-000000000001`.
    pub(super) fn offer(&self, body: String, timeout: Duration) -> String {
        let id = format!(
            "8476a536-e9f4-11e8-9739-{:012x}",
            INVOCATIONS.fetch_add(1, Ordering::Relaxed)
        );
        let mut state = self.state();
        state.offered = Some(OfferedEvent {
            arn: self.arn.clone(),
            id: id.clone(),
            body,
            timeout,
        });
        state.current = Some(id.clone());
        (state.answer, state.handed_over, state.answered) = (None, None, None);
        self.offered.notify_one();
        id
    }

    pub(super) fn take_answer(&self) -> Option<Result<Value, FunctionError>> {
        self.state().answer.take()
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        let state = self.state();
        Some(state.answered?.duration_since(state.handed_over?))
    }

    pub(super) fn init_error(&self) -> Option<FunctionError> {
        self.state().init_error.clone()
    }

    /// When it first asked for an event.
    pub(super) fn first_poll(&self) -> Option<Instant> {
        self.state().first_poll
    }

    /// Whether it has ever asked for an event.
    pub(super) fn has_polled(&self) -> bool {
        self.first_poll().is_some()
    }

    /// Whether it is waiting for an event.
    pub(super) fn is_polling(&self) -> bool {
        self.state().polling
    }

    /// Waits for a request of the function, at most this long.
    pub(super) fn wait(&self, at_most: Duration) {
        let _ = self.changed.wait_timeout(self.state(), at_most);
    }

    fn state(&self) -> MutexGuard<'_, ExchangeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The function's side.
impl HttpService for Exchange {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
        let at = Instant::now();
        let path: Vec<&str> = head.uri.path().split('/').skip(1).collect();
        Ok(match (&head.method, path.as_slice()) {
            (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => self.next(at).await,
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
                self.answered(id, at, response(&body))
            }
            (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
                self.answered(id, at, Err(error(&head, &body)))
            }
            (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
                self.state().init_error = Some(error(&head, &body));
                self.changed.notify_all();
                reply(202, r#"{"status":"OK"}"#)
            }
            _ => reply(
                404,
                r#"{"errorType":"NotFound","errorMessage":"no such path"}"#,
            ),
        })
    }
}

impl Exchange {
    /// Waits for an event without a limit.
    async fn next(&self, at: Instant) -> Response<Full<Bytes>> {
        self.state().first_poll.get_or_insert(at);
        loop {
            if let Some(event) = self.poll() {
                return event.reply();
            }
            self.offered.notified().await;
        }
    }

    fn poll(&self) -> Option<OfferedEvent> {
        let mut state = self.state();
        let event = state.offered.take();
        state.polling = event.is_none();
        if event.is_some() {
            state.handed_over = Some(Instant::now());
        }
        self.changed.notify_all();
        event
    }

    fn answered(
        &self,
        id: &str,
        at: Instant,
        answer: Result<Value, FunctionError>,
    ) -> Response<Full<Bytes>> {
        let mut state = self.state();
        if state.current.as_deref() != Some(id) {
            return reply(
                400,
                r#"{"errorType":"InvalidRequestID","errorMessage":"no such invocation"}"#,
            );
        }
        let too_large = matches!(&answer, Err(error) if error.error_type == TOO_LARGE);
        state.current = None;
        state.answered = Some(at);
        state.answer = Some(answer);
        self.changed.notify_all();
        match too_large {
            true => reply(
                413,
                r#"{"errorType":"RequestEntityTooLarge","errorMessage":"too large"}"#,
            ),
            false => reply(202, r#"{"status":"OK"}"#),
        }
    }
}

const TOO_LARGE: &str = "Function.ResponseSizeTooLarge";

impl OfferedEvent {
    fn reply(self) -> Response<Full<Bytes>> {
        let deadline = now() + self.timeout;
        Response::builder()
            .header("Content-Type", "application/json")
            .header("Lambda-Runtime-Aws-Request-Id", self.id)
            .header("Lambda-Runtime-Deadline-Ms", deadline.as_millisecond())
            .header("Lambda-Runtime-Invoked-Function-Arn", self.arn)
            .header(
                "Lambda-Runtime-Trace-Id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            )
            .body(Full::from(self.body))
            .expect("valid headers")
    }
}

fn response(body: &Bytes) -> Result<Value, FunctionError> {
    let fault = |error_type: &str, error_message| FunctionError {
        error_type: error_type.to_owned(),
        error_message,
    };
    if body.len() > LARGEST_RESPONSE {
        let message = format!(
            "the response has {} bytes; the most is {LARGEST_RESPONSE}",
            body.len()
        );
        return Err(fault(TOO_LARGE, message));
    }
    serde_json::from_slice(body).map_err(|error| {
        fault(
            "Runtime.InvalidResponse",
            format!("the response is not JSON: {error}"),
        )
    })
}

fn error(head: &Parts, body: &Bytes) -> FunctionError {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let header = head
        .headers
        .get("Lambda-Runtime-Function-Error-Type")
        .and_then(|value| value.to_str().ok());
    FunctionError {
        error_type: text("errorType")
            .or(header.map(str::to_owned))
            .unwrap_or_default(),
        error_message: text("errorMessage")
            .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
    }
}

fn reply(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    Response::builder()
        .status(status)
        .header("Content-Type", "application/json")
        .body(Full::from(body))
        .expect("valid headers")
}
