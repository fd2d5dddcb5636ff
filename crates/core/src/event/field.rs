//! Fields that several kinds of events have.

use jiff::Timestamp;

use super::envelope::Envelope;
use super::lenient::Text;
use super::malformed::Malformed;
use crate::instance::InstanceId;
use crate::plain::Plain;

pub(super) fn time_of(envelope: &Envelope) -> Option<Timestamp> {
    Timestamp::from_millisecond(envelope.time?.timestamp_millis()).ok()
}

/// Text that is only shown and compared: without blanks around it, and fit for a report.
pub(super) fn shown(text: &str) -> String {
    Plain(text.trim()).to_string()
}

pub(super) fn instance_id(text: Option<Text>, path: &str) -> Result<InstanceId, Malformed> {
    let Some(text) = text else {
        return Err(Malformed::new(path, "missing: expected an instance id"));
    };
    InstanceId::try_from(&*text).map_err(|e| Malformed::new(path, e.to_string()))
}

pub(super) fn region(text: Option<&str>, path: &str) -> Result<String, Malformed> {
    let Some(text) = text else {
        return Err(Malformed::new(path, "missing: expected a region"));
    };
    let region = text.trim().to_owned();
    check_region(&region, path)?;
    Ok(region)
}

/// A region becomes part of a host name, so only the characters of region names are accepted.
pub(super) fn check_region(region: &str, path: &str) -> Result<(), Malformed> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if region.is_empty() || region.len() > 40 || !region.bytes().all(plain) {
        return Err(Malformed::new(path, format!("`{region}` is not a region")));
    }
    Ok(())
}
