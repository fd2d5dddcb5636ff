//! Instances that an AWS service operates.

use imds_tests::{FakeAws, launch, template_data};

use crate::REGION;
use crate::client::{HttpAnswer, ec2};

const SHOWN: (&str, &str) = ("IncludeManagedResources", "true");
const ACTIONS: [&str; 3] = [
    "ModifyInstanceMetadataOptions",
    "StopInstances",
    "TerminateInstances",
];

#[test]
fn managed_instances_are_hidden_unless_a_call_asks_for_them() {
    let fake = FakeAws::start();
    let own = fake.launch(launch(REGION).tag("app", "web"));
    let managed = fake.launch(
        launch(REGION)
            .tag("app", "web")
            .managed_by("eks.amazonaws.com"),
    );
    let client = ec2(&fake, REGION);
    let both = [own.clone(), managed.clone()];
    let filter = [("Filter.1.Name", "tag:app"), ("Filter.1.Value.1", "web")];
    let id = [
        ("Filter.1.Name", "instance-id"),
        ("Filter.1.Value.1", &managed),
    ];
    let named = [("InstanceId.1", managed.as_str())];
    let describe = |params: &[(&str, &str)]| client.call("DescribeInstances", params).ids();
    let with = |params: &[(&str, &str)]| describe(&[params, &[SHOWN]].concat());
    assert_eq!(
        (describe(&[]), with(&[])),
        (both[..1].to_vec(), both.to_vec())
    );
    assert_eq!(
        (describe(&filter), with(&filter)),
        (both[..1].to_vec(), both.to_vec())
    );
    assert_eq!((describe(&id), with(&id)), (vec![], vec![managed.clone()]));
    assert_eq!((describe(&named), with(&named)), (vec![], vec![managed]));
    assert_eq!(
        describe(&[("IncludeManagedResources", "false")]),
        both[..1].to_vec()
    );
}

#[test]
fn hidden_instances_take_no_place_on_a_page() {
    let fake = FakeAws::start();
    let own = fake.launch_many(launch(REGION), 4);
    fake.launch_many(launch(REGION).managed_by("ecs.amazonaws.com"), 3);
    let last = fake.launch(launch(REGION));
    fake.launch(launch(REGION).managed_by("ecs.amazonaws.com"));
    let client = ec2(&fake, REGION);
    let page = |params: &[(&str, &str)]| {
        let params = [&[("MaxResults", "5")], params].concat();
        client.call("DescribeInstances", &params)
    };
    let only = page(&[]);
    assert_eq!(only.ids(), [own, vec![last.clone()]].concat());
    assert_eq!(only.texts("nextToken").concat(), "");
    let first = page(&[SHOWN]);
    assert_eq!(first.ids().len(), 5);
    let second = page(&[SHOWN, ("NextToken", &first.text("nextToken"))]);
    assert_eq!((second.ids().len(), &second.ids()[2]), (4, &last));
}

#[test]
fn an_older_endpoint_rejects_the_parameter_and_hides_nothing() {
    let fake = FakeAws::start();
    let managed = fake.launch(launch(REGION).managed_by("eks.amazonaws.com"));
    let elsewhere = fake.launch(launch("us-east-1").managed_by("eks.amazonaws.com"));
    fake.refuse_include_managed_resources(REGION);
    let client = ec2(&fake, REGION);
    for value in ["true", "false"] {
        let params = [("IncludeManagedResources", value)];
        let answer = client.call("DescribeInstances", &params);
        answer.is_rejected(400, "UnknownParameter");
        assert_eq!(
            answer.text("Message"),
            "The parameter IncludeManagedResources is not recognized"
        );
    }
    assert_eq!(client.call("DescribeInstances", &[]).ids(), [managed]);
    let other = ec2(&fake, "us-east-1");
    assert_eq!(other.call("DescribeInstances", &[SHOWN]).ids(), [elsewhere]);
}

#[test]
fn calls_about_launch_templates_have_the_parameter_too() {
    let fake = FakeAws::start();
    let id = fake.template(REGION, "web");
    fake.template_version(&id, template_data());
    let client = ec2(&fake, REGION);
    let named = ("LaunchTemplateId", id.as_str());
    let templates = || client.call("DescribeLaunchTemplates", &[SHOWN]);
    let versions = || client.call("DescribeLaunchTemplateVersions", &[named, SHOWN]);
    for answer in [templates(), versions()] {
        assert_eq!(answer.texts("launchTemplateId"), [&*id]);
    }
    fake.refuse_include_managed_resources(REGION);
    for answer in [templates(), versions()] {
        answer.is_rejected(400, "UnknownParameter");
    }
}

#[track_caller]
fn check_denied(answer: &HttpAnswer, action: &str, id: &str) {
    answer.is_rejected(403, "UnauthorizedOperation");
    let message = answer.text("Message");
    let (told, encoded) = message
        .split_once(" Encoded authorization failure message: ")
        .unwrap();
    assert_eq!(
        told,
        format!(
            "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/enforcer/session is not authorized to perform: ec2:{action} on resource: arn:aws:ec2:{REGION}:111122223333:instance/{id} with an explicit deny in a resource-based policy."
        )
    );
    assert_eq!(encoded.len(), 700);
}

#[test]
fn a_service_s_policy_may_deny_every_change() {
    let fake = FakeAws::start();
    let managed = fake.launch(
        launch(REGION)
            .managed_by("eks.amazonaws.com")
            .denies_changes(),
    );
    let client = ec2(&fake, REGION);
    let modified = client.modify(&managed, &[("HttpTokens", "required")]);
    check_denied(&modified, ACTIONS[0], &managed);
    for action in &ACTIONS[1..] {
        check_denied(&client.with_ids(action, &[&managed]), action, &managed);
    }
    let instance = fake.instance(&managed);
    assert_eq!(
        (&*instance.options.tokens, &*instance.state),
        ("optional", "running")
    );
    client.with_ids("StartInstances", &[&managed]).is_done();
}

#[test]
fn a_denied_instance_fails_the_call_for_all() {
    let fake = FakeAws::start();
    let own = fake.launch(launch(REGION).az("b"));
    let denied = fake.launch(launch(REGION).denies_changes());
    let client = ec2(&fake, REGION);
    for action in &ACTIONS[1..] {
        check_denied(&client.with_ids(action, &[&own, &denied]), action, &denied);
    }
    assert_eq!(fake.instance(&own).state, "running");
}

#[test]
fn a_denial_comes_before_all_other_checks_and_in_dry_runs_too() {
    let fake = FakeAws::start();
    let denied = fake.launch(
        launch(REGION)
            .state("terminated")
            .instance_store()
            .protected()
            .refuses_changes()
            .denies_changes(),
    );
    let client = ec2(&fake, REGION);
    let modified = client.modify(&denied, &[("HttpTokens", "required")]);
    check_denied(&modified, ACTIONS[0], &denied);
    for action in &ACTIONS[1..] {
        check_denied(&client.with_ids(action, &[&denied]), action, &denied);
        let params = [("InstanceId.1", denied.as_str()), ("DryRun", "true")];
        check_denied(&client.call(action, &params), action, &denied);
    }
    let params = [("HttpTokens", "required"), ("DryRun", "true")];
    check_denied(&client.modify(&denied, &params), ACTIONS[0], &denied);
}
