"""Regions, the caller, tags, attributes, and the account's defaults."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from differences import check, check_members
from ground import CRASH, TAG, Fake, Ground, Like, attempt, refusal

UNKNOWN = "i-0123456789abcdef0"


def test_regions_are_described_with_their_status(ground: Ground) -> None:
    described = ground.ec2.describe_regions()["Regions"]
    enabled = {each["RegionName"]: each for each in described}
    wanted = {
        "RegionName": ground.region,
        "Endpoint": f"ec2.{ground.region}.amazonaws.com",
        "OptInStatus": "opt-in-not-required",
    }
    check_members(ground, enabled[ground.region], wanted)
    (named,) = ground.ec2.describe_regions(RegionNames=[ground.region])["Regions"]
    assert named == enabled[ground.region]
    everywhere = ground.ec2.describe_regions(AllRegions=True)["Regions"]
    closed = [each for each in everywhere if each["RegionName"] not in enabled]
    filters = [{"Name": "opt-in-status", "Values": ["not-opted-in"]}]
    found = ground.ec2.describe_regions(AllRegions=True, Filters=filters)["Regions"]
    check(ground, found, closed, moto=("filter of regions", everywhere))
    assert {each["OptInStatus"] for each in closed} <= {"not-opted-in"}


def test_an_unknown_region_is_refused(ground: Ground) -> None:
    found = refusal(ground.ec2.describe_regions, RegionNames=["eu-nowhere-1"])
    check(ground, found, ("InvalidParameterValue", 400), moto=("unknown regions", None))


def test_the_caller_has_an_identity(ground: Ground) -> None:
    answer = ground.client("sts").get_caller_identity()
    del answer["ResponseMetadata"]
    account = answer["Account"]
    assert answer == {
        "Account": Like(r"\d{12}"),
        "Arn": Like(f"arn:aws[a-z-]*:(sts|iam)::{account}:.+"),
        "UserId": Like("[A-Z0-9]+(:.+)?"),
    }
    if ground.name == "fake":
        assert answer["Arn"] == f"arn:aws:sts::{account}:assumed-role/enforcer/session"
        assert answer["UserId"] == "AROAEXAMPLEEXAMPLEEXA:session"


def test_a_role_is_assumed_with_a_code_that_is_valid_once(fake: Fake) -> None:
    account = fake.client("sts").get_caller_identity()["Account"]
    role, serial = f"arn:aws:iam::{account}:role/contract", f"arn:aws:iam::{account}:mfa/ada"
    fake.add_role("contract", serial, "123456", "ticket")
    named = {"RoleArn": role, "RoleSessionName": "ada", "ExternalId": "ticket"}
    device = {"SerialNumber": serial, "TokenCode": "123456"}
    assume = fake.client("sts").assume_role
    for parameters, code, status in (
        (named, "AccessDenied", 403),
        (named | device | {"ExternalId": "another"}, "AccessDenied", 403),
        (named | device | {"TokenCode": "654321"}, "AccessDenied", 403),
        (named | device | {"RoleArn": f"{role}s"}, "AccessDenied", 403),
    ):
        assert refusal(assume, **parameters) == (code, status)
    answer = assume(**named, **device, DurationSeconds=900)
    session = answer["Credentials"]
    assert session["AccessKeyId"].startswith("ASIA")
    left = session["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)
    arn = f"arn:aws:sts::{account}:assumed-role/contract/ada"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    assert refusal(assume, **named, **device) == ("AccessDenied", 403)


def test_a_session_that_is_longer_than_the_role_allows_is_refused(fake: Fake) -> None:
    account = fake.client("sts").get_caller_identity()["Account"]
    serial = f"arn:aws:iam::{account}:mfa/ada"
    fake.add_role("brief", serial, "123456", "ticket")
    found = refusal(
        fake.client("sts").assume_role,
        RoleArn=f"arn:aws:iam::{account}:role/brief",
        RoleSessionName="ada",
        ExternalId="ticket",
        SerialNumber=serial,
        TokenCode="123456",
        DurationSeconds=43200,
    )
    assert found == ("ValidationError", 400)


def tags(ground: Ground, instance: str) -> dict[str, str]:
    """The tags of an instance, other than that of the run."""
    found = ground.instance(instance)["Tags"]
    return {each["Key"]: each["Value"] for each in found if each["Key"] != TAG}


def test_tags_are_created_replaced_and_deleted(ground: Ground, instance: str) -> None:
    hostile = {"<key>&\"'": "</value> ]]> \U0001f980 ü", "app": "web", "empty": ""}
    ec2 = ground.ec2

    def become(wanted: dict[str, str]) -> None:
        assert ground.eventually(lambda: tags(ground, instance), wanted.__eq__) == wanted

    def pairs(given: dict[str, str]) -> dict[str, Any]:
        listed = [{"Key": key, "Value": value} for key, value in given.items()]
        return {"Resources": [instance], "Tags": listed}

    ec2.create_tags(**pairs(hostile))
    try:
        become(hostile)
        ec2.create_tags(**pairs({"app": "shop"}))
        become(hostile | {"app": "shop"})
        ec2.delete_tags(**pairs({"app": "another"}))
        ec2.delete_tags(Resources=[instance], Tags=[{"Key": "empty"}])
        del hostile["empty"]
        become(hostile | {"app": "shop"})
    finally:
        ec2.delete_tags(Resources=[instance], Tags=[{"Key": key} for key in hostile])
    become({})


def test_reserved_keys_and_unknown_resources_take_no_tags(ground: Ground, instance: str) -> None:
    reserved = [{"Key": "aws:x", "Value": "1"}]
    found = refusal(ground.ec2.create_tags, Resources=[instance], Tags=reserved)
    check(ground, found, ("InvalidParameterValue", 400), moto=("reserved keys", None))
    if ground.name == "moto":
        ground.ec2.delete_tags(Resources=[instance], Tags=reserved)
    found = refusal(ground.ec2.create_tags, Resources=[UNKNOWN], Tags=[{"Key": "a", "Value": "1"}])
    check(ground, found, ("InvalidInstanceID.NotFound", 400), moto=("tags of nothing", None))


def test_fifty_tags_are_the_most(ground: Ground, instance: str) -> None:
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    found = refusal(ground.ec2.create_tags, Resources=[instance], Tags=many)
    check(ground, found, ("TagLimitExceeded", 400))
    assert tags(ground, instance) == {}


@pytest.mark.only("fake", "moto")
def test_user_data_is_described_in_base64(ground: Ground) -> None:
    script = bytes([0x1F, 0x8B, 0x08, 0xFF])
    (launched,) = ground.launch(UserData=script, DisableApiStop=True)
    each = launched["InstanceId"]

    def attribute(name: str) -> Any:
        answer = ground.ec2.describe_instance_attribute(InstanceId=each, Attribute=name)
        assert answer.pop("InstanceId") == each
        del answer["ResponseMetadata"]
        return answer

    assert attribute("userData") == {"UserData": {"Value": b64encode(script).decode()}}
    assert attribute("instanceType") == {"InstanceType": {"Value": "t3.micro"}}
    assert attribute("disableApiTermination") == {"DisableApiTermination": {"Value": False}}
    check(ground, attribute("disableApiStop"), {"DisableApiStop": {"Value": True}})


@pytest.mark.only("fake", "moto")
def test_an_instance_may_have_no_user_data(ground: Ground, instance: str) -> None:
    describe = ground.ec2.describe_instance_attribute
    answer = describe(InstanceId=instance, Attribute="userData")
    assert "Value" not in answer["UserData"]
    found = refusal(describe, InstanceId=instance, Attribute="colour")
    check(ground, found, ("InvalidParameterValue", 400))


def defaults(ground: Ground) -> Any:
    """The defaults of the account, or the error of the call."""
    answer = attempt(ground.ec2.get_instance_metadata_defaults)
    return answer if answer == CRASH else answer["AccountLevel"]


def test_the_defaults_of_an_account_name_who_manages_them(ground: Ground) -> None:
    found = defaults(ground)
    managed = found if found == CRASH else found["ManagedBy"]
    check(ground, managed, "account", moto=("no defaults", CRASH))


@pytest.mark.only("fake")
def test_defaults_are_set_and_unset(ground: Ground) -> None:
    modify = ground.ec2.modify_instance_metadata_defaults
    chosen = {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 2,
        "HttpEndpoint": "enabled",
        "InstanceMetadataTags": "disabled",
        "HttpTokensEnforced": "enabled",
    }
    assert modify(**chosen)["Return"] is True
    assert defaults(ground) == chosen | {"ManagedBy": "account"}
    assert refusal(ground.launch) == ("UnsupportedOperation", 400)
    rehearsed = refusal(modify, HttpTokens="optional", DryRun=True)
    assert rehearsed == ("DryRunOperation", 412)
    assert modify(HttpTokens="no-preference", HttpPutResponseHopLimit=-1)["Return"] is True
    left = ("HttpEndpoint", "InstanceMetadataTags", "HttpTokensEnforced")
    assert defaults(ground) == {name: chosen[name] for name in left} | {"ManagedBy": "account"}
    for bad in ({"HttpTokens": "yes"}, {"HttpPutResponseHopLimit": 0}, {"HttpEndpoint": ""}):
        assert refusal(modify, **bad) == ("InvalidParameterValue", 400)
    for name in left:
        modify(**{name: "no-preference"})
    assert defaults(ground) == {"ManagedBy": "account"}


@pytest.mark.only("fake")
def test_defaults_of_a_policy_cannot_be_changed(ground: Ground) -> None:
    ground.seed("policy", region="eu-west-1", tokens="required")
    ec2 = ground.client("ec2", "eu-west-1")
    found = ec2.get_instance_metadata_defaults()["AccountLevel"]
    assert found == {"HttpTokens": "required", "ManagedBy": "declarative-policy"}
    found = refusal(ec2.modify_instance_metadata_defaults, HttpTokens="optional")
    assert found == ("DeclarativePolicyViolation", 400)
