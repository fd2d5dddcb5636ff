"""Queues accept the largest events, although the provider of the tests may not know that size."""

import re
from pathlib import Path
from typing import Any

import pytest
from conftest import HOME
from tf import MODULE, Terraform

VARIABLES = (MODULE / "variables.tf").read_text()
# The largest message of SQS, and the largest event of EventBridge.
LARGEST = 1024 * 1024


@pytest.fixture(scope="module")
def plan(folder: Path, endpoint: str, initialised: Terraform) -> dict[str, Any]:
    """A plan of the module in the home Region."""
    assert initialised
    base = folder / "queues"
    base.mkdir()
    terraform = Terraform(base)
    terraform.configure(endpoint, HOME, MODULE / "permissions.json")
    terraform.write({"regions": [HOME]})
    return terraform.plan("-refresh=false")


def test_the_default_is_the_largest_message_of_sqs() -> None:
    (body,) = re.findall(r'^variable "max_message_size" {\n(.*?)^}', VARIABLES, re.M | re.S)
    assert re.findall(r"^  default +=(.*)$", body, re.M) == [f" {LARGEST}"]


@pytest.mark.parametrize("size", [262144, LARGEST])
def test_the_module_accepts_the_default_and_the_limit_of_older_providers(
    initialised: Terraform, size: int
) -> None:
    assert initialised.evaluate("var.max_message_size", max_message_size=size) == size


def test_every_queue_has_the_size_of_the_variable(plan: dict[str, Any]) -> None:
    queues = [
        each
        for each in plan["configuration"]["root_module"]["resources"]
        if each["type"] == "aws_sqs_queue"
    ]
    assert {each["name"] for each in queues} == {"on_failure", "sweep_failures", "dead_letters"}
    for each in queues:
        found = each["expressions"]["max_message_size"]
        assert found == {"references": ["var.max_message_size"]}, each["address"]
