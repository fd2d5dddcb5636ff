"""Who can put events on the home bus, according to an independent IAM evaluator."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import HOME
from evaluator import Context, Evaluator
from tf import MODULE, Terraform

ACCOUNT = "123456789012"
BUS = f"arn:aws:events:{HOME}:{ACCOUNT}:event-bus/imds-enforcer"
PUT = "events:PutEvents"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ADMINISTRATOR = {"Version": "2012-10-17", "Statement": [EVERYTHING]}
NOTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}],
}
OURS = [f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-{name}" for name in ("function", "forward")]
OTHERS = {
    "administrator": f"arn:aws:iam::{ACCOUNT}:role/administrator",
    "user": f"arn:aws:iam::{ACCOUNT}:user/ada",
    "similar name": f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-function-2",
    "path": f"arn:aws:iam::{ACCOUNT}:role/mine/imds-enforcer-function",
    "sweep role": f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-sweep",
    "alarms role": f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-alarms",
}


@pytest.fixture(scope="module")
def planned(folder: Path, endpoint: str, initialised: Terraform) -> dict[str, dict[str, Any]]:
    """The policies that Terraform plans, by address."""
    assert initialised
    base = folder / "forgery"
    base.mkdir()
    terraform = Terraform(base)
    terraform.configure(endpoint, HOME, MODULE / "permissions.json")
    terraform.write({})
    found = terraform.planned({"regions": [HOME]})["root_module"]["resources"]
    return {
        each["address"]: json.loads(each["values"]["policy"])
        for each in found
        if isinstance(each["values"].get("policy"), str)
    }


@pytest.fixture(scope="module")
def bus(planned: dict[str, Any]) -> dict[str, Any]:
    """The policy of the home bus."""
    return dict(planned["aws_cloudwatch_event_bus_policy.home"])


def answer(
    evaluator: Evaluator,
    principal: str,
    own: dict[str, Any],
    bus: dict[str, Any],
    action: str = PUT,
) -> str:
    """Returns the result for a principal with this policy of its own."""
    # IAM's value for a role's sessions is the ARN of the role.
    context: Context = {"aws:PrincipalArn": principal}
    return evaluator.evaluate([own], principal, action, (BUS, bus), context)


@pytest.mark.parametrize("other", OTHERS)
def test_nobody_else_in_the_account_can_put_events_on_the_bus(
    evaluator: Evaluator, bus: dict[str, Any], other: str
) -> None:
    for own in (ADMINISTRATOR, NOTHING):
        assert answer(evaluator, OTHERS[other], own, bus) == "ExplicitlyDenied"


@pytest.mark.parametrize("role", ["function", "forward"])
def test_the_roles_of_the_module_can(
    evaluator: Evaluator, planned: dict[str, Any], bus: dict[str, Any], role: str
) -> None:
    own = planned[f"aws_iam_role_policy.{role}"]
    assert (
        answer(evaluator, f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-{role}", own, bus)
        == "Allowed"
    )


def test_an_allow_alone_would_let_everybody_pass(evaluator: Evaluator, bus: dict[str, Any]) -> None:
    only_allow = copy.deepcopy(bus)
    only_allow["Statement"] = [each for each in bus["Statement"] if each["Effect"] == "Allow"]
    assert answer(evaluator, OTHERS["administrator"], ADMINISTRATOR, only_allow) == "Allowed"


def test_a_caller_without_an_arn_is_denied(evaluator: Evaluator, bus: dict[str, Any]) -> None:
    role = OTHERS["administrator"]
    assert evaluator.evaluate([ADMINISTRATOR], role, PUT, (BUS, bus), {}) == "ExplicitlyDenied"


def test_every_role_in_the_denial_is_necessary(evaluator: Evaluator, bus: dict[str, Any]) -> None:
    for role in OURS:
        changed = copy.deepcopy(bus)
        (denial,) = [each for each in changed["Statement"] if each["Effect"] == "Deny"]
        assert denial["Principal"] == "*"
        denial["Condition"]["ArnNotEquals"]["aws:PrincipalArn"].remove(role)
        assert answer(evaluator, role, ADMINISTRATOR, changed) == "ExplicitlyDenied"


def test_the_denial_covers_nothing_but_putting_events(
    evaluator: Evaluator, bus: dict[str, Any]
) -> None:
    for action in ("events:DescribeEventBus", "events:DeleteEventBus"):
        found = answer(evaluator, OTHERS["administrator"], ADMINISTRATOR, bus, action)
        assert found == "Allowed", action
