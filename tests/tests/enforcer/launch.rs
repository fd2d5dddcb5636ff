//! Launches through the real function: what is seen, what is sent, what is answered.

use crate::support::*;
use imds_tests::{Fault, Settle, Standin, launch};
use serde_json::json;

#[test]
fn a_compliant_launch_costs_no_call() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).tokens("required"));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn an_instance_exempt_by_its_launch_tags_costs_no_call() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).tag("app", "scanner-7"));
    let policy = r#"{"require": {"http_tokens": "required"}, "on_violation": "terminate", "rules": [
        {"name": "scanner", "when": {"tags": {"app": "scanner-*"}}, "then": "exempt"}]}"#;
    let run = function(&ec2, policy).invoke(&launched_one(&ec2, &id));
    assert_eq!(of(report(&run), &id)["outcome"], "exempt");
    assert_eq!(of(report(&run), &id)["rule"], "scanner");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn an_open_launch_is_mended_with_one_look_and_one_change() {
    let ec2 = Standin::start();
    let id = ec2.launch(
        launch(REGION)
            .hop_limit(5)
            .metadata_tags("enabled")
            .ipv6("enabled"),
    );
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    let report = report(&run);
    let before = json!({ "http_tokens": "optional", "http_endpoint": "enabled", "hop_limit": 5,
        "http_protocol_ipv6": "enabled", "instance_metadata_tags": "enabled" });
    let mut after = before.clone();
    after["http_tokens"] = json!("required");
    assert_eq!(report["trigger"], "launch");
    assert_eq!(report["account"], "111122223333");
    assert_eq!(report["region"], REGION);
    assert_eq!(
        report["summary"],
        json!({ "compliant": 0, "exempt": 0, "reported": 0, "enforced": 1,
        "stopped": 0, "terminated": 0, "spared": 0, "gone": 0, "failed": 0 })
    );
    assert_eq!(report["unseen"], json!([]));
    let instance = of(report, &id);
    assert_eq!(instance["outcome"], "enforced");
    assert_eq!(instance["violations"], json!(["http_tokens"]));
    assert_eq!((&instance["before"], &instance["after"]), (&before, &after));
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    assert_eq!((ec2.count("DescribeInstances"), ec2.calls().len()), (1, 2));
    let [modify] = ec2.changing_calls().try_into().unwrap();
    let sent: Vec<_> = modify.params.keys().map(String::as_str).collect();
    assert_eq!(
        sent,
        [
            "Action",
            "HttpEndpoint",
            "HttpTokens",
            "InstanceId",
            "Version"
        ]
    );
}

#[test]
fn fifty_open_instances_cost_one_look_and_fifty_changes() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 50);
    ec2.set_latency(std::time::Duration::from_millis(20));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["enforced"], 50);
    assert_eq!(ec2.count("DescribeInstances"), 1);
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 50);
    assert!(
        ids.iter()
            .all(|id| ec2.instance(id).options.tokens == "required")
    );
    assert!(
        ec2.max_in_flight() > 1 && ec2.max_in_flight() <= 32,
        "{}",
        ec2.max_in_flight()
    );
}

#[test]
fn four_hundred_and_one_instances_are_looked_at_with_three_calls() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 401);
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["enforced"], 401);
    assert_eq!(ec2.count("DescribeInstances"), 3);
}

#[test]
fn a_missing_metadata_options_structure_is_not_compliant() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let mut event = launched_one(&ec2, &id);
    event["detail"]["responseElements"]["instancesSet"]["items"][0]["metadataOptions"] =
        json!(null);
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn options_that_not_even_ec2_shows_are_not_compliant() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).no_metadata_options());
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    // The endpoint is not known to be enabled, so it is not sent.
    let modify = &ec2.changing_calls()[0];
    assert_eq!(
        (modify.param("HttpTokens"), modify.param("HttpEndpoint")),
        (Some("required"), None)
    );
}

#[test]
fn a_disabled_endpoint_stays_disabled() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).endpoint("disabled"));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.calls().len(), 0);
    assert_eq!(ec2.instance(&id).options.endpoint, "disabled");
}

