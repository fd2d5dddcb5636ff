//! Plans.

use imds_core::age::Attachments;
use imds_core::decide::{Because, Decision, Instead, Question};
use imds_core::event::{Launch, Origin};
use imds_core::instance::{InstanceId, State};
use imds_core::options::HttpTokens;
use imds_core::plan::Plan;
use imds_core::policy::Action;

use crate::{done, launch_event, now, open, tagged, tokens_and_hops, with};

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
        launch_event(),
    );
    assert_eq!(
        plan.to_string(),
        "\
eu-central-1 i-0000abcd leave: metadata options are as required
eu-central-1 i-0000abcd set http_tokens=required: http_tokens is optional, not required; by `on_violation`
eu-central-1 i-0000abcd leave, exempt: exempt by rule `scanner`
eu-central-1 i-0000abcd terminate: http_tokens is optional, not required; by rule `sandbox`
eu-central-1 i-0000abcd set http_tokens=required: http_tokens is optional, not required; by rule `sandbox`; not terminated, because Auto Scaling group `web` would replace it with an instance like it: update what it launches from
eu-central-1 i-0000abcd leave, gone: the instance is terminated
"
    );
}

#[test]
fn beyond_the_limit_options_are_enforced_instead_of_stopping_or_terminating() {
    let rules = r#"{"name": "stop", "when": {"tags": {"env": "lab"}}, "action": "stop"}"#;
    let policy = tokens_and_hops("terminate", rules);
    let elsewhere = with(|i| i.region = "us-east-1".to_owned());
    let fleet = [
        open(),
        tagged("env", "lab"),
        open(),
        tagged("env", "lab"),
        elsewhere,
    ];
    let mut plan = Plan::new(&policy, fleet, now(), launch_event());
    plan.limit_disruptions(2);
    let instead = |of| Instead {
        of,
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
        (Action::Enforce, Some(&instead(Action::Terminate))),
        (Action::Enforce, Some(&instead(Action::Stop))),
        (Action::Terminate, None),
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_launch_record_alone_makes_no_instance_new() {
    let recorded = |id: &str| {
        let id = InstanceId::try_from(id).unwrap();
        with(|i| {
            i.id = id;
            i.attachments = Attachments::default();
        })
    };
    let mut compliant = recorded("i-00000002");
    compliant.options.http_tokens = Some(HttpTokens::Required);
    let launch = Launch {
        origin: Origin {
            account: None,
            region: "eu-central-1".to_owned(),
            time: Some(now()),
            principals: Vec::new(),
        },
        instances: vec![
            recorded("i-00000001"),
            compliant,
            recorded("i-00000001"),
            recorded("i-00000003"),
        ],
        client_token: None,
        asked: None,
    };
    let plan = Plan::for_launch(&tokens_and_hops("terminate", ""), &launch, now());
    let ids = plan.steps.iter().map(|step| step.instance.id.as_str());
    assert_eq!(
        ids.collect::<Vec<_>>(),
        ["i-00000001", "i-00000002", "i-00000003"],
        "each once"
    );
    for step in [&plan.steps[0], &plan.steps[2]] {
        assert_eq!(step.question(), Some(Question::Usage));
        assert_eq!(step.non_compliant().unwrap().action, Action::Report);
    }
    assert!(matches!(plan.steps[1].decision, Decision::Compliant(_)));
    assert_eq!(plan.steps[1].question(), None);
}
