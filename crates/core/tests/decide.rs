//! Decisions, one row a case.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect"
)]

use imds_core::decide::{Because, Compliant, Decision, Instead, Occasion, Remedy, Wrong, decide};
use imds_core::instance::{
    HopLimit, HttpTokens, Instance, InstanceId, LaunchTemplate, MetadataOptions, State, Toggle,
};
use imds_core::plan::Plan;
use imds_core::policy::{Action, Policy};
use imds_core::replacer::Replacer;
use imds_core::violation::Violation;
use jiff::Timestamp;

const NOW: &str = "2026-06-15T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|faults| panic!("{faults}"))
}

/// Tokens required and at most 2 hops, with the given action and rules.
fn tokens_and_hops(on_violation: &str, rules: &str) -> Policy {
    policy(&format!(
        r#"{{"require": {{"http_tokens": "required", "hop_limit": {{"at_most": 2}}}},
            "on_violation": "{on_violation}", "rules": [{rules}]}}"#
    ))
}

fn hops(n: i64) -> HopLimit {
    HopLimit::try_from(n).unwrap()
}

/// Open: IMDSv1 is answered, one hop.
fn open() -> Instance {
    let mut instance = Instance::unknown(InstanceId::try_from("i-0abc").unwrap(), "eu-central-1");
    instance.state = Some(State::Running);
    instance.launched_at = Some("2026-06-15T11:59:50Z".parse().unwrap());
    instance.options = MetadataOptions {
        http_tokens: Some(HttpTokens::Optional),
        http_endpoint: Some(Toggle::Enabled),
        hop_limit: Some(hops(1)),
        http_protocol_ipv6: Some(Toggle::Disabled),
        instance_metadata_tags: Some(Toggle::Disabled),
    };
    instance
}

fn with(change: impl FnOnce(&mut Instance)) -> Instance {
    let mut instance = open();
    change(&mut instance);
    instance
}

fn tagged(key: &str, value: &str) -> Instance {
    with(|i| drop(i.tags.insert(key.to_owned(), value.to_owned())))
}

fn launch(policy: &Policy, instance: &Instance) -> Decision {
    decide(policy, instance, now(), &Occasion::Launch)
}

#[track_caller]
fn wrong(decision: Decision) -> Wrong {
    match decision {
        Decision::Wrong(wrong) => wrong,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn options(decision: Decision) -> Vec<&'static str> {
    wrong(decision)
        .violations
        .iter()
        .map(Violation::option)
        .collect()
}

#[test]
fn required_tokens_are_compliant() {
    let instance = with(|i| i.options.http_tokens = Some(HttpTokens::Required));
    let decision = launch(&tokens_and_hops("enforce", ""), &instance);
    assert_eq!(
        decision,
        Decision::Compliant(Compliant::AsRequired { rule: None })
    );
}

#[test]
fn optional_tokens_are_enforced() {
    let wrong = wrong(launch(&tokens_and_hops("enforce", ""), &open()));
    assert_eq!(
        wrong.violations,
        [Violation::HttpTokens {
            found: Some(HttpTokens::Optional)
        }]
    );
    assert_eq!(wrong.remedy, Remedy::Enforce(None));
    assert_eq!(wrong.change.to_string(), "http_tokens=required");
}

#[test]
fn options_that_are_not_known_are_never_compliant() {
    let instance = with(|i| i.options = MetadataOptions::default());
    let decision = launch(&tokens_and_hops("enforce", ""), &instance);
    assert_eq!(options(decision), ["http_tokens", "hop_limit"]);
}

#[test]
fn each_required_option_that_is_not_known_is_a_violation() {
    let all = policy(
        r#"{"require": {"http_tokens": "required", "hop_limit": {"at_most": 2}, "http_protocol_ipv6": "disabled",
            "instance_metadata_tags": "disabled"}, "on_violation": "enforce"}"#,
    );
    let unknowns: [fn(&mut MetadataOptions); 4] = [
        |o| o.http_tokens = None,
        |o| o.hop_limit = None,
        |o| o.http_protocol_ipv6 = None,
        |o| o.instance_metadata_tags = None,
    ];
    let expected = [
        "http_tokens",
        "hop_limit",
        "http_protocol_ipv6",
        "instance_metadata_tags",
    ];
    for (unknown, option) in unknowns.into_iter().zip(expected) {
        let instance = with(|i| {
            i.options.http_tokens = Some(HttpTokens::Required);
            unknown(&mut i.options);
        });
        assert_eq!(options(launch(&all, &instance)), [option]);
    }
}

