"""DescribeSpotInstanceRequests."""

from datetime import timedelta
from typing import Any

import pytest
from differences import check, check_members
from ground import Ground, Like, refusal
from test_instances import LAUNCHED

UNKNOWN = "sir-0123abcd"


@pytest.mark.only("fake", "moto")
@pytest.mark.parametrize("kind", ["one-time", "persistent"])
def test_a_request_is_described_with_its_kind_and_its_instance(ground: Ground, kind: str) -> None:
    instance = ground.add_spot(kind, LAUNCHED)
    filters = [{"Name": "instance-id", "Values": [instance]}]
    (found,) = ground.ec2.describe_spot_instance_requests(Filters=filters)["SpotInstanceRequests"]
    request = found["SpotInstanceRequestId"]
    wanted = {
        "SpotInstanceRequestId": request,
        "Type": kind,
        "State": "active",
        "InstanceId": instance,
        "ProductDescription": "Linux/UNIX",
    }
    if ground.name == "fake":
        assert ground.instance(instance)["SpotInstanceRequestId"] == request
        wanted |= {"CreateTime": LAUNCHED, "LaunchedAvailabilityZone": "eu-central-1a"}
    check_members(ground, found, wanted)
    moto = ("ids of requests", Like("sir-[0-9a-f]{17}"))
    check(ground, request, Like("sir-[0-9a-z]{8}"), moto=moto)
    named = {"SpotInstanceRequestIds": [request]}
    (again,) = ground.ec2.describe_spot_instance_requests(**named)["SpotInstanceRequests"]
    assert again == found


@pytest.mark.only("fake")
@pytest.mark.parametrize(
    ("kind", "state", "shown"),
    [
        ("one-time", "terminated", "closed"),
        ("persistent", "terminated", "open"),
        ("persistent", "stopped", "disabled"),
        ("persistent", "pending", "active"),
    ],
)
def test_a_request_follows_its_instance(ground: Any, kind: str, state: str, shown: str) -> None:
    instance = ground.add_spot(kind, LAUNCHED, state=state)
    filters = [
        {"Name": "state", "Values": [shown]},
        {"Name": "type", "Values": [kind]},
        {"Name": "instance-id", "Values": [instance]},
    ]
    (found,) = ground.ec2.describe_spot_instance_requests(Filters=filters)["SpotInstanceRequests"]
    # An open request waits for its next instance.
    assert found.get("InstanceId") == (None if shown == "open" else instance)


def test_an_unknown_request_fails_the_call_by_id_and_is_left_out_by_filter(ground: Ground) -> None:
    describe = ground.ec2.describe_spot_instance_requests
    filters = [{"Name": "spot-instance-request-id", "Values": [UNKNOWN]}]
    assert describe(Filters=filters)["SpotInstanceRequests"] == []
    found = refusal(describe, SpotInstanceRequestIds=[UNKNOWN])
    wanted = ("InvalidSpotInstanceRequestID.NotFound", 400)
    check(ground, found, wanted, moto=("unknown requests", None))
    found = refusal(describe, SpotInstanceRequestIds=["sir-1"])
    wanted = ("InvalidSpotInstanceRequestID.Malformed", 400)
    check(ground, found, wanted, moto=("unknown requests", None))


@pytest.mark.only("fake")
def test_requests_come_in_pages(ground: Any) -> None:
    for days in range(6):
        ground.add_spot("one-time", LAUNCHED + timedelta(days=days))
    describe = ground.ec2.describe_spot_instance_requests
    first = describe(MaxResults=5)
    assert len(first["SpotInstanceRequests"]) == 5
    second = describe(MaxResults=5, NextToken=first["NextToken"])
    shown = [first["SpotInstanceRequests"], second["SpotInstanceRequests"]]
    ids = [each["SpotInstanceRequestId"] for page in shown for each in page]
    assert len(ids) == len(set(ids)) > 5
