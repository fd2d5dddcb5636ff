"""The function accepts the policies that Terraform renders."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import enforcer
import pytest
from conftest import ROOT, Deployed
from tf import MODULE, Terraform

EXAMPLES = sorted(ROOT.glob("policies/*.json"))
EVERYTHING = {
    "version": 1,
    "require": {
        "http_tokens": "required",
        "hop_limit": {"at_least": 1, "at_most": 64},
        "http_endpoint": "disabled",
        "http_protocol_ipv6": "disabled",
        "instance_metadata_tags": "enabled",
    },
    "on_violation": "stop",
    "rules": [
        {
            "name": "“quoted” & <marked>",
            "when": {
                "accounts": ["111122223333", "444455556666"],
                "regions": ["eu-*", "us-east-?"],
                "tags": {"kubernetes.io/cluster/*": ["owned", "shared"], "app": ["*"]},
                "images": ["ami-0123456789abcdef0"],
                "instance_types": ["m7g.*"],
                "principals": ["arn:aws:iam::*:role/deploy", "autoscaling.amazonaws.com"],
                "auto_scaling": False,
                "launch_templates": ["lt-0123456789abcdef0"],
            },
            "action": "terminate",
            "even_if_replaced": True,
            "require": {"hop_limit": {"at_most": 2}},
            "reason": "größer",
        },
        {"name": "2", "when": {"auto_scaling": True}, "action": "exempt", "expires": "2028-02-29"},
        {"name": "3", "when": {"tags": {"a": ["b"]}}, "require": {"http_tokens": "required"}},
    ],
    "new_instances": {
        "disrupt_within_minutes": 10,
        "enforce_within_hours": 48,
        "in_use": "enforce",
        "grace_seconds": 150,
        "enforce_grace_seconds": 30,
    },
    "existing": {
        "usage_window_days": 63,
        "usage_data_hours": 48,
        "in_use": "enforce",
        "unknown": "enforce",
        "watch_days": 7,
        "stop_when_rejected": False,
    },
    "limits": {"disruptions_per_hour": 0, "enforcements_per_hour": 1, "existing_per_hour": None},
}
MINIMUM = {"version": 1, "require": {"hop_limit": {"at_least": 2}}, "on_violation": "report"}
POLICIES = {path.stem: json.loads(path.read_text()) for path in EXAMPLES}
POLICIES |= {"everything": EVERYTHING, "minimum": MINIMUM}


# A policy in the source of a module or a test, or in a snippet.
SOURCE = re.compile(r"^( *)policy +?= (\{[^\n]*\}|\{\n.*?^\1\})$", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r"^```hcl\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUN = re.compile(r'^run "(\w+)".*?^\}', re.MULTILINE | re.DOTALL)


def sources() -> Iterator[tuple[str, str]]:
    """Returns the policies of examples, of snippets in README.md, and of accepting tests."""
    texts = [(path.parent.name, path.read_text()) for path in MODULE.glob("examples/*/main.tf")]
    texts += [("README.md", text) for text in SNIPPET.findall((MODULE / "README.md").read_text())]
    for path in sorted(MODULE.glob("tests/*.tftest.hcl")):
        runs = [found for found in RUN.finditer(path.read_text()) if is_accepted(found[0])]
        texts += [(f"{path.name} {found[1]}", found[0]) for found in runs]
    for name, text in texts:
        yield from ((name, found[2]) for found in SOURCE.finditer(text))


def is_accepted(run: str) -> bool:
    """Returns whether a run has a valid policy, without functions."""
    return "expect_failures" not in run and "format(" not in run


SOURCES = list(sources())


def errors_of(imdsctl: Path, policy: str) -> str:
    """Returns the errors of a policy, or nothing."""
    done = subprocess.run(
        [imdsctl, "policy", "check", "-"], input=policy, capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    ("name", "policy"), SOURCES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(SOURCES)]
)
def test_the_parser_of_the_function_accepts_every_documented_policy(
    initialised: Terraform, imdsctl: Path, name: str, policy: str
) -> None:
    rendered = initialised.evaluate("local.policy", policy)
    assert errors_of(imdsctl, rendered) == "", name


def test_policies_of_examples_snippets_and_tests_are_checked() -> None:
    names = {name.partition(" ")[0] for name, _ in SOURCES}
    examples = {path.name for path in MODULE.glob("examples/*")}
    assert names >= {*examples, "README.md", "policy.tftest.hcl", "role.tftest.hcl"}


@pytest.mark.parametrize("name", POLICIES)
def test_the_rendered_policy_is_the_document(
    initialised: Terraform, imdsctl: Path, name: str
) -> None:
    policy = POLICIES[name]
    rendered = initialised.evaluate("local.policy", json.dumps(policy))
    assert json.loads(rendered) == {"version": 1} | without_schema(policy)
    assert errors_of(imdsctl, rendered) == ""


@pytest.mark.parametrize("name", POLICIES)
def test_terraform_accepts_and_the_function_starts_with(
    deployed: Deployed, folder: Path, zip_file: Path, name: str
) -> None:
    policy = POLICIES[name]
    outputs = deployed.terraform.outputs_of(deployed.variables | {"policy": policy})
    assert json.loads(outputs["policy"]) == {"version": 1} | without_schema(policy)
    assert enforcer.refusal(zip_file, folder, outputs["policy"]) is None


def without_schema(policy: dict[str, Any]) -> dict[str, Any]:
    """Returns the policy without the reference for editors."""
    return {name: value for name, value in policy.items() if name != "$schema"}


def test_the_parser_rejects_an_unknown_field(imdsctl: Path) -> None:
    errors = errors_of(imdsctl, json.dumps(MINIMUM | {"exceptions": []}))
    assert "exceptions" in errors


def test_the_function_rejects_an_invalid_policy(folder: Path, zip_file: Path) -> None:
    refusal = enforcer.refusal(zip_file, folder, '{"version": 1, "require": {}}')
    assert refusal is not None
    assert "`IMDS_POLICY`" in refusal
