"""The applied module, from the first apply to the destroy, in this order."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import enforcer
import pytest
from conftest import HOME, OPTED_OUT, REGIONS, Deployed

from demo import events, launches, local

ACCOUNT = "123456789012"
IN_EVERY_REGION = pytest.mark.parametrize("region", REGIONS)


def launch(deployed: Deployed, region: str, **tags: str) -> tuple[str, dict[str, Any]]:
    """Launches an instance that accepts IMDSv1; returns its ID and the event."""
    launched = launches.standalone("optional", **({"app": "shop"} | tags))
    made = launched(region, deployed.cloud.endpoint)
    return made.response["Instances"][0]["InstanceId"], events.run_instances(made, region)


def describe(deployed: Deployed, region: str, instance_id: str) -> launches.Description:
    """Describes an instance."""
    return launches.describe(instance_id, region, deployed.cloud.endpoint)


@contextmanager
def function(
    deployed: Deployed, folder: Path, zip_file: Path, policy: str | None = None
) -> Iterator[enforcer.Enforcer]:
    """Runs the deployed function with its execution role, optionally with another policy."""
    client = deployed.cloud.client("lambda", HOME)
    config = client.get_function_configuration(FunctionName=deployed.outputs["function_name"])
    env = {
        "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
        "AWS_REGION": HOME,
        "AWS_ENDPOINT_URL": deployed.cloud.endpoint,
    }
    env |= config["Environment"]["Variables"] | ({"IMDS_POLICY": policy} if policy else {})
    env |= deployed.cloud.session(config["Role"], config["FunctionName"])
    with (
        enforcer.running(zip_file, folder, env, config["Timeout"]) as running,
        local.permissions_enforced(deployed.cloud.endpoint),
    ):
        yield running


def test_a_second_apply_changes_nothing(deployed: Deployed) -> None:
    changes = deployed.terraform.changes()
    assert [(each["address"], each["change"]["actions"]) for each in changes] == []


@IN_EVERY_REGION
def test_a_rule_sends_api_calls_to_the_home_region(deployed: Deployed, region: str) -> None:
    client = deployed.cloud.client("events", region)
    rule = client.describe_rule(Name="imds-enforcer-api-calls")
    assert rule["State"] == "ENABLED"
    own = f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-function"
    caller = {"sessionIssuer": {"arn": [{"exists": False}, {"anything-but": [own]}]}}
    assert json.loads(rule["EventPattern"]) == {
        "source": ["aws.ec2"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": ["ec2.amazonaws.com"],
            "eventName": ["RunInstances", "StartInstances", "ModifyInstanceMetadataOptions"],
            "errorCode": [{"exists": False}],
            "userIdentity": {"sessionContext": caller},
        },
    }
    assert client.list_targets_by_rule(Rule="imds-enforcer-api-calls")["Targets"] == [
        {
            "Id": "home-bus",
            "Arn": f"arn:aws:events:{HOME}:{ACCOUNT}:event-bus/imds-enforcer",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-forward",
            "DeadLetterConfig": {
                "Arn": f"arn:aws:sqs:{region}:{ACCOUNT}:imds-enforcer-dead-letters"
            },
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        }
    ]


@IN_EVERY_REGION
def test_the_dead_letter_queue_accepts_messages_from_the_rules_of_its_region(
    deployed: Deployed, region: str
) -> None:
    sqs = deployed.cloud.client("sqs", region)
    url = sqs.get_queue_url(QueueName="imds-enforcer-dead-letters")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert found["MessageRetentionPeriod"] == "1209600"
    (statement,) = json.loads(found["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == found["QueueArn"]
    client = deployed.cloud.client("events", region)
    rules = {
        rule["Arn"]
        for bus in client.list_event_buses()["EventBuses"]
        for rule in client.list_rules(EventBusName=bus["Name"])["Rules"]
    }
    assert set(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == rules - archive_rules(rules)


def archive_rules(rules: set[str]) -> set[str]:
    """Returns the rules that EventBridge creates for archives."""
    return {arn for arn in rules if "/Events-Archive-" in arn}


@IN_EVERY_REGION
def test_an_alarm_monitors_the_dead_letter_queue(deployed: Deployed, region: str) -> None:
    client = deployed.cloud.client("cloudwatch", region)
    (alarm,) = client.describe_alarms(AlarmNames=["imds-enforcer-dead-letters"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "imds-enforcer-dead-letters"}]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "NumberOfMessagesSent")
    assert (alarm["Threshold"], alarm["DatapointsToAlarm"]) == (1, 1)


@IN_EVERY_REGION
def test_the_account_defaults_are_set(deployed: Deployed, region: str) -> None:
    response = deployed.cloud.client("ec2", region).get_instance_metadata_defaults()
    defaults = response["AccountLevel"]
    assert (defaults["HttpTokens"], defaults["HttpPutResponseHopLimit"]) == ("required", 2)


def test_a_region_that_is_not_enabled_has_no_resources(deployed: Deployed) -> None:
    assert OPTED_OUT not in deployed.outputs["regions"]
    resources = deployed.cloud.resources(OPTED_OUT)
    regional = {name for name in resources if f":{OPTED_OUT}:" in name}
    assert regional == {f"events arn:aws:events:{OPTED_OUT}:{ACCOUNT}:event-bus/default"}


def test_the_function_has_the_code_of_the_deployment_package(
    deployed: Deployed, zip_file: Path
) -> None:
    client = deployed.cloud.client("lambda", HOME)
    config = client.get_function_configuration(FunctionName="imds-enforcer")
    digest = hashlib.sha256(zip_file.read_bytes()).digest()
    assert config["CodeSha256"] == base64.b64encode(digest).decode()


def test_the_function_knows_its_own_role(deployed: Deployed) -> None:
    client = deployed.cloud.client("lambda", HOME)
    config = client.get_function_configuration(FunctionName="imds-enforcer")
    assert config["Environment"]["Variables"]["IMDS_ROLE_ARN"] == config["Role"]


def test_the_home_bus_sends_events_only_to_the_function(deployed: Deployed) -> None:
    client = deployed.cloud.client("events", HOME)
    (target,) = client.list_targets_by_rule(
        Rule="imds-enforcer-function", EventBusName="imds-enforcer"
    )["Targets"]
    assert target["Arn"] == deployed.outputs["function_arn"]
    assert target["DeadLetterConfig"]["Arn"].endswith(
        f":{HOME}:{ACCOUNT}:imds-enforcer-dead-letters"
    )
    policy = deployed.cloud.client("lambda", HOME).get_policy(FunctionName="imds-enforcer")[
        "Policy"
    ]
    (statement,) = json.loads(policy)["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    rule = f"arn:aws:events:{HOME}:{ACCOUNT}:rule/imds-enforcer/imds-enforcer-function"
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": rule}}


def test_results_are_sent_to_the_home_bus(deployed: Deployed) -> None:
    client = deployed.cloud.client("lambda", HOME)
    invoked = client.get_function_event_invoke_config(FunctionName="imds-enforcer")
    bus = {"Destination": deployed.outputs["bus_arn"]}
    assert invoked["DestinationConfig"] == {"OnSuccess": bus, "OnFailure": bus}
    assert (invoked["MaximumRetryAttempts"], invoked["MaximumEventAgeInSeconds"]) == (2, 21600)


def test_the_state_table_expires_items_and_can_be_restored(deployed: Deployed) -> None:
    client = deployed.cloud.client("dynamodb", HOME)
    name = deployed.outputs["state_table_name"]
    table = client.describe_table(TableName=name)["Table"]
    assert table["KeySchema"] == [{"AttributeName": "key", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["TableArn"] == deployed.outputs["state_table_arn"]
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"


def test_the_scheduled_sweep_enforces_unused_instances_in_every_region(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    schedule = deployed.cloud.client("scheduler", HOME).get_schedule(Name="imds-enforcer-sweep")
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    target = schedule["Target"]
    assert target["Arn"] == deployed.outputs["function_arn"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 3600
    queue = f"arn:aws:sqs:{HOME}:{ACCOUNT}:imds-enforcer-sweep-failures"
    assert target["DeadLetterConfig"] == {"Arn": queue}
    event = json.loads(target["Input"])
    assert "accounts" not in event["detail"]
    assert event["detail"]["regions"] == sorted(REGIONS)
    unused = {region: launch(deployed, region, hours="2")[0] for region in REGIONS}
    in_use, _ = launch(deployed, HOME, hours="2")
    cloudwatch = deployed.cloud.client("cloudwatch", HOME)
    launches.called(cloudwatch, in_use, {timedelta(hours=2): 3})
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    assert (report["trigger"], report["unreachable"]) == ("sweep", [])
    for region, instance_id in unused.items():
        assert describe(deployed, region, instance_id).tokens == "required", report
    assert describe(deployed, HOME, in_use).tokens == "optional", report


@pytest.fixture(scope="module")
def second_target(deployed: Deployed) -> None:
    """Adds a queue as a target, which receives the events of the function."""
    client = deployed.cloud.client("events", HOME)
    rule = {"Rule": "imds-enforcer-function", "EventBusName": "imds-enforcer"}
    arn = f"arn:aws:sqs:{HOME}:{ACCOUNT}:arrivals"
    client.put_targets(**rule, Targets=[{"Id": "arrivals", "Arn": arn}])


@IN_EVERY_REGION
@pytest.mark.usefixtures("second_target")
def test_a_launch_in_any_region_is_enforced(
    deployed: Deployed, folder: Path, zip_file: Path, region: str
) -> None:
    instance_id, event = launch(deployed, region)
    deployed.cloud.put_event(region, event)
    (arrived,) = deployed.new_events()
    assert arrived["detail"] == event["detail"]
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(arrived)
    (entry,) = report["instances"]
    assert (entry["instance_id"], entry["region"]) == (instance_id, region)
    assert entry["outcome"] == "enforced"
    assert describe(deployed, region, instance_id).tokens == "required"


@pytest.mark.usefixtures("second_target")
def test_an_instance_start_is_enforced_without_a_trail(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    instance_id, launched = launch(deployed, HOME)
    event = {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}
    event |= {"detail": {"instance-id": instance_id, "state": "running"}}
    deployed.cloud.put_event(HOME, event)
    (arrived,) = deployed.new_events()
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(arrived)
    assert report["trigger"] == "start"
    assert report["summary"]["enforced"] == 1, report
    assert launched["region"] == HOME


@pytest.mark.usefixtures("second_target")
def test_a_failed_launch_is_not_sent(deployed: Deployed) -> None:
    _, event = launch(deployed, "us-east-1")
    event["detail"] |= {"errorCode": "Client.DryRunOperation", "responseElements": None}
    deployed.cloud.put_event("us-east-1", event)
    assert deployed.new_events() == []


# Outcome, state, and tokens by action of the deployed policy; then an action that its role does
# not allow, and the outcome of that action.
ACTIONS = {
    "report": ("reported", "running", "optional", "enforce", "failed"),
    "enforce": ("enforced", "running", "required", "terminate", "enforced"),
    "stop": ("stopped", "stopped", "required", "terminate", "enforced"),
    "terminate": ("terminated", "terminated", "optional", "stop", "enforced"),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_the_role_allows_only_the_actions_of_the_policy(
    deployed: Deployed, folder: Path, zip_file: Path, action: str
) -> None:
    outcome, state, tokens, beyond, instead = ACTIONS[action]
    deployed.change_policy(policy_with(action))
    instance_id, event = launch(deployed, "us-east-1")
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    assert report["instances"][0]["outcome"] == outcome, report
    after = describe(deployed, "us-east-1", instance_id)
    assert (after.state, after.tokens) == (state, tokens)

    instance_id, event = launch(deployed, "us-east-1")
    with function(
        deployed, folder, zip_file, json.dumps({"version": 1} | policy_with(beyond))
    ) as running:
        report = running.invoke(event)
    assert describe(deployed, "us-east-1", instance_id).state == "running"
    if instead == "failed":
        assert report["errorType"] == "Incomplete", report
        assert instance_id in report["errorMessage"]
    else:
        (entry,) = report["instances"]
        assert entry["outcome"] == instead, report
        assert "not authorized" in entry["reason"]


def policy_with(action: str) -> dict[str, Any]:
    """Returns a policy with one action, without a version."""
    policy: dict[str, Any] = {"require": {"http_tokens": "required"}, "on_violation": action}
    return policy | {"new_instances": {"grace_seconds": 0}}


def test_the_function_reads_a_long_policy_from_the_state_table(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    long = {"name": "long", "when": {"tags": {"app": "x"}}, "action": "report"}
    policies = [
        policy_with("enforce") | {"rules": [long | {"reason": letter * 5000}]} for letter in "ab"
    ]
    for policy in policies:
        deployed.change_policy(policy)
        (digest,) = policy_items(deployed)
        assert variables_of(deployed)["IMDS_POLICY_SHA256"] == digest
        assert "IMDS_POLICY" not in variables_of(deployed)
        instance_id, event = launch(deployed, HOME)
        with function(deployed, folder, zip_file) as running:
            report = running.invoke(event)
        assert report["summary"]["enforced"] == 1, report
        assert describe(deployed, HOME, instance_id).tokens == "required"
    deployed.change_policy(deployed.variables["policy"])
    assert policy_items(deployed) == []
    assert "IMDS_POLICY_SHA256" not in variables_of(deployed)


def policy_items(deployed: Deployed) -> list[str]:
    """Returns the hashes of the policies in the state table, which are right."""
    client = deployed.cloud.client("dynamodb", HOME)
    items = client.scan(TableName=deployed.outputs["state_table_name"])["Items"]
    found = {
        item["key"]["S"].removeprefix("policy#"): item["document"]["S"].encode()
        for item in items
        if item["key"]["S"].startswith("policy#")
    }
    assert all(hashlib.sha256(found[digest]).hexdigest() == digest for digest in found)
    return list(found)


def variables_of(deployed: Deployed) -> dict[str, str]:
    """Returns the environment variables of the function."""
    client = deployed.cloud.client("lambda", HOME)
    config = client.get_function_configuration(FunctionName="imds-enforcer")
    return dict(config["Environment"]["Variables"])


def publish(deployed: Deployed, kind: str, detail: dict[str, Any]) -> list[str]:
    """Puts a result on the home bus as Lambda does; returns the published messages."""
    context = {
        "requestId": "6f1d3c1e",
        "functionArn": f"{deployed.outputs['function_arn']}:$LATEST",
    }
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {kind}",
        "EventBusName": deployed.outputs["bus_name"],
        "Detail": json.dumps({"requestContext": context | detail.pop("context", {})} | detail),
    }
    deployed.cloud.put(HOME, entry)
    return deployed.new_messages()


def test_actions_are_published_as_a_message(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    deployed.change_policy(deployed.variables["policy"])
    instance_id, event = launch(deployed, "eu-west-1", stage="sandbox")
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    (message,) = publish(deployed, "Success", {"responsePayload": report})
    assert message == (
        f"imds-enforcer processed an event (launch) in account {ACCOUNT}, Region eu-west-1: "
        "0 enforced, 0 stopped, 1 terminated, 0 failed. "
        f"Instances: [{instance_id}]. In the same order: outcomes [terminated]; "
        "rules [sandboxes]; violations [[http_tokens]]. "
        "Launch templates, of instances that have one: [], versions []. "
        f"For reasons and metadata options before and after, see {WHERE}."
    )


WHERE = f"request 6f1d3c1e in log group /aws/lambda/imds-enforcer (account {ACCOUNT}, {HOME})"


def test_a_message_names_rules_and_launch_templates_of_every_instance(deployed: Deployed) -> None:
    one = {"instance_id": "i-1", "outcome": "enforced", "rule": None, "violations": ["hop_limit"]}
    two = one | {"instance_id": "i-2", "launch_template": {"id": "lt-7", "version": "3"}}
    report = REPORT | {"trigger": "launch", "region": HOME, "instances": [one, two]}
    report["summary"] = SUMMARY | {"enforced": 2}
    (message,) = publish(deployed, "Success", {"responsePayload": report})
    assert (
        "Instances: [i-1,i-2]. In the same order: outcomes [enforced,enforced]; rules [null,null]; "
        "violations [[hop_limit],[hop_limit]]. "
        "Launch templates, of instances that have one: [lt-7], versions [3]."
    ) in message


SUMMARY = dict.fromkeys(
    ("compliant", "exempt", "reported", "enforced", "stopped", "terminated", "gone", "failed"), 0
)
REPORT: dict[str, Any] = {"version": 1, "account": ACCOUNT, "region": None, "unreachable": []}


def test_a_sweep_tells_in_numbers(deployed: Deployed) -> None:
    summary = SUMMARY | {"reported": 9900, "enforced": 50, "failed": 1}
    report = REPORT | {"trigger": "sweep", "summary": summary, "left": 9850}
    report |= {"instances": [{"instance_id": "i-1"}], "unreachable": [{"region": "ap-east-1"}]}
    (message,) = publish(deployed, "Success", {"responsePayload": report})
    assert message == (
        f"A sweep of imds-enforcer in account {ACCOUNT}: "
        "50 enforced, 0 stopped, 0 terminated, 9900 reported, 1 failed. "
        "Left for the next sweep: 9850. "
        "Regions that could not be scanned: [ap-east-1]. "
        f"For the instances, see {WHERE}."
    )


def test_a_sweep_that_did_nothing_is_not_published(deployed: Deployed) -> None:
    report = REPORT | {"trigger": "sweep", "summary": SUMMARY | {"reported": 3, "failed": 1}}
    assert publish(deployed, "Success", {"responsePayload": report}) == []


def test_a_pause_is_published_once_a_day(deployed: Deployed) -> None:
    pause = {"until": "2027-03-31T08:00:00Z", "reason": "incident 4711", "by": "ada"}
    report = REPORT | {"trigger": "sweep", "summary": SUMMARY | {"reported": 3}, "paused": pause}
    assert publish(deployed, "Success", {"responsePayload": report}) == []
    report |= {"first_of_day": True}
    messages = publish(deployed, "Success", {"responsePayload": report})
    (message,) = [each for each in messages if "paused" in each]
    assert message.startswith(
        f"imds-enforcer is paused in account {ACCOUNT}, or in a Region of it, "
        "until 2027-03-31T08:00:00Z, by ada: incident 4711. "
        "The first sweep of the day: 0 enforced, 3 reported, 0 failed."
    )


def test_the_digest_is_published_once_a_day(deployed: Deployed) -> None:
    report = REPORT | {"trigger": "sweep", "summary": SUMMARY | {"reported": 3, "exempt": 2}}
    assert publish(deployed, "Success", {"responsePayload": report}) == []
    (message,) = publish(deployed, "Success", {"responsePayload": report | {"first_of_day": True}})
    assert message.startswith(
        f"The first sweep of the day of imds-enforcer in account {ACCOUNT}: "
        "3 non-compliant and only reported, 2 exempt, 0 compliant, "
    )


def test_exempt_instances_are_not_published(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    _, event = launch(deployed, "eu-west-1", app="scanner-1")
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    assert report["summary"]["exempt"] == 1
    assert publish(deployed, "Success", {"responsePayload": report}) == []


def test_failed_events_are_published_with_the_error(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    event = {"source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "detail": {}}
    with function(deployed, folder, zip_file) as running:
        error = running.invoke(event)
    context = {"condition": "RetriesExhausted", "approximateInvokeCount": 3}
    asked = event | {"account": ACCOUNT, "region": "us-east-1"}
    detail = {"context": context, "responsePayload": error, "requestPayload": asked}
    (message,) = publish(deployed, "Failure", detail)
    assert message.startswith(
        "imds-enforcer failed to process an event (AWS API Call via CloudTrail) of account "
        f"{ACCOUNT}, Region us-east-1 (RetriesExhausted, 3 attempts): MalformedEvent: "
    )
    assert error["errorMessage"] in message
    assert "in the queue imds-enforcer-on-failure, or of a sweep in " in message


SWEEP = {"source": "imds-enforcer", "detail-type": "Sweep", "detail": {"regions": [HOME]}}
LAUNCH = {"source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "detail": {}}
QUEUES = ("on_failure", "sweep_failures")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (LAUNCH, "on_failure"),
        (SWEEP, "sweep_failures"),
        ({"eventName": "RunInstances"}, "on_failure"),
        ({"source": "aws.events"}, "on_failure"),
    ],
    ids=["a launch", "a sweep", "an event without a source", "another event"],
)
def test_a_failed_event_is_kept_in_its_queue(
    deployed: Deployed, event: dict[str, Any], expected: str
) -> None:
    urls = {name: deployed.outputs[f"{name}_queue_url"] for name in QUEUES}
    for url in urls.values():
        deployed.cloud.receive_all(HOME, url)
    context = {"condition": "RetriesExhausted", "approximateInvokeCount": 3}
    detail = {"context": context, "requestPayload": event, "responsePayload": {"errorType": "E"}}
    publish(deployed, "Failure", detail)
    kept = {name: deployed.cloud.receive_all(HOME, url) for name, url in urls.items()}
    assert {name: list(map(json.loads, bodies)) for name, bodies in kept.items()} == {
        name: [event] if name == expected else [] for name in QUEUES
    }


def test_events_that_succeed_are_in_no_queue(deployed: Deployed) -> None:
    publish(deployed, "Success", {"requestPayload": SWEEP, "responsePayload": {}})
    for name in QUEUES:
        assert deployed.cloud.receive_all(HOME, deployed.outputs[f"{name}_queue_url"]) == []


@pytest.mark.parametrize("region", ["us-east-1", HOME])
def test_dead_letter_alarms_of_all_regions_are_published(deployed: Deployed, region: str) -> None:
    detail = {
        "alarmName": "imds-enforcer-dead-letters",
        "state": {"value": "ALARM", "reason": "Threshold Crossed"},
        "configuration": {"description": "An event was not delivered"},
    }
    event = {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change"}
    deployed.cloud.put_event(region, event | {"detail": detail})
    (message,) = deployed.new_messages()
    # moto replaces the Region of forwarded events.
    assert message == (
        f"Alarm imds-enforcer-dead-letters in account {ACCOUNT}, Region {HOME}: "
        "An event was not delivered (Threshold Crossed)"
    )


def test_no_result_was_sent_back_to_the_function(deployed: Deployed) -> None:
    assert deployed.new_events() == []


@pytest.mark.usefixtures("removed")
class TestAfterDestroy:
    """After `terraform destroy`."""

    @pytest.mark.parametrize("region", [*REGIONS, OPTED_OUT])
    def test_no_resources_remain(self, deployed: Deployed, region: str) -> None:
        own = {f"sqs {deployed.arrivals}", f"sqs {deployed.messages}"}
        assert deployed.cloud.resources(region) - own == deployed.before[region]

    def test_the_terraform_state_is_empty(self, deployed: Deployed) -> None:
        assert deployed.terraform.run("state", "list") == ""


@pytest.fixture(scope="module")
def removed(deployed: Deployed) -> None:
    """Destroys the module."""
    client = deployed.cloud.client("events", HOME)
    rule = {"Rule": "imds-enforcer-function", "EventBusName": "imds-enforcer"}
    client.remove_targets(**rule, Ids=["arrivals"])
    deployed.terraform.destroy()
