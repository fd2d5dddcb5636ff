//! CloudWatch's protocol: Smithy RPC v2 with CBOR, <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>.

use std::collections::BTreeMap;

use ciborium::Value;
use hyper::http::request::Parts;
use hyper::{Method, header};
use jiff::Timestamp;

use super::api_error::ApiError;

/// The value of `smithy-protocol`.
pub(super) const PROTOCOL: &str = "rpc-v2-cbor";
pub(super) const CONTENT_TYPE: &str = "application/cbor";

const OPERATIONS: &str = "/service/GraniteServiceVersion20100801/operation/";

/// Members that are not text.
const TYPED: &[&str] = &[
    "MetricDataQueries",
    "Dimensions",
    "MetricStat",
    "Metric",
    "StartTime",
    "EndTime",
    "Period",
    "MaxDatapoints",
    "ReturnData",
];

/// Errors whose names differ from the codes of the Query protocol, or that come from in front of the service.
const ERRORS: &[(&str, &str)] = &[
    (
        "Throttling",
        "com.amazon.coral.availability#ThrottlingException",
    ),
    (
        "AccessDenied",
        "com.amazon.coral.service#AccessDeniedException",
    ),
    (
        "ExpiredToken",
        "com.amazon.coral.service#ExpiredTokenException",
    ),
    (
        "SignatureDoesNotMatch",
        "com.amazon.coral.service#InvalidSignatureException",
    ),
    (
        "IncompleteSignature",
        "com.amazon.coral.service#IncompleteSignatureException",
    ),
    (
        "MissingAuthenticationToken",
        "com.amazon.coral.service#MissingAuthenticationTokenException",
    ),
    (
        "SerializationException",
        "com.amazon.coral.service#SerializationException",
    ),
    (
        "UnknownOperationException",
        "com.amazon.coral.service#UnknownOperationException",
    ),
    (
        "InvalidParameterValue",
        "com.amazonaws.cloudwatch.v2010_08_01#InvalidParameterValueException",
    ),
    (
        "MissingParameter",
        "com.amazonaws.cloudwatch.v2010_08_01#MissingRequiredParameterException",
    ),
];

/// The operation that a call names, if it is one of this protocol.
pub(super) fn operation(head: &Parts) -> Option<&str> {
    let has = |name: &str, value: &str| head.headers.get(name).is_some_and(|given| given == value);
    let speaks = head.method == Method::POST
        && has("smithy-protocol", PROTOCOL)
        && has(header::CONTENT_TYPE.as_str(), CONTENT_TYPE);
    head.uri.path().strip_prefix(OPERATIONS).filter(|_| speaks)
}

/// The parameters of a call, named as in a form: `MetricDataQueries.member.1.MetricStat.Stat`.
pub(super) fn params(mut body: &[u8]) -> Result<BTreeMap<String, String>, ApiError> {
    let value: Value = ciborium::from_reader(&mut body)
        .map_err(|error| misread(format!("The body is not CBOR: {error}.")))?;
    if !body.is_empty() {
        return Err(misread("The body continues after its end."));
    }
    let mut params = BTreeMap::new();
    read_structure(&mut params, "", &value)?;
    Ok(params)
}

pub(super) fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("memory takes all that is written");
    bytes
}

pub(super) fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.map(|(name, value)| (name.into(), value)).into())
}

/// Whole seconds since 1970.
pub(super) fn time(at: Timestamp) -> Value {
    Value::Tag(1, Box::new(Value::Float(at.as_second() as f64)))
}

pub(super) fn error(refusal: &ApiError) -> Value {
    let name = ERRORS
        .iter()
        .find(|(code, _)| *code == refusal.code)
        .map_or_else(
            || format!("com.amazonaws.cloudwatch.v2010_08_01#{}", refusal.code),
            |(_, name)| (*name).to_owned(),
        );
    map([
        ("__type", name.into()),
        ("message", refusal.message.as_str().into()),
    ])
}

fn read_structure(
    params: &mut BTreeMap<String, String>,
    prefix: &str,
    value: &Value,
) -> Result<(), ApiError> {
    let Value::Map(members) = value else {
        return Err(misread(format!("Expecting a structure at {prefix:?}.")));
    };
    for (name, value) in members {
        let Value::Text(name) = name else {
            return Err(misread("The name of a member is not text."));
        };
        read_member(params, name, &format!("{prefix}{name}"), value)?;
    }
    Ok(())
}

fn read_member(
    params: &mut BTreeMap<String, String>,
    name: &str,
    path: &str,
    value: &Value,
) -> Result<(), ApiError> {
    let text = match (name, value) {
        ("MetricDataQueries" | "Dimensions", Value::Array(items)) => {
            return (1..).zip(items).try_for_each(|(number, item)| {
                read_structure(params, &format!("{path}.member.{number}."), item)
            });
        }
        ("MetricStat" | "Metric", value) => {
            return read_structure(params, &format!("{path}."), value);
        }
        ("StartTime" | "EndTime", Value::Tag(1, at)) => read_time(at).map(|at| at.to_string()),
        ("Period" | "MaxDatapoints", Value::Integer(number)) => {
            Some(i128::from(*number).to_string())
        }
        ("ReturnData", Value::Bool(flag)) => Some(flag.to_string()),
        (name, Value::Text(text)) if !TYPED.contains(&name) => Some(text.clone()),
        _ => None,
    };
    let text = text.ok_or_else(|| misread(format!("{path} has the wrong type.")))?;
    params.insert(path.to_owned(), text);
    Ok(())
}

/// To the millisecond.
fn read_time(seconds: &Value) -> Option<Timestamp> {
    match seconds {
        Value::Integer(seconds) => Timestamp::from_second(i64::try_from(*seconds).ok()?).ok(),
        Value::Float(seconds) if seconds.is_finite() => {
            Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok()
        }
        _ => None,
    }
}

fn misread(message: impl Into<String>) -> ApiError {
    ApiError::new("SerializationException", message)
}
