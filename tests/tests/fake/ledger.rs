//! What no caller should have done.

use std::thread;
use std::time::Duration;

use imds_tests::{
    CallOutcome, Disruption, FakeAws, InjectedFault, LaunchBuilder, launch, wait_until,
};
use jiff::Timestamp;

use crate::REGION;
use crate::client::ec2;
use crate::metrics::ago;

fn widened(fake: &FakeAws) -> Vec<CallOutcome> {
    let calls = fake.widening_calls().into_iter();
    calls.map(|call| call.outcome).collect()
}

#[test]
fn a_call_widens_that_asks_for_an_endpoint_or_for_optional_tokens() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    for narrow in [
        ("HttpTokens", "required"),
        ("HttpEndpoint", "disabled"),
        ("HttpPutResponseHopLimit", "64"),
        ("InstanceMetadataTags", "enabled"),
    ] {
        client.modify(&id, &[narrow]).is_done();
    }
    client.call("DescribeInstances", &[]).is_done();
    let defaults = [("HttpTokens", "optional")];
    client
        .call("ModifyInstanceMetadataDefaults", &defaults)
        .is_done();
    assert_eq!(fake.widening_calls().len(), 0);
    let tokens = [("HttpTokens", "optional"), ("HttpEndpoint", "disabled")];
    let endpoint = [("HttpTokens", "required"), ("HttpEndpoint", "enabled")];
    client.modify(&id, &tokens).is_done();
    client.modify(&id, &endpoint).is_done();
    let asked = fake.widening_calls();
    let params: Vec<_> = asked
        .iter()
        .map(|call| (call.param("HttpTokens"), call.param("HttpEndpoint")))
        .collect();
    assert_eq!(
        params,
        [
            (Some("optional"), Some("disabled")),
            (Some("required"), Some("enabled"))
        ]
    );
    assert_eq!(asked[0].param("InstanceId"), Some(&*id));
}

#[test]
fn rejected_calls_and_dry_runs_widen_as_well() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION).state("terminated"));
    let client = ec2(&fake, REGION);
    client.modify(&id, &[("HttpTokens", "optional")]);
    client.modify(&id, &[("HttpTokens", "no-preference")]);
    client.modify(&id, &[("HttpEndpoint", "enabled"), ("DryRun", "true")]);
    let rejected = |code: &str| CallOutcome::Err(code.to_owned());
    assert_eq!(
        widened(&fake),
        [
            rejected("IncorrectInstanceState"),
            rejected("InvalidParameterValue"),
            rejected("IncorrectInstanceState"),
        ]
    );
}

#[test]
fn widening_calls_are_not_forgotten() {
    let fake = FakeAws::start();
    let id = fake.launch(launch(REGION));
    fake.fault(InjectedFault::delay(Duration::from_millis(800)).times(1));
    let widen = || {
        let client = ec2(&fake, REGION);
        client.modify(&id, &[("HttpEndpoint", "enabled")]).is_done();
    };
    thread::scope(|scope| {
        scope.spawn(widen);
        wait_until("the call", || fake.calls().len() == 1);
        fake.forget_calls();
        assert_eq!(widened(&fake), [CallOutcome::Reset]);
    });
    assert_eq!(widened(&fake), [CallOutcome::Ok]);
    widen();
    assert_eq!((fake.calls().len(), fake.widening_calls().len()), (1, 2));
}

#[test]
fn every_stopped_or_terminated_instance_is_a_disruption() {
    let fake = FakeAws::start();
    let first = ago(9_000);
    let id = fake.launch(launch(REGION).launched_at(first).started(Duration::ZERO));
    let far = fake.launch(launch("us-east-1").launched_at(first));
    let before = ago(0);
    ec2(&fake, REGION)
        .with_ids("StopInstances", &[&id])
        .is_done();
    ec2(&fake, "us-east-1")
        .with_ids("TerminateInstances", &[&far])
        .is_done();
    ec2(&fake, REGION)
        .with_ids("TerminateInstances", &[&id])
        .is_done();
    let disruptions = fake.disruptions();
    let expected = [
        (&id, REGION, "StopInstances"),
        (&far, "us-east-1", "TerminateInstances"),
        (&id, REGION, "TerminateInstances"),
    ];
    assert_eq!(disruptions.len(), expected.len());
    for (disruption, (id, region, action)) in disruptions.iter().zip(expected) {
        assert!((before..=ago(0)).contains(&disruption.at));
        let expected = Disruption {
            id: id.clone(),
            region: region.to_owned(),
            action,
            at: disruption.at,
            first_launched: first,
            oldest_attachment: first,
        };
        assert_eq!(*disruption, expected);
    }
}

#[test]
fn what_disrupts_nothing_is_no_disruption() {
    let fake = FakeAws::start();
    let gone = fake.launch(launch(REGION).state("terminated"));
    let stopped = fake.launch(launch(REGION).state("stopped"));
    let denied = fake.launch(launch(REGION).denies_changes());
    let guarded = fake.launch(launch(REGION).protected());
    let shielded = fake.launch(launch(REGION));
    let ended = fake.launch(launch(REGION));
    let client = ec2(&fake, REGION);
    client.with_ids("TerminateInstances", &[&gone]).is_done();
    client.with_ids("StopInstances", &[&stopped]).is_done();
    client.with_ids("StopInstances", &[&denied]);
    client.with_ids("StopInstances", &[&shielded, &gone]);
    client.with_ids("TerminateInstances", &[&guarded, &shielded]);
    let dry = [("InstanceId.1", shielded.as_str()), ("DryRun", "true")];
    for action in ["StopInstances", "TerminateInstances"] {
        client
            .call(action, &dry)
            .is_rejected(412, "DryRunOperation");
    }
    client.with_ids("StartInstances", &[&stopped]).is_done();
    fake.terminate(&ended);
    assert_eq!(fake.disruptions(), []);
}

#[test]
fn a_call_that_fails_may_still_disrupt_other_zones() {
    let fake = FakeAws::start();
    let guarded = fake.launch(launch(REGION).az("a").protected());
    let other = fake.launch(launch(REGION).az("b"));
    ec2(&fake, REGION)
        .with_ids("TerminateInstances", &[&guarded, &other])
        .is_rejected(400, "OperationNotPermitted");
    let ids: Vec<_> = fake.disruptions().into_iter().map(|one| one.id).collect();
    assert_eq!(ids, [other]);
}

#[track_caller]
fn check_oldest(launch: LaunchBuilder, oldest: Timestamp) {
    let fake = FakeAws::start();
    let id = fake.launch(launch);
    ec2(&fake, REGION)
        .with_ids("StopInstances", &[&id])
        .is_done();
    assert_eq!(fake.disruptions()[0].oldest_attachment, oldest);
}

#[test]
fn a_disruption_tells_the_oldest_attachment() {
    let (first, early, late) = (ago(9_000), ago(8_000), ago(10));
    let old = || launch(REGION).launched_at(first);
    check_oldest(old().interface_attached_at(late), first);
    check_oldest(
        old()
            .interface_attached_at(late)
            .root_volume_attached_at(early),
        early,
    );
    check_oldest(
        old()
            .no_interface()
            .second_interface_at(early)
            .root_volume_attached_at(late),
        early,
    );
    check_oldest(
        old()
            .no_interface_time()
            .root_volume_attached_at(late)
            .second_volume_at(early),
        early,
    );
    check_oldest(old().no_interface().no_volumes(), first);
}
