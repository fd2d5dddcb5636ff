"""The four instances of the demo, and how each is launched through the EC2 API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from demo import events

REGIONS = ("eu-central-1", "us-east-1")
# What boto3 returns: nested dictionaries and lists.
Answer = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One kind of launch."""

    name: str
    region: str
    launch: Callable[[str, str], events.Launch]


@dataclass(frozen=True)
class Launched:
    """An instance that runs now, and the event that tells of it."""

    case: Case
    instance_id: str
    before: "Seen"
    event: dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """An instance as EC2 describes it."""

    state: str
    options: Mapping[str, Any]

    @property
    def tokens(self) -> str:
        """`required` or `optional`."""
        return str(self.options["HttpTokens"])


def launch(case: Case, endpoint: str) -> Launched:
    """Launches it and makes the event that CloudTrail would send."""
    launched = case.launch(case.region, endpoint)
    instance_id = launched.answer["Instances"][0]["InstanceId"]
    before = look(instance_id, case.region, endpoint)
    return Launched(case, instance_id, before, events.run_instances(launched, case.region))


def look(instance_id: str, region: str, endpoint: str) -> Seen:
    """Asks EC2 for the instance as it is now."""
    answer = client("ec2", region, endpoint).describe_instances(InstanceIds=[instance_id])
    instance = answer["Reservations"][0]["Instances"][0]
    return Seen(instance["State"]["Name"], instance["MetadataOptions"])


def called(
    cloudwatch: Any,
    instance_id: str,
    calls: Mapping[timedelta, int],
    metric: str = "MetadataNoToken",
) -> None:
    """Has CloudWatch know of calls to the metadata service, by how long ago they were."""
    now = datetime.now(UTC)
    of_instance = {
        "MetricName": metric,
        "Dimensions": [{"Name": "InstanceId", "Value": instance_id}],
    }
    points = [{"Timestamp": now - ago, "Value": count} for ago, count in calls.items()]
    cloudwatch.put_metric_data(
        Namespace="AWS/EC2", MetricData=[of_instance | point for point in points]
    )


def on_its_own(tokens: str, **tags: str) -> Callable[[str, str], events.Launch]:
    """A plain RunInstances by a person."""

    def run(region: str, endpoint: str) -> events.Launch:
        ec2 = client("ec2", region, endpoint)
        pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
        request = {
            "ImageId": image(ec2),
            "MinCount": 1,
            "MaxCount": 1,
            "InstanceType": "t3.micro",
            "MetadataOptions": {"HttpTokens": tokens, "HttpEndpoint": "enabled"},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": pairs}],
        }
        return events.Launch(request, ec2.run_instances(**request), by_auto_scaling=False)

    return run


def in_auto_scaling(tokens: str, **tags: str) -> Callable[[str, str], events.Launch]:
    """A group of one, whose launch template asks for these tokens."""

    def run(region: str, endpoint: str) -> events.Launch:
        ec2 = client("ec2", region, endpoint)
        data = {
            "ImageId": image(ec2),
            "InstanceType": "t3.micro",
            "MetadataOptions": {"HttpTokens": tokens, "HttpEndpoint": "enabled"},
        }
        made = ec2.create_launch_template(LaunchTemplateName="workers", LaunchTemplateData=data)
        template = {
            "LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"],
            "Version": str(made["LaunchTemplate"]["LatestVersionNumber"]),
        }
        client("autoscaling", region, endpoint).create_auto_scaling_group(
            AutoScalingGroupName="workers",
            LaunchTemplate=template,
            MinSize=1,
            MaxSize=1,
            AvailabilityZones=[f"{region}a"],
            Tags=[
                {"Key": key, "Value": value, "PropagateAtLaunch": True}
                for key, value in tags.items()
            ],
        )
        of_group = [{"Name": "tag:aws:autoscaling:groupName", "Values": ["workers"]}]
        answer = ec2.describe_instances(Filters=of_group)["Reservations"][0]
        marked = [
            tag for tag in answer["Instances"][0]["Tags"] if "launchtemplate" not in tag["Key"]
        ]
        request = {
            "MinCount": 1,
            "MaxCount": 1,
            "LaunchTemplate": template,
            "TagSpecifications": [{"ResourceType": "instance", "Tags": marked}],
        }
        return events.Launch(request, answer, by_auto_scaling=True)

    return run


CASES = (
    Case("already right", "eu-central-1", on_its_own("required", app="shop")),
    Case("IMDSv1 open", "us-east-1", on_its_own("optional", app="shop")),
    Case("Auto Scaling", "eu-central-1", in_auto_scaling("optional", stage="sandbox")),
    Case("exempt by tag", "us-east-1", on_its_own("optional", app="scanner-eu")),
)


def image(ec2: Any) -> str:
    """Any Linux image that the stand-in knows."""
    wanted = [{"Name": "name", "Values": ["al2023-ami-*-x86_64"]}]
    return str(ec2.describe_images(Filters=wanted)["Images"][0]["ImageId"])


def client(service: str, region: str, endpoint: str) -> Any:
    """A client that can reach nothing but the endpoint."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="demo",
        aws_secret_access_key="demo",
    )