#[test]
fn an_endpoint_that_was_disabled_after_the_launch_stays_disabled() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let event = launched_one(&ec2, &id);
    ec2.set_options(&id, |options| options.endpoint = "disabled".to_owned());
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn each_mixture_of_two_wrong_options_is_mended() {
    let policy = r#"{"require": {"http_tokens": "required", "hop_limit": {"at_most": 2},
        "instance_metadata_tags": "disabled"}, "on_violation": "enforce"}"#;
    let ec2 = Standin::start();
    let function = function(&ec2, policy);
    for tokens in ["optional", "required"] {
        for hops in [2, 3] {
            for tags in ["disabled", "enabled"] {
                let id = ec2.launch(
                    launch(REGION)
                        .tokens(tokens)
                        .hop_limit(hops)
                        .metadata_tags(tags),
                );
                ec2.forget_calls();
                let run = function.invoke(&launched_one(&ec2, &id));
                let wrong = tokens == "optional" || hops == 3 || tags == "enabled";
                assert_eq!(
                    outcome(report(&run), &id),
                    if wrong { "enforced" } else { "compliant" }
                );
                let options = ec2.instance(&id).options;
                assert_eq!(
                    (
                        options.tokens.as_str(),
                        options.hop_limit,
                        options.metadata_tags.as_str()
                    ),
                    ("required", 2, "disabled")
                );
                for modify in ec2.calls_to("ModifyInstanceMetadataOptions") {
                    assert_eq!(modify.param("HttpTokens").is_some(), tokens == "optional");
                    assert_eq!(modify.param("HttpPutResponseHopLimit").is_some(), hops == 3);
                    assert_eq!(
                        modify.param("InstanceMetadataTags").is_some(),
                        tags == "enabled"
                    );
                }
            }
        }
    }
}

#[test]
fn an_instance_that_ec2_does_not_know_yet_is_asked_for_again_and_keeps_nobody_waiting() {
    let ec2 = Standin::start();
    let late = ec2.launch(launch(REGION).visible(Settle::Describes(3)));
    let known = ec2.launch(launch(REGION));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &[late.clone(), known.clone()]));
    assert_eq!(report(&run)["summary"]["enforced"], 2);
    assert_eq!(ec2.count("DescribeInstances"), 4);
    let first = &ec2.changing_calls()[0];
    assert_eq!(first.param("InstanceId"), Some(known.as_str()));
    let calls = ec2.calls();
    let changed = calls
        .iter()
        .position(|c| c.action.starts_with("Modify"))
        .unwrap();
    let looks_before = calls[..changed]
        .iter()
        .filter(|c| c.action == "DescribeInstances")
        .count();
    assert!(
        looks_before <= 2,
        "{looks_before} looks before the known instance was mended"
    );
}

#[test]
fn an_instance_that_never_appears_fails_the_function_well_before_its_own_deadline() {
    let ec2 = Standin::start();
    let lost = ec2.launch(launch(REGION).visible(Settle::Never));
    let other = ec2.launch(launch(REGION));
    let event = launched_ids(&ec2, &[lost.clone(), other.clone()]);
    let run = function(&ec2, ENFORCE).invoke_with_timeout(&event, seconds(5));
    assert!(failure(&run).contains(&lost), "{}", failure(&run));
    assert!(!failure(&run).contains(&other));
    assert!(run.duration < seconds(4), "{:?}", run.duration);
    assert_eq!(ec2.instance(&other).options.tokens, "required");
    let logged = logged_report(&run);
    assert_eq!(
        (outcome(&logged, &lost), outcome(&logged, &other)),
        ("failed", "enforced")
    );
}

#[test]
fn an_instance_that_ec2_no_longer_knows_long_after_its_launch_is_gone() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).launched(seconds(3600)));
    let event = launched_one(&ec2, &id);
    ec2.forget(&id);
    let run = function(&ec2, ENFORCE).invoke_with_timeout(&event, seconds(3));
    assert_eq!(outcome(report(&run), &id), "gone");
}

