//! What would launch the next instance, judged as EC2 chooses its options.
#![allow(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use imds_core::defaults::MetadataDefaults;
use imds_core::instance::{HttpTokens, MetadataOptions, Toggle};
use imds_core::launcher::{Next, NotSeen, Source, judge};
use imds_core::policy::Policy;

const OPTIONAL: Option<HttpTokens> = Some(HttpTokens::Optional);
const REQUIRED: Option<HttpTokens> = Some(HttpTokens::Required);

fn policy(require: &str) -> Policy {
    let text = format!(r#"{{"require": {{{require}}}, "on_violation": "terminate"}}"#);
    Policy::parse(&text).unwrap()
}

fn of(
    own: Option<HttpTokens>,
    defaults: Option<HttpTokens>,
    image: Option<bool>,
    enforced: bool,
) -> Next {
    let own = MetadataOptions {
        http_tokens: own,
        ..MetadataOptions::default()
    };
    let defaults = MetadataDefaults {
        http_tokens: defaults,
        http_tokens_enforced: enforced.then_some(Toggle::Enabled),
        ..MetadataDefaults::default()
    };
    let policy = policy(r#""http_tokens": "required""#);
    let now = "2026-07-13T10:00:00Z".parse().unwrap();
    judge(&policy, &own, Some(&defaults), Some("ami-1"), image, now)
}

#[test]
fn the_templates_own_word_comes_before_the_defaults_and_these_before_the_image() {
    assert_eq!(
        of(REQUIRED, OPTIONAL, Some(false), false),
        Next::Right(Source::Itself)
    );
    assert_eq!(
        of(None, REQUIRED, Some(false), false),
        Next::Right(Source::Defaults)
    );
    assert_eq!(
        of(None, None, Some(true), false),
        Next::Right(Source::Image)
    );
    for wrong in [
        of(OPTIONAL, REQUIRED, Some(true), false),
        of(None, OPTIONAL, Some(true), false),
        of(None, None, Some(false), false),
    ] {
        assert!(matches!(wrong, Next::Wrong(_)), "{wrong:?}");
    }
}

#[test]
fn enforcement_is_judged_last_and_makes_the_launch_fail() {
    assert_eq!(of(OPTIONAL, None, Some(true), true), Next::Fails);
    assert_eq!(of(None, None, Some(false), true), Next::Fails);
    assert_eq!(of(None, None, Some(true), true), Next::Right(Source::Image));
    assert_eq!(Next::Fails.as_str(), "wrong");
}

#[test]
fn what_decides_and_cannot_be_seen_is_unknown_and_never_right() {
    let unseen = of(None, None, None, false);
    assert_eq!(unseen, Next::Unknown(NotSeen::Image("ami-1".to_owned())));
    let policy = policy(r#""http_tokens": "required""#);
    let now = "2026-07-13T10:00:00Z".parse().unwrap();
    let own = MetadataOptions::default();
    let without_defaults = judge(&policy, &own, None, Some("ami-1"), Some(true), now);
    assert_eq!(without_defaults, Next::Unknown(NotSeen::Defaults));
    let required = MetadataOptions {
        http_tokens: REQUIRED,
        ..own
    };
    let said = judge(&policy, &required, None, None, None, now);
    assert_eq!(said, Next::Right(Source::Itself));
}

#[test]
fn a_disabled_endpoint_and_a_hop_limit_count_too() {
    let now = "2026-07-13T10:00:00Z".parse().unwrap();
    let defaults = MetadataDefaults::default();
    let off = MetadataOptions {
        http_tokens: OPTIONAL,
        http_endpoint: Some(Toggle::Disabled),
        ..MetadataOptions::default()
    };
    let tokens = policy(r#""http_tokens": "required""#);
    let next = judge(&tokens, &off, Some(&defaults), None, None, now);
    assert!(matches!(next, Next::Right(_)), "{next:?}");
    let hops = policy(r#""hop_limit": {"at_least": 3}"#);
    let next = judge(&hops, &off, Some(&defaults), None, Some(true), now);
    assert!(matches!(next, Next::Right(_)), "{next:?}");
    let on = MetadataOptions {
        http_endpoint: None,
        ..off
    };
    let next = judge(&hops, &on, Some(&defaults), None, Some(true), now);
    assert!(
        matches!(&next, Next::Wrong(why) if why.contains("hop_limit is 2")),
        "{next:?}"
    );
}
