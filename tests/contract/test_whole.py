"""What the other tests have left out.

They run before these, because pytest runs modules in the order of their names.
"""

import json
import subprocess

import pytest
import wire
from botocore.session import get_session
from differences import KNOWN
from ground import FAKE, Ground

SERVICES = {
    "ec2": "ec2",
    "sts": "sts",
    "monitoring": "cloudwatch",
    "autoscaling": "autoscaling",
    "dynamodb": "dynamodb",
}


@pytest.fixture(scope="module")
def actions() -> dict[str, dict[str, list[str] | None]]:
    """The parameters of each action of the fake, by service."""
    listed = subprocess.run([FAKE, "--list-actions"], stdout=subprocess.PIPE, check=True)
    return json.loads(listed.stdout)


def test_every_action_was_called_with_every_parameter_that_the_fake_reads(
    fake: Ground, actions: dict[str, dict[str, list[str] | None]]
) -> None:
    missing = []
    for service, known in actions.items():
        for action, parameters in known.items():
            calls = [c for c in fake.calls if (c.service, c.operation) == (service, action)]
            if not any(call.status == 200 for call in calls):
                missing.append(f"{service} {action}")
            sent = frozenset().union(*(call.parameters for call in calls))
            missing += [f"{action} {name}" for name in set(parameters or ()) - sent]
    assert missing == []


def test_every_parameter_is_one_that_aws_has(
    actions: dict[str, dict[str, list[str] | None]],
) -> None:
    unknown = []
    for service, known in actions.items():
        model = get_session().get_service_model(SERVICES[service])
        for action, parameters in known.items():
            shape = model.operation_model(action).input_shape
            names = {wire.parameter(name, member) for name, member in shape.members.items()}
            unknown += [f"{action} {name}" for name in set(parameters or ()) - names]
    assert unknown == []


def test_every_known_difference_of_moto_was_found(moto: Ground) -> None:
    assert moto.differences == set(KNOWN)
