//! First launch, last start, and when interfaces and volumes were attached.

use std::time::Duration;

use imds_tests::{FakeAws, LaunchBuilder, Settle, launch};
use jiff::Timestamp;

use crate::REGION;
use crate::client::{HttpAnswer, ec2};
use crate::metrics::ago;

const FIRST: &str = "2021-09-29T11:04:43Z";
const LATER: &str = "2022-01-02T03:04:05Z";
const LAST: &str = "2023-03-04T05:06:07Z";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// In EC2's format.
fn shown(times: &[&str]) -> Vec<String> {
    let shown = times.iter().map(|time| time.replace('Z', ".000Z"));
    shown.collect()
}

fn old() -> LaunchBuilder {
    launch(REGION).launched_at(at(FIRST))
}

#[track_caller]
fn described(launch: LaunchBuilder) -> HttpAnswer {
    let fake = FakeAws::start();
    let id = fake.launch(launch);
    ec2(&fake, REGION).with_ids("DescribeInstances", &[&id])
}

/// The times of attachment, those of the volumes first.
#[track_caller]
fn check_attached(launch: LaunchBuilder, volumes: &[&str], interfaces: &[&str]) {
    let answer = described(launch);
    assert_eq!(answer.texts("deviceName").len(), volumes.len());
    assert_eq!(answer.texts("deviceIndex").len(), interfaces.len());
    let times = [shown(volumes), shown(interfaces)].concat();
    assert_eq!(answer.texts("attachTime"), times);
}

#[test]
fn a_later_start_moves_the_launch_time_and_no_attachment() {
    let fake = FakeAws::start();
    let id = fake.launch(old().started_at(at(LAST)));
    let instance = fake.instance(&id);
    assert_eq!(
        (instance.first_launched, instance.started),
        (at(FIRST), at(LAST))
    );
    let client = ec2(&fake, REGION);
    let answer = client.with_ids("DescribeInstances", &[&id]);
    assert_eq!(answer.texts("launchTime"), shown(&[LAST]));
    assert_eq!(answer.texts("attachTime"), shown(&[FIRST, FIRST]));
    assert_eq!(
        client.filtered("launch-time", &["2023-03-04T*"]).ids(),
        [id]
    );
    assert!(
        client
            .filtered("launch-time", &["2021-09-29T*"])
            .ids()
            .is_empty()
    );
}

#[test]
fn a_launch_time_is_both_first_launch_and_last_start() {
    let fake = FakeAws::start();
    let hour = Duration::from_hours(1);
    let instance = |launch| fake.instance(&fake.launch(launch));
    let once = instance(launch(REGION).started(hour).launched_at(at(FIRST)));
    assert_eq!((once.first_launched, once.started), (at(FIRST), at(FIRST)));
    let again = instance(launch(REGION).launched(hour * 2).started(hour));
    assert_eq!(
        again
            .started
            .duration_since(again.first_launched)
            .as_hours(),
        1
    );
    let default = instance(launch(REGION));
    assert_eq!(default.first_launched, default.started);
}

#[test]
fn starting_an_instance_moves_its_last_start_only() {
    let fake = FakeAws::start();
    let id = fake.launch(old().state("stopped"));
    let before = ago(0);
    let client = ec2(&fake, REGION);
    client.with_ids("StartInstances", &[&id]).is_done();
    let instance = fake.instance(&id);
    assert!(instance.started >= before);
    assert_eq!(instance.first_launched, at(FIRST));
    client.with_ids("StartInstances", &[&id]).is_done();
    assert_eq!(fake.instance(&id).started, instance.started);
}

#[test]
fn somebody_else_can_have_started_an_instance() {
    let fake = FakeAws::start();
    let id = fake.launch(old());
    fake.set_started(&id, at(LAST));
    let instance = fake.instance(&id);
    assert_eq!(
        (instance.first_launched, instance.started),
        (at(FIRST), at(LAST))
    );
    assert!(fake.calls().is_empty());
}

#[test]
fn interfaces_and_volumes_have_times_of_their_own() {
    check_attached(old(), &[FIRST], &[FIRST]);
    check_attached(old().interface_attached_at(at(LATER)), &[FIRST], &[LATER]);
    check_attached(old().root_volume_attached_at(at(LATER)), &[LATER], &[FIRST]);
    check_attached(
        old().second_interface_at(at(LATER)),
        &[FIRST],
        &[FIRST, LATER],
    );
    check_attached(old().second_volume_at(at(LATER)), &[FIRST, LATER], &[FIRST]);
}

#[test]
fn an_instance_may_have_no_interface_or_no_volume() {
    check_attached(old().no_volumes(), &[], &[FIRST]);
    check_attached(
        old().second_volume_at(at(LATER)).no_volumes(),
        &[],
        &[FIRST],
    );
    check_attached(old().instance_store(), &[], &[FIRST]);
    check_attached(old().no_interface(), &[FIRST], &[]);
    let answer = described(old().no_interface());
    assert!(answer.body.contains("<networkInterfaceSet/>"));
}

#[test]
fn without_a_primary_interface_the_second_has_device_index_1() {
    let answer = described(old().no_interface().second_interface_at(at(LATER)));
    assert_eq!(answer.texts("deviceIndex"), ["1"]);
}

#[test]
fn an_attachment_may_have_no_time() {
    let answer = described(old().no_interface_time());
    assert_eq!(answer.texts("deviceIndex"), ["0"]);
    assert_eq!(answer.texts("attachTime"), shown(&[FIRST]), "the volume's");
}

#[test]
fn ids_and_addresses_differ_between_attachments() {
    let launch = old()
        .second_interface_at(at(LATER))
        .second_volume_at(at(LATER));
    let answer = described(launch);
    assert_eq!(answer.texts("deviceName"), ["/dev/xvda", "/dev/sdf"]);
    assert_eq!(answer.texts("deviceIndex"), ["0", "1"]);
    for name in ["volumeId", "networkInterfaceId", "attachmentId"] {
        let ids = answer.texts(name);
        assert_eq!(ids.len(), 2, "{name}");
        assert_ne!(ids[0], ids[1], "{name}");
    }
}

#[test]
fn an_interface_may_become_visible_after_its_instance() {
    let fake = FakeAws::start();
    let launch = old()
        .visible(Settle::Describes(1))
        .interface_visible(Settle::Describes(2))
        .second_interface_at(at(LATER));
    let id = fake.launch(launch);
    let client = ec2(&fake, REGION);
    let indexes = || {
        client
            .filtered("instance-id", &[&id])
            .texts("deviceIndex")
            .join(" ")
    };
    assert_eq!(
        [indexes(), indexes(), indexes(), indexes()],
        ["", "1", "1", "0 1"]
    );
}

#[test]
fn a_terminated_instance_has_no_attachments() {
    let launch = old()
        .second_interface_at(at(LATER))
        .second_volume_at(at(LATER))
        .state("terminated");
    check_attached(launch, &[], &[]);
}
