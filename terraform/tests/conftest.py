"""Shared fixtures: a local fake of AWS, and the module applied to it."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cloud import Cloud
from evaluator import Evaluator
from shared import (
    POLICY,
    evaluator,
    folder,
    initialised,
    pytest_configure,
    pytest_runtest_logreport,
    summary,
    zip_file,
)
from tf import MODULE, Terraform

from demo import local

ROOT = MODULE.parent
HOME = "eu-central-1"
REGIONS = ("ap-southeast-2", "eu-central-1", "eu-west-1", "us-east-1")
# A Region that requires opt-in, according to moto.
OPTED_OUT = "ap-east-1"


@dataclass
class Deployed:
    """The applied module."""

    cloud: Cloud
    terraform: Terraform
    variables: dict[str, Any]
    outputs: dict[str, Any]
    # URLs of queues that the tests add.
    arrivals: str
    messages: str
    # Resources before the first apply, by Region.
    before: dict[str, set[str]]
    # Event patterns and policy of the execution role after the first apply.
    patterns: dict[str, str]
    role: dict[str, Any]

    def change_policy(self, policy: dict[str, Any]) -> None:
        """Applies another policy to the function, its role, and the state table only."""
        names = ["aws_lambda_function.enforcer", "aws_iam_role_policy.function"]
        names += ["aws_dynamodb_table_item.policy"]
        targets = [f"-target={name}" for name in names]
        self.terraform.apply(self.variables | {"policy": policy}, "-refresh=false", *targets)

    def new_events(self) -> list[dict[str, Any]]:
        """Returns the events that the home bus delivered since the last call."""
        return [json.loads(body) for body in self.cloud.receive_all(HOME, self.arrivals)]

    def new_messages(self) -> list[str]:
        """Returns the messages that were published since the last call."""
        bodies = self.cloud.receive_all(HOME, self.messages)
        return [json.loads(body)["Message"] for body in bodies]


@pytest.fixture(scope="session")
def imdsctl() -> Path:
    """The command, whose parser of policies is the one of the function."""
    folder = os.environ.get("IMDS_BIN_DIR")
    if folder is None:
        build = ["cargo", "build", "--quiet", "--package", "imdsctl"]
        asked = ["cargo", "metadata", "--format-version=1", "--no-deps"]
        if subprocess.run(build, cwd=ROOT, check=False).returncode:
            pytest.fail("could not build `imdsctl`: see the output above")
        told = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True)
        folder = f"{json.loads(told.stdout)['target_directory']}/debug"
    return Path(folder) / "imdsctl"


@pytest.fixture(scope="session")
def endpoint(folder: Path, evaluator: Evaluator) -> Iterator[str]:
    """The endpoint of an empty fake account, which starts an evaluator of its own."""
    assert evaluator
    local.shield_environment()
    with local.aws(folder, Path(__file__).with_name("fake_aws.py")) as url:
        yield url


@pytest.fixture(scope="session")
def terraform(initialised: Terraform, zip_file: Path, endpoint: str) -> Terraform:
    """The module, configured for the fake account."""
    initialised.configure(endpoint, HOME, zip_file)
    return initialised


@pytest.fixture(scope="session")
def background(terraform: Terraform) -> Iterator[subprocess.Popen[str]]:
    """`terraform test`, in parallel with the apply."""
    with terraform.started("test", "-json") as process:
        yield process


@pytest.fixture(scope="session")
def deployed(terraform: Terraform, endpoint: str, background: subprocess.Popen[str]) -> Deployed:
    """The module, applied with all optional features."""
    assert background.args
    cloud = Cloud(endpoint)
    before = {region: cloud.resources(region) for region in (*REGIONS, OPTED_OUT)}
    sqs = cloud.client("sqs", HOME)
    arrivals = sqs.create_queue(QueueName="arrivals")["QueueUrl"]
    messages = sqs.create_queue(QueueName="messages")["QueueUrl"]
    wanted = {"AttributeNames": ["QueueArn"]}
    arn = sqs.get_queue_attributes(QueueUrl=messages, **wanted)["Attributes"]["QueueArn"]
    ec2 = cloud.client("ec2", HOME)
    enabled = {each["RegionName"] for each in ec2.describe_regions()["Regions"]}
    variables = {
        "excluded_regions": sorted(enabled - set(REGIONS)),
        "policy": POLICY,
        "architecture": local.architecture(),
        "watch_state_changes": True,
        "subscriptions": [{"protocol": "sqs", "endpoint": arn}],
        "notify_reported": True,
        "account_defaults": {"hop_limit": 2},
        "archive_days": 7,
        "create_trail": True,
        "log_skip_destroy": False,
        "state_deletion_protection": False,
        "tags": {"owner": "security"},
    }
    outputs = terraform.apply(variables)
    iam = cloud.client("iam", HOME)
    role = iam.get_role_policy(RoleName="imds-enforcer-function", PolicyName="enforcer")
    return Deployed(
        cloud,
        terraform,
        variables,
        outputs,
        arrivals,
        messages,
        before,
        patterns_of(cloud),
        role["PolicyDocument"],
    )


def patterns_of(cloud: Cloud) -> dict[str, str]:
    """Returns event patterns by rule name, without the prefix."""
    patterns = {}
    for region in (HOME, "us-east-1"):
        events = cloud.client("events", region)
        for bus in events.list_event_buses()["EventBuses"]:
            for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
                patterns[rule["Name"].removeprefix("imds-enforcer-")] = rule["EventPattern"]
    return patterns


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints what was not tested, and the counts as the last line."""
    summary(terminalreporter, "terraform", "the Terraform module")