#[test]
fn a_disabled_endpoint_is_compliant_whatever_the_tokens() {
    let instance = with(|i| i.options.http_endpoint = Some(Toggle::Disabled));
    let decision = launch(&tokens_and_hops("terminate", ""), &instance);
    assert_eq!(decision, Decision::Compliant(Compliant::EndpointDisabled));
}

#[test]
fn an_endpoint_required_to_be_disabled_is_disabled_and_nothing_else_is_sent() {
    let policy = policy(
        r#"{"require": {"http_tokens": "required", "http_endpoint": "disabled"}, "on_violation": "enforce"}"#,
    );
    let wrong = wrong(launch(&policy, &open()));
    assert_eq!(wrong.change.to_string(), "http_endpoint=disabled");
    assert_eq!(wrong.change.to_send(&open().options), *wrong.change.set());
}

#[test]
fn an_endpoint_required_to_be_enabled_is_never_enabled() {
    let policy =
        policy(r#"{"require": {"http_endpoint": "enabled"}, "on_violation": "terminate"}"#);
    let disabled = with(|i| i.options.http_endpoint = Some(Toggle::Disabled));
    for instance in [open(), disabled] {
        assert!(matches!(launch(&policy, &instance), Decision::Compliant(_)));
    }
}

#[test]
fn a_hop_limit_is_moved_to_the_nearer_end_of_its_range() {
    let range =
        r#"{"require": {"hop_limit": {"at_least": 2, "at_most": 4}}, "on_violation": "enforce"}"#;
    for (found, expected) in [(1, "hop_limit=2"), (5, "hop_limit=4"), (64, "hop_limit=4")] {
        let instance = with(|i| i.options.hop_limit = Some(hops(found)));
        assert_eq!(
            wrong(launch(&policy(range), &instance)).change.to_string(),
            expected
        );
    }
    for found in 2..=4 {
        let instance = with(|i| i.options.hop_limit = Some(hops(found)));
        assert!(matches!(
            launch(&policy(range), &instance),
            Decision::Compliant(_)
        ));
    }
}

#[test]
fn hop_limits_are_left_alone_where_the_policy_does_not_speak_of_them() {
    let policy = policy(r#"{"require": {"http_tokens": "required"}, "on_violation": "enforce"}"#);
    let instance = with(|i| i.options.hop_limit = Some(hops(64)));
    let wrong = wrong(launch(&policy, &instance));
    assert_eq!(wrong.change.set().hop_limit, None);
    assert_eq!(
        wrong.change.applied_to(&instance.options).hop_limit,
        Some(hops(64))
    );
}

#[test]
fn the_endpoint_is_sent_beside_tokens_only_where_it_is_known_to_be_enabled() {
    let change = wrong(launch(&tokens_and_hops("enforce", ""), &open())).change;
    let sent = |endpoint| {
        change
            .to_send(&MetadataOptions {
                http_endpoint: endpoint,
                ..open().options
            })
            .http_endpoint
    };
    assert_eq!(sent(Some(Toggle::Enabled)), Some(Toggle::Enabled));
    assert_eq!(sent(None), None);
    assert_eq!(sent(Some(Toggle::Disabled)), None);
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = r#"{"name": "a", "when": {"tags": {"app": "scan*"}}, "then": "report"},
                   {"name": "b", "when": {"tags": {"app": "*"}}, "then": "stop"}"#;
    let policy = tokens_and_hops("enforce", rules);
    assert_eq!(
        wrong(launch(&policy, &tagged("app", "scanner"))).remedy,
        Remedy::Report(None)
    );
    let second = wrong(launch(&policy, &tagged("app", "web")));
    assert_eq!(
        (second.remedy, second.rule.as_deref()),
        (Remedy::Stop, Some("b"))
    );
    assert_eq!(wrong(launch(&policy, &open())).rule, None);
}

#[test]
fn a_rule_overrides_what_is_required_key_by_key() {
    let rules = r#"{"name": "k8s", "when": {"tags": {"eks:cluster-name": "*"}}, "require": {"hop_limit": {"at_least": 2}}}"#;
    let policy = tokens_and_hops("enforce", rules);
    let instance = tagged("eks:cluster-name", "prod");
    assert_eq!(
        wrong(launch(&policy, &instance)).change.to_string(),
        "http_tokens=required hop_limit=2"
    );
    let right = with(|i| {
        i.tags
            .insert("eks:cluster-name".to_owned(), "prod".to_owned());
        i.options.http_tokens = Some(HttpTokens::Required);
        i.options.hop_limit = Some(hops(5));
    });
    let rule = Some("k8s".to_owned());
    assert_eq!(
        launch(&policy, &right),
        Decision::Compliant(Compliant::AsRequired { rule })
    );
}

#[test]
fn an_exemption_holds_through_its_last_day_and_its_end_is_told() {
    let rules = |until: &str| {
        format!(
            r#"{{"name": "old", "when": {{"tags": {{"app": "x"}}}}, "then": "exempt", "until": "{until}", "because": "ticket 1"}}"#
        )
    };
    let on_its_last_day = tokens_and_hops("enforce", &rules("2026-06-15"));
    let decision = launch(&on_its_last_day, &tagged("app", "x"));
    assert_eq!(
        decision.to_string(),
        "exempt by rule `old` because of ticket 1, through 2026-06-15"
    );
    let past = tokens_and_hops("enforce", &rules("2026-06-14"));
    let wrong = wrong(launch(&past, &tagged("app", "x")));
    assert_eq!(wrong.expired, ["old"]);
    assert!(
        wrong
            .to_string()
            .ends_with("the exemption of rule `old` has expired"),
        "{wrong}"
    );
}

#[test]
fn final_states_are_gone() {
    for state in [State::ShuttingDown, State::Terminated] {
        let instance = with(|i| i.state = Some(state));
        assert_eq!(
            launch(&tokens_and_hops("terminate", ""), &instance),
            Decision::Gone(state)
        );
    }
}

#[test]
fn a_stopped_instance_is_not_stopped_again() {
    for state in [State::Stopping, State::Stopped] {
        let instance = with(|i| i.state = Some(state));
        let wrong = wrong(launch(&tokens_and_hops("stop", ""), &instance));
        assert_eq!(wrong.remedy, Remedy::AlreadyStopped);
    }
}

#[test]
fn what_would_be_replaced_is_enforced_and_its_launch_template_named() {
    let tags = [
        (
            "aws:autoscaling:groupName",
            Replacer::AutoScalingGroup("x".to_owned()),
        ),
        ("aws:ec2:fleet-id", Replacer::Ec2Fleet("x".to_owned())),
        (
            "aws:ec2spot:fleet-request-id",
            Replacer::SpotFleet("x".to_owned()),
        ),
        ("eks:nodegroup-name", Replacer::EksNodeGroup("x".to_owned())),
        (
            "karpenter.sh/nodepool",
            Replacer::KarpenterNodePool("x".to_owned()),
        ),
    ];
    for (key, by) in tags {
        for action in ["stop", "terminate"] {
            let mut instance = tagged(key, "x");
            instance
                .tags
                .insert("aws:ec2launchtemplate:id".to_owned(), "lt-1".to_owned());
            instance
                .tags
                .insert("aws:ec2launchtemplate:version".to_owned(), "7".to_owned());
            let wrong = wrong(launch(&tokens_and_hops(action, ""), &instance));
            let of = if action == "stop" {
                Action::Stop
            } else {
                Action::Terminate
            };
            let template = Some(LaunchTemplate {
                id: "lt-1".to_owned(),
                version: Some("7".to_owned()),
            });
            let because = Because::Replaced {
                by: by.clone(),
                template,
            };
            assert_eq!(wrong.remedy, Remedy::Enforce(Some(Instead { of, because })));
            assert!(
                wrong
                    .to_string()
                    .contains("mend launch template lt-1 version 7"),
                "{wrong}"
            );
        }
    }
}

#[test]
fn what_a_person_asks_to_mend_is_neither_stopped_nor_terminated() {
    for action in ["stop", "terminate"] {
        let decision = decide(
            &tokens_and_hops(action, ""),
            &open(),
            now(),
            &Occasion::Asked,
        );
        let remedy = wrong(decision).remedy;
        assert!(
            matches!(
                remedy,
                Remedy::Enforce(Some(Instead {
                    because: Because::Asked,
                    ..
                }))
            ),
            "{remedy:?}"
        );
    }
    let decision = decide(
        &tokens_and_hops("report", ""),
        &open(),
        now(),
        &Occasion::Asked,
    );
    assert_eq!(wrong(decision).remedy, Remedy::Report(None));
}

#[test]
fn drift_is_mended_and_never_punished() {
    for action in ["stop", "terminate"] {
        let decision = decide(
            &tokens_and_hops(action, ""),
            &open(),
            now(),
            &Occasion::Drift,
        );
        assert!(matches!(
            wrong(decision).remedy,
            Remedy::Enforce(Some(Instead {
                because: Because::Drift,
                ..
            }))
        ));
    }
}

const EXEMPT_PACKER: &str =
    r#"{"name": "packer", "when": {"principals": ["*:role/packer"]}, "then": "exempt"}"#;

#[test]
fn a_launching_principal_matches_by_session_or_by_role() {
    let policy = tokens_and_hops("terminate", EXEMPT_PACKER);
    let by = |arn: &str| {
        with(|i| {
            i.principals = vec![
                "arn:aws:sts::1:assumed-role/packer/x".to_owned(),
                arn.to_owned(),
            ]
        })
    };
    let decision = launch(&policy, &by("arn:aws:iam::1:role/packer"));
    assert!(matches!(decision, Decision::Exempt(_)));
    let decision = launch(&policy, &by("arn:aws:iam::1:role/other"));
    assert_eq!(wrong(decision).remedy, Remedy::Terminate);
}

#[test]
fn where_the_principal_is_not_known_the_mildest_of_what_may_apply_is_done_but_never_nothing() {
    let unknown = wrong(launch(
        &tokens_and_hops("terminate", EXEMPT_PACKER),
        &open(),
    ));
    let because = Because::PerhapsRule("packer".to_owned());
    assert_eq!(
        unknown.remedy,
        Remedy::Report(Some(Instead {
            of: Action::Terminate,
            because
        }))
    );
    let harsher = r#"{"name": "h", "when": {"principals": ["*x"]}, "then": "terminate"}"#;
    let unknown = wrong(launch(&tokens_and_hops("enforce", harsher), &open()));
    assert_eq!(unknown.remedy, Remedy::Enforce(None));
}

/// A policy that requires every option.
fn all_options(on_violation: &str) -> Policy {
    policy(&format!(
        r#"{{"require": {{"http_tokens": "required", "hop_limit": {{"at_least": 2, "at_most": 3}},
            "http_protocol_ipv6": "disabled", "instance_metadata_tags": "enabled"}},
            "on_violation": "{on_violation}"}}"#
    ))
}

