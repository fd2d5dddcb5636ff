"""The commands in the outputs are valid, and do what their descriptions say."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from conftest import HOME, REGIONS, Deployed

ACCOUNT = "123456789012"
# Options of the AWS CLI that are not parameters of an operation.
OF_THE_CLI = {"region", "query", "output", "cli-read-timeout"}
EVENT = {"source": "aws.events", "detail-type": "Scheduled Event"}
SWEEP = {
    "source": "imds-enforcer",
    "detail-type": "Sweep",
    "detail": {"accounts": [ACCOUNT], "regions": sorted(REGIONS)},
}
UNTIL = "2027-03-31T08:00:00Z"


def commands_of(deployed: Deployed) -> list[tuple[str, str]]:
    """Returns descriptions and commands, in order."""
    lines = deployed.outputs["commands"].splitlines()
    pairs = list(zip(lines[::2], lines[1::2], strict=True))
    assert all(description.startswith("# ") for description, _ in pairs)
    return [(description.removeprefix("# "), command) for description, command in pairs]


def command(deployed: Deployed, beginning: str) -> str:
    """Returns the only command whose description begins like this."""
    (found,) = [each for text, each in commands_of(deployed) if text.startswith(beginning)]
    return found


def test_cargo_lambda_accepts_its_commands(deployed: Deployed) -> None:
    for name in ("invoke_command", "sweep_command"):
        program, *arguments = shlex.split(deployed.outputs[name])
        assert (program, *arguments[:3]) == ("cargo", "lambda", "invoke", "--remote")
        accepted = ["cargo-lambda", "lambda", "invoke", *arguments[2:], "--help"]
        done = subprocess.run(accepted, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_sweep_commands_name_the_account(deployed: Deployed) -> None:
    arguments = shlex.split(deployed.outputs["sweep_command"])
    assert json.loads(arguments[arguments.index("--data-ascii") + 1]) == SWEEP
    assert json.loads(shlex.split(command(deployed, "Start a sweep"))[2]) == SWEEP


def test_every_option_is_a_parameter_of_its_operation(deployed: Deployed) -> None:
    session = Session()
    found = 0
    for _, line in commands_of(deployed):
        (call,) = re.findall(r"\baws (.*)", line)
        service, operation, *rest = shlex.split(call.partition(" >")[0])
        model = session.get_service_model(service)
        (name,) = [each for each in model.operation_names if kebab(each) == operation]
        parameters = model.operation_model(name).input_shape.members
        options = {each.removeprefix("--") for each in rest if each.startswith("--")}
        assert options - OF_THE_CLI <= {kebab(each) for each in parameters}, line
        found += 1
    assert found > len(REGIONS)


def kebab(name: str) -> str:
    """Converts a name to the notation of the AWS CLI."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


@pytest.fixture(scope="module")
def cli() -> str:
    """The AWS CLI, with a fake function that returns its event; skips where it is not installed."""
    found = shutil.which("aws")
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("`aws` is not installed")
    return found or pytest.skip("`aws` is not installed")


def run(deployed: Deployed, folder: Path, line: str, **words: str) -> Any:
    """Runs a command, with these words for the ones in capital letters; returns its output."""
    for word, text in words.items():
        line = line.replace(word, text)
    # Version 1 of the AWS CLI ignores the variable AWS_ENDPOINT_URL for SQS.
    local = f'aws() {{ command aws --endpoint-url {deployed.cloud.endpoint} "$@"; }}; {line}'
    done = subprocess.run(
        ["sh", "-c", local], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return first_value(done.stdout)


def first_value(text: str) -> Any:
    """Returns the first JSON value; the AWS CLI prints another one after a payload."""
    return json.JSONDecoder().raw_decode(text)[0] if text else None


@pytest.mark.usefixtures("cli")
def test_an_event_file_and_a_sweep_invoke_the_function(deployed: Deployed, tmp_path: Path) -> None:
    (tmp_path / "EVENT.json").write_text(json.dumps(EVENT))
    assert run(deployed, tmp_path, command(deployed, "Invoke the function with an")) == EVENT
    assert run(deployed, tmp_path, command(deployed, "Start a sweep")) == SWEEP


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize(
    ("beginnings", "key"),
    [
        (("Exempt an", "Show the exemption", "End the exemption"), "exempt#i-0123456789abcdef0"),
        (("Pause the", "Show the pause", "End the pause"), f"pause#{ACCOUNT}"),
    ],
)
def test_an_exemption_and_a_pause_are_written_shown_and_ended(
    deployed: Deployed, tmp_path: Path, beginnings: tuple[str, ...], key: str
) -> None:
    words = {"INSTANCE": "i-0123456789abcdef0", "UNTIL": UNTIL, "REASON": "ticket 4711"}
    words |= {"NAME": "ada"}
    writing, showing, ending = (command(deployed, beginning) for beginning in beginnings)
    assert run(deployed, tmp_path, showing, **words) is None
    run(deployed, tmp_path, writing, **words)
    shown = run(deployed, tmp_path, showing, **words)
    expected = {"key": key, "until": UNTIL, "reason": "ticket 4711", "by": "ada"}
    assert shown["Item"] == {name: {"S": text} for name, text in expected.items()}
    run(deployed, tmp_path, ending, **words)
    assert run(deployed, tmp_path, showing, **words) is None


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize(
    ("queue", "region"),
    [
        ("on-failure", HOME),
        ("sweep-failures", HOME),
        *[("dead-letters", region) for region in REGIONS],
    ],
)
def test_a_message_is_received_redriven_and_deleted(
    deployed: Deployed, tmp_path: Path, queue: str, region: str
) -> None:
    sqs = deployed.cloud.client("sqs", region)
    url = sqs.get_queue_url(QueueName=f"imds-enforcer-{queue}")["QueueUrl"]
    event = EVENT | {"detail": {"text": 'a\tb "c" ü'}, "region": region}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
    described = [text for text, _ in commands_of(deployed)]
    name = f"imds-enforcer-{queue} in {region}"
    (at,) = [
        n for n, text in enumerate(described) if f"Receive a message from the queue {name}" in text
    ]
    receive, redrive, delete = [each for _, each in commands_of(deployed)[at : at + 3]]
    assert described[at + 2] == f"Delete the message from the queue {name}."
    run(deployed, tmp_path, receive)
    assert run(deployed, tmp_path, redrive) == event
    run(deployed, tmp_path, delete)
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    counts = {attributes[key] for key in attributes if key.startswith("ApproximateNumber")}
    assert counts == {"0"}
