//! DynamoDB's protocol: AWS JSON 1.0, <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>.

use std::collections::BTreeMap;

use hyper::http::request::Parts;
use hyper::{Method, header};
use serde_json::{Map, Value, json};

use super::api_error::ApiError;

pub(super) const CONTENT_TYPE: &str = "application/x-amz-json-1.0";

const TARGET: &str = "DynamoDB_20120810.";

/// Errors that other services call otherwise, and their names and statuses here.
const TRANSLATED: &[(&str, &str, u16)] = &[
    ("AuthFailure", "UnrecognizedClientException", 400),
    ("OptInRequired", "UnrecognizedClientException", 400),
    ("UnauthorizedOperation", "AccessDeniedException", 400),
    ("RequestExpired", "InvalidSignatureException", 400),
    ("IncompleteSignature", "IncompleteSignatureException", 400),
    (
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        400,
    ),
    ("InvalidAction", "UnknownOperationException", 400),
    (
        "UnknownOperationException",
        "UnknownOperationException",
        400,
    ),
    ("UnknownParameter", "ValidationException", 400),
    ("InternalError", "InternalServerError", 500),
    ("Unavailable", "ServiceUnavailable", 503),
];

/// Errors that are not DynamoDB's own, but of what is in front of it.
const SHARED: &[(&str, &str)] = &[
    ("ValidationException", "com.amazon.coral.validate"),
    ("ThrottlingException", "com.amazon.coral.availability"),
    ("ServiceUnavailable", "com.amazon.coral.availability"),
    ("AccessDeniedException", "com.amazon.coral.service"),
    ("SerializationException", "com.amazon.coral.service"),
    ("UnknownOperationException", "com.amazon.coral.service"),
    ("UnrecognizedClientException", "com.amazon.coral.service"),
    ("ExpiredTokenException", "com.amazon.coral.service"),
    ("InvalidSignatureException", "com.amazon.coral.service"),
    ("IncompleteSignatureException", "com.amazon.coral.service"),
    (
        "MissingAuthenticationTokenException",
        "com.amazon.coral.service",
    ),
];

/// The operation that a call names, if it is one of this protocol.
pub(super) fn operation(head: &Parts) -> Option<&str> {
    let text = |name: &str| head.headers.get(name)?.to_str().ok();
    let speaks = head.method == Method::POST
        && head.uri.path() == "/"
        && text(header::CONTENT_TYPE.as_str()) == Some(CONTENT_TYPE);
    text("x-amz-target")?
        .strip_prefix(TARGET)
        .filter(|_| speaks)
}

pub(super) fn body(bytes: &[u8]) -> Result<Value, ApiError> {
    let members: Result<Map<String, Value>, _> = serde_json::from_slice(bytes);
    members.map(Value::Object).map_err(|error| {
        let message = format!("The body is not a JSON object: {error}");
        ApiError::new("SerializationException", message)
    })
}

/// The parameters of a call, named as in a form: `RequestItems.imds-enforcer.Keys.1.key.S`.
pub(super) fn params(body: &Value) -> BTreeMap<String, String> {
    let mut params = BTreeMap::new();
    flatten(&mut params, "", body);
    params
}

/// The error as DynamoDB names it.
pub(super) fn translated(mut refusal: ApiError) -> ApiError {
    let known = TRANSLATED.iter().find(|(code, ..)| *code == refusal.code);
    if let Some((_, code, status)) = known {
        refusal.code = (*code).to_owned();
        refusal.status = *status;
    }
    refusal
}

pub(super) fn error(refusal: &ApiError) -> Vec<u8> {
    let code = &refusal.code;
    let namespace = SHARED.iter().find(|(shared, _)| shared == code);
    let namespace = namespace.map_or("com.amazonaws.dynamodb.v20120810", |(_, name)| name);
    let message = match namespace {
        "com.amazon.coral.service" => "Message",
        _ => "message",
    };
    let mut body = json!({ "__type": format!("{namespace}#{code}"), message: refusal.message });
    if let Some(item) = &refusal.item {
        body["Item"] = item.clone();
    }
    body.to_string().into()
}

fn flatten(params: &mut BTreeMap<String, String>, path: &str, value: &Value) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    };
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                flatten(params, &below(name), member);
            }
        }
        Value::Array(elements) => {
            for (number, element) in (1..).zip(elements) {
                flatten(params, &below(&number.to_string()), element);
            }
        }
        Value::String(text) => {
            params.insert(path.to_owned(), text.clone());
        }
        Value::Bool(_) | Value::Number(_) => {
            params.insert(path.to_owned(), value.to_string());
        }
    }
}
