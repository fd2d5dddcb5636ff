//! From a request to its reply: hardship first, then the action, and a record of both.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, header};

use super::actions::{EC2, Run, action, service};
use super::cbor;
use super::fault::{Effect, befall};
use super::record::Outcome;
use super::refusal::Refusal;
use super::request::Request;
use super::world::World;
use super::xml::Xml;
use crate::server::{HangUp, Reply, Service};

/// What the server's thread and the test share.
#[derive(Debug)]
pub(super) struct Shared {
    world: Mutex<World>,
    in_flight: AtomicUsize,
    pub(super) most_in_flight: AtomicUsize,
    pub(super) connections: AtomicUsize,
}

impl Shared {
    pub(super) fn new() -> Self {
        Shared {
            world: Mutex::new(World::new()),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
        }
    }

    /// Usable even after a test has panicked with it in hand.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reply(&self, at: Instant, head: &Parts, body: &[u8]) -> Reply {
        let (request, read) = Request::parse(head, body);
        let number = self.world().record.arrived(at, &request);
        let now_in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight
            .fetch_max(now_in_flight, Ordering::SeqCst);

        let (delay, effect) = {
            let mut world = self.world();
            let (delay, effect) = befall(&mut world.faults, &request);
            (delay + world.latency, effect)
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let (outcome, reply) = answer(&mut self.world(), &request, read, effect);

        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.world().record.answered(number, outcome);
        reply
    }
}

impl Service for Shared {
    fn connected(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// A task of its own carries it out, so that it takes effect even where the client has gone.
    async fn answer(self: Arc<Self>, request: hyper::Request<Incoming>) -> Reply {
        let at = Instant::now();
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
        let task = tokio::spawn(async move { self.reply(at, &head, &body).await });
        task.await.map_err(|_| HangUp)?
    }
}

fn answer(
    world: &mut World,
    request: &Request,
    read: Result<(), Refusal>,
    effect: Option<Effect>,
) -> (Outcome, Reply) {
    match effect {
        Some(Effect::Reset) => return (Outcome::Reset, Err(HangUp)),
        Some(Effect::Gateway(status)) => {
            return (Outcome::Err(status.to_string()), Ok(gateway(status)));
        }
        _ => {}
    }
    let refused = match &effect {
        Some(Effect::Throttle) => Err(throttled(request)),
        Some(Effect::Refuse(refusal)) => Err(refusal.clone()),
        _ => Ok(()),
    };
    let request_id = request_id(world);
    let answer = read
        .and(refused)
        .and_then(|()| perform(world, request, &request_id));
    let outcome = answer.as_ref().map_or_else(
        |refusal| Outcome::Err(refusal.code.clone()),
        |_| Outcome::Ok,
    );
    let mut answer = answer.map_or_else(
        |refusal| error_response(request, &refusal, &request_id),
        |body| response(200, content_type(request), &request_id, body),
    );
    match effect {
        Some(Effect::ResetAfter) => return (Outcome::Reset, Err(HangUp)),
        Some(Effect::Malformed) => answer = answer.map(|body| first_half(&body)),
        _ => {}
    }
    if request.expects_cbor() {
        let protocol = HeaderValue::from_static(cbor::PROTOCOL);
        answer.headers_mut().insert("smithy-protocol", protocol);
    }
    (outcome, Ok(answer.map(Full::from)))
}

fn perform(world: &mut World, request: &Request, request_id: &str) -> Result<Vec<u8>, Refusal> {
    match world
        .regions
        .get(&request.region)
        .map(|region| &region.opted_out)
    {
        Some(None) => {}
        Some(Some(code)) => return Err(not_opted_in(code)),
        None => return Err(not_opted_in("AuthFailure")),
    }
    let action = action(request)?;
    if !world.buckets.take(request) {
        return Err(throttled(request));
    }
    if !action.rehearses {
        request.end_rehearsal()?;
    }
    match action.run {
        Run::Cbor(run) => run(world, request).map(|value| cbor::bytes(&value)),
        Run::Xml(run) => {
            let mut inner = Xml::default();
            run(world, request, &mut inner)?;
            Ok(document(request, &inner, request_id).into())
        }
    }
}

fn document(request: &Request, inner: &Xml, request_id: &str) -> String {
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

/// Reads like a fault of the credentials, as it does in AWS.
fn not_opted_in(code: &str) -> Refusal {
    let message = match code {
        "AuthFailure" => "AWS was not able to validate the provided access credentials",
        _ => {
            "You are not subscribed to this service. Please go to http://aws.amazon.com to subscribe."
        }
    };
    Refusal::new(code, message)
}

fn throttled(request: &Request) -> Refusal {
    if request.service == "ec2" || request.service.is_empty() {
        Refusal::throttled()
    } else {
        Refusal::new("Throttling", "Rate exceeded")
    }
}

fn content_type(request: &Request) -> &'static str {
    if request.expects_cbor() {
        cbor::CONTENT_TYPE
    } else {
        "text/xml;charset=UTF-8"
    }
}

fn error_response(request: &Request, refusal: &Refusal, request_id: &str) -> Response<Vec<u8>> {
    let body = if request.expects_cbor() {
        cbor::bytes(&cbor::error(refusal))
    } else {
        error_document(request, refusal, request_id).into()
    };
    let mut response = response(refusal.status, content_type(request), request_id, body);
    if request.expects_cbor() && request.wants_query_error {
        let told = format!("{};{}", refusal.code, blamed(refusal));
        let told = HeaderValue::try_from(told).expect("codes are words");
        response.headers_mut().insert("x-amzn-query-error", told);
    }
    response
}

fn blamed(refusal: &Refusal) -> &'static str {
    if refusal.status < 500 {
        "Sender"
    } else {
        "Receiver"
    }
}

fn error_document(request: &Request, refusal: &Refusal, request_id: &str) -> String {
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

/// Whole characters, where it is text.
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

fn request_id(world: &mut World) -> String {
    let digits = world.digits();
    let (first, last) = digits.split_at(8);
    format!("{first}-4e2f-4a7b-9c1d-0000{last}")
}
