"""The commands in `docs/operations.md`."""

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session
from conftest import ROOT
from test_commands import OF_THE_CLI, kebab

OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", OPERATIONS, re.DOTALL)
GLOBAL = OF_THE_CLI | {"cli-read-timeout"}
INSTANCE = "i-0123456789abcdef0"
OTHER = "i-0fedcba9876543210"
BEFORE = {
    "http_tokens": "optional",
    "http_endpoint": "enabled",
    "hop_limit": 1,
    "http_protocol_ipv6": "disabled",
    "instance_metadata_tags": "disabled",
}


def section(heading: str) -> str:
    """Returns the last block of commands below a heading: without `imdsctl`, if there are two."""
    (body,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", OPERATIONS, re.M | re.S)
    *_, block = re.findall(r"```sh\n(.*?)```", body, re.DOTALL)
    return str(block)


def calls() -> list[str]:
    """Returns every call of the AWS CLI, without its redirections."""
    text = "\n".join(BLOCKS).replace("\\\n", " ")
    found = re.findall(
        r"(?:^|\$\()\s*(?:\w+=\S+ )*aws ((?:[^\n\"']|\"(?:\\.|[^\"])*\"|'[^']*')*)", text, re.M
    )
    return [re.split(r" \||\)$| > |   #", each)[0] for each in found]


@pytest.mark.parametrize("call", calls())
def test_every_option_is_a_parameter_of_its_operation(call: str) -> None:
    service, operation, *rest = shlex.split(call.removesuffix(")"))
    model = Session().get_service_model({"scheduler": "scheduler"}.get(service, service))
    (name,) = [each for each in model.operation_names if kebab(each) == operation]
    known = {kebab(each) for each in model.operation_model(name).input_shape.members}
    given = {each.removeprefix("--") for each in rest if each.startswith("--")}
    assert given - GLOBAL <= known


def test_calls_are_found() -> None:
    assert len(calls()) > 20


@pytest.mark.parametrize("block", BLOCKS)
def test_the_shell_accepts_every_block(block: str) -> None:
    done = subprocess.run(["sh", "-n"], input=block, text=True, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def run(
    folder: Path, block: str, answers: dict[str, str], **variables: str
) -> tuple[str, list[str]]:
    """Runs a block with a fake of the AWS CLI; returns its output and the calls."""
    (folder / "answers.json").write_text(json.dumps(answers))
    fake = folder / "aws"
    fake.write_text(
        "#!/bin/sh\n"
        f'printf "%s\\n" "$*" >> {folder}/calls\n'
        f'jq -r --arg call "$2" \'.[$call] // ""\' {folder}/answers.json\n'
        f'case "$*" in *fileb:///dev/stdin*) cat > {folder}/payload ;; esac\n'
    )
    fake.chmod(0o755)
    script = BLOCKS[0] + block
    given = "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
    path = subprocess.run(["sh", "-c", "echo $PATH"], text=True, check=True, capture_output=True)
    env = {"PATH": f"{folder}:{path.stdout.strip()}", "USER": "ada"}
    done = subprocess.run(
        ["bash", "-euc", given + script], cwd=folder, env=env, text=True, check=False,
        capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, (folder / "calls").read_text().splitlines()


def line(instance: str, after: dict[str, Any] | None) -> str:
    """Returns a line of the log, as the function writes it."""
    fields = {"instance_id": instance, "region": "us-east-1", "outcome": "enforced"}
    entry = fields | {"before": BEFORE, "after": None if after is None else BEFORE | after}
    return json.dumps({"instance": instance, "outcome": "enforced", "entry": json.dumps(entry)})


def test_undoing_restores_exactly_the_options_that_were_changed(tmp_path: Path) -> None:
    lines = [
        line(INSTANCE, {"http_tokens": "required", "hop_limit": 2}),
        line(OTHER, {"instance_metadata_tags": "enabled"}),
        line(OTHER, None),
        line(OTHER, {}),
        json.dumps({"instance": INSTANCE, "outcome": "reported"}),
        json.dumps({"_aws": {}, "Enforced": 1}),
    ]
    block = section("Undo what it did")
    answers = {"get-caller-identity": "123456789012", "filter-log-events": "\t".join(lines)}
    output, made = run(tmp_path, block, answers, INSTANCE=INSTANCE)
    modify = "aws ec2 modify-instance-metadata-options --region us-east-1 --instance-id"
    assert output.splitlines() == [
        f"{modify} {INSTANCE} --http-tokens optional --http-put-response-hop-limit 1",
        f"{modify} {OTHER} --instance-metadata-tags disabled",
    ]
    assert f'{{ $.instance = "{INSTANCE}" }}' in made[-1]


@pytest.mark.parametrize("is_result", [False, True])
def test_a_redrive_invokes_the_function_with_the_original_event(
    tmp_path: Path, is_result: bool
) -> None:
    event = {"source": "aws.ec2", "detail": {"text": 'a\tb "c" ü'}}
    body = {"source": "lambda", "detail": {"requestPayload": event}} if is_result else event
    message = {"Body": json.dumps(body), "ReceiptHandle": "handle"}
    answers = {"get-caller-identity": "123456789012", "get-queue-url": "https://queue"}
    answers |= {"receive-message": json.dumps(message), "invoke": "{}"}
    _, made = run(tmp_path, section("Redrive an event from a queue"), answers)
    assert json.loads((tmp_path / "payload").read_text()) == event
    assert made[-1] == "sqs delete-message --queue-url https://queue --receipt-handle handle"


@pytest.mark.parametrize(
    ("heading", "key"),
    [
        ("Pause it, so that it only reports", "pause#123456789012"),
        ("Exempt an instance", f"exempt#{INSTANCE}"),
    ],
)
def test_pauses_and_exemptions_are_items_as_the_function_reads_them(
    tmp_path: Path, heading: str, key: str
) -> None:
    answers = {"get-caller-identity": "123456789012"}
    run(tmp_path, section(heading), answers)
    text = (tmp_path / "calls").read_text()
    put = json.JSONDecoder().raw_decode(text.partition("--item ")[2])[0]
    assert put["key"] == {"S": key}
    assert put.keys() == {"key", "until", "reason", "by"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", put["until"]["S"])
    deleted = json.JSONDecoder().raw_decode(text.partition("--key ")[2])[0]
    assert deleted == {"key": {"S": key}}
