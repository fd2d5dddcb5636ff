"""TerminateInstances, StopInstances, StartInstances."""

from typing import Any

import pytest
from differences import check
from ground import Ground, refusal

UNKNOWN = "i-0123456789abcdef0"
CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
STOPPING = "StoppingInstances"
STARTING = "StartingInstances"
TERMINATING = "TerminatingInstances"


def changes(answer: dict[str, Any], name: str) -> list[tuple[str, str, str]]:
    """Id, former state and present state of each instance of the answer."""
    for each in answer[name]:
        for state in (each["PreviousState"], each["CurrentState"]):
            assert state["Code"] == CODES[state["Name"]]
    return [
        (each["InstanceId"], each["PreviousState"]["Name"], each["CurrentState"]["Name"])
        for each in answer[name]
    ]


def test_an_instance_stops_and_starts_again(ground: Ground, instance: str) -> None:
    ec2 = ground.ec2
    found = changes(ec2.start_instances(InstanceIds=[instance]), STARTING)
    again = [(instance, "running", "pending")]
    check(ground, found, [(instance, "running", "running")], moto=("starts again", again))
    found = changes(ec2.stop_instances(InstanceIds=[instance]), STOPPING)
    assert found == [(instance, "running", "stopping")]
    found = refusal(ec2.start_instances, InstanceIds=[instance])
    check(ground, found, ("IncorrectInstanceState", 400), moto=("changes at once", None))
    ec2.stop_instances(InstanceIds=[instance])
    ground.in_state(instance, "stopped")
    found = changes(ec2.start_instances(InstanceIds=[instance]), STARTING)
    assert found == [(instance, "stopped", "pending")]
    ground.in_state(instance, "running")


def test_an_instance_is_terminated_once_and_for_all(ground: Ground) -> None:
    (launched,) = ground.launch()
    instance = launched["InstanceId"]
    ground.in_state(instance, "running")
    ec2 = ground.ec2
    found = changes(ec2.terminate_instances(InstanceIds=[instance, instance]), TERMINATING)
    ended = (instance, "running", "shutting-down")
    again = (instance, "terminated", "shutting-down")
    check(ground, found, [ended], moto=("named twice", [ended, again]))
    ground.in_state(instance, "terminated")
    found = changes(ec2.terminate_instances(InstanceIds=[instance]), TERMINATING)
    check(
        ground,
        found,
        [(instance, "terminated", "terminated")],
        moto=("shuts down again", [again]),
    )
    for call in (ec2.stop_instances, ec2.start_instances):
        found = refusal(call, InstanceIds=[instance])
        check(ground, found, ("IncorrectInstanceState", 400), moto=("revives", None))


@pytest.mark.parametrize("name", ["terminate_instances", "stop_instances", "start_instances"])
@pytest.mark.parametrize(
    ("other", "code"),
    [(UNKNOWN, "InvalidInstanceID.NotFound"), ("i-1", "InvalidInstanceID.Malformed")],
)
def test_with_an_unknown_id_nothing_is_done(
    ground: Ground, instance: str, name: str, other: str, code: str
) -> None:
    found = refusal(getattr(ground.ec2, name), InstanceIds=[instance, other])
    moto = ("malformed ids", ("InvalidInstanceID.NotFound", 400)) if other == "i-1" else None
    check(ground, found, (code, 400), moto=moto)
    assert ground.instance(instance)["State"]["Name"] == "running"


@pytest.mark.parametrize("name", ["terminate_instances", "stop_instances", "start_instances"])
def test_a_call_must_name_an_instance(ground: Ground, name: str) -> None:
    found = refusal(getattr(ground.ec2, name), InstanceIds=[])
    other = None if name != "terminate_instances" else ("InvalidParameterCombination", 400)
    check(ground, found, ("MissingParameter", 400), moto=("missing parameters", other))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("terminate_instances", {}),
        ("stop_instances", {"Force": True}),
        ("stop_instances", {"Hibernate": False}),
    ],
)
def test_a_dry_run_does_nothing(
    ground: Ground, instance: str, name: str, more: dict[str, Any]
) -> None:
    found = refusal(getattr(ground.ec2, name), InstanceIds=[instance], DryRun=True, **more)
    assert found == ("DryRunOperation", 412)
    assert ground.instance(instance)["State"]["Name"] == "running"


# Not in an account of AWS, where it would outlive a test that is killed.
@pytest.mark.only("fake", "moto")
def test_a_protected_instance_is_not_terminated(ground: Ground) -> None:
    (launched,) = ground.launch(DisableApiTermination=True)
    instance = launched["InstanceId"]
    found = refusal(ground.ec2.terminate_instances, InstanceIds=[instance])
    check(ground, found, ("OperationNotPermitted", 400), moto=("protection", None))
    found = ground.ec2.describe_instance_attribute(
        InstanceId=instance, Attribute="disableApiTermination"
    )
    value = found["DisableApiTermination"]["Value"]
    check(ground, value, True, moto=("protection", False))
