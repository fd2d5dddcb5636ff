//! A client of the state table.

use std::time::Duration;

use imds_tests::FakeAws;
use serde_json::{Value, json};
use ureq::Agent;

use crate::client::{agent, authorization};

/// Calls DynamoDB in one region.
pub(crate) struct TableClient {
    agent: Agent,
    url: String,
    region: String,
}

/// Status, headers and body.
#[derive(Debug)]
pub(crate) struct JsonAnswer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) date: String,
    pub(crate) body: Value,
}

pub(crate) fn dynamodb(fake: &FakeAws, region: &str) -> TableClient {
    TableClient {
        agent: agent(),
        url: fake.url().to_owned(),
        region: region.to_owned(),
    }
}

impl TableClient {
    /// Gives up after this time.
    pub(crate) fn impatient(self, after: Duration) -> TableClient {
        let config = Agent::config_builder().timeout_global(Some(after));
        TableClient {
            agent: config.build().into(),
            ..self
        }
    }

    #[track_caller]
    pub(crate) fn call(&self, action: &str, body: &Value) -> JsonAnswer {
        self.try_call(action, body).unwrap()
    }

    pub(crate) fn try_call(&self, action: &str, body: &Value) -> Result<JsonAnswer, ureq::Error> {
        let (status, content_type, date, text) = self.post(action, &body.to_string())?;
        Ok(JsonAnswer {
            status,
            content_type,
            date,
            body: serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")),
        })
    }

    pub(crate) fn post(
        &self,
        action: &str,
        body: &str,
    ) -> Result<(u16, String, String, String), ureq::Error> {
        let mut response = self
            .agent
            .post(&self.url)
            .header("Authorization", authorization(&self.region, "dynamodb"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .header("X-Amz-Target", format!("DynamoDB_20120810.{action}"))
            .send(body)?;
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let (content_type, date) = (header("content-type"), header("date"));
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(32 << 20);
        let text = body.read_to_string()?;
        Ok((status, content_type, date, text))
    }

    /// A consistent read.
    #[track_caller]
    pub(crate) fn get(&self, key: &str) -> JsonAnswer {
        self.call("GetItem", &read(key, true))
    }

    /// UpdateItem of an item; `more` adds members.
    #[track_caller]
    pub(crate) fn update(&self, key: &str, more: Value) -> JsonAnswer {
        self.call("UpdateItem", &named(key, more))
    }

    #[track_caller]
    pub(crate) fn batch(&self, keys: &[&str]) -> JsonAnswer {
        let keys: Vec<_> = keys.iter().map(|key| json!({"key": {"S": key}})).collect();
        let asked = json!({"imds-enforcer": {"Keys": keys, "ConsistentRead": true}});
        self.call("BatchGetItem", &json!({ "RequestItems": asked }))
    }
}

impl JsonAnswer {
    #[track_caller]
    pub(crate) fn is_done(&self) -> &Value {
        assert_eq!(self.status, 200, "{}", self.body);
        &self.body
    }

    /// Rejected with this status and this code, and a message that contains this.
    #[track_caller]
    pub(crate) fn is_rejected(&self, status: u16, code: &str, message: &str) {
        let kind = self.body["__type"].as_str().unwrap_or_default();
        let found = kind.rsplit_once('#').map(|(_, code)| code);
        assert_eq!((self.status, found), (status, Some(code)), "{}", self.body);
        let told = ["message", "Message"].map(|name| self.body[name].as_str().unwrap_or_default());
        assert!(told.concat().contains(message), "{}", self.body);
    }

    #[track_caller]
    pub(crate) fn is_invalid(&self, message: &str) {
        self.is_rejected(400, "ValidationException", message);
    }
}

/// The members of a call that names one item, and others.
pub(crate) fn named(key: &str, more: Value) -> Value {
    let mut body = json!({"TableName": "imds-enforcer", "Key": {"key": {"S": key}}});
    let members = body.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    body
}

pub(crate) fn read(key: &str, consistent: bool) -> Value {
    named(key, json!({ "ConsistentRead": consistent }))
}
