"""The function accepts the policies that Terraform renders."""

import json
from pathlib import Path
from typing import Any

import enforcer
import pytest
from conftest import ROOT, Deployed

EXAMPLES = sorted(ROOT.glob("policies/*.json"))
SCHEMA = json.loads((ROOT / "policy.schema.json").read_text())
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
    },
    "limits": {"disruptions_per_hour": 0, "enforcements_per_hour": 1},
}
MINIMUM = {"version": 1, "require": {"hop_limit": {"at_least": 2}}, "on_violation": "report"}
POLICIES = {path.stem: json.loads(path.read_text()) for path in EXAMPLES}
POLICIES |= {"everything": EVERYTHING, "minimum": MINIMUM}


def with_lists(value: Any, key: str = "") -> Any:
    """Converts single patterns in conditions to lists, because the variable takes only lists."""
    if key == "when":
        return {
            name: {tag: as_list(texts) for tag, texts in part.items()}
            if name == "tags"
            else as_list(part)
            for name, part in value.items()
        }
    if isinstance(value, dict):
        return {name: with_lists(part, name) for name, part in value.items() if name != "$schema"}
    return [with_lists(part) for part in value] if isinstance(value, list) else value


def as_list(value: Any) -> Any:
    """Converts a string to a list."""
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("name", POLICIES)
def test_the_rendered_policy_is_equivalent_and_accepted(
    deployed: Deployed, folder: Path, zip_file: Path, name: str
) -> None:
    policy = with_lists(POLICIES[name])
    rendered = deployed.terraform.outputs_of(deployed.variables | {"policy": policy})["policy"]
    assert with_defaults(json.loads(rendered)) == with_defaults(policy)
    assert enforcer.refusal(zip_file, folder, rendered) is None


def test_the_function_rejects_an_invalid_policy(folder: Path, zip_file: Path) -> None:
    refusal = enforcer.refusal(zip_file, folder, '{"version": 1, "require": {}}')
    assert refusal is not None
    assert "`IMDS_POLICY`" in refusal


def with_defaults(policy: dict[str, Any]) -> dict[str, Any]:
    """Adds the defaults of the schema."""
    filled = {"rules": []} | policy
    for part in ("new_instances", "existing", "limits"):
        definition = SCHEMA["properties"][part]["$ref"].rpartition("/")[2]
        fields = SCHEMA["$defs"][definition]["properties"]
        defaults = {name: field["default"] for name, field in fields.items()}
        filled[part] = defaults | policy.get(part, {})
    return filled
