//! `imdsctl rollback`: the calls that it makes for an instance, and the order of its report.

use std::time::Duration;

use imds_tests::{FakeAws, InjectedFault, launch};
use serde_json::Value;

use crate::reading::*;
use crate::rollback::{EnforcedFleet, rollback};

/// What the calls for an instance set `HttpEndpoint` to.
fn endpoints(ec2: &FakeAws, id: &str) -> Vec<Option<String>> {
    let calls = modified(ec2).into_iter();
    let of_instance = calls.filter(|call| call["InstanceId"] == id);
    of_instance
        .map(|mut call| call.remove("HttpEndpoint"))
        .collect()
}

fn enabled() -> Option<String> {
    Some("enabled".to_owned())
}

/// The endpoint of an instance, disabled by a policy and recorded in `journal`.
struct DisabledEndpoint {
    ec2: FakeAws,
    id: String,
    place: TestFolder,
}

impl DisabledEndpoint {
    fn new() -> Self {
        let ec2 = FakeAws::start();
        let id = ec2.launch(
            launch(REGION)
                .hop_limit(3)
                .ipv6("enabled")
                .metadata_tags("enabled"),
        );
        let place = TestFolder::new();
        let policy = place.file(
            "policy.json",
            r#"{ "version": 1, "require": { "http_endpoint": "disabled" }, "on_violation": "enforce" }"#,
        );
        imdsctl(&ec2, "enforce --yes --policy")
            .arg(policy)
            .arg("--journal")
            .arg(place.path("journal"))
            .run()
            .ended_with(0);
        ec2.forget_calls();
        DisabledEndpoint { ec2, id, place }
    }

    /// Rolls back one journal, changed since or not, and records that in another.
    #[track_caller]
    fn rollback(&self, journal: &str, own: &str) {
        let own = self.place.path(own);
        let arguments = format!("--yes --force --journal {}", own.display());
        rollback(&self.ec2, &self.place.path(journal), &arguments)
            .run()
            .ended_with(0);
    }
}

#[test]
fn if_ec2_resets_the_options_that_a_call_leaves_out_a_second_call_names_all() {
    let ec2 = FakeAws::start();
    let options_of = |region: &str| {
        let launch = launch(region).ipv6("enabled").metadata_tags("enabled");
        ec2.launch(launch.hop_limit(3))
    };
    let regions = ["eu-central-1", "us-east-1", "us-west-2"];
    let ids = regions.map(options_of);
    let before = options(&ec2, &regions);
    let place = TestFolder::new();
    let (journal, second) = (place.path("journal"), place.path("second"));
    imdsctl(&ec2, "enforce --yes --journal")
        .arg(&journal)
        .run()
        .ended_with(0);
    ec2.forget_calls();
    ec2.forget_options_left_out();
    let arguments = format!("--yes --journal {}", second.display());
    let ran = rollback(&ec2, &journal, &arguments).run();
    says(&ran.ended_with(0).stdout, &["3 restored"]);
    assert_eq!(options(&ec2, &regions), before);
    let lines = lines(&second);
    for id in &ids {
        assert_eq!(answers(&lines, id), ["after", "after"]);
        let calls: Vec<_> = modified(&ec2)
            .into_iter()
            .filter(|call| call["InstanceId"] == *id)
            .map(|call| call.len())
            .collect();
        // The id and tokens; then the id and all five options.
        assert_eq!(calls, [2, 6]);
    }
}

#[test]
fn an_endpoint_is_disabled_first_and_alone_even_if_ec2_resets_the_other_options() {
    let run = DisabledEndpoint::new();
    let disabled = options(&run.ec2, &[REGION]);
    run.rollback("journal", "second");
    run.ec2.forget_calls();
    run.ec2.forget_options_left_out();
    run.ec2.set_options(&run.id, |options| {
        "required".clone_into(&mut options.tokens);
        options.hop_limit = 9;
    });
    run.rollback("second", "third");
    assert_eq!(options(&run.ec2, &[REGION]), disabled);
    let calls = modified(&run.ec2);
    assert_eq!(calls[0].len(), 2, "{calls:?}");
    assert_eq!(calls[0]["HttpEndpoint"], "disabled");
    assert_eq!(calls.last().unwrap().len(), 6, "{calls:?}");
    let answers = answers(&lines(&run.place.path("third")), &run.id);
    assert_eq!(answers, vec!["after"; calls.len()]);
}

#[test]
fn a_temporary_refusal_is_retried_and_every_call_is_recorded() {
    let run = EnforcedFleet::new(&[REGION]);
    let id = &run.ids[0];
    let refusal = InjectedFault::error("IncorrectInstanceState", 400);
    run.ec2.fault(refusal.action(MODIFY).instance(id).times(2));
    let report = json(run.recorded_rollback().ended_with(0));
    assert_eq!(report["summary"]["restored"], 16);
    run.are_as_before(&run.ids);
    let lines = lines(&run.second());
    assert_eq!(answers(&lines, id), ["error", "error", "after"]);
    assert_eq!(answers(&lines, &run.ids[1]), ["after"]);
    // It may be disabled by then.
    assert_eq!(endpoints(&run.ec2, id), [None, None, None]);
}

#[test]
fn an_endpoint_that_is_itself_restored_is_in_every_retry() {
    let run = DisabledEndpoint::new();
    let refusal = InjectedFault::error("IncorrectInstanceState", 400);
    run.ec2.fault(refusal.action(MODIFY).times(2));
    run.rollback("journal", "second");
    assert_eq!(run.ec2.instance(&run.id).options.endpoint, "enabled");
    assert_eq!(
        endpoints(&run.ec2, &run.id),
        [enabled(), enabled(), enabled()]
    );
}

#[test]
fn a_permanent_refusal_fails_after_one_call() {
    let run = EnforcedFleet::new(&[REGION]);
    let id = &run.ids[0];
    let refusal = InjectedFault::error("OperationNotPermitted", 400);
    run.ec2.fault(refusal.action(MODIFY).instance(id));
    let report = json(run.recorded_rollback().ended_with(3));
    assert_eq!(entry(&report, id)["outcome"], "failed");
    let reason = entry(&report, id)["reason"].as_str().unwrap();
    assert!(reason.starts_with("not restored: "), "{reason}");
    says(reason, &["OperationNotPermitted"]);
    assert_eq!(answers(&lines(&run.second()), id), ["error"]);
    assert_eq!(endpoints(&run.ec2, id).len(), 1);
    run.are_as_before(&run.ids[1..]);
}

#[test]
fn the_report_is_in_the_order_of_the_journal() {
    let run = EnforcedFleet::new(&["eu-central-1", "us-east-1"]);
    let recorded = named(&lines(&run.journal()), "intent");
    // The first answers come last, and some instances are not restored at all.
    for id in &recorded[..8] {
        let delay = InjectedFault::delay(Duration::from_millis(500));
        run.ec2.fault(delay.action(MODIFY).instance(id));
    }
    run.ec2.set_state(&recorded[10], "terminated");
    run.ec2
        .set_options(&recorded[20], |options| options.hop_limit = 9);
    let report = json(run.rollback("--yes --json").ended_with(1));
    let reported: Vec<&Value> = list(&report, "instances")
        .iter()
        .map(|instance| &instance["instance_id"])
        .collect();
    assert_eq!(reported, recorded.iter().collect::<Vec<_>>());
}
