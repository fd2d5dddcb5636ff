//! EC2 refuses a whole call because of one option: tokens come first, and what is refused is reported.

use imds_tests::{FakeAws, InjectedFault, RecordedCall, launch};
use serde_json::{Value, json};

use crate::support::*;

/// A tag of every node of an EKS cluster, whose key instance metadata cannot show.
const NODE: &str = "kubernetes.io/cluster/prod";

/// Requires tokens, a hop limit and instance tags.
fn with_tags(on_violation: &str) -> String {
    json!({
        "version": 1, "on_violation": on_violation, "new_instances": { "grace_seconds": 0 },
        "require": { "http_tokens": "required", "hop_limit": { "at_most": 2 },
            "instance_metadata_tags": "enabled" }
    })
    .to_string()
}

/// The options that each change sent.
fn sent(ec2: &FakeAws) -> Vec<Vec<String>> {
    let option = |name: &&String| !["Action", "Version", "InstanceId"].contains(&name.as_str());
    let options = |call: &RecordedCall| call.params.keys().filter(option).cloned().collect();
    let calls = ec2.calls_to("ModifyInstanceMetadataOptions");
    calls.iter().map(options).collect()
}

#[track_caller]
fn refused_only(entry: &Value, option: &str, words: &str) {
    let refused = entry["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 1, "{entry:#}");
    assert_eq!(refused[0]["option"], option);
    let error = refused[0]["error"].as_str().unwrap();
    assert!(error.contains(words), "{error}");
}

#[test]
fn tokens_are_required_where_ec2_refuses_the_instance_tags() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tag(NODE, "shared").hop_limit(5));
    let run = function(&ec2, &with_tags("enforce")).invoke(&launched_one(&ec2, &id));
    let instance = entry(report(&run), &id);
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    let words = format!("'{NODE}' is not a valid tag key");
    refused_only(instance, "instance_metadata_tags", &words);
    assert!(reason(report(&run), &id).contains("instance_metadata_tags"));
    assert_eq!(
        instance["after"],
        json!({ "http_tokens": "required", "http_endpoint": "enabled", "hop_limit": 2,
            "http_protocol_ipv6": "disabled", "instance_metadata_tags": "disabled" })
    );
    let options = ec2.instance(&id).options;
    assert_eq!(
        (options.tokens.as_str(), options.hop_limit),
        ("required", 2)
    );
    let one = |option: &str| vec![option.to_owned()];
    assert_eq!(
        sent(&ec2)[1..],
        [
            one("HttpTokens"),
            one("HttpPutResponseHopLimit"),
            one("InstanceMetadataTags")
        ]
    );
    assert_eq!(sent(&ec2)[0].len(), 3);
    assert_eq!(ec2.widening_calls().len(), 0);
}

#[test]
fn tokens_are_required_where_ec2_refuses_ipv6() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).instance_type("t2.micro"));
    let policy = r#"{"version": 1, "on_violation": "enforce",
        "require": {"http_tokens": "required", "http_protocol_ipv6": "enabled"}}"#;
    let run = function(&ec2, policy).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    refused_only(
        entry(report(&run), &id),
        "http_protocol_ipv6",
        "UnsupportedOperation",
    );
    assert_eq!(ec2.instance(&id).options.tokens, "required");
}

#[test]
fn an_instance_that_lacks_only_what_ec2_refuses_is_reported_and_fails_nothing() {
    let ec2 = FakeAws::start();
    let node = launch(REGION).tag(NODE, "shared").tokens("required");
    let id = ec2.launch(node.launched(seconds(90 * DAY)));
    unused(&ec2, &id);
    let function = function(&ec2, &with_tags("enforce"));
    let events = [launched_one(&ec2, &id), started(&[&id]), sweep(&[REGION])];
    for event in events.iter().cycle().take(6) {
        let run = function.invoke(event);
        assert_eq!(done(report(&run), &id), ["reported", "enforce", "refused"]);
        let instance = entry(report(&run), &id);
        refused_only(instance, "instance_metadata_tags", NODE);
        assert_eq!(instance["after"], json!(null));
    }
}

#[test]
fn an_instance_whose_tokens_ec2_refuses_is_reported_and_its_other_options_are_set() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION));
    // What EC2 demands is never sent: `HttpEndpoint=enabled`.
    ec2.demand_endpoint();
    let policy = r#"{"version": 1, "on_violation": "enforce",
        "require": {"http_tokens": "required", "instance_metadata_tags": "enabled"}}"#;
    let run = function(&ec2, policy).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["reported", "enforce", "refused"]);
    let instance = entry(report(&run), &id);
    refused_only(instance, "http_tokens", "HttpEndpoint must be enabled");
    assert_eq!(instance["after"]["instance_metadata_tags"], "enabled");
    assert_eq!(ec2.instance(&id).options.tokens, "optional");
    assert_eq!(ec2.instance(&id).options.metadata_tags, "enabled");
    assert_eq!(ec2.widening_calls().len(), 0);
}

#[test]
fn an_instance_is_stopped_or_terminated_even_where_ec2_refuses_an_option() {
    for (on_violation, expected) in [("stop", "stopped"), ("terminate", "terminated")] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION).tag("team/owner", "web"));
        let run = function(&ec2, &with_tags(on_violation)).invoke(&launched_one(&ec2, &id));
        assert_eq!(done(report(&run), &id), [expected, "", ""]);
        if on_violation == "stop" {
            let instance = entry(report(&run), &id);
            refused_only(instance, "instance_metadata_tags", "team/owner");
            assert_eq!(ec2.instance(&id).options.tokens, "required");
        }
    }
}

#[test]
fn tokens_that_hold_are_not_sent_again_for_an_option_that_is_refused() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tag(NODE, "shared"));
    let function = function(&ec2, &with_tags("enforce"));
    function.invoke(&launched_one(&ec2, &id));
    ec2.forget_calls();
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["reported", "enforce", "refused"]);
    assert_eq!(sent(&ec2), [["InstanceMetadataTags"]]);
}

/// The tokens hold; the error may pass, and so the event is retried.
#[test]
fn an_option_that_fails_after_another_is_refused_is_tried_again() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).tag(NODE, "shared").hop_limit(5));
    // The first call is refused because of the tags, the second sets the tokens.
    let fault = InjectedFault::error("IncorrectInstanceState", 400);
    ec2.fault(
        fault
            .action("ModifyInstanceMetadataOptions")
            .after(2)
            .times(1),
    );
    let run = function(&ec2, &with_tags("enforce")).invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    let options = ec2.instance(&id).options;
    assert_eq!(
        (options.tokens.as_str(), options.hop_limit),
        ("required", 2)
    );
}
