//! Metadata options compared and taken back, option by option.

use imds_core::change::Change;
use imds_core::instance::{MetadataOptions, Toggle};

/// The wanted options that are not there, or of which it is not known. What is not known to be
/// wanted is left alone.
pub(super) fn differing(found: &MetadataOptions, wanted: &MetadataOptions) -> MetadataOptions {
    fn unlike<T: PartialEq>(found: Option<T>, wanted: Option<T>) -> Option<T> {
        wanted.filter(|wanted| found.as_ref() != Some(wanted))
    }
    MetadataOptions {
        http_tokens: unlike(found.http_tokens, wanted.http_tokens),
        http_endpoint: unlike(found.http_endpoint, wanted.http_endpoint),
        hop_limit: unlike(found.hop_limit, wanted.hop_limit),
        http_protocol_ipv6: unlike(found.http_protocol_ipv6, wanted.http_protocol_ipv6),
        instance_metadata_tags: unlike(found.instance_metadata_tags, wanted.instance_metadata_tags),
    }
}

/// The options of which the others say nothing.
pub(super) fn without(options: &MetadataOptions, others: &MetadataOptions) -> MetadataOptions {
    fn of<T>(option: Option<T>, other: Option<T>) -> Option<T> {
        option.filter(|_| other.is_none())
    }
    MetadataOptions {
        http_tokens: of(options.http_tokens, others.http_tokens),
        http_endpoint: of(options.http_endpoint, others.http_endpoint),
        hop_limit: of(options.hop_limit, others.hop_limit),
        http_protocol_ipv6: of(options.http_protocol_ipv6, others.http_protocol_ipv6),
        instance_metadata_tags: of(
            options.instance_metadata_tags,
            others.instance_metadata_tags,
        ),
    }
}

/// Whether all that is expected is there; what is not known to be expected may be anything.
pub(super) fn has(found: &MetadataOptions, expected: &MetadataOptions) -> bool {
    Change::setting(*expected).is_in(found)
}

/// The options once these are set.
pub(super) fn over(before: &MetadataOptions, set: &MetadataOptions) -> MetadataOptions {
    Change::setting(*set).applied_to(before)
}

/// In words, for example `http_tokens=required hop_limit=2`.
pub(super) fn words(options: &MetadataOptions) -> String {
    Change::setting(*options).to_string()
}

/// The calls that a restoration may take.
pub(super) const CALLS: usize = 3;

/// What the `n`th call, counted from 0, carries to an instance that is as `found`.
///
/// The first carries only what differs, as EC2 keeps the rest. An endpoint is disabled alone, and
/// first: EC2 has refused other options beside it, and they must not be loosened while it answers.
/// Should EC2 not have kept the rest, the last calls carry all that is known.
pub(super) fn to_send(
    n: usize,
    found: &MetadataOptions,
    wanted: &MetadataOptions,
) -> MetadataOptions {
    let differing = differing(found, wanted);
    let disables = wanted.http_endpoint == Some(Toggle::Disabled);
    let all = if disables { n >= 2 } else { n >= 1 };
    if all {
        Change::setting(*wanted).to_send(found)
    } else if differing.http_endpoint == Some(Toggle::Disabled) {
        MetadataOptions {
            http_endpoint: differing.http_endpoint,
            ..MetadataOptions::default()
        }
    } else {
        Change::setting(differing).to_send(found)
    }
}
