"""The module applied to an account, from the first apply to nothing left, in this order."""

import base64
import hashlib
import json
import shlex
import subprocess
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
    """An instance that answers IMDSv1, and the event of its launch."""
    launched = launches.on_its_own("optional", **({"app": "shop"} | tags))
    made = launched(region, deployed.cloud.endpoint)
    return made.answer["Instances"][0]["InstanceId"], events.run_instances(made, region)


def seen(deployed: Deployed, region: str, instance_id: str) -> launches.Seen:
    """As EC2 describes it."""
    return launches.look(instance_id, region, deployed.cloud.endpoint)


@contextmanager
def function(
    deployed: Deployed, folder: Path, zip_file: Path, policy: str | None = None
) -> Iterator[enforcer.Enforcer]:
    """The function as it is deployed, under its role and nothing else; the policy may differ."""
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


def test_an_apply_changes_nothing_that_an_apply_has_made(deployed: Deployed) -> None:
    changes = deployed.terraform.changes()
    assert [(each["address"], each["change"]["actions"]) for each in changes] == []


@IN_EVERY_REGION
def test_a_rule_sends_launches_home(deployed: Deployed, region: str) -> None:
    client = deployed.cloud.client("events", region)
    rule = client.describe_rule(Name="imds-enforcer-launches")
    assert rule["State"] == "ENABLED"
    assert json.loads(rule["EventPattern"]) == {
        "source": ["aws.ec2"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": ["ec2.amazonaws.com"],
            "eventName": ["RunInstances", "ModifyInstanceMetadataOptions"],
            "errorCode": [{"exists": False}],
        },
    }
    assert client.list_targets_by_rule(Rule="imds-enforcer-launches")["Targets"] == [
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
def test_a_queue_keeps_what_the_regions_rules_could_not_deliver(
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
    """Those that EventBridge makes itself for an archive."""
    return {arn for arn in rules if "/Events-Archive-" in arn}


@IN_EVERY_REGION
def test_an_alarm_watches_the_regions_queue(deployed: Deployed, region: str) -> None:
    client = deployed.cloud.client("cloudwatch", region)
    (alarm,) = client.describe_alarms(AlarmNames=["imds-enforcer-dead-letters"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "imds-enforcer-dead-letters"}]
    assert (alarm["Namespace"], alarm["Threshold"]) == ("AWS/SQS", 0)


@IN_EVERY_REGION
def test_the_accounts_defaults_are_set(deployed: Deployed, region: str) -> None:
    answer = deployed.cloud.client("ec2", region).get_instance_metadata_defaults()
    level = answer["AccountLevel"]
    assert (level["HttpTokens"], level["HttpPutResponseHopLimit"]) == ("required", 2)


def test_a_region_that_is_not_opted_in_is_left_alone(deployed: Deployed) -> None:
    assert OPTED_OUT not in deployed.outputs["regions"]
    own = {thing for thing in deployed.cloud.things(OPTED_OUT) if f":{OPTED_OUT}:" in thing}
    assert own == {f"events arn:aws:events:{OPTED_OUT}:{ACCOUNT}:event-bus/default"}


def test_the_function_is_the_one_that_was_built(deployed: Deployed, zip_file: Path) -> None:
    client = deployed.cloud.client("lambda", HOME)
    config = client.get_function_configuration(FunctionName="imds-enforcer")
    digest = hashlib.sha256(zip_file.read_bytes()).digest()
    assert config["CodeSha256"] == base64.b64encode(digest).decode()


def test_the_home_bus_hands_on_to_the_function_and_nothing_else(deployed: Deployed) -> None:
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


def test_what_fails_for_good_is_kept_and_told(deployed: Deployed) -> None:
    client = deployed.cloud.client("lambda", HOME)
    config = client.get_function_configuration(FunctionName="imds-enforcer")
    queue = f"arn:aws:sqs:{HOME}:{ACCOUNT}:imds-enforcer-on-failure"
    assert config["DeadLetterConfig"] == {"TargetArn": queue}
    invoked = client.get_function_event_invoke_config(FunctionName="imds-enforcer")
    bus = {"Destination": deployed.outputs["bus_arn"]}
    assert invoked["DestinationConfig"] == {"OnSuccess": bus, "OnFailure": bus}
    assert (invoked["MaximumRetryAttempts"], invoked["MaximumEventAgeInSeconds"]) == (2, 21600)


def test_the_schedule_starts_a_sweep_of_every_region_that_breaks_nothing_in_use(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    schedule = deployed.cloud.client("scheduler", HOME).get_schedule(Name="imds-enforcer-sweep")
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    target = schedule["Target"]
    assert target["Arn"] == deployed.outputs["function_arn"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 3600
    queue = f"arn:aws:sqs:{HOME}:{ACCOUNT}:imds-enforcer-dead-letters"
    assert target["DeadLetterConfig"] == {"Arn": queue}
    event = json.loads(target["Input"])
    assert event["detail"]["regions"] == sorted(REGIONS)
    untold = {region: launch(deployed, region)[0] for region in REGIONS}
    in_use, _ = launch(deployed, HOME)
    cloudwatch = deployed.cloud.client("cloudwatch", HOME)
    launches.called(cloudwatch, in_use, {timedelta(hours=2): 3})
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    assert (report["trigger"], report["unseen"]) == ("sweep", [])
    for region, instance_id in untold.items():
        assert seen(deployed, region, instance_id).tokens == "required", report
    assert seen(deployed, HOME, in_use).tokens == "optional", report


@pytest.fixture(scope="module")
def second_target(deployed: Deployed) -> None:
    """A queue beside the function, to see what arrives."""
    client = deployed.cloud.client("events", HOME)
    rule = {"Rule": "imds-enforcer-function", "EventBusName": "imds-enforcer"}
    arn = f"arn:aws:sqs:{HOME}:{ACCOUNT}:arrivals"
    client.put_targets(**rule, Targets=[{"Id": "arrivals", "Arn": arn}])


@IN_EVERY_REGION
@pytest.mark.usefixtures("second_target")
def test_a_launch_in_a_region_is_mended_there(
    deployed: Deployed, folder: Path, zip_file: Path, region: str
) -> None:
    instance_id, event = launch(deployed, region)
    deployed.cloud.put_event(region, event)
    (arrived,) = deployed.events_arrived()
    assert arrived["detail"] == event["detail"]
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(arrived)
    (verdict,) = report["instances"]
    assert (verdict["instance_id"], verdict["region"]) == (instance_id, region)
    assert verdict["outcome"] == "enforced"
    assert seen(deployed, region, instance_id).tokens == "required"


@pytest.mark.usefixtures("second_target")
def test_a_starting_instance_is_mended_where_no_trail_tells_of_it(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    instance_id, launched = launch(deployed, HOME)
    event = {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}
    event |= {"detail": {"instance-id": instance_id, "state": "running"}}
    deployed.cloud.put_event(HOME, event)
    (arrived,) = deployed.events_arrived()
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(arrived)
    assert report["trigger"] == "state-change"
    assert report["summary"]["enforced"] == 1, report
    assert launched["region"] == HOME


@pytest.mark.usefixtures("second_target")
def test_a_launch_that_failed_goes_nowhere(deployed: Deployed) -> None:
    _, event = launch(deployed, "us-east-1")
    event["detail"] |= {"errorCode": "Client.DryRunOperation", "responseElements": None}
    deployed.cloud.put_event("us-east-1", event)
    assert deployed.events_arrived() == []


# What a policy's action leads to, and what becomes of one that the role does not allow.
ACTIONS = {
    "report": ("reported", "running", "optional", "enforce", "failed"),
    "enforce": ("enforced", "running", "required", "terminate", "enforced"),
    "stop": ("stopped", "stopped", "optional", "terminate", "enforced"),
    "terminate": ("terminated", "terminated", "optional", "stop", "enforced"),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_the_role_allows_what_the_policy_does_and_no_more(
    deployed: Deployed, folder: Path, zip_file: Path, action: str
) -> None:
    outcome, state, tokens, beyond, instead = ACTIONS[action]
    deployed.change_policy(that(action))
    instance_id, event = launch(deployed, "us-east-1")
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    assert report["instances"][0]["outcome"] == outcome, report
    after = seen(deployed, "us-east-1", instance_id)
    assert (after.state, after.tokens) == (state, tokens)

    instance_id, event = launch(deployed, "us-east-1")
    with function(deployed, folder, zip_file, json.dumps(that(beyond))) as running:
        report = running.invoke(event)
    assert seen(deployed, "us-east-1", instance_id).state == "running"
    if instead == "failed":
        assert report["errorType"] == "Incomplete", report
        assert instance_id in report["errorMessage"]
    else:
        (verdict,) = report["instances"]
        assert verdict["outcome"] == instead, report
        assert "not authorized" in verdict["reason"]


def that(action: str) -> dict[str, Any]:
    """A policy of one action."""
    policy: dict[str, Any] = {"require": {"http_tokens": "required"}, "on_violation": action}
    return policy | {"limits": {"grace_seconds": 0}}


def tell(deployed: Deployed, kind: str, detail: dict[str, Any]) -> list[str]:
    """What subscribers are told when Lambda puts a result on the home bus."""
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
    return deployed.messages_told()


def test_what_was_done_is_told_in_a_sentence(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    deployed.change_policy(deployed.variables["policy"])
    instance_id, event = launch(deployed, "eu-west-1", stage="sandbox")
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    (message,) = tell(deployed, "Success", {"responsePayload": report})
    assert message == (
        f"imds-enforcer in account {ACCOUNT}, after a launch in region eu-west-1: "
        "0 enforced, 0 stopped, 1 terminated, 0 spared, 0 failed. "
        f"Instances: {instance_id}. Their outcomes, in this order: terminated. "
        "Reasons, and the options before and after, are in log group "
        f"/aws/lambda/imds-enforcer ({HOME}) under request 6f1d3c1e."
    )


def test_what_is_as_it_should_be_is_not_told(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    _, event = launch(deployed, "eu-west-1", app="scanner-1")
    with function(deployed, folder, zip_file) as running:
        report = running.invoke(event)
    assert report["summary"]["exempt"] == 1
    assert tell(deployed, "Success", {"responsePayload": report}) == []


def test_what_was_given_up_is_told_with_its_reason(
    deployed: Deployed, folder: Path, zip_file: Path
) -> None:
    event = {"source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail", "detail": {}}
    with function(deployed, folder, zip_file) as running:
        error = running.invoke(event)
    context = {"condition": "RetriesExhausted", "approximateInvokeCount": 3}
    (message,) = tell(deployed, "Failure", {"context": context, "responsePayload": error})
    start = (
        f"imds-enforcer in account {ACCOUNT} gave up on an event (RetriesExhausted, 3 attempts): "
    )
    assert message.startswith(f"{start}MalformedEvent: ")
    assert error["errorMessage"] in message
    assert f"waits in the queue imds-enforcer-on-failure ({HOME})" in message


@pytest.mark.parametrize("region", ["us-east-1", HOME])
def test_dead_letters_of_any_region_are_told(deployed: Deployed, region: str) -> None:
    detail = {
        "alarmName": "imds-enforcer-dead-letters",
        "state": {"value": "ALARM", "reason": "Threshold Crossed"},
        "configuration": {"description": "Something could not be delivered"},
    }
    event = {"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change"}
    deployed.cloud.put_event(region, event | {"detail": detail})
    (message,) = deployed.messages_told()
    # moto writes its own region into what it forwards.
    assert message == (
        f"Alarm imds-enforcer-dead-letters in account {ACCOUNT}, region {HOME}: "
        "Something could not be delivered (Threshold Crossed)"
    )


def test_no_result_came_back_to_the_function(deployed: Deployed) -> None:
    assert deployed.events_arrived() == []


def test_the_commands_of_the_outputs_are_those_of_cargo_lambda(deployed: Deployed) -> None:
    for name in ("invoke_command", "sweep_command"):
        program, *arguments = shlex.split(deployed.outputs[name])
        assert (program, *arguments[:3]) == ("cargo", "lambda", "invoke", "--remote")
        command = ["cargo-lambda", "lambda", "invoke", *arguments[2:], "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("removed")
class TestAfterDestroy:
    """What `terraform destroy` leaves."""

    @pytest.mark.parametrize("region", [*REGIONS, OPTED_OUT])
    def test_nothing_is_left(self, deployed: Deployed, region: str) -> None:
        own = {f"sqs {deployed.arrivals}", f"sqs {deployed.messages}"}
        assert deployed.cloud.things(region) - own == deployed.before[region]

    def test_terraform_knows_of_nothing_more(self, deployed: Deployed) -> None:
        assert deployed.terraform.run("state", "list") == ""


@pytest.fixture(scope="module")
def removed(deployed: Deployed) -> None:
    """After everything else."""
    client = deployed.cloud.client("events", HOME)
    rule = {"Rule": "imds-enforcer-function", "EventBusName": "imds-enforcer"}
    client.remove_targets(**rule, Ids=["arrivals"])
    deployed.terraform.destroy()
