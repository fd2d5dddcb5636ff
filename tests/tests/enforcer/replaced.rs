//! What would be launched again, what was restored and what is paid for anyway is enforced at most.

use imds_tests::{FakeAws, InjectedFault, LaunchBuilder, launch};
use serde_json::json;

use crate::support::*;

const SPOT: &str = "DescribeSpotInstanceRequests";

/// Launched by something that would launch it again, with the words that name this.
fn replaced() -> Vec<(LaunchBuilder, &'static str)> {
    let tagged = |key: &str, value: &str| launch(REGION).tag(key, value);
    vec![
        (launch(REGION).in_group("web"), "Auto Scaling group `web`"),
        (
            tagged("aws:elasticmapreduce:job-flow-id", "j-2AXXXXXXGAPLF"),
            "EMR cluster `j-2AXXXXXXGAPLF`",
        ),
        (
            tagged("sigs.k8s.io/cluster-api-provider-aws/cluster/blue", "owned"),
            "Cluster API's cluster `blue`",
        ),
        (
            tagged("karpenter.sh/nodepool", "general"),
            "Karpenter node pool `general`",
        ),
        (
            tagged("karpenter.sh/provisioner-name", "default"),
            "Karpenter node pool `default`",
        ),
        (
            tagged("spotinst:aws:ec2:group:id", "sig-12345678"),
            "Elastigroup `sig-12345678`",
        ),
        (
            tagged("kubernetes.io/cluster/ocp-7x2kq", "owned"),
            "Kubernetes cluster `ocp-7x2kq`",
        ),
        (
            tagged("eks:nodegroup-name", "workers"),
            "EKS node group `workers`",
        ),
        (
            tagged("elasticbeanstalk:environment-name", "shop"),
            "Elastic Beanstalk environment `shop`",
        ),
        (tagged("aws:ec2:fleet-id", "fleet-1"), "EC2 Fleet `fleet-1`"),
        (
            tagged("aws:someservice:cluster", "x"),
            "`aws:someservice:cluster`",
        ),
        (
            launch(REGION).managed_by("ecs.amazonaws.com"),
            "`ecs.amazonaws.com`",
        ),
    ]
}

fn restored() -> Vec<(LaunchBuilder, &'static str)> {
    let tagged = |key: &str, value: &str| launch(REGION).tag(key, value);
    let attached = launch(REGION).launched(seconds(5 * MINUTE));
    vec![
        (
            tagged("aws:backup:source-resource", "i-0123:2026"),
            "AWS Backup",
        ),
        (
            tagged("AWSElasticDisasterRecoveryManaged", "drs.amazonaws.com"),
            "AWS Elastic Disaster Recovery",
        ),
        (
            tagged("AWSApplicationMigrationServiceManaged", "mgn"),
            "AWS Application Migration Service",
        ),
        (
            tagged("CreatedBy", "EC2 Image Builder"),
            "EC2 Image Builder",
        ),
        (tagged("Ec2ImageBuilderArn", "arn"), "EC2 Image Builder"),
        (tagged("Name", "Packer Builder"), "Packer"),
        (attached.second_volume_at(ago(MINUTE)), "volume"),
    ]
}

fn dedicated() -> Vec<(LaunchBuilder, &'static str)> {
    let mac = launch(REGION).instance_type("mac2.metal");
    vec![
        (launch(REGION).capacity_block(), "Capacity Block"),
        (mac.clone(), "Dedicated Host"),
        (mac.tenancy("host"), "Dedicated Host"),
        (launch(REGION).tenancy("host"), "Dedicated Host"),
    ]
}

