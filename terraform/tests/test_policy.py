"""The policy as Terraform renders it, read by the function itself."""

import json
from pathlib import Path
from typing import Any

import enforcer
import pytest
from conftest import ROOT, Deployed

EXAMPLES = sorted(ROOT.glob("policies/*.json"))
SCHEMA = json.loads((ROOT / "policy.schema.json").read_text())
EVERYTHING = {
    "require": {
        "http_tokens": "required",
        "hop_limit": {"at_least": 1, "at_most": 64},
        "http_endpoint": "enabled",
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
            "then": "terminate",
            "even_if_replaced": True,
            "require": {"hop_limit": {"at_most": 2}},
            "because": "größer",
        },
        {"name": "2", "when": {"auto_scaling": True}, "then": "exempt", "until": "2028-02-29"},
        {"name": "3", "when": {"tags": {"a": ["b"]}}, "require": {"http_tokens": "required"}},
    ],
    "limits": {"terminations_per_hour": 0, "grace_seconds": 150, "mends_per_hour": 1},
    "existing": {
        "usage_window_days": 63,
        "in_use": "enforce",
        "unknown": "terminate",
        "watch_days": 7,
    },
}
LEAST = {"require": {"hop_limit": {"at_least": 2}}, "on_violation": "report"}
POLICIES = {path.stem: json.loads(path.read_text()) for path in EXAMPLES}
POLICIES |= {"everything": EVERYTHING, "least": LEAST}


def lists(value: Any, key: str = "") -> Any:
    """Every single pattern of a condition as a list of one, for Terraform knows no either-or."""
    if key == "when":
        return {
            name: {tag: listed(texts) for tag, texts in part.items()}
            if name == "tags"
            else listed(part)
            for name, part in value.items()
        }
    if isinstance(value, dict):
        return {name: lists(part, name) for name, part in value.items() if name != "$schema"}
    return [lists(part) for part in value] if isinstance(value, list) else value


def listed(value: Any) -> Any:
    """Texts only."""
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_comes_out_as_it_went_in_and_the_function_takes_it(
    deployed: Deployed, folder: Path, zip_file: Path, name: str
) -> None:
    given = lists(POLICIES[name])
    rendered = deployed.terraform.outputs_of(deployed.variables | {"policy": given})["policy"]
    assert with_defaults(json.loads(rendered)) == with_defaults(given)
    assert enforcer.refusal(zip_file, folder, rendered) is None


def test_the_function_refuses_what_it_should_not_take(folder: Path, zip_file: Path) -> None:
    refusal = enforcer.refusal(zip_file, folder, '{"require": {}}')
    assert refusal is not None
    assert "the policy in `IMDS_POLICY` is refused" in refusal


def with_defaults(policy: dict[str, Any]) -> dict[str, Any]:
    """With all that the schema says of what is left out."""
    filled = {"rules": []} | policy
    for part in ("limits", "existing"):
        fields = SCHEMA["$defs"][part.capitalize()]["properties"]
        defaults = {name: field["default"] for name, field in fields.items()}
        filled[part] = defaults | policy.get(part, {})
    return filled