#[test]
fn every_mixture_of_options_is_mended_and_only_what_is_wrong_is_set() {
    let toggles = [None, Some(Toggle::Enabled), Some(Toggle::Disabled)];
    let policy = all_options("enforce");
    let mut mended = 0;
    for http_tokens in [None, Some(HttpTokens::Optional), Some(HttpTokens::Required)] {
        for hop_limit in [
            None,
            Some(hops(1)),
            Some(hops(2)),
            Some(hops(3)),
            Some(hops(4)),
        ] {
            for http_protocol_ipv6 in toggles {
                for instance_metadata_tags in toggles {
                    for http_endpoint in [None, Some(Toggle::Enabled)] {
                        let before = MetadataOptions {
                            http_tokens,
                            http_endpoint,
                            hop_limit,
                            http_protocol_ipv6,
                            instance_metadata_tags,
                        };
                        let Decision::Wrong(wrong) = launch(&policy, &with(|i| i.options = before))
                        else {
                            continue;
                        };
                        let set = wrong.change.set();
                        let right_before =
                            |right: bool, set: bool| assert!(right != set, "{before:?}");
                        right_before(
                            http_tokens == Some(HttpTokens::Required),
                            set.http_tokens.is_some(),
                        );
                        right_before(
                            matches!(hop_limit, Some(h) if (2..=3).contains(&u8::from(h))),
                            set.hop_limit.is_some(),
                        );
                        right_before(
                            http_protocol_ipv6 == Some(Toggle::Disabled),
                            set.http_protocol_ipv6.is_some(),
                        );
                        right_before(
                            instance_metadata_tags == Some(Toggle::Enabled),
                            set.instance_metadata_tags.is_some(),
                        );
                        assert_eq!(set.http_endpoint, None);
                        let after = with(|i| i.options = wrong.change.applied_to(&before));
                        assert!(
                            matches!(launch(&policy, &after), Decision::Compliant(_)),
                            "{before:?}"
                        );
                        mended += 1;
                    }
                }
            }
        }
    }
    // 270 mixtures, of which one option set in two forms of the hop limit is right: 4 of them.
    assert_eq!(mended, 270 - 4);
}

