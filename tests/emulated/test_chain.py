"""From a call of the EC2 API to the changed instance, through the deployed rules and function."""

import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from chain import HOME, NAME, REGIONS, Chain, Entry, until
from ground import ACCOUNT

FOREIGN = "us-east-1"
OTHER = "ap-southeast-2"
IN_EVERY_REGION = pytest.mark.parametrize("region", REGIONS)


@IN_EVERY_REGION
def test_a_launch_in_any_region_is_enforced_in_its_own(chain: Chain, region: str) -> None:
    instance = chain.launch(region)
    before = chain.describe(region, instance)
    (entry,) = chain.entries_of(instance)
    assert (entry["trigger"], entry["outcome"], entry["region"]) == ("launch", "enforced", region)
    after = chain.describe(region, instance)
    assert after.state == "running"
    assert after.options == dict(before.options) | {"HttpTokens": "required"}


def test_the_record_of_an_action_is_in_cloudwatch_logs(chain: Chain) -> None:
    instance = chain.launch(FOREIGN)
    (entry,) = chain.entries_of(instance)
    assert (entry["account"], entry["violations"]) == ("000000000000", ["http_tokens"])
    assert entry["before"]["http_tokens"] == "optional"
    assert entry["after"]["http_tokens"] == "required"


def test_a_compliant_launch_and_an_exempt_one_are_left_as_they_are(chain: Chain) -> None:
    with reports(chain) as url:
        exempt = chain.launch(FOREIGN, app="scanner-1")
        compliant = chain.launch(FOREIGN, tokens="required")
        read = until("two reports", partial(received, chain, url, []), lambda read: len(read) == 2)
    entries = [entry for report in read for entry in report["instances"]]
    assert {entry["instance_id"]: (entry["outcome"], entry["rule"]) for entry in entries} == {
        exempt: ("exempt", "scanners"),
        compliant: ("compliant", None),
    }
    assert chain.describe(FOREIGN, exempt).tokens == "optional"
    assert chain.describe(FOREIGN, compliant).tokens == "required"


def test_a_rule_stops_an_instance(chain: Chain) -> None:
    instance = chain.launch(OTHER, stage="parked")
    (entry,) = chain.entries_of(instance)
    assert entry["outcome"] == "stopped", entry
    after = chain.describe(OTHER, instance)
    assert (after.state, after.tokens) == ("stopped", "required")


def test_a_rule_terminates_an_instance(chain: Chain) -> None:
    instance = chain.launch(FOREIGN, stage="sandbox")
    (entry,) = chain.entries_of(instance)
    assert entry["outcome"] == "terminated", entry
    assert chain.describe(FOREIGN, instance).is_ended


def test_a_change_by_a_person_is_undone_and_the_function_s_own_is_not_an_event(
    chain: Chain,
) -> None:
    instance = chain.launch(FOREIGN)
    chain.entries_of(instance)
    ec2 = chain.cloud.client("ec2", FOREIGN)
    ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="optional")
    _, drift = chain.entries_of(instance, 2)
    assert (drift["trigger"], drift["outcome"]) == ("metadata-change", "enforced")
    assert chain.describe(FOREIGN, instance).tokens == "required"
    # An event of the function's own changes would arrive before the event of a later launch.
    chain.entries_of(chain.launch(FOREIGN))
    assert len(chain.entries_of(instance)) == 2


def test_a_started_instance_is_enforced(chain: Chain) -> None:
    ec2 = chain.cloud.client("ec2", OTHER)
    instance = chain.launch(OTHER, launch="unreported")
    ec2.stop_instances(InstanceIds=[instance])
    ec2.start_instances(InstanceIds=[instance])
    (entry,) = chain.entries_of(instance)
    assert (entry["trigger"], entry["outcome"]) == ("start", "enforced")
    assert chain.describe(OTHER, instance).tokens == "required"


def test_a_sweep_finds_what_no_event_reported(chain: Chain) -> None:
    missed = {region: chain.launch(region, launch="unreported") for region in REGIONS}
    schedule = chain.home("scheduler").get_schedule(Name=chain.outputs["schedule_name"])
    chain.invoke(json.loads(schedule["Target"]["Input"]))
    for region, instance in missed.items():
        (entry,) = chain.entries_of(instance)
        assert (entry["trigger"], entry["outcome"]) == ("sweep", "enforced")
        assert chain.describe(region, instance).tokens == "required"


