//! Values of arguments.

use imds_core::instance::{InstanceId, State};
use imds_core::options::HopLimit;
use imds_core::region_name;
use jiff::SignedDuration;

pub(super) fn url(text: &str) -> Result<String, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.trim_matches('/').is_empty() => Ok(text.to_owned()),
        _ => Err("expected a URL such as https://host:8443".to_owned()),
    }
}

/// Parses a region strictly, because it becomes part of a host name. The end is a number, and at least
/// two words precede it.
pub(super) fn region(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_shaped = text.rsplit_once('-').is_some_and(|(words, number)| {
        words.contains('-') && number.bytes().all(|digit| digit.is_ascii_digit())
    });
    if is_shaped && (1..=40).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(match region_name::meant(text) {
        Some(meant) => format!("did you mean {meant}?"),
        None => "expected a region such as eu-central-1".to_owned(),
    })
}

pub(super) fn instance(text: &str) -> Result<InstanceId, String> {
    InstanceId::try_from(text).map_err(|_| "expected an id such as i-0e3a5b1c9d8f70642".to_owned())
}

/// The longest reason, in bytes: it is repeated in reports and log lines.
const LONGEST_REASON: usize = 500;

pub(super) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > LONGEST_REASON {
        return Err(format!("expected 1 to {LONGEST_REASON} bytes of text"));
    }
    Ok(text.to_owned())
}

pub(super) fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

pub(super) fn state(text: &str) -> Result<State, String> {
    State::from_word(text).ok_or_else(|| {
        "expected pending, running, stopping, stopped, shutting-down or terminated".to_owned()
    })
}

pub(super) fn hops(text: &str) -> Result<HopLimit, String> {
    text.parse::<i64>()
        .ok()
        .and_then(|n| HopLimit::try_from(n).ok())
        .ok_or_else(|| "expected 1 to 64".to_owned())
}

pub(super) fn duration(text: &str) -> Result<SignedDuration, String> {
    let time = text.parse::<SignedDuration>().ok();
    time.filter(SignedDuration::is_positive)
        .ok_or_else(|| "expected a time with its unit, such as 90s, 5m or 1h".to_owned())
}
