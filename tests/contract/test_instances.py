"""DescribeInstances and RunInstances."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import OPTIONS
from differences import check
from ground import CRASH, TAG, Ground, Like, attempt, refusal

UNKNOWN = "i-0123456789abcdef0"
LAUNCHED = datetime(2021, 9, 29, 11, 4, 43, tzinfo=UTC)
STARTED = datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
GROUPS = [{"GroupId": "sg-0f1e2d3c4b5a69788", "GroupName": "default"}]
ADDRESS = r"10\.\d+\.\d+\.\d+"
NAME = r"ip-10-\d+-\d+-\d+\.eu-central-1\.compute\.internal"


def seeded(ground: Any, **more: Any) -> str:
    """The id of an instance that no call launches."""
    described = {
        "region": ground.region,
        "state": "running",
        "launched": LAUNCHED,
        "started": STARTED,
        "tags": {"app": "web", TAG: ground.run},
        "tenancy": "default",
    }
    return str(ground.seed("instance", **(described | more)))


def tagged(tags: dict[str, str]) -> list[dict[str, str]]:
    """Tags as EC2 writes them, in the order of their keys."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def volume(number: int, device: str, at: datetime) -> dict[str, Any]:
    """A volume as it is described."""
    ebs = {
        "VolumeId": Like(f"vol-{number}[0-9a-f]{{16}}"),
        "Status": "attached",
        "AttachTime": at,
        "DeleteOnTermination": number == 0,
    }
    return {"DeviceName": device, "Ebs": ebs}


def interface(number: int, address: str, at: datetime) -> dict[str, Any]:
    """A network interface as it is described."""
    return {
        "NetworkInterfaceId": Like(f"eni-{number}[0-9a-f]{{16}}"),
        "SubnetId": Like("subnet-0[0-9a-f]{16}"),
        "VpcId": Like("vpc-[0-9a-f]{17}"),
        "Description": "",
        "OwnerId": "111122223333",
        "Status": "in-use",
        "MacAddress": f"02:ab:cd:ef:01:{0x23 + number:02x}",
        "PrivateIpAddress": Like(address),
        "PrivateDnsName": Like(NAME),
        "SourceDestCheck": True,
        "Groups": GROUPS,
        "Attachment": {
            "AttachmentId": Like(f"eni-attach-{number}[0-9a-f]{{16}}"),
            "DeviceIndex": number,
            "Status": "attached",
            "AttachTime": at,
            "DeleteOnTermination": number == 0,
            "NetworkCardIndex": 0,
        },
        "PrivateIpAddresses": [
            {"PrivateIpAddress": Like(address), "PrivateDnsName": Like(NAME), "Primary": True}
        ],
        "Ipv6Addresses": [],
        "InterfaceType": "interface",
    }


def described(ground: Ground, instance: str) -> dict[str, Any]:
    """A seeded instance as it is described."""
    return {
        "InstanceId": instance,
        "ImageId": "ami-0abcdef1234567890",
        "State": {"Code": 16, "Name": "running"},
        "PrivateDnsName": Like(NAME),
        "PublicDnsName": "",
        "StateTransitionReason": "",
        "AmiLaunchIndex": 0,
        "ProductCodes": [],
        "InstanceType": "t3.micro",
        "LaunchTime": STARTED,
        "Placement": {
            "AvailabilityZone": "eu-central-1a",
            "GroupName": "",
            "Tenancy": "default",
        },
        "Monitoring": {"State": "disabled"},
        "SubnetId": Like("subnet-0[0-9a-f]{16}"),
        "VpcId": Like("vpc-[0-9a-f]{17}"),
        "PrivateIpAddress": Like(ADDRESS),
        "SourceDestCheck": True,
        "SecurityGroups": GROUPS,
        "Architecture": "x86_64",
        "RootDeviceType": "ebs",
        "RootDeviceName": "/dev/xvda",
        "BlockDeviceMappings": [volume(0, "/dev/xvda", LAUNCHED)],
        "VirtualizationType": "hvm",
        "ClientToken": "",
        "Tags": tagged({"app": "web", TAG: ground.run}),
        "Hypervisor": "xen",
        "NetworkInterfaces": [interface(0, ADDRESS, LAUNCHED)],
        "EbsOptimized": False,
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
        "EnaSupport": True,
        "MetadataOptions": {"State": "applied"} | OPTIONS,
    }


@pytest.mark.only("fake")
def test_every_member_of_an_instance_is_described(ground: Ground) -> None:
    instance = seeded(ground)
    assert ground.instance(instance) == described(ground, instance)


