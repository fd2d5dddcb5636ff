"""What AWS documents nowhere. In an account of AWS, each of these prints what it has found."""

import time
from datetime import datetime
from typing import Any

from differences import check
from ground import TAG, Ground, attempt, refusal

# For how many seconds to look at a terminated instance.
WATCHED = 600
BUSY = {("IncorrectInstanceState", 400), ("IncorrectState", 400)}


def attached(instance: dict[str, Any]) -> dict[str, datetime]:
    """When each interface and each volume was attached, by its id."""
    interfaces = {
        each["NetworkInterfaceId"]: each["Attachment"]["AttachTime"]
        for each in instance["NetworkInterfaces"]
    }
    volumes = {
        each["Ebs"]["VolumeId"]: each["Ebs"]["AttachTime"]
        for each in instance["BlockDeviceMappings"]
    }
    return interfaces | volumes


def test_a_change_of_a_pending_instance_is_made_or_refused_for_its_state(ground: Ground) -> None:
    (launched,) = ground.launch()
    instance = launched["InstanceId"]
    assert launched["State"]["Name"] == "pending"
    modify = ground.ec2.modify_instance_metadata_options
    # An instance may be unknown for some seconds after its launch.
    found = ground.eventually(
        lambda: refusal(modify, InstanceId=instance, HttpTokens="required"),
        lambda found: found != ("InvalidInstanceID.NotFound", 400),
    )
    state = ground.instance(instance)["State"]["Name"]
    ground.settled.append(f"a change after the launch, in `{state}`: {found or 'made'}")
    assert found is None or found in BUSY
    tokens = ground.in_state(instance, "running")["MetadataOptions"]["HttpTokens"]
    assert tokens == ("optional" if found else "required")
    ground.ec2.terminate_instances(InstanceIds=[instance])


def test_tokens_are_required_without_naming_the_endpoint(ground: Ground, instance: str) -> None:
    modify = ground.ec2.modify_instance_metadata_options
    found = refusal(modify, InstanceId=instance, HttpTokens="required")
    ground.settled.append(f"`HttpTokens` without `HttpEndpoint`: {found or 'accepted'}")
    assert found is None


def test_a_disabled_endpoint_stays_disabled_when_tokens_are_required(
    ground: Ground, instance: str
) -> None:
    modify = ground.ec2.modify_instance_metadata_options
    modify(InstanceId=instance, HttpEndpoint="disabled")
    modify(InstanceId=instance, HttpTokens="required")
    options = ground.eventually(
        lambda: ground.instance(instance)["MetadataOptions"],
        lambda options: options["HttpTokens"] == "required",
    )
    endpoint = options.get("HttpEndpoint")
    ground.settled.append(f"a disabled endpoint after `HttpTokens` alone: {endpoint}")
    check(ground, endpoint, "disabled", moto=("resets", None))


def test_attachment_times_outlive_a_stop_and_a_start(ground: Ground, instance: str) -> None:
    before = ground.instance(instance)
    ground.ec2.stop_instances(InstanceIds=[instance])
    stopped = ground.in_state(instance, "stopped")
    ground.ec2.start_instances(InstanceIds=[instance])
    after = ground.in_state(instance, "running")
    first = min(attached(before).values())
    kept = attached(before) == attached(stopped) == attached(after)
    ground.settled.append(
        f"attachment times after a stop and a start: {'kept' if kept else 'changed'}, "
        f"{attached(before)}, {attached(stopped)}, {attached(after)}; "
        f"launch time {before['LaunchTime']}, {after['LaunchTime']}"
    )
    assert min(attached(after).values()) == first
    assert kept
    assert after["LaunchTime"] >= before["LaunchTime"] >= first


def test_managed_resources_can_be_asked_for(ground: Ground, instance: str) -> None:
    found = attempt(ground.describe, InstanceIds=[instance], IncludeManagedResources=True)
    is_known = isinstance(found, list)
    ground.settled.append(f"`IncludeManagedResources`: {'accepted' if is_known else found}")
    assert is_known or found == ("UnknownParameter", 400)


def test_tags_of_a_terminated_instance_are_shown_for_a_while(ground: Ground, ended: str) -> None:
    begin = time.monotonic()
    watched = WATCHED if ground.patience > 60 else 0
    while True:
        shown = ground.describe(ended)
        tags = shown[0].get("Tags", []) if shown else []
        seconds = round(time.monotonic() - begin)
        if not tags or seconds >= watched:
            break
        time.sleep(10)
    ground.settled.append(
        f"{seconds} s after it was seen terminated, an instance is "
        f"{'shown' if shown else 'gone'} with {len(tags)} tags"
    )
    assert all(tag["Key"] == TAG for tag in tags)
    assert not shown or shown[0]["State"]["Name"] == "terminated"
