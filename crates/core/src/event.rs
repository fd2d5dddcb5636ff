//! What an event asks for, recognised by its shape.
//!
//! Events arrive in EventBridge's envelope, in an SNS message around it, or as a bare CloudTrail
//! record. `aws_lambda_events` reads the envelope; what is within is read leniently.

mod lenient;
mod record;

use std::fmt;

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::instance::{Instance, InstanceId, MetadataOptions, State};
use crate::plain::Plain;
use lenient::Text;
use record::Record;

/// What an event asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Instances were launched.
    Launch(Launch),
    /// Somebody changed an instance's metadata options.
    MetadataChange(MetadataChange),
    /// An instance is starting or running.
    StateChange(StateChange),
    /// The schedule, or a person, asks to look at every instance.
    Sweep(Sweep),
    /// Nothing that concerns metadata options.
    Ignored(Ignored),
}

impl Event {
    /// The account that the event tells.
    pub fn account(&self) -> Option<&str> {
        match self {
            Event::Launch(launch) => launch.origin.account.as_deref(),
            Event::MetadataChange(change) => change.origin.account.as_deref(),
            Event::StateChange(change) => change.origin.account.as_deref(),
            Event::Sweep(sweep) => sweep.account.as_deref(),
            Event::Ignored(ignored) => ignored.account.as_deref(),
        }
    }
}

/// Where an event comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The account as the event tells it: 12 digits, or a placeholder in samples.
    pub account: Option<String>,
    /// The region: the record's `awsRegion` where there is a record, else the envelope's.
    pub region: String,
    /// When it happened; `None` where the event has only a placeholder.
    pub time: Option<Timestamp>,
    /// The ARNs and the service that made the call; empty where the event does not tell.
    pub principals: Vec<String>,
}

/// A `RunInstances` call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Who launched, where and when.
    pub origin: Origin,
    /// The instances as the answer showed them, as far as it was recorded.
    pub instances: Vec<Instance>,
    /// The token that finds the instances that were not recorded.
    pub client_token: Option<String>,
    /// How many instances the call asked for, at least and at most.
    pub asked: Option<(usize, usize)>,
}

impl Launch {
    /// CloudTrail leaves `responseElements` out above 100 KB, so that instances were launched
    /// whose ids are not in the record.
    pub fn is_cut(&self) -> bool {
        let least = self.asked.map_or(1, |(least, _)| least.max(1));
        self.instances.len() < least
    }
}

/// A `ModifyInstanceMetadataOptions` call that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataChange {
    /// Who changed it, where and when.
    pub origin: Origin,
    /// The changed instance.
    pub instance_id: InstanceId,
    /// The options that the call set; `None` for those it left alone.
    pub set: MetadataOptions,
    /// The name of the caller's session: for a Lambda function, its own name.
    pub session: Option<String>,
}

/// An instance entered `pending` or `running`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// Where and when.
    pub origin: Origin,
    /// The instance.
    pub instance_id: InstanceId,
    /// Its new state.
    pub state: State,
}

/// Look at every instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The account as the event tells it.
    pub account: Option<String>,
    /// The regions to look at; `None`: all that are enabled.
    pub regions: Option<Vec<String>>,
}

/// An event that asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The account, where the event tells.
    pub account: Option<String>,
    /// The region, where the event tells.
    pub region: Option<String>,
    /// Why it is ignored.
    pub reason: Reason,
}

/// Why an event asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The call did not succeed, or was a dry run.
    FailedCall {
        /// The API call.
        call: String,
        /// For example `Client.DryRunOperation`.
        error_code: String,
    },
    /// An API call that changes no metadata options.
    OtherCall(String),
    /// An event of another kind.
    OtherEvent(String),
    /// The instance is neither starting nor running.
    OtherState(InstanceId, State),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::FailedCall { call, error_code } => {
                write!(f, "{} changed nothing: {}", Plain(call), Plain(error_code))
            }
            Reason::OtherCall(call) => {
                write!(f, "{} does not concern metadata options", Plain(call))
            }
            Reason::OtherEvent(kind) => {
                write!(
                    f,
                    "events of type `{}` do not concern metadata options",
                    Plain(kind)
                )
            }
            Reason::OtherState(id, state) => {
                write!(f, "{id} is `{state}`: only `pending` and `running` matter")
            }
        }
    }
}

