"""ModifyInstanceMetadataOptions."""

from typing import Any

import pytest
from conftest import OPTIONS
from differences import check
from ground import Ground, refusal
from test_instances import seeded

CHANGED = {
    "HttpTokens": "required",
    "HttpPutResponseHopLimit": 64,
    "HttpEndpoint": "disabled",
    "HttpProtocolIpv6": "enabled",
    "InstanceMetadataTags": "enabled",
}

# What moto makes of an option that a call leaves out.
RESET = dict.fromkeys(CHANGED) | {"HttpPutResponseHopLimit": 1}


def settled(ground: Ground, instance: str, **wanted: Any) -> dict[str, Any]:
    """The options once these are applied."""
    return ground.eventually(
        lambda: ground.instance(instance)["MetadataOptions"],
        lambda options: options["State"] == "applied" and wanted.items() <= options.items(),
    )


def test_a_change_is_answered_as_pending_with_all_options(ground: Ground, instance: str) -> None:
    answer = ground.ec2.modify_instance_metadata_options(InstanceId=instance, **CHANGED)
    assert answer["InstanceId"] == instance
    options = answer["InstanceMetadataOptions"]
    check(ground, options.pop("State"), "pending", moto=("applied at once", "applied"))
    assert options == CHANGED


def test_a_change_is_described_as_applied_sooner_or_later(ground: Ground, instance: str) -> None:
    ground.ec2.modify_instance_metadata_options(InstanceId=instance, **CHANGED)
    first = ground.instance(instance)["MetadataOptions"]["State"]
    # AWS may have been faster.
    if ground.name != "aws":
        check(ground, first, "pending", moto=("applied at once", "applied"))
    options = settled(ground, instance, **CHANGED)
    assert options.items() >= ({"State": "applied"} | CHANGED).items()


@pytest.mark.parametrize("option", CHANGED)
def test_options_that_a_call_leaves_out_are_kept(
    ground: Ground, instance: str, option: str
) -> None:
    ground.ec2.modify_instance_metadata_options(InstanceId=instance, **CHANGED)
    back = {option: OPTIONS[option]}
    ground.ec2.modify_instance_metadata_options(InstanceId=instance, **back)
    found = {name: settled(ground, instance, **back).get(name) for name in CHANGED}
    check(ground, found, CHANGED | back, moto=("resets", RESET | back))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("HttpTokens", "Required"),
        ("HttpTokens", "no-preference"),
        ("HttpEndpoint", "on"),
        ("HttpPutResponseHopLimit", 0),
        ("HttpPutResponseHopLimit", 65),
        ("HttpProtocolIpv6", ""),
        ("InstanceMetadataTags", "true"),
    ],
)
def test_a_value_that_no_instance_has_is_refused(
    ground: Ground, instance: str, option: str, value: str | int
) -> None:
    named = {"InstanceId": instance, option: value}
    found = refusal(ground.ec2.modify_instance_metadata_options, **named)
    check(ground, found, ("InvalidParameterValue", 400), moto=("any value", None))


def test_a_change_must_name_an_option(ground: Ground, instance: str) -> None:
    found = refusal(ground.ec2.modify_instance_metadata_options, InstanceId=instance)
    check(ground, found, ("MissingParameter", 400), moto=("any value", None))


@pytest.mark.only("fake")
@pytest.mark.parametrize(
    ("state", "found"),
    [
        ("pending", None),
        ("stopping", None),
        ("stopped", None),
        ("shutting-down", ("IncorrectInstanceState", 400)),
    ],
)
def test_the_state_of_an_instance_decides_whether_it_can_be_changed(
    ground: Any, state: str, found: tuple[str, int] | None
) -> None:
    named = {"InstanceId": seeded(ground, state=state), "HttpTokens": "required"}
    assert refusal(ground.ec2.modify_instance_metadata_options, **named) == found


def test_a_terminated_instance_refuses_a_change(ground: Ground, ended: str) -> None:
    named = {"InstanceId": ended, "HttpTokens": "required"}
    found = refusal(ground.ec2.modify_instance_metadata_options, **named)
    check(ground, found, ("IncorrectInstanceState", 400), moto=("terminated accepts", None))


@pytest.mark.parametrize(
    ("instance_id", "code"),
    [("i-0123456789abcdef0", "InvalidInstanceID.NotFound"), ("i-1", "InvalidInstanceID.Malformed")],
)
def test_an_instance_that_does_not_exist_is_refused(
    ground: Ground, instance_id: str, code: str
) -> None:
    named = {"InstanceId": instance_id, "HttpTokens": "required"}
    found = refusal(ground.ec2.modify_instance_metadata_options, **named)
    moto = ("malformed ids", ("InvalidInstanceID.NotFound", 400)) if instance_id == "i-1" else None
    check(ground, found, (code, 400), moto=moto)


def test_a_dry_run_changes_nothing(ground: Ground, instance: str) -> None:
    named = {"InstanceId": instance, "HttpTokens": "required", "DryRun": True}
    found = refusal(ground.ec2.modify_instance_metadata_options, **named)
    check(ground, found, ("DryRunOperation", 412), moto=("rehearses nothing", None))
    tokens = ground.instance(instance)["MetadataOptions"]["HttpTokens"]
    check(ground, tokens, "optional", moto=("rehearses nothing", "required"))


def test_tags_whose_keys_are_no_paths_cannot_be_shown_as_metadata(
    ground: Ground, instance: str
) -> None:
    tags = [{"Key": "kubernetes.io/cluster/blue", "Value": "owned"}]
    ground.ec2.create_tags(Resources=[instance], Tags=tags)
    try:
        named = {
            "InstanceId": instance,
            "InstanceMetadataTags": "enabled",
            "HttpTokens": "required",
        }
        found = refusal(ground.ec2.modify_instance_metadata_options, **named)
        check(ground, found, ("InvalidParameterValue", 400), moto=("tags as metadata", None))
        tokens = ground.instance(instance)["MetadataOptions"]["HttpTokens"]
        check(ground, tokens, "optional", moto=("tags as metadata", "required"))
    finally:
        ground.ec2.delete_tags(Resources=[instance], Tags=tags)


def test_a_change_of_a_stopped_instance_holds_after_its_start(
    ground: Ground, instance: str
) -> None:
    ground.ec2.stop_instances(InstanceIds=[instance])
    ground.in_state(instance, "stopped")
    ground.ec2.modify_instance_metadata_options(InstanceId=instance, **CHANGED)
    ground.ec2.start_instances(InstanceIds=[instance])
    ground.in_state(instance, "running")
    assert settled(ground, instance, **CHANGED).items() >= CHANGED.items()