def test_an_event_that_fails_lies_in_the_queue_and_can_be_redriven(chain: Chain) -> None:
    url = chain.outputs["on_failure_queue_url"]
    assert chain.queued(url) == []
    with denied(chain, "ec2:DescribeInstances"):
        instance = chain.launch(FOREIGN)
        (event,) = until("a failed event", lambda: chain.queued(url), bool)
    assert event["detail"]["eventName"] == "RunInstances"
    assert instance in json.dumps(event["detail"]["responseElements"])
    assert chain.describe(FOREIGN, instance).tokens == "optional"
    failed = len(chain.entries_of(instance))
    chain.invoke(event)
    assert chain.entries_of(instance, failed + 1)[-1]["outcome"] == "enforced"
    assert chain.describe(FOREIGN, instance).tokens == "required"


def test_no_launch_is_lost_while_the_code_is_replaced(
    chain: Chain, folder: Path, zip_file: Path
) -> None:
    replacement = folder / "replacement.zip"
    shutil.copyfile(zip_file, replacement)
    with zipfile.ZipFile(replacement, "a") as archive:
        archive.writestr("release", "the next one")
    code = code_of(chain)
    ended = threading.Event()
    launched: list[str] = []

    def traffic() -> None:
        while not ended.wait(0.5):
            launched.append(chain.launch(FOREIGN))

    thread = threading.Thread(target=traffic)
    thread.start()
    try:
        until("launches before the replacement", lambda: len(launched), lambda count: count >= 5)
        chain.terraform.zip_file = replacement
        chain.terraform.apply(chain.variables)
        last = len(launched)
        until("launches after it", lambda: len(launched), lambda count: count >= last + 5)
    finally:
        ended.set()
        thread.join()
    assert code_of(chain) != code
    for instance in launched:
        chain.entries_of(instance)
        assert chain.describe(FOREIGN, instance).tokens == "required"


def test_nothing_else_failed(chain: Chain) -> None:
    assert chain.queued(chain.outputs["on_failure_queue_url"]) == []
    assert chain.queued(chain.outputs["sweep_failures_queue_url"]) == []
    for region, url in chain.outputs["dead_letter_queue_urls"].items():
        assert chain.cloud.receive_all(region, url) == []


def code_of(chain: Chain) -> str:
    """Returns the hash of the function's code."""
    return str(chain.home("lambda").get_function_configuration(FunctionName=NAME)["CodeSha256"])


@contextmanager
def reports(chain: Chain) -> Iterator[str]:
    """Yields the URL of a queue that receives the function's reports from the home bus."""
    sqs, events = chain.home("sqs"), chain.home("events")
    url = sqs.create_queue(QueueName="reports")["QueueUrl"]
    rule = {"Rule": "reports", "EventBusName": NAME}
    pattern = {"detail-type": ["Lambda Function Invocation Result - Success"]}
    events.put_rule(Name="reports", EventBusName=NAME, EventPattern=json.dumps(pattern))
    target = {"Id": "queue", "Arn": f"arn:aws:sqs:{HOME}:{ACCOUNT}:reports"}
    events.put_targets(**rule, Targets=[target])
    yield url
    events.remove_targets(**rule, Ids=["queue"])
    events.delete_rule(Name="reports", EventBusName=NAME)
    sqs.delete_queue(QueueUrl=url)


def received(chain: Chain, url: str, reports: list[Entry]) -> list[Entry]:
    """Adds the reports that arrived."""
    reports += [event["detail"]["responsePayload"] for event in chain.queued(url)]
    return reports


@contextmanager
def denied(chain: Chain, action: str) -> Iterator[None]:
    """Denies an action to the function."""
    iam = chain.home("iam")
    role = {"RoleName": f"{NAME}-function", "PolicyName": "denied"}
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(**role, PolicyDocument=document)
    yield
    iam.delete_role_policy(**role)
