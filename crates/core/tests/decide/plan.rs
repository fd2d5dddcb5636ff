//! Plans.

use imds_core::decide::{Because, Discovery, Instead};
use imds_core::instance::State;
use imds_core::options::HttpTokens;
use imds_core::plan::Plan;
use imds_core::policy::Action;

use crate::{done, now, open, policy, tagged, tokens_and_hops, with};

#[test]
fn what_is_to_be_terminated_waits_until_it_is_old_enough() {
    let policy = policy(
        r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "terminate", "new_instances": {"grace_seconds": 60}}"#,
    );
    let old = with(|i| i.launched_at = Some("2026-06-15T11:58:59Z".parse().unwrap()));
    let unknown_age = with(|i| i.launched_at = None);
    let mut plan = Plan::new(
        &policy,
        [open(), old.clone(), unknown_age.clone()],
        now(),
        &Discovery::Launch,
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
        &Discovery::Launch,
    );
    assert_eq!(
        plan.split_off_waiting(&tokens_and_hops("enforce", ""), now()),
        None
    );
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn a_plan_prints_what_it_does_and_why() {
    let rules = r#"{"name": "scanner", "when": {"tags": {"app": "scanner"}}, "action": "exempt"},
                   {"name": "sandbox", "when": {"tags": {"env": "sandbox"}}, "action": "terminate"}"#;
    let compliant = with(|i| i.options.http_tokens = Some(HttpTokens::Required));
    let gone = with(|i| i.state = Some(State::Terminated));
    let mut replaced = tagged("env", "sandbox");
    replaced
        .tags
        .insert("aws:autoscaling:groupName".to_owned(), "web".to_owned());
    let fleet = [
        compliant,
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
        &Discovery::Launch,
    );
    assert_eq!(
        plan.to_string(),
        "\
eu-central-1 i-0abc leave: metadata options are as required
eu-central-1 i-0abc set http_tokens=required: http_tokens is optional, not required; by `on_violation`
eu-central-1 i-0abc leave, exempt: exempt by rule `scanner`
eu-central-1 i-0abc terminate: http_tokens is optional, not required; by rule `sandbox`
eu-central-1 i-0abc set http_tokens=required: http_tokens is optional, not required; by rule `sandbox`; not terminated, because Auto Scaling group `web` would replace it with an instance like it: update what it launches from
eu-central-1 i-0abc leave, gone: the instance is terminated
"
    );
}

#[test]
fn beyond_the_limit_options_are_enforced_instead_of_terminating() {
    let rules = r#"{"name": "stop", "when": {"tags": {"env": "lab"}}, "action": "stop"}"#;
    let policy = tokens_and_hops("terminate", rules);
    let fleet = [open(), tagged("env", "lab"), open(), open()];
    let mut plan = Plan::new(&policy, fleet, now(), &Discovery::Launch);
    plan.limit_terminations(2);
    let instead = Instead {
        of: Action::Terminate,
        because: Because::DisruptionLimit { limit: 2 },
    };
    let steps: Vec<_> = plan
        .steps
        .iter()
        .map(|step| done(step.non_compliant().unwrap()))
        .collect();
    let expected = [
        (Action::Terminate, None),
        (Action::Stop, None),
        (Action::Terminate, None),
        (Action::Enforce, Some(&instead)),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_sweep_reports_what_would_have_to_wait() {
    let policy = tokens_and_hops("stop", "");
    let old = with(|i| i.launched_at = Some("2026-06-15T11:58:59Z".parse().unwrap()));
    let mut plan = Plan::new(&policy, [open(), old], now(), &Discovery::Launch);
    plan.leave_waiting(&policy, now());
    let instead = Instead {
        of: Action::Stop,
        because: Because::Grace,
    };
    let [young, old] = plan.steps.as_slice() else {
        panic!()
    };
    assert_eq!(
        done(young.non_compliant().unwrap()),
        (Action::Report, Some(&instead))
    );
    assert_eq!(done(old.non_compliant().unwrap()), (Action::Stop, None));
}
