//! Recognises an event by its envelope: EventBridge's, SNS's, or none.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::detail::{ignored, start, sweep};
use super::envelope::Envelope;
use super::lenient::Text;
use super::malformed::{Malformed, read};
use super::record::CloudTrailRecord;
use super::{Event, Reason};

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
        return read::<CloudTrailRecord>(json)?.into_event("", &Envelope::default());
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
        "EC2 Instance State-change Notification" => start(detail, &envelope),
        "Sweep" if envelope.source == "imds-enforcer" => sweep(detail, &envelope),
        kind => match read::<CloudTrailRecord>(detail) {
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

/// What distinguishes the kinds of events.
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

/// The name of the API call that a record describes.
fn call(detail: &str) -> Result<Option<Text>, Malformed> {
    #[derive(Deserialize)]
    struct CallName {
        #[serde(rename = "eventName", default)]
        event_name: Option<Text>,
    }
    let call: CallName = read(detail).map_err(|e| e.under("detail"))?;
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
