//! Whether the next instance of a template will be compliant, as EC2 chooses its options.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use imds_core::defaults::MetadataDefaults;
use imds_core::launcher::{DecidedBy, LaunchSource, MissingFact, NextInstance, TemplateCompliance};
use imds_core::options::{HttpTokens, MetadataOptions, Toggle};
use imds_core::policy::Policy;

const OPTIONAL: Option<HttpTokens> = Some(HttpTokens::Optional);
const REQUIRED: Option<HttpTokens> = Some(HttpTokens::Required);

fn next(require: &str, source: &LaunchSource) -> NextInstance {
    let text =
        format!(r#"{{"version": 1, "require": {{{require}}}, "on_violation": "terminate"}}"#);
    source.next_instance(&Policy::parse(&text).unwrap())
}

const TOKENS: &str = r#""http_tokens": "required""#;

fn next_by_tokens(
    own: Option<HttpTokens>,
    defaults: Option<HttpTokens>,
    image_requires_tokens: Option<bool>,
    http_tokens_enforced: Option<Toggle>,
) -> NextInstance {
    let own = MetadataOptions {
        http_tokens: own,
        ..MetadataOptions::default()
    };
    let defaults = MetadataDefaults {
        http_tokens: defaults,
        http_tokens_enforced,
        ..MetadataDefaults::default()
    };
    let source = LaunchSource {
        own: &own,
        defaults: Some(&defaults),
        image: Some("ami-1"),
        image_requires_tokens,
    };
    next(TOKENS, &source)
}

#[test]
fn the_template_comes_before_the_defaults_and_these_before_the_image() {
    for (next, decided_by) in [
        (
            next_by_tokens(REQUIRED, OPTIONAL, Some(false), None),
            DecidedBy::Template,
        ),
        (
            next_by_tokens(None, REQUIRED, Some(false), None),
            DecidedBy::Defaults,
        ),
        (
            next_by_tokens(None, None, Some(true), None),
            DecidedBy::Image,
        ),
    ] {
        assert_eq!(next, NextInstance::Compliant(decided_by));
        assert_eq!(next.compliance(), TemplateCompliance::Compliant);
    }
    for (next, decided_by) in [
        (
            next_by_tokens(OPTIONAL, REQUIRED, Some(true), None),
            "by the template",
        ),
        (
            next_by_tokens(None, OPTIONAL, Some(true), None),
            "by the account's defaults",
        ),
        (
            next_by_tokens(None, None, Some(false), None),
            "by EC2's default",
        ),
    ] {
        let expected = format!("http_tokens is optional, not required ({decided_by})");
        assert_eq!(next, NextInstance::NonCompliant(expected));
        assert_eq!(next.compliance(), TemplateCompliance::NonCompliant);
    }
}

#[test]
fn where_the_region_enforces_tokens_the_launch_fails() {
    let enforced = Some(Toggle::Enabled);
    for next in [
        next_by_tokens(OPTIONAL, None, Some(true), enforced),
        next_by_tokens(None, None, Some(false), enforced),
    ] {
        assert_eq!(next, NextInstance::LaunchFails);
        assert_eq!(next.compliance(), TemplateCompliance::NonCompliant);
    }
    assert_eq!(
        next_by_tokens(None, None, Some(true), enforced),
        NextInstance::Compliant(DecidedBy::Image)
    );
}

#[test]
fn where_the_region_enforces_tokens_the_launch_fails_without_an_endpoint_too() {
    let own = MetadataOptions {
        http_tokens: OPTIONAL,
        http_endpoint: Some(Toggle::Disabled),
        ..MetadataOptions::default()
    };
    let defaults = MetadataDefaults {
        http_tokens_enforced: Some(Toggle::Enabled),
        ..MetadataDefaults::default()
    };
    let source = LaunchSource {
        own: &own,
        defaults: Some(&defaults),
        image: None,
        image_requires_tokens: None,
    };
    assert_eq!(next(TOKENS, &source), NextInstance::LaunchFails);
}

#[test]
fn the_image_decides_where_neither_the_launcher_nor_the_account_does() {
    let depends = |require: &str, own: &MetadataOptions, defaults: &MetadataDefaults| {
        let source = LaunchSource {
            own,
            defaults: Some(defaults),
            image: None,
            image_requires_tokens: None,
        };
        let text =
            format!(r#"{{"version": 1, "require": {{{require}}}, "on_violation": "report"}}"#);
        source.depends_on_image(&Policy::parse(&text).unwrap())
    };
    let (none, no_defaults) = (MetadataOptions::default(), MetadataDefaults::default());
    let tokens = MetadataOptions {
        http_tokens: REQUIRED,
        ..none
    };
    let by_defaults = MetadataDefaults {
        http_tokens: REQUIRED,
        ..no_defaults.clone()
    };
    assert!(depends(TOKENS, &none, &no_defaults));
    assert!(!depends(TOKENS, &tokens, &no_defaults));
    assert!(!depends(TOKENS, &none, &by_defaults));
    let hops = r#""hop_limit": {"at_most": 2}"#;
    assert!(depends(hops, &tokens, &no_defaults), "its hop limit counts");
}

#[test]
fn what_decides_and_is_not_known_is_unknown_and_never_compliant() {
    let next_by_image = next_by_tokens(None, None, None, None);
    assert_eq!(
        next_by_image,
        NextInstance::Unknown(MissingFact::Image("ami-1".to_owned()))
    );
    assert_eq!(next_by_image.compliance(), TemplateCompliance::Unknown);
    let own = MetadataOptions::default();
    let without_defaults = LaunchSource {
        own: &own,
        defaults: None,
        image: Some("ami-1"),
        image_requires_tokens: Some(true),
    };
    assert_eq!(
        next(TOKENS, &without_defaults),
        NextInstance::Unknown(MissingFact::Defaults)
    );
    let without_image = LaunchSource {
        defaults: Some(&MetadataDefaults::default()),
        image: None,
        image_requires_tokens: None,
        ..without_defaults
    };
    assert_eq!(
        next(TOKENS, &without_image),
        NextInstance::Unknown(MissingFact::NoImage)
    );
    let required = MetadataOptions {
        http_tokens: REQUIRED,
        ..own
    };
    let by_template = LaunchSource {
        own: &required,
        image: None,
        image_requires_tokens: None,
        ..without_defaults
    };
    assert_eq!(
        next(TOKENS, &by_template),
        NextInstance::Compliant(DecidedBy::Template)
    );
}

#[test]
fn an_instance_without_an_endpoint_is_compliant_whatever_decides_about_its_tokens() {
    let off = MetadataOptions {
        http_endpoint: Some(Toggle::Disabled),
        ..MetadataOptions::default()
    };
    let on = MetadataOptions {
        http_endpoint: Some(Toggle::Enabled),
        ..off
    };
    let defaults = MetadataDefaults {
        http_tokens: OPTIONAL,
        http_endpoint: Some(Toggle::Disabled),
        ..MetadataDefaults::default()
    };
    let by_template = NextInstance::EndpointDisabled(DecidedBy::Template);
    let by_defaults = NextInstance::EndpointDisabled(DecidedBy::Defaults);
    let source = |own, defaults| LaunchSource {
        own,
        defaults,
        image: None,
        image_requires_tokens: None,
    };
    let unset = MetadataOptions::default();
    assert_eq!(next(TOKENS, &source(&off, None)), by_template);
    assert_eq!(next(TOKENS, &source(&off, Some(&defaults))), by_template);
    assert_eq!(next(TOKENS, &source(&unset, Some(&defaults))), by_defaults);
    assert_eq!(
        by_defaults.to_string(),
        "its endpoint is disabled by the account's defaults"
    );
    assert_eq!(by_template.compliance(), TemplateCompliance::Compliant);
    let enabled = next(TOKENS, &source(&on, Some(&defaults)));
    assert_eq!(enabled.compliance(), TemplateCompliance::NonCompliant);
}

#[test]
fn the_hop_limit_of_an_image_counts_too() {
    let three_hops = r#""hop_limit": {"at_least": 3}"#;
    let own = MetadataOptions {
        http_tokens: OPTIONAL,
        ..MetadataOptions::default()
    };
    let source = LaunchSource {
        own: &own,
        defaults: Some(&MetadataDefaults::default()),
        image: None,
        image_requires_tokens: Some(true),
    };
    let next = next(three_hops, &source);
    assert!(
        matches!(&next, NextInstance::NonCompliant(why) if why.contains("hop_limit is 2")),
        "{next:?}"
    );
}

#[test]
fn what_makes_a_template_compliant_keeps_its_other_options() {
    let policy = |require: &str| {
        let text =
            format!(r#"{{"version": 1, "require": {{{require}}}, "on_violation": "report"}}"#);
        Policy::parse(&text).unwrap()
    };
    let own = MetadataOptions {
        http_tokens: OPTIONAL,
        http_endpoint: Some(Toggle::Enabled),
        instance_metadata_tags: Some(Toggle::Enabled),
        ..MetadataOptions::default()
    };
    let defaults = MetadataDefaults::default();
    let source = |own, defaults| LaunchSource {
        own,
        defaults,
        image: None,
        image_requires_tokens: None,
    };
    let required = MetadataOptions {
        http_tokens: REQUIRED,
        ..own
    };
    assert_eq!(
        source(&own, Some(&defaults)).remediated(&policy(TOKENS)),
        required
    );
    let silent = MetadataOptions::default();
    let tokens = source(&silent, None)
        .remediated(&policy(TOKENS))
        .http_tokens;
    assert_eq!(tokens, REQUIRED, "what is not known is set");
    let enforced = MetadataDefaults {
        http_tokens_enforced: Some(Toggle::Enabled),
        ..defaults.clone()
    };
    let hops = policy(r#""hop_limit": {"at_most": 2}"#);
    let fails = MetadataOptions {
        hop_limit: Some(1.try_into().unwrap()),
        ..own
    };
    let launches = source(&fails, Some(&enforced)).remediated(&hops);
    assert_eq!(
        launches.http_tokens, REQUIRED,
        "its launches fail otherwise"
    );
}
