//! From a request to its reply: faults first, then the action; every call is recorded.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, header};
use jiff::SignedDuration;

use super::actions::{EC2, Handler, action, service};
use super::api_error::ApiError;
use super::fault::{Fate, FaultEffect, befall};
use super::record::CallOutcome;
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;
use super::{cbor, json};
use crate::clock::now;
use crate::server::{HangUp, HttpService, Reply};

/// What the server's thread and the test share.
#[derive(Debug)]
pub(super) struct SharedState {
    state: Mutex<FakeState>,
    in_flight: AtomicUsize,
    pub(super) most_in_flight: AtomicUsize,
    pub(super) connections: AtomicUsize,
}

impl SharedState {
    pub(super) fn new() -> Self {
        SharedState {
            state: Mutex::new(FakeState::new()),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        }
    }

    /// Usable even after a test has panicked while it held the lock.
    pub(super) fn lock(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reply(&self, at: Instant, head: &Parts, body: &[u8]) -> Reply {
        let (request, read) = ApiRequest::parse(head, body);
        let number = self.lock().record.arrived(at, &request);
        let now_in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight
            .fetch_max(now_in_flight, Ordering::SeqCst);

        let mut fate = {
            let mut fake = self.lock();
            let fate = befall(&mut fake.faults, &request);
            Fate {
                delay: fate.delay + fake.latency,
                ..fate
            }
        };
        pause(fate.delay).await;
        let (outcome, reply) = {
            let mut fake = self.lock();
            let effect = fate.effect.take();
            let (outcome, reply) = answer(&mut fake, number, &request, read, effect);
            (outcome, reply.map(|reply| dated(reply, fake.clock_skew)))
        };
        pause(fate.answer_delay).await;

        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.lock().record.answered(number, outcome);
        reply
    }
}

impl HttpService for SharedState {
    fn connected(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// Runs in a task of its own, so that the call takes effect even if the client disconnects.
    async fn answer(self: Arc<Self>, request: hyper::Request<Incoming>) -> Reply {
        let at = Instant::now();
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
        let task = tokio::spawn(async move { self.reply(at, &head, &body).await });
        task.await.map_err(|_| HangUp)?
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// With the fake's time.
fn dated(mut reply: Response<Full<Bytes>>, ahead: SignedDuration) -> Response<Full<Bytes>> {
    let time = (now() + ahead).strftime("%a, %d %b %Y %H:%M:%S GMT");
    let date = HeaderValue::try_from(time.to_string()).expect("times are ASCII");
    reply.headers_mut().insert(header::DATE, date);
    reply
}

fn answer(
    fake: &mut FakeState,
    number: usize,
    request: &ApiRequest,
    read: Result<(), ApiError>,
    effect: Option<FaultEffect>,
) -> (CallOutcome, Reply) {
    match effect {
        Some(FaultEffect::Reset) => return (CallOutcome::Reset, Err(HangUp)),
        Some(FaultEffect::Gateway(status)) => {
            return (CallOutcome::Err(status.to_string()), Ok(gateway(status)));
        }
        _ => {}
    }
    let refused = match &effect {
        Some(FaultEffect::Throttle) => Err(throttled(request)),
        Some(FaultEffect::Refuse(refusal)) => Err(refusal.clone()),
        _ => Ok(()),
    };
    let request_id = request_id(fake);
    let answer = read.and(refused).and_then(|()| {
        let result = perform(fake, request, &request_id);
        fake.record.performed(number, result.as_ref().map(drop));
        result
    });
    let answer = match answer {
        Err(refusal) if request.expects_json() => Err(json::translated(refusal)),
        answer => answer,
    };
    let outcome = answer.as_ref().map_or_else(
        |refusal| CallOutcome::Err(refusal.code.clone()),
        |_| CallOutcome::Ok,
    );
    let mut answer = answer.map_or_else(
        |refusal| error_response(request, &refusal, &request_id),
        |body| response(200, content_type(request), &request_id, body),
    );
    match effect {
        Some(FaultEffect::ResetAfter) => return (CallOutcome::Reset, Err(HangUp)),
        Some(FaultEffect::Malformed) => answer = answer.map(|body| first_half(&body)),
        _ => {}
    }
    if request.expects_cbor() {
        let protocol = HeaderValue::from_static(cbor::PROTOCOL);
        answer.headers_mut().insert("smithy-protocol", protocol);
    }
    (outcome, Ok(answer.map(Full::from)))
}

fn perform(
    fake: &mut FakeState,
    request: &ApiRequest,
    request_id: &str,
) -> Result<Vec<u8>, ApiError> {
    match fake
        .regions
        .get(&request.region)
        .map(|region| &region.opted_out)
    {
        Some(None) => {}
        Some(Some(code)) => return Err(not_opted_in(code)),
        None => return Err(not_opted_in("AuthFailure")),
    }
    let action = action(request)?;
    if !fake.buckets.take(request) {
        return Err(throttled(request));
    }
    if !action.rehearses {
        request.end_rehearsal()?;
    }
    match action.run {
        Handler::Cbor(run) => run(fake, request).map(|value| cbor::bytes(&value)),
        Handler::Json(run) => run(fake, request).map(|value| value.to_string().into()),
        Handler::Xml(run) => {
            let mut inner = Xml::default();
            run(fake, request, &mut inner)?;
            Ok(document(request, &inner, request_id).into())
        }
    }
}

fn document(request: &ApiRequest, inner: &Xml, request_id: &str) -> String {
    let name = &request.action;
    let namespace = service(&request.service).namespace;
    Xml::document(&format!("{name}Response"), Some(namespace), |xml| {
        if request.service == "ec2" {
            xml.text("requestId", request_id).piece(inner);
        } else {
            xml.within(&format!("{name}Result"), |xml| {
                xml.piece(inner);
            })
            .within("ResponseMetadata", |xml| {
                xml.text("RequestId", request_id);
            });
        }
    })
}

/// Looks like an error of the credentials, as it does in AWS.
fn not_opted_in(code: &str) -> ApiError {
    let message = match code {
        "AuthFailure" => "AWS was not able to validate the provided access credentials",
        _ => {
            "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe."
        }
    };
    ApiError::new(code, message)
}

fn throttled(request: &ApiRequest) -> ApiError {
    if request.service == "ec2" || request.service.is_empty() {
        ApiError::throttled()
    } else if request.expects_json() {
        ApiError::new(
            "ThrottlingException",
            "Throughput exceeds the current capacity of your table or index.",
        )
    } else {
        ApiError::new("Throttling", "Rate exceeded")
    }
}

fn content_type(request: &ApiRequest) -> &'static str {
    if request.expects_cbor() {
        cbor::CONTENT_TYPE
    } else if request.expects_json() {
        json::CONTENT_TYPE
    } else {
        "text/xml;charset=UTF-8"
    }
}

fn error_response(request: &ApiRequest, refusal: &ApiError, request_id: &str) -> Response<Vec<u8>> {
    let body = if request.expects_cbor() {
        cbor::bytes(&cbor::error(refusal))
    } else if request.expects_json() {
        json::error(refusal)
    } else {
        error_document(request, refusal, request_id).into()
    };
    let mut response = response(refusal.status, content_type(request), request_id, body);
    if request.expects_cbor() && request.wants_query_error {
        let error = format!("{};{}", refusal.code, blamed(refusal));
        let error = HeaderValue::try_from(error).expect("codes are words");
        response.headers_mut().insert("x-amzn-query-error", error);
    }
    response
}

fn blamed(refusal: &ApiError) -> &'static str {
    if refusal.status < 500 {
        "Sender"
    } else {
        "Receiver"
    }
}

fn error_document(request: &ApiRequest, refusal: &ApiError, request_id: &str) -> String {
    let write = |xml: &mut Xml| {
        xml.text("Code", &refusal.code)
            .text("Message", &refusal.message);
    };
    let service = service(&request.service);
    if service.namespace == EC2.namespace {
        return Xml::document("Response", None, |xml| {
            xml.within("Errors", |xml| {
                xml.within("Error", write);
            })
            .text("RequestID", request_id);
        });
    }
    Xml::document("ErrorResponse", Some(service.namespace), |xml| {
        xml.within("Error", |xml| {
            xml.plain("Type", blamed(refusal));
            write(xml);
        })
        .text("RequestId", request_id);
    })
}

/// Cuts text between two characters.
fn first_half(body: &[u8]) -> Vec<u8> {
    let half = body.len() / 2;
    let end = str::from_utf8(body).map_or(half, |text| text.floor_char_boundary(half));
    body[..end].to_vec()
}

fn gateway(status: u16) -> Response<Full<Bytes>> {
    let body = format!("<html><body><h1>{status}</h1>The server is unreachable.</body></html>\n");
    response(status, "text/html", "", body.into()).map(Full::from)
}

fn response(status: u16, content_type: &str, request_id: &str, body: Vec<u8>) -> Response<Vec<u8>> {
    Response::builder()
        .status(StatusCode::from_u16(status).expect("a status that HTTP has"))
        .header(header::CONTENT_TYPE, content_type)
        .header("x-amzn-requestid", request_id)
        .body(body)
        .expect("valid headers")
}

fn request_id(fake: &mut FakeState) -> String {
    let digits = fake.digits();
    let (first, last) = digits.split_at(8);
    format!("{first}-4e2f-4a7b-9c1d-0000{last}")
}
