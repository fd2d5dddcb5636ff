//! A minimal client of CloudWatch: posts of CBOR with a placeholder signature.

use ciborium::Value;
use imds_tests::FakeAws;
use ureq::Agent;

use crate::client::{agent, authorization};

/// The path of CloudWatch's operations.
pub(crate) const OPERATIONS: &str = "/service/GraniteServiceVersion20100801/operation/";

/// The headers that the SDK sends besides the signature.
const HEADERS: [(&str, &str); 4] = [
    ("smithy-protocol", "rpc-v2-cbor"),
    ("content-type", "application/cbor"),
    ("accept", "application/cbor"),
    ("x-amzn-query-mode", "true"),
];

pub(crate) struct CloudWatch {
    agent: Agent,
    url: String,
    region: String,
    headers: Vec<(&'static str, &'static str)>,
}

/// Status, some headers, and body.
#[derive(Debug)]
pub(crate) struct CborAnswer {
    pub(crate) status: u16,
    pub(crate) protocol: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) query_error: Option<String>,
    pub(crate) body: Vec<u8>,
}

pub(crate) fn cloudwatch(fake: &FakeAws, region: &str) -> CloudWatch {
    CloudWatch {
        agent: agent(),
        url: fake.url().to_owned(),
        region: region.to_owned(),
        headers: HEADERS.to_vec(),
    }
}

impl CloudWatch {
    pub(crate) fn without(mut self, header: &str) -> Self {
        self.headers.retain(|(name, _)| *name != header);
        self
    }

    #[track_caller]
    pub(crate) fn get_metric_data(&self, body: &Value) -> CborAnswer {
        self.post(&format!("{OPERATIONS}GetMetricData"), &bytes(body))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &[u8]) -> CborAnswer {
        let authorization = authorization(&self.region, "monitoring");
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Authorization", authorization);
        let request = self.headers.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let mut response = request.send(body).unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        CborAnswer {
            status: response.status().as_u16(),
            protocol: header("smithy-protocol"),
            content_type: header("content-type"),
            query_error: header("x-amzn-query-error"),
            body: response.body_mut().read_to_vec().unwrap(),
        }
    }
}

impl CborAnswer {
    pub(crate) fn value(&self) -> Result<Value, ciborium::de::Error<std::io::Error>> {
        ciborium::from_reader(self.body.as_slice())
    }

    /// A member of a successful answer.
    #[track_caller]
    pub(crate) fn member(&self, name: &str) -> Option<Value> {
        let value = self.value().unwrap();
        assert_eq!(self.status, 200, "{value:?}");
        member(&value, name).cloned()
    }

    /// The error's code, as the SDK reads it, and its status.
    #[track_caller]
    pub(crate) fn error(&self) -> (u16, String) {
        let error = self.query_error.as_deref().unwrap_or_default();
        let (code, blamed) = error.split_once(';').unwrap_or_default();
        assert_eq!(
            blamed,
            if self.status < 500 {
                "Sender"
            } else {
                "Receiver"
            }
        );
        (self.status, code.to_owned())
    }

    /// `__type`.
    #[track_caller]
    pub(crate) fn error_type(&self) -> String {
        text(&self.value().unwrap(), "__type").to_owned()
    }

    #[track_caller]
    pub(crate) fn is_rejected(&self, status: u16, code: &str) {
        assert_eq!(self.error(), (status, code.to_owned()));
        assert!(!text(&self.value().unwrap(), "message").is_empty());
    }
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

pub(crate) fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.map(|(name, value)| (name.into(), value)).into())
}

pub(crate) fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// A time as the SDK writes it.
pub(crate) fn time(at: jiff::Timestamp) -> Value {
    let seconds = at.as_duration().as_secs_f64();
    Value::Tag(1, Box::new(seconds.into()))
}

pub(crate) fn query(id: &str, instance: &str, metric: &str, stat: &str, period: u32) -> Value {
    let dimension = map([("Name", "InstanceId".into()), ("Value", instance.into())]);
    let metric = map([
        ("Namespace", "AWS/EC2".into()),
        ("MetricName", metric.into()),
        ("Dimensions", list([dimension])),
    ]);
    let stat = map([
        ("Metric", metric),
        ("Period", period.into()),
        ("Stat", stat.into()),
    ]);
    map([("Id", id.into()), ("MetricStat", stat)])
}

pub(crate) fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let members = value.as_map().unwrap();
    let mut found = members
        .iter()
        .filter(|(key, _)| key.as_text() == Some(name));
    found.next().map(|(_, value)| value)
}

#[track_caller]
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    member(value, name).unwrap().as_text().unwrap()
}

/// The numbers of a list.
#[track_caller]
pub(crate) fn numbers(value: &Value, name: &str) -> Vec<f64> {
    let items = member(value, name).unwrap().as_array().unwrap();
    items.iter().map(|item| item.as_float().unwrap()).collect()
}

/// A member of a request, such as `MetricDataQueries.0.Id`; a missing member is added.
#[track_caller]
pub(crate) fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').fold(value, |value, step| match value {
        Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
        Value::Map(members) => {
            let key = Value::from(step);
            let position = members.iter().position(|(name, _)| *name == key);
            let position = position.unwrap_or_else(|| {
                members.push((key, Value::Null));
                members.len() - 1
            });
            &mut members[position].1
        }
        _ => panic!("nothing is in {value:?}"),
    })
}