/// An event that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Malformed {
    /// Where, for example `detail.responseElements.instancesSet.items[0].instanceId`; empty: in the
    /// event itself.
    pub path: String,
    /// What is there and what was expected.
    pub problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, problem) = (Plain(&self.path), Plain(&self.problem));
        match self.path.as_str() {
            "" => write!(f, "malformed event: {problem}"),
            _ => write!(f, "malformed event: `{path}`: {problem}"),
        }
    }
}

impl Malformed {
    fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Malformed {
            path: path.into(),
            problem: problem.into(),
        }
    }

    fn under(mut self, parent: &str) -> Self {
        if !parent.is_empty() {
            self.path = if self.path.is_empty() || self.path == "." {
                parent.to_owned()
            } else {
                format!("{parent}.{}", self.path)
            };
        }
        self
    }
}

/// Recognises an event.
///
/// # Errors
/// [`Malformed`] names the JSON path of what cannot be understood; such an event is never ignored.
pub fn parse(json: &str) -> Result<Event, Malformed> {
    let shape: Shape = read(json)?;
    if let Some(records) = shape.records {
        return through_sns(records);
    }
    if shape.event_name.is_some() {
        return read::<Record>(json)?.into_event("", &Envelope::default());
    }
    if shape.detail_type.is_none() {
        return Err(Malformed::new(
            "detail-type",
            "missing: expected an EventBridge event or a CloudTrail record",
        ));
    }
    let envelope: Envelope = read(json).map_err(|e| match (&*e.path, &shape.time) {
        ("time", Some(time)) => Malformed::new(
            "time",
            format!(
                "`{}`: expected a time such as `2026-03-01T10:00:00Z`",
                &**time
            ),
        ),
        _ => e,
    })?;
    let detail = shape.detail.map_or("null", RawValue::get);
    match envelope.detail_type.as_str() {
        "EC2 Instance State-change Notification" => state_change(detail, &envelope),
        "Sweep" if envelope.source == "imds-enforcer" => sweep(detail, &envelope),
        kind => match read::<Record>(detail) {
            Ok(record) => record.into_event("detail", &envelope),
            Err(error) => match call(detail)? {
                Some(_) => Err(error.under("detail")),
                None if kind == "AWS API Call via CloudTrail" => Err(Malformed::new(
                    "detail.eventName",
                    "missing: expected the API call's name",
                )),
                None => Ok(ignored(&envelope, Reason::OtherEvent(kind.to_owned()))),
            },
        },
    }
}

type Envelope = EventBridgeEvent<ReadApart>;

/// A detail of up to 1 MB, which is not copied: [`Shape`] has it.
#[derive(Debug, Default)]
struct ReadApart;

impl<'de> Deserialize<'de> for ReadApart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| ReadApart)
    }
}

impl Serialize for ReadApart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

/// What tells one kind of event from another.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(rename = "detail-type", default)]
    detail_type: Option<Text>,
    #[serde(borrow, rename = "Records", default)]
    records: Option<&'a RawValue>,
    #[serde(rename = "eventName", default)]
    event_name: Option<Text>,
    #[serde(default)]
    time: Option<Text>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

/// The API call that a record is of.
fn call(detail: &str) -> Result<Option<Text>, Malformed> {
    #[derive(Deserialize)]
    struct Call {
        #[serde(rename = "eventName", default)]
        event_name: Option<Text>,
    }
    let call: Call = read(detail).map_err(|e| e.under("detail"))?;
    Ok(call.event_name)
}

/// The envelope as the message of an SNS notification.
fn through_sns(records: &RawValue) -> Result<Event, Malformed> {
    #[derive(Deserialize)]
    struct SnsRecord {
        #[serde(rename = "Sns", default)]
        sns: Option<Sns>,
    }
    #[derive(Deserialize)]
    struct Sns {
        #[serde(rename = "Message")]
        message: String,
    }
    let records: Vec<SnsRecord> = read(records.get()).map_err(|e| e.under("Records"))?;
    match records.as_slice() {
        [SnsRecord { sns: Some(sns) }] => {
            let path = "Records[0].Sns.Message";
            let shape: Shape = read(&sns.message).map_err(|e| e.under(path))?;
            if shape.records.is_some() {
                return Err(Malformed::new(path, "a notification within a notification"));
            }
            parse(&sns.message).map_err(|e| e.under(path))
        }
        // SNS invokes a function with one record; more would need more than one answer.
        [_, _, ..] => Err(Malformed::new("Records", "expected one SNS record")),
        _ => Err(Malformed::new(
            "Records[0].Sns",
            "missing: expected an SNS notification",
        )),
    }
}