#[test]
fn instances_that_end_or_have_ended_are_gone() {
    let ec2 = Standin::start();
    let function = function(&ec2, ENFORCE);
    for state in ["shutting-down", "terminated"] {
        let id = ec2.launch(launch(REGION));
        let event = launched_one(&ec2, &id);
        ec2.set_state(&id, state);
        assert_eq!(outcome(report(&function.invoke(&event)), &id), "gone");
    }
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn an_instance_in_the_wrong_state_is_tried_again() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).state("pending").refuse_modify(2));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 3);
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn an_endpoint_that_is_disabled_between_two_tries_is_not_enabled_again() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).refuse_modify(2));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, ENFORCE);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        while ec2.count("ModifyInstanceMetadataOptions") == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        ec2.set_options(&id, |options| options.endpoint = "disabled".to_owned());
        run.join().unwrap()
    });
    assert_eq!(ec2.instance(&id).options.endpoint, "disabled");
    assert_eq!(ec2.instance(&id).options.tokens, "required");
}

#[test]
fn an_instance_that_ends_while_it_is_mended_is_gone() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(Fault::error("IncorrectInstanceState", 400).action("ModifyInstanceMetadataOptions"));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, ENFORCE);
    let ended = std::thread::scope(|scope| {
        let run = scope.spawn(|| function.invoke(&event));
        while ec2.count("ModifyInstanceMetadataOptions") == 0 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        ec2.set_state(&id, "terminated");
        run.join().unwrap()
    });
    assert_eq!(outcome(report(&ended), &id), "gone");
}

#[test]
fn an_instance_that_refuses_keeps_none_of_the_others_from_being_mended() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 5);
    ec2.fault(
        Fault::unauthorised()
            .action("ModifyInstanceMetadataOptions")
            .instance(&ids[2]),
    );
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert!(failure(&run).contains(&ids[2]) && failure(&run).contains("UnauthorizedOperation"));
    let logged = logged_report(&run);
    assert_eq!(logged["summary"]["enforced"], 4);
    assert_eq!(outcome(&logged, &ids[2]), "failed");
    // A refusal for good is not asked for again.
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 5);
}

#[test]
fn a_refused_look_fails_the_function_and_names_every_instance() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION), 3);
    ec2.fault(Fault::unauthorised().action("DescribeInstances"));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert!(
        ids.iter().all(|id| failure(&run).contains(id)),
        "{}",
        failure(&run)
    );
    assert!(
        failure(&run)
            .contains("could not call DescribeInstances in eu-central-1: UnauthorizedOperation")
    );
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn throttled_and_failing_calls_are_tried_again() {
    let faults: [fn() -> Fault; 4] = [
        Fault::throttle,
        || Fault::status(500),
        Fault::reset,
        Fault::unavailable,
    ];
    for fault in faults {
        let ec2 = Standin::start();
        let ids = ec2.launch_many(launch(REGION), 2);
        ec2.fault(fault().action("DescribeInstances").times(2));
        ec2.fault(fault().action("ModifyInstanceMetadataOptions").times(2));
        let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
        assert_eq!(report(&run)["summary"]["enforced"], 2);
        assert_eq!(ec2.count("DescribeInstances"), 3);
        assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 4);
    }
}

#[test]
fn a_change_whose_answer_is_lost_is_made_again_and_succeeds() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(
        Fault::reset_after()
            .action("ModifyInstanceMetadataOptions")
            .times(1),
    );
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn an_answer_that_is_no_answer_is_never_compliant() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    ec2.fault(Fault::malformed().action("DescribeInstances"));
    let run = function(&ec2, ENFORCE).invoke_with_timeout(&launched_one(&ec2, &id), seconds(4));
    assert!(failure(&run).contains(&id), "{}", failure(&run));
    assert_eq!(outcome(&logged_report(&run), &id), "failed");
}

#[test]
fn a_policy_of_reports_changes_nothing() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &without_grace("report")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "reported");
    assert_eq!(
        (ec2.changing_calls().len(), ec2.count("DescribeInstances")),
        (0, 1)
    );
}

#[test]
fn an_event_that_comes_twice_changes_nothing_the_second_time() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, ENFORCE);
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "enforced");
    ec2.forget_calls();
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "compliant");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn an_event_that_names_an_instance_twice_has_one_outcome_for_it() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &[id.clone(), id.clone()]));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 1);
}

