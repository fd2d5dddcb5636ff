"""Documentation, schema, and module are consistent."""

import json
import re
from itertools import chain
from typing import Any

import pytest
from conftest import ROOT, Deployed
from tf import MODULE, Terraform

README = (MODULE / "README.md").read_text()
SOURCE = "\n".join(path.read_text() for path in sorted(MODULE.glob("*.tf")))
SCHEMA = json.loads((ROOT / "policy.schema.json").read_text())
BLOCK = r'^{kind} "(\w+)" {{\n(.*?)^}}'


def blocks(kind: str) -> dict[str, str]:
    """Returns the bodies of all blocks of a kind, by name."""
    return dict(re.findall(BLOCK.format(kind=kind), SOURCE, re.MULTILINE | re.DOTALL))


def table(heading: str) -> dict[str, list[str]]:
    """Returns the rows of a README table by their first cell."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")
    ]
    return {first.strip("`"): rest for first, *rest in rows}


def test_the_readme_lists_every_input() -> None:
    assert list(table("Inputs")) == sorted(blocks("variable"))


@pytest.mark.parametrize("name", sorted(blocks("variable")))
def test_the_readme_shows_the_default(name: str) -> None:
    (default,) = re.findall(r"^  default +(?:= +)?(.*)$", blocks("variable")[name], re.MULTILINE)
    documented = table("Inputs")[name][0].strip("`")
    assert documented == ("observe" if name == "policy" else default)


def test_the_readme_lists_every_output() -> None:
    assert list(table("Outputs")) == sorted(blocks("output"))


def test_every_input_and_output_has_a_description() -> None:
    for name, body in chain(blocks("variable").items(), blocks("output").items()):
        assert re.search(r"^  description +=", body, re.MULTILINE), name


OBJECTS = {
    "require": "Require",
    "hop_limit": "HopRange",
    "rule": "Rule",
    "when": "When",
    "new_instances": "NewInstances",
    "existing": "Existing",
    "limits": "Limits",
}
# The function waits for at most 60 % of its timeout, which Lambda limits to 900 seconds.
LOWER = {"grace_seconds": 510, "enforce_grace_seconds": 510}


@pytest.fixture(scope="module")
def fields(initialised: Terraform) -> dict[str, Any]:
    """The fields that the module checks, by object."""
    return dict(initialised.evaluate("local.policy_fields"))


@pytest.mark.parametrize("kind", ["policy", *OBJECTS])
def test_the_module_knows_exactly_the_fields_of_the_schema(
    fields: dict[str, Any], kind: str
) -> None:
    assert set(fields) == {"policy", *OBJECTS}
    schema = SCHEMA["$defs"][OBJECTS[kind]] if kind in OBJECTS else SCHEMA
    assert {name: limits(fields[kind][name]) for name in fields[kind]} == {
        name: limits_of_schema(name, field) for name, field in schema["properties"].items()
    }


def limits(field: dict[str, Any]) -> Any:
    """Returns the numbers or words that the module accepts."""
    if "from" in field:
        return (field["from"], field["to"], field.get("default"))
    return set(field.get("one_of", ()))


def limits_of_schema(name: str, field: dict[str, Any]) -> Any:
    """Returns the numbers or words that the schema accepts."""
    for part in parts(field):
        if "minimum" in part:
            most = LOWER.get(name, part["maximum"])
            return (part["minimum"], most, field.get("default"))
    found = {part.get("const") for part in parts(field)}
    return {word for word in found if isinstance(word, str)}


def parts(field: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the alternatives of a field, including the ones that it refers to."""
    reference = field.get("$ref")
    definition = SCHEMA["$defs"][reference.rpartition("/")[2]] if reference else field
    inner = definition.get("oneOf", definition.get("anyOf", []))
    return [definition, *chain.from_iterable(map(parts, inner))]


def test_the_role_grants_exactly_the_listed_permissions(deployed: Deployed) -> None:
    listed = json.loads((MODULE / "permissions.json").read_text())
    services = ("ec2:", "cloudwatch:", "dynamodb:")
    granted = {
        action
        for statement in deployed.role["Statement"]
        for action in statement["Action"]
        if statement["Effect"] == "Allow" and action.startswith(services)
    }
    assert granted == set(chain.from_iterable(listed.values()))


def test_every_wildcard_in_the_role_has_a_comment() -> None:
    role = (MODULE / "role.tf").read_text().splitlines()
    wild = [n for n, line in enumerate(role) if re.search(r'"[^"]*\*"', line)]
    for n in wild:
        assert any("#" in line for line in role[n - 2 : n + 1]), role[n]
