"""The tests that run in an account of AWS, against stand-ins for one: what they cost and leave."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ground as grounds
import pytest
from ground import TAG, Ground
from live import ENDED, MOST_COST, MOST_INSTANCES, MOST_MINUTES, Aws

from demo import local

HERE = Path(__file__).parent
TIME_LIMIT = 120
FAKE_ACCOUNT = "111122223333"
MOTO_ACCOUNT = "123456789012"


@pytest.fixture
def account() -> Iterator[Ground]:
    """An account with an instance that is none of theirs."""
    with grounds.fake("other") as fake:
        # The run that it waits for needs seconds to start.
        fake.patience = TIME_LIMIT
        fake.launch()
        yield fake


def start(endpoint: str, account: str | None) -> "subprocess.Popen[str]":
    """Starts the tests in an account, without this process's settings of AWS."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    env |= {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": grounds.REGION}
    env |= dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "contract")
    if account:
        env["IMDS_LIVE_ACCOUNT"] = account
    command = [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--live", HERE]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=grounds.ROOT, env=env, text=True, **pipes)


def run(endpoint: str, account: str | None) -> tuple[int, str]:
    """Runs the tests in an account; returns their status and their output."""
    with start(endpoint, account) as process:
        output, _ = process.communicate(timeout=TIME_LIMIT)
        return process.returncode, output


def theirs(ground: Ground) -> list[dict[str, Any]]:
    """The instances that carry the tag of a run other than this one."""
    found = ground.describe(Filters=[{"Name": "tag-key", "Values": [TAG]}])
    return [each for each in found if {"Key": TAG, "Value": ground.run} not in each["Tags"]]


def check_left(ground: Ground) -> None:
    """Checks that something was launched, no more than stated, and that nothing is left."""
    launched = theirs(ground)
    assert 0 < len(launched) <= MOST_INSTANCES
    assert {each["State"]["Name"] for each in launched} <= set(ENDED)


def check_own(ground: Ground) -> None:
    """Checks that an instance of somebody else still runs."""
    (own,) = ground.describe(*ground.launched)
    assert own["State"]["Name"] == "running"


def test_every_test_passes_and_nothing_is_left(account: Ground) -> None:
    status, output = run(account.endpoint, FAKE_ACCOUNT)
    assert status == 0, output
    readme = HERE.joinpath("README.md").read_text()
    for stated in (
        f"{MOST_INSTANCES} instances",
        f"{MOST_MINUTES} minutes",
        f"{MOST_COST:.2f} USD",
    ):
        assert stated in output
        assert stated in readme
    assert "settled: `HttpTokens` without `HttpEndpoint`: accepted" in output
    assert "cleaned up: nothing is left" in output
    check_left(account)
    check_own(account)
    check_permissions(readme, output)


def check_permissions(readme: str, output: str) -> None:
    """Checks that the README names the permissions of the calls, and that of finding the image."""
    policy = readme.partition("```json")[2].partition("```")[0]
    (statement,) = json.loads(policy)["Statement"]
    (called,) = re.findall("^called: (.*)$", output, re.MULTILINE)
    calls = called.replace("monitoring:", "cloudwatch:").split()
    # This needs no permission.
    calls.remove("sts:GetCallerIdentity")
    assert sorted([*calls, "ssm:GetParameters"]) == statement["Action"]


def test_nothing_is_left_when_tests_fail(moto: Ground) -> None:
    status, output = run(moto.endpoint, MOTO_ACCOUNT)
    assert status == pytest.ExitCode.TESTS_FAILED, output
    assert "cleaned up: nothing is left" in output
    check_left(moto)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_after_an_interruption(account: Ground, number: signal.Signals) -> None:
    with start(account.endpoint, FAKE_ACCOUNT) as process:
        account.eventually(lambda: theirs(account), bool)
        process.send_signal(number)
        output, _ = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert "cleaned up: nothing is left" in output
    check_left(account)
    check_own(account)


def test_a_launch_that_is_interrupted_before_its_answer_is_not_left(account: Any) -> None:
    before = account.seed("count", action="RunInstances")
    account.seed("delay", action="RunInstances")
    account.seed("hide", describes=1)
    with start(account.endpoint, FAKE_ACCOUNT) as process:
        account.eventually(
            lambda: account.seed("count", action="RunInstances"), lambda count: count > before
        )
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=TIME_LIMIT)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    check_left(account)


def test_no_more_is_launched_than_stated(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.endpoint)
    aws = Aws(account.region, "more")
    aws.launch(MOST_INSTANCES - 1)
    before = account.seed("count", action="RunInstances")
    with pytest.raises(pytest.exit.Exception, match=f"at most {MOST_INSTANCES} instances"):
        aws.launch(2)
    assert account.seed("count", action="RunInstances") == before
    aws.clean_up()
    check_left(account)


def test_what_ec2_does_not_know_yet_is_terminated_later(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.endpoint)
    account.seed("hide", describes=3)
    aws = Aws(account.region, "hidden")
    aws.launch()
    aws.clean_up()
    check_left(account)


def test_what_cannot_be_terminated_is_named(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.endpoint)
    aws = Aws(account.region, "protected")
    aws.patience = 1
    (launched,) = aws.launch(DisableApiTermination=True)
    with pytest.raises(local.Failure, match=f"TERMINATE THESE.*{launched['InstanceId']}"):
        aws.clean_up()


def test_no_change_is_waited_for_after_the_stated_minutes(account: Any) -> None:
    aws = Aws(account.region, "longer")
    aws.end -= MOST_MINUTES * 60
    with pytest.raises(pytest.exit.Exception, match=f"{MOST_MINUTES} minutes"):
        aws.eventually(lambda: None, bool)


def test_without_the_id_of_the_account_there_is_no_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        status, output = run(f"http://127.0.0.1:{server.getsockname()[1]}", None)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert status == pytest.ExitCode.USAGE_ERROR, output
    assert "set IMDS_LIVE_ACCOUNT" in output


def test_in_another_account_nothing_is_launched(account: Ground) -> None:
    status, output = run(account.endpoint, "999988887777")
    assert status != 0
    assert f"the credentials are of account {FAKE_ACCOUNT}, not of 999988887777" in output
    assert theirs(account) == []