/// All are enforced instead of disrupted, in one launch, and each reason names why.
#[track_caller]
fn are_only_enforced(launches: Vec<(LaunchBuilder, &'static str)>, because: &str) {
    for on_violation in ["stop", "terminate"] {
        let ec2 = FakeAws::start();
        let launched = launches.iter();
        let launched: Vec<(String, &str)> = launched
            .map(|(launch, words)| (ec2.launch(launch.clone()), *words))
            .collect();
        let plain = ec2.launch(launch(REGION));
        let ids = launched.iter().map(|(id, _)| id).chain([&plain]);
        let event = launched_ids(&ec2, &ids.cloned().collect::<Vec<_>>());
        let run = function(&ec2, &without_grace(on_violation)).invoke(&event);
        for (id, words) in &launched {
            let expected = ["enforced", on_violation, because];
            assert_eq!(done(report(&run), id), expected, "{words}");
            let why = reason(report(&run), id);
            assert!(why.contains(words), "{why}");
            assert_eq!(ec2.instance(id).options.tokens, "required");
        }
        assert_eq!(done(report(&run), &plain)[1], "");
        assert_eq!(ec2.disruptions().len(), 1);
    }
}

#[test]
fn what_would_be_launched_again_is_only_enforced() {
    are_only_enforced(replaced(), "replaced");
}

#[test]
fn what_was_restored_is_only_enforced() {
    are_only_enforced(restored(), "restored");
}

#[test]
fn what_is_paid_for_anyway_is_only_enforced() {
    are_only_enforced(dedicated(), "dedicated_capacity");
}

#[test]
fn tags_of_any_launch_do_not_keep_an_instance_from_being_terminated() {
    let ec2 = FakeAws::start();
    let ids = [
        ("aws:cloudformation:stack-name", "web"),
        ("aws:ec2launchtemplate:id", "lt-0abc"),
        ("aws:servicecatalog:provisioningPrincipalArn", "arn"),
        ("kubernetes.io/cluster/shared-vpc", "shared"),
        ("Name", "web"),
    ]
    .map(|(key, value)| ec2.launch(launch(REGION).tag(key, value)));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_ids(&ec2, &ids));
    assert_eq!(report(&run)["summary"]["terminated"], 5);
}

#[test]
fn a_persistent_spot_request_would_launch_it_again_and_a_one_time_request_would_not() {
    let ec2 = FakeAws::start();
    let persistent = ec2.launch(launch(REGION).persistent_spot());
    let one_time = ec2.launch(launch(REGION).spot());
    let event = launched_ids(&ec2, &[persistent.clone(), one_time.clone()]);
    let run = function(&ec2, &without_grace("terminate")).invoke(&event);
    assert_eq!(
        done(report(&run), &persistent),
        ["enforced", "terminate", "replaced"]
    );
    let why = reason(report(&run), &persistent);
    assert!(why.contains("Spot request `sir-"), "{why}");
    assert_eq!(done(report(&run), &one_time), ["terminated", "", ""]);
    assert_eq!(ec2.count(SPOT), 1);
}

#[test]
fn a_spot_request_that_cannot_be_described_may_be_persistent() {
    let ec2 = FakeAws::start();
    let id = ec2.launch(launch(REGION).spot());
    ec2.fault(InjectedFault::unauthorized().action(SPOT));
    let run = function(&ec2, &without_grace("terminate")).invoke(&launched_one(&ec2, &id));
    assert_eq!(
        done(report(&run), &id),
        ["enforced", "terminate", "replaced"]
    );
}

#[test]
fn spot_requests_are_described_only_where_they_decide() {
    let ec2 = FakeAws::start();
    let function = function(&ec2, ENFORCE);
    let id = ec2.launch(launch(REGION).persistent_spot());
    let run = function.invoke(&launched_one(&ec2, &id));
    assert_eq!(done(report(&run), &id), ["enforced", "", ""]);
    assert_eq!(ec2.count(SPOT), 0);
}

/// `DescribeInstances` shows tags later than the launch's record does.
#[test]
fn a_group_that_only_the_launch_s_record_shows_keeps_an_instance_from_being_terminated() {
    for tag in [
        ("aws:autoscaling:groupName", "web"),
        ("karpenter.sh/nodepool", "general"),
    ] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION));
        let mut event = launched_one(&ec2, &id);
        event["detail"]["responseElements"]["instancesSet"]["items"][0]["tagSet"] =
            json!({ "items": [{ "key": tag.0, "value": tag.1 }] });
        let run = function(&ec2, &without_grace("terminate")).invoke(&event);
        assert_eq!(
            done(report(&run), &id),
            ["enforced", "terminate", "replaced"]
        );
        assert!(reason(report(&run), &id).contains(tag.1));
        assert_eq!(ec2.disruptions(), []);
    }
}

#[test]
fn the_service_that_launched_an_instance_would_launch_it_again() {
    for (service, because) in [
        ("autoscaling.amazonaws.com", "replaced"),
        ("ec2fleet.amazonaws.com", "replaced"),
        ("backup.amazonaws.com", "restored"),
        ("drs.amazonaws.com", "restored"),
    ] {
        let ec2 = FakeAws::start();
        let id = ec2.launch(launch(REGION));
        let mut event = launched_one(&ec2, &id);
        event["detail"]["userIdentity"]["invokedBy"] = json!(service);
        let run = function(&ec2, &without_grace("terminate")).invoke(&event);
        assert_eq!(
            done(report(&run), &id),
            ["enforced", "terminate", because],
            "{service}"
        );
    }
}
