"""What instances are launched from: launch templates, AMIs, launch configurations."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from differences import check, check_members
from ground import CRASH, Ground, Like, attempt, refusal

OPEN = {
    "ImageId": "ami-0aaaaaaaaaaaaaaaa",
    "InstanceType": "t3.micro",
    "UserData": b64encode(b"#!/bin/sh\ncurl 169.254.169.254/latest/\n").decode(),
    "MetadataOptions": {
        "HttpTokens": "optional",
        "HttpPutResponseHopLimit": 3,
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "enabled",
        "InstanceMetadataTags": "enabled",
    },
}
CLOSED = {
    "ImageId": "resolve:ssm:/golden",
    "InstanceType": "t3.micro",
    "UserData": b64encode(b"#!/bin/sh\n").decode(),
    "MetadataOptions": {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "HttpEndpoint": "disabled",
    },
}


@pytest.fixture(scope="module")
def template(ground: Ground) -> str:
    """A launch template of three versions, of which the second is the default."""
    return ground.add_template(f"contract-{ground.run}", [OPEN, CLOSED, OPEN], 2)


def made_now(created: datetime) -> bool:
    """Whether it was made within the last minutes."""
    return abs(datetime.now(UTC) - created) < timedelta(minutes=5)


@pytest.mark.only("fake", "moto")
def test_a_template_is_described_by_id_and_by_name(ground: Ground, template: str) -> None:
    describe = ground.ec2.describe_launch_templates
    named = f"contract-{ground.run}"
    for asked in ({"LaunchTemplateIds": [template]}, {"LaunchTemplateNames": [named]}):
        (found,) = describe(**asked)["LaunchTemplates"]
        assert made_now(found.pop("CreateTime"))
        wanted = {
            "LaunchTemplateId": template,
            "LaunchTemplateName": named,
            "DefaultVersionNumber": 2,
            "LatestVersionNumber": 3,
            "CreatedBy": Like(r"arn:aws:iam::\d{12}:root"),
        }
        check_members(ground, found, wanted)


def test_an_unknown_template_is_refused(ground: Ground) -> None:
    describe = ground.ec2.describe_launch_templates
    found = refusal(describe, LaunchTemplateIds=["lt-0123456789abcdef0"])
    check(
        ground, found, ("InvalidLaunchTemplateId.NotFound", 400), moto=("unknown templates", None)
    )
    found = refusal(describe, LaunchTemplateNames=["no-such-template"])
    check(ground, found, ("InvalidLaunchTemplateName.NotFoundException", 400))


@pytest.mark.only("fake", "moto")
def test_templates_come_in_pages(ground: Ground, template: str) -> None:
    other = ground.add_template(f"contract-{ground.run}-2", [CLOSED], 1)
    describe = ground.ec2.describe_launch_templates
    found: list[str] = []
    token: dict[str, str] = {}
    pages = 0
    while True:
        answer = describe(MaxResults=1, IncludeManagedResources=True, **token)
        found += [each["LaunchTemplateId"] for each in answer["LaunchTemplates"]]
        pages += 1
        if not answer.get("NextToken"):
            break
        token = {"NextToken": answer["NextToken"]}
    assert pages == len(found)
    check(ground, {template, other} <= set(found), True, moto=("pages of templates", False))


@pytest.mark.only("fake", "moto")
def test_a_version_has_the_data_that_was_meant(ground: Ground, template: str) -> None:
    describe = ground.ec2.describe_launch_template_versions
    versions = describe(LaunchTemplateId=template)["LaunchTemplateVersions"]
    by_number = sorted(versions, key=lambda version: version["VersionNumber"])
    for number, (found, data) in enumerate(zip(by_number, (OPEN, CLOSED, OPEN), strict=True), 1):
        assert made_now(found.pop("CreateTime"))
        options = found["LaunchTemplateData"].pop("MetadataOptions")
        check_members(ground, options, data["MetadataOptions"])
        wanted = {
            "LaunchTemplateId": template,
            "LaunchTemplateName": f"contract-{ground.run}",
            "VersionNumber": number,
            "DefaultVersion": number == 2,
            "LaunchTemplateData": {name: data[name] for name in data if name != "MetadataOptions"},
            "CreatedBy": Like(r"arn:aws:iam::\d{12}:root"),
        }
        check_members(ground, found, wanted)


@pytest.mark.only("fake", "moto")
def test_versions_are_found_by_number_and_by_alias(ground: Ground, template: str) -> None:
    describe = ground.ec2.describe_launch_template_versions

    def numbers(*versions: str, **more: Any) -> Any:
        answer = describe(Versions=list(versions), IncludeManagedResources=True, **more)
        return [each["VersionNumber"] for each in answer["LaunchTemplateVersions"]]

    assert numbers("$Default", LaunchTemplateId=template) == [2]
    assert numbers("$Latest", LaunchTemplateId=template) == [3]
    assert numbers("1", LaunchTemplateName=f"contract-{ground.run}") == [1]
    found = refusal(lambda: numbers("4", LaunchTemplateId=template))
    check(ground, found, ("InvalidLaunchTemplateId.VersionNotFound", 400))


@pytest.mark.only("fake", "moto")
def test_a_template_has_an_id_or_a_name(ground: Ground, template: str) -> None:
    both = {"LaunchTemplateId": template, "LaunchTemplateName": f"contract-{ground.run}"}
    found = refusal(ground.ec2.describe_launch_template_versions, **both)
    check(ground, found, ("InvalidParameterCombination", 400), moto=("named both ways", None))


@pytest.mark.only("fake", "moto")
def test_versions_of_all_templates_are_found_by_alias(ground: Ground, template: str) -> None:
    def numbers(version: str) -> Any:
        answer = ground.ec2.describe_launch_template_versions(Versions=[version])
        found = answer["LaunchTemplateVersions"]
        return [each["VersionNumber"] for each in found if each["LaunchTemplateId"] == template]

    assert attempt(numbers, version="$Default") == [2]
    assert attempt(numbers, version="$Latest") == [3]
    moto = ("missing parameters", ("InvalidParameterValue", 400))
    check(ground, attempt(numbers, version="1"), ("MissingParameter", 400), moto=moto)


@pytest.mark.only("fake", "moto")
def test_versions_come_in_pages(ground: Ground, template: str) -> None:
    describe = ground.ec2.describe_launch_template_versions
    named = {"LaunchTemplateId": template, "MaxResults": 2}
    first = describe(**named)
    assert len(first["LaunchTemplateVersions"]) == 2
    if ground.name == "moto":
        check(ground, first.get("NextToken"), Like(".+"), moto=("pages of templates", None))
        return
    second = describe(**named, NextToken=first["NextToken"])
    assert len(second["LaunchTemplateVersions"]) == 1
    assert not second.get("NextToken")


@pytest.mark.only("fake", "moto")
def test_a_launch_from_a_template_is_tagged_with_its_version(ground: Ground, template: str) -> None:
    (launched,) = ground.launch(
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"}, MetadataOptions={}
    )
    found = ground.instance(launched["InstanceId"])
    tags = {each["Key"]: each["Value"] for each in found["Tags"]}
    assert tags["aws:ec2launchtemplate:id"] == template
    assert tags["aws:ec2launchtemplate:version"] == "1"
    options = {name: found["MetadataOptions"].get(name) for name in OPEN["MetadataOptions"]}
    kept = {
        "HttpPutResponseHopLimit": 1,
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": "disabled",
    }
    moto = ("options of templates", OPEN["MetadataOptions"] | kept)
    check(ground, options, OPEN["MetadataOptions"], moto=moto)


@pytest.mark.only("fake", "moto")
def test_an_image_is_described_as_it_was_registered(ground: Ground) -> None:
    describe = ground.ec2.describe_images
    image = ground.add_image("ami-0bbbbbbbbbbbbbbbb", f"golden-{ground.run}", imds_v2=True)
    plain = ground.add_image("ami-0cccccccccccccccc", f"plain-{ground.run}", imds_v2=False)
    (found,) = describe(ImageIds=[image])["Images"]
    wanted = {
        "ImageId": image,
        "ImageLocation": Like(f".*golden-{ground.run}"),
        "State": "available",
        "OwnerId": Like(r"\d{12}"),
        "CreationDate": Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z"),
        "Public": False,
        "Architecture": "x86_64",
        "ImageType": "machine",
        "Name": f"golden-{ground.run}",
        "RootDeviceType": "ebs",
        "RootDeviceName": "/dev/xvda",
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "ImdsSupport": "v2.0",
    }
    other = dict.fromkeys(("ImageLocation", "Architecture", "VirtualizationType", "Hypervisor"))
    other |= {"RootDeviceType": "standard", "RootDeviceName": "/dev/sda1", "ImdsSupport": None}
    shown = {name: found.get(name) for name in wanted}
    check(ground, shown, wanted, moto=("registered images", wanted | other))
    if ground.name == "fake":
        assert set(found) == set(wanted)
    filters = [{"Name": "image-id", "Values": [plain, "ami-0dddddddddddddddd"]}]
    (found,) = describe(Filters=filters, IncludeDisabled=True, IncludeDeprecated=True)["Images"]
    assert found["ImageId"] == plain
    assert "ImdsSupport" not in found


def test_an_unknown_image_is_refused(ground: Ground) -> None:
    found = refusal(ground.ec2.describe_images, ImageIds=["ami-0123456789abcdef0"])
    check(ground, found, ("InvalidAMIID.NotFound", 400))
    found = refusal(ground.ec2.describe_images, ImageIds=["ami-1"])
    moto = ("malformed ids", ("InvalidAMIID.NotFound", 400))
    check(ground, found, ("InvalidAMIID.Malformed", 400), moto=moto)


@pytest.mark.only("fake", "moto")
def test_images_come_in_pages(ground: Ground) -> None:
    for digit in "ef":
        ground.add_image(f"ami-0{digit * 16}", f"{digit}-{ground.run}", imds_v2=False)
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = ground.ec2.describe_images(MaxResults=1, **token)
        if ground.name == "moto":
            check(ground, "NextToken" in answer, True, moto=("pages of images", False))
            return
        assert len(answer["Images"]) == 1
        found += [each["ImageId"] for each in answer["Images"]]
        if not answer.get("NextToken"):
            break
        token = {"NextToken": answer["NextToken"]}
    assert {"ami-0" + digit * 16 for digit in "ef"} <= set(found)


@pytest.mark.only("fake", "moto")
def test_a_launch_configuration_has_the_data_that_was_meant(ground: Ground) -> None:
    name = f"contract-{ground.run}"
    kept = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint")
    options = {option: OPEN["MetadataOptions"][option] for option in kept}
    ground.add_launch_configuration(name, OPEN | {"MetadataOptions": options})
    describe = ground.client("autoscaling").describe_launch_configurations
    asked = [name, "no-such-configuration"]
    (found,) = describe(LaunchConfigurationNames=asked)["LaunchConfigurations"]
    assert made_now(found.pop("CreatedTime"))
    wanted = {
        "LaunchConfigurationName": name,
        "LaunchConfigurationARN": Like(
            rf"arn:aws:autoscaling:{ground.region}:\d{{12}}:launchConfiguration:"
            rf"[0-9a-f-]{{36}}:launchConfigurationName/{name}"
        ),
        "ImageId": OPEN["ImageId"],
        "KeyName": "",
        "SecurityGroups": [],
        "UserData": OPEN["UserData"],
        "InstanceType": "t3.micro",
        "KernelId": "",
        "RamdiskId": "",
        "BlockDeviceMappings": [],
        "InstanceMonitoring": {"Enabled": True},
        "EbsOptimized": False,
        "MetadataOptions": options,
    }
    check_members(ground, found, wanted)


@pytest.mark.only("fake", "moto")
def test_launch_configurations_come_in_pages(ground: Ground) -> None:
    names = {f"page-{number}-{ground.run}" for number in range(2)}
    closed = CLOSED | {"MetadataOptions": CLOSED["MetadataOptions"]}
    for name in names:
        ground.add_launch_configuration(name, closed)
    describe = ground.client("autoscaling").describe_launch_configurations
    first = describe(MaxRecords=1, LaunchConfigurationNames=sorted(names))
    second = describe(
        MaxRecords=1, LaunchConfigurationNames=sorted(names), NextToken=first["NextToken"]
    )
    pages = [first["LaunchConfigurations"], second["LaunchConfigurations"]]
    assert [len(page) for page in pages] == [1, 1]
    assert {each["LaunchConfigurationName"] for page in pages for each in page} == names
    assert not second.get("NextToken")


def test_an_unknown_launch_configuration_is_left_out(ground: Ground) -> None:
    describe = ground.client("autoscaling").describe_launch_configurations
    answer = describe(LaunchConfigurationNames=["no-such-configuration"])
    assert answer["LaunchConfigurations"] == []
    found = refusal(describe, NextToken="x")
    check(ground, found, ("InvalidNextToken", 400), moto=("any token", CRASH))


@pytest.mark.only("fake")
def test_a_group_names_the_templates_that_it_launches_from(ground: Any, template: str) -> None:
    name = f"contract-{ground.run}"
    what = {"region": ground.region, "template": template, "version": "1"}
    for each in (name, f"{name}-2"):
        ground.seed("group", name=each, image=OPEN["ImageId"], **what)
    describe = ground.client("autoscaling").describe_auto_scaling_groups
    (found,) = describe(AutoScalingGroupNames=[name, "no-such-group"])["AutoScalingGroups"]
    assert made_now(found["CreatedTime"])
    named = {"LaunchTemplateId": template, "LaunchTemplateName": name}
    assert found["MixedInstancesPolicy"]["LaunchTemplate"] == {
        "LaunchTemplateSpecification": named | {"Version": "1"},
        "Overrides": [
            {"LaunchTemplateSpecification": named | {"Version": "$Latest"}},
            {"ImageId": OPEN["ImageId"]},
        ],
    }
    first = describe(MaxRecords=1)
    second = describe(MaxRecords=1, NextToken=first["NextToken"])
    pages = [first["AutoScalingGroups"], second["AutoScalingGroups"]]
    assert [len(page) for page in pages] == [1, 1]


@pytest.mark.only("fake")
@pytest.mark.parametrize(
    ("name", "id_of", "listed"),
    [
        ("describe_fleets", "FleetId", "Fleets"),
        ("describe_spot_fleet_requests", "SpotFleetRequestId", "SpotFleetRequestConfigs"),
    ],
)
def test_a_fleet_names_the_templates_that_it_launches_from(
    ground: Any, template: str, name: str, id_of: str, listed: str
) -> None:
    what = {"region": ground.region, "template": template, "version": "1"}
    for _ in range(2):
        ground.seed("fleets", **what)
    describe = getattr(ground.ec2, name)
    first = describe(MaxResults=1)
    second = describe(MaxResults=1, NextToken=first["NextToken"])
    found = [*first[listed], *second[listed]]
    assert len({each[id_of] for each in found}) == 2
    (one,) = describe(**{f"{id_of}s": [found[0][id_of]]})[listed]
    configs = one.get("SpotFleetRequestConfig", one)["LaunchTemplateConfigs"]
    named = {"LaunchTemplateId": template, "Version": "1"}
    assert [each["LaunchTemplateSpecification"] for each in configs] == [named]
    refused = refusal(describe, **{f"{id_of}s": ["no-such-fleet"]})
    assert refused[0].endswith(".NotFound")


@pytest.mark.only("fake")
def test_an_image_that_a_parameter_names_is_resolved_for_one_version(
    ground: Any, template: str
) -> None:
    ground.seed("parameter", region=ground.region, name="/golden", image=OPEN["ImageId"])
    describe = ground.ec2.describe_launch_template_versions
    what = {"LaunchTemplateId": template, "Versions": ["2"]}
    for resolves, image in ((False, CLOSED["ImageId"]), (True, OPEN["ImageId"])):
        (found,) = describe(ResolveAlias=resolves, **what)["LaunchTemplateVersions"]
        assert found["LaunchTemplateData"]["ImageId"] == image