#[test]
fn what_is_to_be_terminated_waits_until_it_is_old_enough() {
    let policy = policy(
        r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate", "limits": {"grace_seconds": 60}}"#,
    );
    let old = with(|i| i.launched_at = Some("2026-06-15T11:58:59Z".parse().unwrap()));
    let unknown_age = with(|i| i.launched_at = None);
    let mut plan = Plan::new(
        &policy,
        [open(), old.clone(), unknown_age.clone()],
        now(),
        &Occasion::Launch,
    );
    let waiting = plan.split_off_waiting(&policy, now()).unwrap();
    assert_eq!(
        plan.steps.iter().map(|s| &s.instance).collect::<Vec<_>>(),
        [&old]
    );
    assert_eq!(waiting.instances, [open(), unknown_age]);
    assert_eq!(waiting.until, "2026-06-15T12:01:00Z".parse().unwrap());
}

#[test]
fn what_is_to_be_enforced_does_not_wait() {
    let mut plan = Plan::new(
        &tokens_and_hops("enforce", ""),
        [open()],
        now(),
        &Occasion::Launch,
    );
    assert_eq!(
        plan.split_off_waiting(&tokens_and_hops("enforce", ""), now()),
        None
    );
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn a_plan_prints_what_it_does_and_why() {
    let rules = r#"{"name": "scanner", "when": {"tags": {"app": "scanner"}}, "then": "exempt"},
                   {"name": "sandbox", "when": {"tags": {"env": "sandbox"}}, "then": "terminate"}"#;
    let right = with(|i| i.options.http_tokens = Some(HttpTokens::Required));
    let gone = with(|i| i.state = Some(State::Terminated));
    let mut replaced = tagged("env", "sandbox");
    replaced
        .tags
        .insert("aws:autoscaling:groupName".to_owned(), "web".to_owned());
    let fleet = [
        right,
        open(),
        tagged("app", "scanner"),
        tagged("env", "sandbox"),
        replaced,
        gone,
    ];
    let plan = Plan::new(
        &tokens_and_hops("enforce", rules),
        fleet,
        now(),
        &Occasion::Launch,
    );
    assert_eq!(
        plan.to_string(),
        "\
eu-central-1 i-0abc leave: metadata options are as required
eu-central-1 i-0abc set http_tokens=required: http_tokens is optional, not required; by `on_violation`
eu-central-1 i-0abc leave, exempt: exempt by rule `scanner`
eu-central-1 i-0abc terminate: http_tokens is optional, not required; by rule `sandbox`
eu-central-1 i-0abc set http_tokens=required: http_tokens is optional, not required; by rule `sandbox`; not terminated, because Auto Scaling group `web` would replace it with one just as wrong: mend what it launches from
eu-central-1 i-0abc leave, gone: the instance is terminated
"
    );
}

#[test]
fn only_changes_that_the_policy_would_make_can_be_the_function_s_own() {
    let policy = all_options("enforce");
    let set = |change: fn(&mut MetadataOptions)| {
        let mut options = MetadataOptions::default();
        change(&mut options);
        policy.could_have_set(&options)
    };
    assert!(set(|o| o.http_tokens = Some(HttpTokens::Required)));
    assert!(set(|o| {
        o.http_tokens = Some(HttpTokens::Required);
        o.http_endpoint = Some(Toggle::Enabled);
        o.hop_limit = Some(hops(2));
    }));
    assert!(!set(|o| o.http_tokens = Some(HttpTokens::Optional)));
    assert!(!set(|o| o.hop_limit = Some(hops(64))));
    assert!(!set(|o| o.http_endpoint = Some(Toggle::Enabled)));
    assert!(!set(|o| o.http_endpoint = Some(Toggle::Disabled)));
    assert!(!set(|o| o.http_protocol_ipv6 = Some(Toggle::Enabled)));
    assert!(!set(|o| o.instance_metadata_tags = Some(Toggle::Disabled)));
    assert!(!set(|_| ()));
}
