//! Reads what is asked of the metadata options.

use super::super::reader::{Node, Read};
use super::super::{HopRange, Require, RequiredTokens};
use crate::instance::{HopLimit, Toggle};

pub(super) const EXPECTED: &str = "an object with at least one metadata option";

pub(super) fn read(node: &Node) -> Read<Require> {
    let known = [
        "http_tokens",
        "hop_limit",
        "http_endpoint",
        "http_protocol_ipv6",
        "instance_metadata_tags",
    ];
    let object = node.filled_object(EXPECTED, &known)?;
    let http_tokens = object.read("http_tokens", |node| {
        node.word(&[("required", RequiredTokens::Required)])
    });
    let hop_limit = object.read("hop_limit", hop_range);
    let http_endpoint = object.read("http_endpoint", toggle);
    let http_protocol_ipv6 = object.read("http_protocol_ipv6", toggle);
    let instance_metadata_tags = object.read("instance_metadata_tags", toggle);
    Ok(Require {
        http_tokens: http_tokens?,
        hop_limit: hop_limit?,
        http_endpoint: http_endpoint?,
        http_protocol_ipv6: http_protocol_ipv6?,
        instance_metadata_tags: instance_metadata_tags?,
    })
}

fn hop_range(node: &Node) -> Read<HopRange> {
    let object = node.filled_object(
        "an object with `at_least`, `at_most` or both",
        &["at_least", "at_most"],
    )?;
    let at_least = object.read("at_least", hops);
    let at_most = object.read("at_most", hops);
    let range = HopRange {
        at_least: at_least?,
        at_most: at_most?,
    };
    match range {
        HopRange {
            at_least: Some(least),
            at_most: Some(most),
        } if least > most => Err(node.refuse("`at_least` to be no more than `at_most`")),
        _ => Ok(range),
    }
}

fn hops(node: &Node) -> Read<HopLimit> {
    node.number(
        u8::from(HopLimit::MIN).into(),
        u8::from(HopLimit::MAX).into(),
    )
}

fn toggle(node: &Node) -> Read<Toggle> {
    node.word(&[Toggle::Enabled, Toggle::Disabled].map(|toggle| (toggle.as_str(), toggle)))
}