@pytest.mark.only("fake")
def test_what_was_attached_later_is_described_with_its_time(ground: Ground) -> None:
    at = {"second_volume": STARTED, "second_interface": STARTED + timedelta(days=1)}
    instance = seeded(ground, secondVolume=STARTED, secondInterface=at["second_interface"])
    found = ground.instance(instance)
    assert found["BlockDeviceMappings"][1] == volume(1, "/dev/sdf", STARTED)
    second = interface(1, r"100\.64\.\d+\.\d+", at["second_interface"])
    assert found["NetworkInterfaces"][1] == second
    assert len(found["BlockDeviceMappings"]) == len(found["NetworkInterfaces"]) == 2


@pytest.mark.only("fake")
def test_an_instance_profile_and_public_addresses_are_described(ground: Ground) -> None:
    ipv6 = ["2001:db8::1", "fd00::1"]
    seed = {"instanceProfile": "web", "publicIp": "203.0.113.25", "ipv6Addresses": ipv6}
    name = "ec2-203-0-113-25.eu-central-1.compute.amazonaws.com"
    public = {"IpOwnerId": "amazon", "PublicDnsName": name, "PublicIp": "203.0.113.25"}
    primary = interface(0, ADDRESS, LAUNCHED) | {
        "Association": public,
        "Ipv6Addresses": [{"Ipv6Address": each, "IsPrimaryIpv6": False} for each in ipv6],
    }
    primary["PrivateIpAddresses"][0]["Association"] = public
    members = {
        "IamInstanceProfile": {
            "Arn": "arn:aws:iam::111122223333:instance-profile/apps/web",
            "Id": Like("AIPA[0-9A-Z]{17}"),
        },
        "PublicIpAddress": "203.0.113.25",
        "PublicDnsName": name,
        "Ipv6Address": ipv6[0],
        "NetworkInterfaces": [primary],
    }
    instance = seeded(ground, **seed)
    assert ground.instance(instance) == described(ground, instance) | members
    stopped = ground.instance(seeded(ground, **(seed | {"state": "stopped"})))
    assert "PublicIpAddress" not in stopped, "EC2 releases it"


@pytest.mark.only("fake")
@pytest.mark.parametrize(
    ("seed", "members"),
    [
        (
            {"spot": "one-time"},
            {"InstanceLifecycle": "spot", "SpotInstanceRequestId": Like("sir-[0-9a-z]{8}")},
        ),
        (
            {"spot": "persistent"},
            {"InstanceLifecycle": "spot", "SpotInstanceRequestId": Like("sir-[0-9a-z]{8}")},
        ),
        ({"capacityBlock": True}, {"InstanceLifecycle": "capacity-block"}),
        (
            {"tenancy": "host"},
            {
                "Placement": {
                    "AvailabilityZone": "eu-central-1a",
                    "GroupName": "",
                    "HostId": Like("h-0[0-9a-f]{16}"),
                    "Tenancy": "host",
                }
            },
        ),
        (
            {"tenancy": "dedicated"},
            {
                "Placement": {
                    "AvailabilityZone": "eu-central-1a",
                    "GroupName": "",
                    "Tenancy": "dedicated",
                }
            },
        ),
    ],
)
def test_a_special_instance_is_described_as_one(
    ground: Ground, seed: dict[str, Any], members: dict[str, Any]
) -> None:
    instance = seeded(ground, **seed)
    assert ground.instance(instance) == described(ground, instance) | members


@pytest.mark.only("fake")
def test_an_instance_of_a_service_is_shown_only_where_a_call_includes_it(ground: Ground) -> None:
    instance = seeded(ground, managedBy="eks.amazonaws.com")
    assert ground.describe(instance) == []
    (found,) = ground.describe(instance, IncludeManagedResources=True)
    operator = {"Operator": {"Managed": True, "Principal": "eks.amazonaws.com"}}
    assert found == described(ground, instance) | operator


@pytest.mark.only("fake")
def test_a_terminated_instance_has_no_network_and_no_volumes(ground: Ground) -> None:
    instance = seeded(ground, state="terminated")
    gone = ("SubnetId", "VpcId", "PrivateIpAddress", "SourceDestCheck", "SecurityGroups")
    whole = described(ground, instance)
    left = {name: value for name, value in whole.items() if name not in gone}
    ended = {
        "State": {"Code": 48, "Name": "terminated"},
        "StateTransitionReason": "User initiated",
        "PrivateDnsName": "",
        "BlockDeviceMappings": [],
        "NetworkInterfaces": [],
    }
    assert ground.instance(instance) == left | ended