fn state_change(detail: &str, envelope: &Envelope) -> Result<Event, Malformed> {
    #[derive(Deserialize)]
    struct Detail {
        #[serde(rename = "instance-id", alias = "instance_id", default)]
        instance_id: Option<Text>,
        #[serde(default)]
        state: Option<Text>,
    }
    let Some(detail) = read::<Option<Detail>>(detail).map_err(|e| e.under("detail"))? else {
        return Err(Malformed::new(
            "detail",
            "missing: expected `instance-id` and `state`",
        ));
    };
    let instance_id = instance_id(detail.instance_id, "detail.instance-id")?;
    let Some(word) = detail.state else {
        return Err(Malformed::new(
            "detail.state",
            "missing: expected the instance's state",
        ));
    };
    match State::from_word(&word) {
        Some(state @ (State::Pending | State::Running)) => {
            let origin = origin(envelope)?;
            Ok(Event::StateChange(StateChange {
                origin,
                instance_id,
                state,
            }))
        }
        Some(
            state @ (State::Stopping | State::Stopped | State::ShuttingDown | State::Terminated),
        ) => Ok(ignored(envelope, Reason::OtherState(instance_id, state))),
        None => Err(Malformed::new(
            "detail.state",
            format!("`{}` is no state of an instance", &*word),
        )),
    }
}

fn sweep(detail: &str, envelope: &Envelope) -> Result<Event, Malformed> {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct Detail {
        #[serde(default)]
        regions: Option<Vec<String>>,
    }
    let detail: Option<Detail> = read(detail).map_err(|e| e.under("detail"))?;
    let regions = detail.unwrap_or_default().regions;
    if regions.as_ref().is_some_and(Vec::is_empty) {
        return Err(Malformed::new(
            "detail.regions",
            "empty: leave it out for all regions",
        ));
    }
    for (n, region) in regions.iter().flatten().enumerate() {
        check_region(region, &format!("detail.regions[{n}]"))?;
    }
    let account = envelope.account.as_deref().map(shown);
    Ok(Event::Sweep(Sweep { account, regions }))
}

fn ignored(envelope: &Envelope, reason: Reason) -> Event {
    Event::Ignored(Ignored {
        account: envelope.account.as_deref().map(shown),
        region: envelope.region.as_deref().map(shown),
        reason,
    })
}

fn origin(envelope: &Envelope) -> Result<Origin, Malformed> {
    Ok(Origin {
        account: envelope.account.as_deref().map(shown),
        region: region(envelope.region.as_deref(), "region")?,
        time: time_of(envelope),
        principals: Vec::new(),
    })
}

fn time_of(envelope: &Envelope) -> Option<Timestamp> {
    Timestamp::from_millisecond(envelope.time?.timestamp_millis()).ok()
}

/// For what is only told again and compared: without blanks around it, and fit for a report.
fn shown(text: &str) -> String {
    Plain(text.trim()).to_string()
}

fn instance_id(text: Option<Text>, path: &str) -> Result<InstanceId, Malformed> {
    let Some(text) = text else {
        return Err(Malformed::new(path, "missing: expected an instance id"));
    };
    InstanceId::try_from(&*text).map_err(|e| Malformed::new(path, e.to_string()))
}

fn region(text: Option<&str>, path: &str) -> Result<String, Malformed> {
    let Some(text) = text else {
        return Err(Malformed::new(path, "missing: expected a region"));
    };
    let region = text.trim().to_owned();
    check_region(&region, path)?;
    Ok(region)
}

/// A region becomes part of a host name, so only its characters are let through; whether it exists
/// is AWS's to say.
fn check_region(region: &str, path: &str) -> Result<(), Malformed> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if region.is_empty() || region.len() > 40 || !region.bytes().all(plain) {
        return Err(Malformed::new(path, format!("`{region}` is no region")));
    }
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(json).map_err(|error| {
        // To keep the path all the way costs as much as to read, so only a fault is looked for.
        let mut reader = serde_json::Deserializer::from_str(json);
        match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Ok(_) => Malformed::new("", error.to_string()),
            Err(error) => {
                let path = error.path().to_string();
                let path = if path == "." { "" } else { &path };
                Malformed::new(path, error.inner().to_string())
            }
        }
    })
}
