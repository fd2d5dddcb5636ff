"""Documentation, schema, and module are consistent."""

import json
import re
from itertools import chain

import pytest
from conftest import ROOT, Deployed
from tf import MODULE

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


def test_the_policy_variable_has_every_field_of_the_schema() -> None:
    body = blocks("variable")["policy"].partition("validation {")[0]
    known = set(re.findall(r"^ +(\w+) += (?!<<)", body, re.MULTILINE))
    known |= set(re.findall(r"(at_least|at_most) = ", body))
    parts = [SCHEMA, *(part for part in SCHEMA["$defs"].values() if "properties" in part)]
    fields = set(chain.from_iterable(part["properties"] for part in parts)) - {"$schema", "version"}
    assert fields <= known
    assert known <= fields | {"description", "type", "default", "nullable"}


def test_the_role_grants_exactly_the_listed_permissions(deployed: Deployed) -> None:
    listed = json.loads((MODULE / "permissions.json").read_text())
    services = ("ec2:", "cloudwatch:")
    granted = {
        action
        for statement in deployed.role["Statement"]
        for action in statement["Action"]
        if statement["Effect"] == "Allow" and action.startswith(services)
    }
    assert granted == set(chain.from_iterable(listed.values()))


def test_every_wildcard_in_the_role_has_a_comment() -> None:
    role = (MODULE / "role.tf").read_text().splitlines()
    wild = [
        n for n, line in enumerate(role) if re.search(r'"[^"]*\*"', line) and "TagKeys" not in line
    ]
    for n in wild:
        assert any("#" in line for line in role[n - 2 : n + 1]), role[n]