def test_a_launched_instance_is_described_as_it_was_launched(ground: Ground, instance: str) -> None:
    found = ground.instance(instance)
    assert found["State"] == {"Code": 16, "Name": "running"}
    assert found["InstanceType"] == ground.instance_type
    assert found["Placement"]["AvailabilityZone"].startswith(ground.region)
    assert found["Placement"]["Tenancy"] == "default"
    assert {"Key": TAG, "Value": ground.run} in found["Tags"]
    assert found["ClientToken"] == f"{ground.run}-*"
    assert found["MetadataOptions"].items() >= ({"State": "applied"} | OPTIONS).items()
    assert "InstanceLifecycle" not in found
    assert "SpotInstanceRequestId" not in found


def test_the_primary_interface_and_the_root_volume_are_attached_at_the_launch(
    ground: Ground, instance: str
) -> None:
    found = ground.instance(instance)
    attachment = found["NetworkInterfaces"][0]["Attachment"]
    assert attachment["DeviceIndex"] == 0
    (root,) = found["BlockDeviceMappings"]
    for at in (attachment["AttachTime"], root["Ebs"]["AttachTime"]):
        assert timedelta() <= at - found["LaunchTime"] < timedelta(minutes=1)


def test_a_launch_is_answered_as_one_reservation(ground: Ground) -> None:
    launched = ground.reserve(2, Tags={"pair": ground.run})
    pair = launched["Instances"]
    ids = {each["InstanceId"] for each in pair}
    for each in ids:
        ground.in_state(each, "running")
    answer = ground.ec2.describe_instances(InstanceIds=sorted(ids))
    (reservation,) = answer["Reservations"]
    named = {"ReservationId": Like("r-[0-9a-f]{17}"), "OwnerId": Like(r"\d{12}"), "Groups": []}
    for name, wanted in named.items():
        assert launched[name] == reservation[name] == wanted
    assert {each["InstanceId"] for each in reservation["Instances"]} == ids
    assert [each["State"]["Name"] for each in pair] == ["pending", "pending"]
    ground.ec2.terminate_instances(InstanceIds=sorted(ids))


def test_a_client_token_launches_once(ground: Ground, instance: str) -> None:
    token = ground.instance(instance)["ClientToken"]
    (again,) = ground.launch(MetadataOptions=OPTIONS, ClientToken=token)
    check(ground, again["InstanceId"] == instance, True, moto=("launches again", False))
    other = {"MetadataOptions": OPTIONS | {"HttpTokens": "required"}, "ClientToken": token}
    found = refusal(ground.launch, **other)
    check(ground, found, ("IdempotentParameterMismatch", 400), moto=("launches again", None))


FILTERS = {
    "client-token": (r"*-\*", "*-?-*"),
    "instance-state-name": ("running", "stopped"),
    f"tag:{TAG}": ("*", "x*"),
    "tag-key": (TAG, "imds"),
    "instance-type": ("t?*.*", "m*"),
    "metadata-options.http-tokens": ("optional", "required"),
    "metadata-options.http-endpoint": ("enabled", "disabled"),
    "metadata-options.http-put-response-hop-limit": ("1", "2"),
    "metadata-options.state": ("applied", "pending"),
    "metadata-options.instance-metadata-tags": ("disabled", "enabled"),
}
MOTO_FILTERS = {
    name: ("filters of options", CRASH) for name in FILTERS if name.startswith("metadata-options.")
} | {
    "client-token": ("filter of client tokens", CRASH),
    "instance-type": ("patterns of types", (False, False)),
}


@pytest.mark.parametrize("name", FILTERS)
def test_an_instance_is_found_by_what_it_is_described_as(
    ground: Ground, instance: str, name: str
) -> None:
    def found(value: str) -> bool:
        filters = [{"Name": name, "Values": ["nothing", value]}]
        return bool(ground.describe(instance, Filters=filters))

    matching, other = FILTERS[name]
    both = attempt(lambda: (found(matching), found(other)))
    check(ground, both, (True, False), moto=MOTO_FILTERS.get(name))