#[test]
fn calls_go_to_the_region_of_the_record() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch("ap-southeast-2"));
    let mut event = launched_one(&ec2, &id);
    event["region"] = json!("us-east-1");
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(of(report(&run), &id)["region"], "ap-southeast-2");
    assert!(
        ec2.calls()
            .iter()
            .all(|call| call.region == "ap-southeast-2")
    );
}

#[test]
fn an_ec2_that_demands_the_endpoint_beside_the_tokens_gets_it() {
    let ec2 = Standin::start();
    ec2.demand_endpoint();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn a_launch_without_ids_is_found_by_its_client_token() {
    let ec2 = Standin::start();
    let ids = ec2.launch_many(launch(REGION).client_token("token-9"), 60);
    let bystander = ec2.launch(launch(REGION).client_token("other"));
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, Some("token-9"), 60));
    assert_eq!(report(&run)["summary"]["enforced"], 60);
    assert!(
        ids.iter()
            .all(|id| ec2.instance(id).options.tokens == "required")
    );
    assert_eq!(ec2.instance(&bystander).options.tokens, "optional");
    assert_eq!(ec2.count("DescribeInstances"), 1);
}

#[test]
fn a_launch_without_ids_is_awaited_until_all_of_it_is_seen() {
    let ec2 = Standin::start();
    let seen = ec2.launch_many(launch(REGION).client_token("token-9"), 2);
    let late = ec2.launch(
        launch(REGION)
            .client_token("token-9")
            .visible(Settle::Describes(2)),
    );
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, Some("token-9"), 3));
    assert_eq!(report(&run)["summary"]["enforced"], 3);
    assert!(
        seen.iter()
            .chain([&late])
            .all(|id| outcome(report(&run), id) == "enforced")
    );
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 3);
}

#[test]
fn a_launch_without_ids_or_token_is_found_by_its_time() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION).launched(seconds(1)));
    let old = ec2.launch(launch(REGION).launched(seconds(3600)));
    let run = function(&ec2, ENFORCE).invoke(&cut(REGION, None, 1));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.instance(&old).options.tokens, "optional");
}

#[test]
fn a_launch_that_cannot_be_found_fails_the_function_but_what_was_found_is_mended() {
    let ec2 = Standin::start();
    let found = ec2.launch(launch(REGION).client_token("token-9"));
    let function = function(&ec2, ENFORCE);
    let run = function.invoke_with_timeout(&cut(REGION, Some("token-9"), 2), seconds(3));
    assert!(
        failure(&run).contains("could not find the launched instances"),
        "{}",
        failure(&run)
    );
    assert!(
        failure(&run).contains("1 of at least 2"),
        "{}",
        failure(&run)
    );
    assert_eq!(ec2.instance(&found).options.tokens, "required");
    let run = function.invoke_with_timeout(&cut(REGION, Some("nobody"), 1), seconds(3));
    assert!(
        failure(&run).contains("0 of at least 1"),
        "{}",
        failure(&run)
    );
}

#[test]
fn failed_calls_and_dry_runs_are_ignored_with_their_code() {
    let ec2 = Standin::start();
    let mut event = cut(REGION, Some("token-9"), 1);
    event["detail"]["errorCode"] = json!("Client.DryRunOperation");
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(report(&run)["trigger"], "ignored");
    assert_eq!(
        report(&run)["reason"],
        "RunInstances changed nothing: Client.DryRunOperation"
    );
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn a_malformed_event_is_an_error_that_names_the_path() {
    let ec2 = Standin::start();
    let id = ec2.launch(launch(REGION));
    let mut event = launched_one(&ec2, &id);
    event["detail"]["responseElements"]["instancesSet"]["items"][0]["instanceId"] =
        json!("nonsense");
    let run = function(&ec2, ENFORCE).invoke(&event);
    let error = run.result.unwrap_err();
    assert_eq!(error.error_type, "MalformedEvent");
    let path = "`detail.responseElements.instancesSet.items[0].instanceId`";
    assert!(
        error.error_message.contains(path),
        "{}",
        error.error_message
    );
}
