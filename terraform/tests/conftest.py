"""What the tests share: an account on this machine, and the module applied to it."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cloud import Cloud
from tf import MODULE, Terraform, Unavailable

from demo import local

ROOT = MODULE.parent
HOME = "eu-central-1"
REGIONS = ("ap-southeast-2", "eu-central-1", "eu-west-1", "us-east-1")
# By moto's list of regions that need an opt-in.
OPTED_OUT = "ap-east-1"
ARCH = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
POLICY = {
    "require": {"http_tokens": "required"},
    "on_violation": "enforce",
    "rules": [
        {"name": "scanners", "when": {"tags": {"app": ["scanner-*"]}}, "then": "exempt"},
        {"name": "parked", "when": {"tags": {"stage": ["parked"]}}, "then": "stop"},
        {"name": "sandboxes", "when": {"tags": {"stage": ["sandbox"]}}, "then": "terminate"},
    ],
    "limits": {"grace_seconds": 0},
    "existing": {"in_use": "report", "unknown": "enforce"},
}


@dataclass
class Deployed:
    """The module, applied."""

    cloud: Cloud
    terraform: Terraform
    variables: dict[str, Any]
    outputs: dict[str, Any]
    # Who takes part in the tests, and is no part of the module.
    arrivals: str
    messages: str
    # What was there before, by region.
    before: dict[str, set[str]]
    # As first applied, with every action in the policy.
    patterns: dict[str, str]
    role: dict[str, Any]

    def change_policy(self, policy: dict[str, Any]) -> None:
        """Changes what depends on it, and leaves the rest unread: that is for the plan to prove."""
        names = ("aws_lambda_function.enforcer", "aws_iam_role_policy.function")
        targets = [f"-target={name}" for name in names]
        self.terraform.apply(self.variables | {"policy": policy}, "-refresh=false", *targets)

    def events_arrived(self) -> list[dict[str, Any]]:
        """What the home bus handed on since this was last asked."""
        return [json.loads(body) for body in self.cloud.take(HOME, self.arrivals)]

    def messages_told(self) -> list[str]:
        """What subscribers were told since this was last asked."""
        bodies = self.cloud.take(HOME, self.messages)
        return [json.loads(body)["Message"] for body in bodies]


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Is kept for a look where something failed."""
    path = Path(tempfile.mkdtemp(prefix="imds-enforcer-terraform-"))
    yield path
    if FAILED:
        print(f"\neverything that was written is in {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def zip_file() -> Path:
    """As `make build` makes it, for this machine's processor."""
    if subprocess.run([sys.executable, "scripts/build.py", ARCH], cwd=ROOT, check=False).returncode:
        pytest.fail("could not build the zip: see above")
    return ROOT / "dist" / f"enforcer-{ARCH}.zip"


@pytest.fixture(scope="session")
def endpoint(folder: Path) -> Iterator[str]:
    """An empty account."""
    local.shield_environment()
    with local.aws(folder, Path(__file__).with_name("stand_in.py")) as url:
        yield url


@pytest.fixture(scope="session")
def initialised(folder: Path) -> Terraform:
    """Enough to look at the module, without an account; skips where there is no Terraform."""
    local.shield_environment()
    try:
        return Terraform(folder)
    except Unavailable as reason:
        why = str(reason)
    UNPROVED.append(why)
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def terraform(initialised: Terraform, zip_file: Path, endpoint: str) -> Terraform:
    """On the account."""
    initialised.work_on(endpoint, HOME, zip_file)
    return initialised


@pytest.fixture(scope="session")
def background(terraform: Terraform) -> Iterator[subprocess.Popen[str]]:
    """`terraform test`, while an apply waits for queues."""
    with terraform.started("test", "-json") as process:
        yield process


@pytest.fixture(scope="session")
def deployed(terraform: Terraform, endpoint: str, background: subprocess.Popen[str]) -> Deployed:
    """All that is optional included."""
    assert background.args
    cloud = Cloud(endpoint)
    before = {region: cloud.things(region) for region in (*REGIONS, OPTED_OUT)}
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
        "architecture": ARCH,
        "watch_state_changes": True,
        "subscriptions": [{"protocol": "sqs", "endpoint": arn}],
        "account_defaults": {"hop_limit": 2},
        "archive_days": 7,
        "create_trail": True,
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
    """By the name of their rule, without the guard's."""
    patterns = {}
    for region in (HOME, "us-east-1"):
        events = cloud.client("events", region)
        for bus in events.list_event_buses()["EventBuses"]:
            for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
                patterns[rule["Name"].removeprefix("imds-enforcer-")] = rule["EventPattern"]
    return patterns


UNPROVED: list[str] = []
FAILED: list[str] = []


def pytest_configure() -> None:
    """Whoever ends the tests ends what they started, too."""
    signal.signal(signal.SIGTERM, stop)


def stop(*_signal: Any) -> None:
    """Through every fixture."""
    pytest.exit("ended by a signal", returncode=128 + signal.SIGTERM)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remembers what failed."""
    if report.failed:
        FAILED.append(report.nodeid)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says what was not proved, and ends with one line that counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    for why in UNPROVED:
        print(f"\nnot proved: that terraform/ deploys what it says. {why.splitlines()[0]}")
    print(f"\nterraform: {passed} passed, {failed + error} failed, {skipped} skipped")
