//! What holds for every text that is read as an event.

use std::collections::BTreeSet;

use imds_core::event::{Event, Ignored, Origin, Sweep, delivered, parse};
use imds_core::instance::{Instance, InstanceId};
use jiff::Timestamp;

/// Panics where a promise is broken.
pub(crate) fn hold(text: &str) {
    let read = parse(text);
    assert_eq!(read, parse(text), "the same text is always read the same");
    let delivered = delivered(text);
    assert!(!delivered.is_empty(), "no text is lost in silence");
    for event in delivered {
        if let Err(malformed) = event.json {
            assert_eq!(malformed.path, event.path);
            is_plain(&malformed.to_string(), 500);
        }
    }
    match read {
        Err(malformed) => {
            assert!(!malformed.path.is_empty() || !malformed.problem.is_empty());
            is_plain(&malformed.to_string(), 500);
        }
        Ok(event) => {
            is_plain(event.account().unwrap_or_default(), 201);
            holds(&event);
        }
    }
}

fn holds(event: &Event) {
    match event {
        Event::Launch(launch) => {
            is_origin(&launch.origin);
            for instance in &launch.instances {
                is_instance(instance, &launch.origin);
            }
            if let Some((least, most)) = launch.asked {
                assert!(0 < least && least <= most);
                assert_eq!(launch.is_cut(), launch.instances.len() < least);
            } else {
                assert_eq!(launch.is_cut(), launch.instances.is_empty());
            }
            assert_ne!(launch.client_token.as_deref(), Some(""));
        }
        Event::MetadataChange(change) => {
            is_origin(&change.origin);
            is_id(&change.instance_id);
        }
        Event::Start(start) => {
            is_origin(&start.origin);
            assert!(!start.instance_ids.is_empty());
            start.instance_ids.iter().for_each(is_id);
            let distinct: BTreeSet<_> = start.instance_ids.iter().collect();
            assert_eq!(distinct.len(), start.instance_ids.len());
        }
        Event::Sweep(Sweep { regions, .. }) => {
            assert!(regions.as_ref().is_none_or(|regions| !regions.is_empty()));
            regions
                .iter()
                .flatten()
                .for_each(|region| is_region(region));
        }
        Event::Ignored(Ignored { region, reason, .. }) => {
            is_plain(region.as_deref().unwrap_or_default(), 201);
            is_plain(&reason.to_string(), 600);
        }
    }
}

fn is_instance(instance: &Instance, origin: &Origin) {
    is_id(&instance.id);
    assert_eq!(instance.region, origin.region);
    assert_eq!(instance.account, origin.account);
    // Whatever an event says, it does not make an instance new.
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        assert_eq!(instance.first_launched_at(now), None);
    }
    if let Some(started_at) = instance.started_at {
        assert_eq!(instance.first_launched_at(started_at), None);
    }
    if let Some(hops) = instance.options.hop_limit {
        assert!((1..=64).contains(&u8::from(hops)));
    }
}

fn is_origin(origin: &Origin) {
    is_region(&origin.region);
}

/// A region becomes part of a host name.
fn is_region(region: &str) {
    assert!((1..=40).contains(&region.len()), "{region:?}");
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-');
    assert!(region.bytes().all(plain), "{region:?}");
}

/// An id becomes part of a request, and of a filter, in which `*` and `?` are wildcards.
fn is_id(id: &InstanceId) {
    let digits = id.as_str().strip_prefix("i-").unwrap_or_default();
    assert!(matches!(digits.len(), 8 | 17), "{id:?}");
    assert!(digits.bytes().all(|b| b.is_ascii_hexdigit()), "{id:?}");
}

/// Fit for a log: one line, nothing hidden in it, and no longer than this many characters.
fn is_plain(text: &str, longest: usize) {
    assert!(text.chars().count() <= longest, "{text:?}");
    let misleads = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}');
    assert!(!text.contains(misleads), "{text:?}");
}