@pytest.mark.parametrize("name", ["launch-time", "image-id"])
def test_an_instance_is_found_by_its_launch(ground: Ground, instance: str, name: str) -> None:
    def found(*values: str) -> bool:
        filters = [{"Name": name, "Values": list(values)}]
        return bool(ground.describe(instance, Filters=filters))

    shown = ground.instance(instance)
    matching = {
        "launch-time": f"{shown['LaunchTime']:%Y-%m-%dT%H:%M}*",
        "image-id": shown["ImageId"],
    }[name]
    both = attempt(lambda: (found("nothing", matching), found("nothing")))
    moto = ("filter of launch times", CRASH) if name == "launch-time" else None
    check(ground, both, (True, False), moto=moto)


def test_the_filter_by_ids_leaves_out_what_it_does_not_know(ground: Ground, instance: str) -> None:
    found = ground.describe(UNKNOWN, instance, "nonsense")
    assert [each["InstanceId"] for each in found] == [instance]


def test_an_unknown_id_fails_the_whole_call(ground: Ground, instance: str) -> None:
    describe = ground.ec2.describe_instances
    for unknown in (UNKNOWN, "i-12345678"):
        found = refusal(describe, InstanceIds=[instance, unknown])
        assert found == ("InvalidInstanceID.NotFound", 400)
    twice = attempt(describe, InstanceIds=[instance, instance])
    count = twice if twice == CRASH else len(twice["Reservations"])
    check(ground, count, 1, moto=("ids named twice", CRASH))


@pytest.mark.parametrize(
    "malformed",
    ["i-123", "i-0123456789", "ami-0123456789abcdef0", "i-0123456789ABCDEF0", f" {UNKNOWN}"],
)
def test_a_malformed_id_is_not_an_unknown_one(ground: Ground, malformed: str) -> None:
    found = refusal(ground.ec2.describe_instances, InstanceIds=[UNKNOWN, malformed])
    moto = ("malformed ids", ("InvalidInstanceID.NotFound", 400))
    check(ground, found, ("InvalidInstanceID.Malformed", 400), moto=moto)


@pytest.mark.parametrize("page", [{"MaxResults": 5}, {"NextToken": ""}])
def test_ids_and_pages_exclude_each_other(
    ground: Ground, instance: str, page: dict[str, Any]
) -> None:
    found = refusal(ground.ec2.describe_instances, InstanceIds=[instance], **page)
    moto = ("empty tokens", None) if "NextToken" in page else None
    check(ground, found, ("InvalidParameterCombination", 400), moto=moto)


def test_two_hundred_values_are_the_most_of_a_filter(ground: Ground, instance: str) -> None:
    ids = [UNKNOWN] * 199 + [instance]
    assert [each["InstanceId"] for each in ground.describe(*ids)] == [instance]
    found = refusal(ground.describe, Filters=[{"Name": "instance-id", "Values": [*ids, "x"]}])
    check(ground, found, ("FilterLimitExceeded", 400), moto=("any number of values", None))


def test_an_unknown_filter_is_refused(ground: Ground) -> None:
    filters = [{"Name": "http-tokens", "Values": ["optional"]}]
    found = refusal(ground.ec2.describe_instances, Filters=filters)
    check(ground, found, ("InvalidParameterValue", 400), moto=("unknown filters", CRASH))


@pytest.mark.parametrize("most", [4, 1001])
def test_a_page_has_five_to_a_thousand_instances(ground: Ground, most: int) -> None:
    found = refusal(ground.ec2.describe_instances, MaxResults=most)
    check(ground, found, ("InvalidParameterValue", 400), moto=("pages of any size", None))


@pytest.mark.only("fake", "moto")
def test_pages_have_every_instance_once(ground: Ground) -> None:
    launched = ground.launch(11, Tags={"pages": ground.run})
    filters = [{"Name": "tag:pages", "Values": [ground.run]}]
    pages = [ground.ec2.describe_instances(Filters=filters, MaxResults=5)]
    while pages[-1].get("NextToken"):
        token = pages[-1]["NextToken"]
        pages.append(ground.ec2.describe_instances(Filters=filters, MaxResults=5, NextToken=token))
    ids = [
        [each["InstanceId"] for found in page["Reservations"] for each in found["Instances"]]
        for page in pages
    ]
    # moto counts reservations.
    check(ground, [len(page) for page in ids], [5, 5, 1], moto=("pages of any size", [11]))
    assert sorted(each for page in ids for each in page) == sorted(
        each["InstanceId"] for each in launched
    )
    found = refusal(ground.ec2.describe_instances, MaxResults=5, NextToken="abc")
    check(ground, found, ("InvalidPaginationToken", 400), moto=("any token", CRASH))
