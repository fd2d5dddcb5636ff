//! Reads the conditions of a rule.

use std::collections::BTreeMap;

use super::super::reader::{Node, Read};
use super::super::{Pattern, When};

pub(super) const EXPECTED: &str = "an object with at least one condition";

pub(super) fn read(node: &Node) -> Read<When> {
    let known = [
        "accounts",
        "regions",
        "tags",
        "images",
        "instance_types",
        "principals",
        "auto_scaling",
        "launch_templates",
    ];
    let object = node.filled_object(EXPECTED, &known)?;
    let patterns = |key, kind: &PatternKind| object.read(key, |node| patterns(node, kind));
    let accounts = patterns("accounts", &ACCOUNT);
    let regions = patterns("regions", &REGION);
    let tags = object.read("tags", tags);
    let images = patterns("images", &IMAGE);
    let instance_types = patterns("instance_types", &INSTANCE_TYPE);
    let principals = patterns("principals", &PRINCIPAL);
    let auto_scaling = object.read("auto_scaling", Node::truth);
    let launch_templates = patterns("launch_templates", &LAUNCH_TEMPLATE);
    Ok(When {
        accounts: accounts?,
        regions: regions?,
        tags: tags?.unwrap_or_default(),
        images: images?,
        instance_types: instance_types?,
        principals: principals?,
        auto_scaling: auto_scaling?,
        launch_templates: launch_templates?,
    })
}

/// The patterns that a condition accepts.
struct PatternKind {
    expected: &'static str,
    fits: fn(&str) -> bool,
}

const ACCOUNT: PatternKind = PatternKind {
    expected: "an account id: a string of 12 digits, without wildcards",
    fits: |text| text.len() == 12 && text.bytes().all(|sign| sign.is_ascii_digit()),
};

const REGION: PatternKind = PatternKind {
    expected: "a region such as `eu-west-1`, or a pattern such as `us-*`",
    fits: |text| is_made_of(text, "-*?"),
};

const TAG_VALUE: PatternKind = PatternKind {
    expected: "a tag's value, or a pattern; `*` matches any value, also an empty one",
    fits: |text| !text.is_empty(),
};

const IMAGE: PatternKind = PatternKind {
    expected: "an AMI's id, `ami-…`, or a pattern of ids",
    fits: |text| starts_with(text, "ami-"),
};

const INSTANCE_TYPE: PatternKind = PatternKind {
    expected: "an instance type such as `m7g.large`, or a pattern such as `m7g.*`",
    fits: |text| is_made_of(text, ".-*?"),
};

const PRINCIPAL: PatternKind = PatternKind {
    expected: "an ARN, `arn:…`, a service such as `autoscaling.amazonaws.com`, or a pattern",
    fits: |text| starts_with(text, "arn:") || text.contains(".amazonaws.com"),
};

const LAUNCH_TEMPLATE: PatternKind = PatternKind {
    expected: "a launch template's id, `lt-…`, or a pattern of ids: an instance does not show the name",
    fits: |text| starts_with(text, "lt-"),
};

fn tags(node: &Node) -> Read<BTreeMap<Pattern, Vec<Pattern>>> {
    let expected = "an object with at least one tag: key and value, both patterns";
    let fields = node.fields(expected)?;
    if fields.is_empty() {
        return Err(node.refuse(expected));
    }
    let tag = |(key, node): (&str, Node)| {
        if key.is_empty() {
            return Err(node.refuse("a tag key that is not empty"));
        }
        Ok((Pattern::new(key), patterns(&node, &TAG_VALUE)?))
    };
    let tags: Vec<Read<(Pattern, Vec<Pattern>)>> = fields.into_iter().map(tag).collect();
    tags.into_iter().collect()
}

fn patterns(node: &Node, kind: &PatternKind) -> Read<Vec<Pattern>> {
    let nodes = node.one_or_many(kind.expected)?;
    let patterns: Vec<Read<Pattern>> = nodes
        .iter()
        .map(|node| Ok(Pattern::new(node.text(kind.expected, kind.fits)?)))
        .collect();
    patterns.into_iter().collect()
}

/// Lowercase letters, digits and the signs given.
fn is_made_of(text: &str, signs: &str) -> bool {
    let fits =
        |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || signs.contains(sign);
    !text.is_empty() && text.chars().all(fits)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.starts_with(prefix) || text.starts_with(['*', '?'])
}
