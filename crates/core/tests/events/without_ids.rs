//! Launches without ids: which of the instances that EC2 describes are of the launch.

use imds_core::age::Attachments;
use imds_core::event::Launch;
use imds_core::instance::{Instance, InstanceId};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{event, launch, without};

/// 2026-03-01T10:00:01Z, as the event says, and so many seconds later.
fn time(seconds: i64) -> Timestamp {
    let time: Timestamp = "2026-03-01T10:00:01Z".parse().unwrap();
    time.checked_add(SignedDuration::from_secs(seconds))
        .unwrap()
}

fn now() -> Timestamp {
    time(600)
}

fn with_token(token: &str) -> Launch {
    launch(&event(|e| {
        e["detail"]["requestParameters"]["clientToken"] = json!(token);
        e["detail"]["responseElements"] = json!(null);
    }))
}

fn without_token() -> Launch {
    launch(&event(|e| {
        without(e, "/detail/requestParameters", "clientToken");
        e["detail"]["responseElements"] = json!(null);
    }))
}

/// First launched so many seconds after the event.
fn instance(seconds: i64, token: Option<&str>) -> Instance {
    let id = InstanceId::try_from("i-0123456789abcdef0").unwrap();
    let mut instance = Instance::unknown(id, "eu-central-1");
    instance.started_at = Some(time(seconds));
    instance.attachments = Attachments::at_launch(time(seconds));
    instance.client_token = token.map(str::to_owned);
    instance
}

#[test]
fn without_a_token_what_was_first_launched_within_seconds_may_be_of_the_launch() {
    let launch = without_token();
    let may = |seconds| launch.may_include(&instance(seconds, None), now());
    for seconds in [-5, -1, 0, 1, 60, 119, 120] {
        assert!(may(seconds), "{seconds}");
    }
    for seconds in [-9000, -60, -6, 121, 300, 9000] {
        assert!(!may(seconds), "{seconds}");
    }
}

#[test]
fn the_window_ends_to_the_millisecond() {
    let launch = without_token();
    let may = |milliseconds: i64| {
        let mut instance = instance(0, None);
        let at = time(0)
            .checked_add(SignedDuration::from_millis(milliseconds))
            .unwrap();
        instance.started_at = Some(at);
        instance.attachments = Attachments::at_launch(at);
        launch.may_include(&instance, now())
    };
    assert!(may(-5000) && may(120_000));
    assert!(!may(-5001) && !may(120_001));
}

#[test]
fn what_was_only_started_within_seconds_of_the_launch_is_not_of_it() {
    let mut restarted = instance(-9000, None);
    restarted.started_at = Some(time(1));
    assert!(!without_token().may_include(&restarted, now()));
}

#[test]
fn what_is_of_unknown_age_is_not_of_a_launch_without_a_token() {
    let mut unknown = instance(1, None);
    unknown.attachments = Attachments::default();
    assert!(!without_token().may_include(&unknown, now()));
}

#[test]
fn a_launch_without_token_and_time_includes_nothing() {
    let mut launch = without_token();
    launch.origin.time = None;
    assert!(!launch.may_include(&instance(0, None), now()));
    assert!(!launch.may_include(&instance(0, Some("x")), now()));
}

#[test]
fn a_launch_without_a_token_proves_of_nothing_that_it_is_its_own() {
    let launch = without_token();
    for token in [None, Some("token-1"), Some("")] {
        let instance = instance(1, token);
        assert!(!launch.includes(&instance));
        assert!(launch.may_include(&instance, now()));
    }
}

#[test]
fn an_empty_token_is_none() {
    assert_eq!(with_token("").client_token, None);
    assert!(!with_token("").includes(&instance(1, Some(""))));
}

#[test]
fn only_an_equal_token_includes_an_instance() {
    let launch = with_token("token-1");
    let own = instance(1, Some("token-1"));
    assert!(launch.includes(&own) && launch.may_include(&own, now()));
    for token in [
        None,
        Some(""),
        Some("token-2"),
        Some("Token-1"),
        Some("token-1 "),
    ] {
        let other = instance(1, token);
        assert!(!launch.includes(&other), "{token:?}");
        assert!(!launch.may_include(&other, now()), "{token:?}");
    }
}

#[test]
fn a_token_is_no_pattern() {
    for token in ["*", "token-?", "token-*", "\\*"] {
        let launch = with_token(token);
        assert_eq!(launch.client_token.as_deref(), Some(token));
        assert!(!launch.includes(&instance(1, Some("token-1"))), "{token}");
        assert!(!launch.may_include(&instance(1, Some("token-1")), now()));
        assert!(launch.includes(&instance(1, Some(token))));
    }
}

#[test]
fn the_filter_for_a_token_matches_nothing_but_the_token() {
    for (token, filter) in [
        ("token-1", "token-1"),
        ("*", r"\*"),
        ("a?b*", r"a\?b\*"),
        (r"a\*", r"a\\\*"),
        ("é,x", "é,x"),
    ] {
        let value = with_token(token).client_token_filter();
        assert_eq!(value.as_deref(), Some(filter));
    }
    assert_eq!(without_token().client_token_filter(), None);
}

#[test]
fn a_token_finds_its_instance_though_its_age_is_not_known_yet() {
    let mut unknown = instance(1, Some("token-1"));
    unknown.attachments = Attachments::default();
    assert!(with_token("token-1").may_include(&unknown, now()));
}
