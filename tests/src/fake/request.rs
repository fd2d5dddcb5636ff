//! One call as it arrived: a form, CBOR or JSON, and the scope of its signature.

use std::collections::BTreeMap;
use std::str::FromStr;

use hyper::http::request::Parts;
use hyper::{Method, header};
use serde_json::Value;

use super::api_error::ApiError;
use super::{cbor, json};

/// A call. The signature is not checked; its scope names the service and the region.
#[derive(Clone, Debug, Default)]
pub(super) struct ApiRequest {
    pub(super) service: String,
    pub(super) region: String,
    pub(super) action: String,
    pub(super) params: BTreeMap<String, String>,
    pub(super) access_key: String,
    pub(super) user_agent: String,
    pub(super) protocol: Protocol,
    /// The body, if it is JSON.
    pub(super) body: Value,
    /// Whether errors carry the code of the Query protocol too.
    pub(super) wants_query_error: bool,
}

/// How a call is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    /// A form; the answer is XML.
    #[default]
    Query,
    /// CloudWatch's: `POST /service/…/operation/…`.
    Cbor,
    /// DynamoDB's: the operation is a header.
    Json,
}

impl ApiRequest {
    /// Reads as much as possible; the error says what is missing.
    pub(super) fn parse(head: &Parts, body: &[u8]) -> (ApiRequest, Result<(), ApiError>) {
        let mut request = ApiRequest {
            user_agent: text(head, &header::USER_AGENT),
            wants_query_error: head
                .headers
                .get("x-amzn-query-mode")
                .is_some_and(|mode| mode == "true"),
            ..ApiRequest::default()
        };
        let result = request.read(head, body);
        (request, result)
    }

    /// Whether the answer is CBOR, even to a call in the Query protocol, which is rejected.
    pub(super) fn expects_cbor(&self) -> bool {
        self.protocol == Protocol::Cbor || self.service == "monitoring"
    }

    /// Whether the answer is JSON, even to a call in another protocol, which is rejected.
    pub(super) fn expects_json(&self) -> bool {
        self.protocol == Protocol::Json || self.service == "dynamodb"
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    pub(super) fn require(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::missing(name))
    }

    /// `name.1`, `name.2`, … up to the first that is missing.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        (1..)
            .map_while(|n| self.get(&format!("{name}.{n}")))
            .collect()
    }

    /// How many `name.N.…` there are.
    pub(super) fn groups(&self, name: &str) -> usize {
        (1..)
            .take_while(|n| self.has_group(&format!("{name}.{n}.")))
            .count()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(ApiError::value(name, other, "Expecting true or false.")),
        }
    }

    /// Ends a dry run that would succeed.
    pub(super) fn end_rehearsal(&self) -> Result<(), ApiError> {
        if self.flag("DryRun")? {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(ApiError::new("DryRunOperation", message));
        }
        Ok(())
    }

    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.get(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| ApiError::value(name, text, "Expecting an integer."))
            })
            .transpose()
    }

    /// One of the given words.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, ApiError> {
        match self.get(name) {
            Some(word) if !words.contains(&word) => Err(ApiError::value(
                name,
                word,
                &format!("Expecting one of {}.", words.join(", ")),
            )),
            word => Ok(word.map(str::to_owned)),
        }
    }

    /// Rejects parameters that the action does not have, and lists of a form that start at 0.
    pub(super) fn allow(&self, known: &[&str]) -> Result<(), ApiError> {
        let common: &[&str] = match self.service.as_str() {
            "ec2" => &["Action", "Version", "DryRun"],
            _ => &["Action", "Version"],
        };
        let is_form = self.protocol != Protocol::Json;
        for name in self.params.keys() {
            let mut parts = name.split('.');
            let root = parts.next().unwrap_or_default();
            if !(common.contains(&root) || known.contains(&root))
                || (is_form && parts.any(|part| part == "0"))
            {
                return Err(ApiError::unknown_parameter(name));
            }
        }
        Ok(())
    }

    fn read(&mut self, head: &Parts, body: &[u8]) -> Result<(), ApiError> {
        let authorization = text(head, &header::AUTHORIZATION);
        if let Some(operation) = cbor::operation(head) {
            self.protocol = Protocol::Cbor;
            operation.clone_into(&mut self.action);
            let read = cbor::params(body).map(|params| self.params = params);
            return self.read_scope(&authorization).and(read);
        }
        if let Some(operation) = json::operation(head) {
            self.protocol = Protocol::Json;
            operation.clone_into(&mut self.action);
            let read = json::body(body).map(|body| self.body = body);
            self.params = json::params(&self.body);
            return self.read_scope(&authorization).and(read);
        }
        let form =
            text(head, &header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded");
        if head.method == Method::POST && form {
            self.params = form_urlencoded::parse(body).into_owned().collect();
        }
        self.action = self.params.get("Action").cloned().unwrap_or_default();
        self.read_scope(&authorization)?;
        if self.action.is_empty() && !self.expects_cbor() && !self.expects_json() {
            return Err(ApiError::new(
                "MissingAction",
                "The request is missing an Action parameter.",
            ));
        }
        Ok(())
    }

    /// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`
    fn read_scope(&mut self, authorization: &str) -> Result<(), ApiError> {
        if authorization.is_empty() {
            return Err(ApiError::new(
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            ));
        }
        let scope = authorization
            .strip_prefix("AWS4-HMAC-SHA256 ")
            .and_then(|rest| {
                rest.split(',')
                    .find_map(|part| part.trim().strip_prefix("Credential="))
            });
        let parts: Vec<_> = scope.unwrap_or_default().split('/').collect();
        let [key, _date, region, service, "aws4_request"] = parts.as_slice() else {
            return Err(ApiError::new(
                "IncompleteSignature",
                "The Authorization header has no credential scope.",
            ));
        };
        self.access_key = (*key).to_owned();
        self.region = (*region).to_owned();
        self.service = (*service).to_owned();
        Ok(())
    }

    fn has_group(&self, prefix: &str) -> bool {
        self.params
            .range(prefix.to_owned()..)
            .next()
            .is_some_and(|(name, _)| name.starts_with(prefix))
    }
}

fn text(head: &Parts, name: &header::HeaderName) -> String {
    let value = head.headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
