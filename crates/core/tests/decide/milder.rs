//! Where something milder is done than the policy says.

use imds_core::decide::{Because, Decision, Discovery, Instead, decide};
use imds_core::instance::{LaunchTemplate, State};
use imds_core::policy::Action;
use imds_core::replacer::Replacer;

use imds_core::marks;
use imds_core::usage::{NotKnown, Usage};

use crate::{done, launch, non_compliant, now, open, tagged, tokens_and_hops, with};

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
        let non_compliant = non_compliant(launch(&tokens_and_hops("stop", ""), &instance));
        assert_eq!(done(&non_compliant), (Action::Stop, None));
        assert!(non_compliant.is_stopped && !non_compliant.is_disrupted());
        assert!(non_compliant.to_string().ends_with("; already stopped"));
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
            let non_compliant = non_compliant(launch(&tokens_and_hops(action, ""), &instance));
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
            assert_eq!(
                done(&non_compliant),
                (Action::Enforce, Some(&Instead { of, because }))
            );
            assert!(
                non_compliant
                    .to_string()
                    .contains("update launch template lt-1 version 7"),
                "{non_compliant}"
            );
        }
    }
}

#[test]
fn an_instance_that_a_person_asks_for_is_neither_stopped_nor_terminated() {
    for action in ["stop", "terminate"] {
        let decision = decide(
            &tokens_and_hops(action, ""),
            &open(),
            now(),
            &Discovery::Request,
        );
        let non_compliant = non_compliant(decision);
        assert!(
            matches!(
                done(&non_compliant),
                (
                    Action::Enforce,
                    Some(Instead {
                        because: Because::Requested,
                        ..
                    })
                )
            ),
            "{non_compliant:?}"
        );
    }
    let decision = decide(
        &tokens_and_hops("report", ""),
        &open(),
        now(),
        &Discovery::Request,
    );
    assert_eq!(done(&non_compliant(decision)), (Action::Report, None));
}

#[test]
fn drift_is_enforced_and_never_disrupted() {
    for action in ["stop", "terminate"] {
        let decision = decide(
            &tokens_and_hops(action, ""),
            &open(),
            now(),
            &Discovery::Drift,
        );
        assert!(matches!(
            done(&non_compliant(decision)),
            (
                Action::Enforce,
                Some(Instead {
                    because: Because::Drift,
                    ..
                })
            )
        ));
    }
}

#[test]
fn drift_is_only_reported_once_it_has_been_enforced_often_enough() {
    let policy = tokens_and_hops("terminate", "");
    let after = |enforcements| {
        let tag = format!("{enforcements} since 2026-06-15T11:30:00Z");
        let instance = tagged(marks::DRIFT, &tag);
        non_compliant(decide(&policy, &instance, now(), &Discovery::Drift))
    };
    assert_eq!(done(&after(5)).0, Action::Enforce);
    let of = Action::Terminate;
    let because = Because::DriftLimit { enforcements: 6 };
    assert_eq!(
        done(&after(6)),
        (Action::Report, Some(&Instead { of, because }))
    );
}

#[test]
fn what_happens_to_an_existing_instance_depends_on_its_usage() {
    let existing = |on_violation, usage: &Usage| {
        let policy = tokens_and_hops(on_violation, "");
        let discovery = Discovery::Existing(usage.clone());
        non_compliant(decide(&policy, &open(), now(), &discovery))
    };
    let unused = Usage::Unused { since: now() };
    let in_use = Usage::InUse {
        calls: 3,
        last_at: now(),
    };
    let unknown = Usage::Unknown {
        because: NotKnown::NoData,
    };
    for (usage, action) in [
        (unused, Action::Enforce),
        (in_use, Action::Report),
        (unknown, Action::Report),
    ] {
        let non_compliant = existing("terminate", &usage);
        let of = Action::Terminate;
        let because = Because::Usage(usage.clone());
        assert_eq!(
            done(&non_compliant),
            (action, Some(&Instead { of, because }))
        );
        assert_eq!(non_compliant.usage.as_ref(), Some(&usage));
        assert_eq!(done(&existing("report", &usage)), (Action::Report, None));
    }
}

#[test]
fn what_is_made_milder_twice_still_says_what_the_policy_says() {
    let limited = non_compliant(launch(&tokens_and_hops("terminate", ""), &open()))
        .milder(Action::Enforce, Because::DisruptionLimit { limit: 1 })
        .milder(Action::Report, Because::Refused("denied".to_owned()));
    let of = Action::Terminate;
    let because = Because::Refused("denied".to_owned());
    assert_eq!(
        done(&limited),
        (Action::Report, Some(&Instead { of, because }))
    );
}
