//! Launches: decisions, changes and reports.

use imds_tests::{FakeAws, launch};
use serde_json::json;

use crate::support::*;

#[test]
fn a_compliant_launch_costs_no_call() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tokens("required"));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn an_instance_exempt_by_its_launch_tags_costs_no_call() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tag("app", "scanner-7"));
    let policy = r#"{"version": 1, "require": {"http_tokens": "required"}, "on_violation": "terminate", "rules": [
        {"name": "scanner", "when": {"tags": {"app": "scanner-*"}}, "action": "exempt"}]}"#;
    let run = function(&ec2, policy).invoke(&launched_one(&ec2, &id));
    assert_eq!(entry(report(&run), &id)["outcome"], "exempt");
    assert_eq!(entry(report(&run), &id)["rule"], "scanner");
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn a_non_compliant_launch_is_enforced_with_one_describe_and_one_change() {
    let ec2 = FakeAws::start();
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
    assert_eq!(report["version"], 1);
    assert_eq!(report["trigger"], "launch");
    assert_eq!(report["account"], "111122223333");
    assert_eq!(report["region"], REGION);
    assert_eq!(
        report["summary"],
        json!({ "compliant": 0, "exempt": 0, "reported": 0, "enforced": 1,
        "stopped": 0, "terminated": 0, "gone": 0, "failed": 0 })
    );
    assert_eq!(report["unreachable"], json!([]));
    let instance = entry(report, &id);
    assert_eq!(instance["outcome"], "enforced");
    assert_eq!(
        (&instance["account"], &instance["region"]),
        (&json!("111122223333"), &json!(REGION))
    );
    assert_eq!(
        (instance.get("instead_of"), instance.get("because")),
        (None, None)
    );
    assert_eq!(instance["violations"], json!(["http_tokens"]));
    assert_eq!((&instance["before"], &instance["after"]), (&before, &after));
    assert_eq!(ec2.instance(&id).options.tokens, "required");
    assert_eq!((ec2.count("DescribeInstances"), ec2.calls().len()), (1, 2));
    let [modify] = ec2.changing_calls().try_into().unwrap();
    let sent: Vec<_> = modify.params.keys().map(String::as_str).collect();
    assert_eq!(sent, ["Action", "HttpTokens", "InstanceId", "Version"]);
}

#[test]
fn fifty_non_compliant_instances_cost_one_describe_and_fifty_changes() {
    let ec2 = FakeAws::start();
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
fn four_hundred_and_one_instances_are_described_with_three_calls() {
    let ec2 = FakeAws::start();
    let ids = ec2.launch_many(launch(REGION), 401);
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["enforced"], 401);
    assert_eq!(ec2.count("DescribeInstances"), 3);
}

#[test]
fn a_missing_metadata_options_structure_is_not_compliant() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let mut event = launched_one(&ec2, &id);
    event["detail"]["responseElements"]["instancesSet"]["items"][0]["metadataOptions"] =
        json!(null);
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(outcome(report(&run), &id), "enforced");
}

#[test]
fn options_that_ec2_does_not_show_are_not_compliant() {
    let ec2 = FakeAws::start();
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
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).endpoint("disabled"));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.calls().len(), 0);
    assert_eq!(ec2.instance(&id).options.endpoint, "disabled");
}

#[test]
fn an_endpoint_that_was_disabled_after_the_launch_stays_disabled() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let event = launched_one(&ec2, &id);
    ec2.set_options(&id, |options| options.endpoint = "disabled".to_owned());
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(outcome(report(&run), &id), "compliant");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn every_combination_of_non_compliant_options_is_enforced() {
    let policy = r#"{"version": 1, "require": {"http_tokens": "required", "hop_limit": {"at_most": 2},
        "instance_metadata_tags": "disabled"}, "on_violation": "enforce"}"#;
    let ec2 = FakeAws::start();
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
                let non_compliant = tokens == "optional" || hops == 3 || tags == "enabled";
                assert_eq!(
                    outcome(report(&run), &id),
                    if non_compliant {
                        "enforced"
                    } else {
                        "compliant"
                    }
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
fn a_policy_that_only_reports_changes_nothing() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, &without_grace("report")).invoke(&launched_one(&ec2, &id));
    assert_eq!(outcome(report(&run), &id), "reported");
    assert_eq!(
        (ec2.changing_calls().len(), ec2.count("DescribeInstances")),
        (0, 1)
    );
}

#[test]
fn a_duplicate_event_changes_nothing() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let event = launched_one(&ec2, &id);
    let function = function(&ec2, ENFORCE);
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "enforced");
    ec2.forget_calls();
    assert_eq!(outcome(report(&function.invoke(&event)), &id), "compliant");
    assert_eq!(ec2.changing_calls().len(), 0);
}

#[test]
fn an_instance_that_an_event_names_twice_has_one_outcome() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, ENFORCE).invoke(&launched_ids(&ec2, &[id.clone(), id.clone()]));
    assert_eq!(outcome(report(&run), &id), "enforced");
    assert_eq!(ec2.count("ModifyInstanceMetadataOptions"), 1);
}

#[test]
fn calls_go_to_the_region_of_the_record() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch("ap-southeast-2"));
    let mut event = launched_one(&ec2, &id);
    event["region"] = json!("us-east-1");
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(entry(report(&run), &id)["region"], "ap-southeast-2");
    assert!(
        ec2.calls()
            .iter()
            .all(|call| call.region == "ap-southeast-2")
    );
}

#[test]
fn the_endpoint_is_never_sent_with_the_tokens() {
    let ec2 = FakeAws::start();
    ec2.demand_endpoint();
    let id = ec2.launch(launch(REGION));
    let run = function(&ec2, ENFORCE).invoke(&launched_one(&ec2, &id));
    let instance = entry(report(&run), &id);
    assert_eq!(done(report(&run), &id), ["reported", "enforce", "refused"]);
    assert_eq!(instance["refused"][0]["option"], "http_tokens");
    let error = instance["refused"][0]["error"].as_str().unwrap();
    assert!(error.contains("HttpEndpoint must be enabled"), "{error}");
    assert_eq!(ec2.widening_calls().len(), 0);
}

#[test]
fn failed_calls_and_dry_runs_are_ignored_with_their_code() {
    let ec2 = FakeAws::start();
    let mut event = cut(REGION, Some("token-9"), 1);
    event["detail"]["errorCode"] = json!("Client.DryRunOperation");
    let run = function(&ec2, ENFORCE).invoke(&event);
    assert_eq!(report(&run)["trigger"], "ignored");
    let reason = report(&run)["reason"].as_str().unwrap();
    assert!(
        reason.contains("RunInstances") && reason.contains("Client.DryRunOperation"),
        "{reason}"
    );
    assert_eq!(ec2.calls().len(), 0);
}

#[test]
fn a_malformed_event_is_an_error_that_names_the_path() {
    let ec2 = FakeAws::start();
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
