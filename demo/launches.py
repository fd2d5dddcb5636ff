"""Launches the six instances of the demo through the EC2 API."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from demo import events

REGIONS = ("eu-central-1", "us-east-1")


@dataclass(frozen=True)
class Case:
    """A launch of the demo."""

    name: str
    region: str
    launch: Callable[[str, str], events.Launch]
    # Whether a person exempts it, by an item of the state table.
    exempted: bool = False


@dataclass(frozen=True)
class Launched:
    """A running instance and its launch event."""

    case: Case
    instance_id: str
    before: "Description"
    event: dict[str, Any]


@dataclass(frozen=True)
class Description:
    """An instance as EC2 describes it."""

    state: str
    options: Mapping[str, Any]

    @property
    def tokens(self) -> str:
        """Returns `required` or `optional`."""
        return str(self.options["HttpTokens"])

    @property
    def is_ended(self) -> bool:
        """Returns whether it is terminated, or will be."""
        return self.state in {"shutting-down", "terminated"}


def launch(case: Case, endpoint: str) -> Launched:
    """Launches an instance and creates its event."""
    launched = case.launch(case.region, endpoint)
    instance_id = launched.response["Instances"][0]["InstanceId"]
    before = describe(instance_id, case.region, endpoint)
    return Launched(case, instance_id, before, events.run_instances(launched, case.region))


def describe(instance_id: str, region: str, endpoint: str) -> Description:
    """Describes an instance."""
    response = client("ec2", region, endpoint).describe_instances(InstanceIds=[instance_id])
    instance = response["Reservations"][0]["Instances"][0]
    return Description(instance["State"]["Name"], instance["MetadataOptions"])


def called(
    cloudwatch: Any,
    instance_id: str,
    calls: Mapping[timedelta, int],
    metric: str = "MetadataNoToken",
) -> None:
    """Publishes metric data of calls to the metadata service, by age."""
    now = datetime.now(UTC)
    metric_data = {
        "MetricName": metric,
        "Dimensions": [{"Name": "InstanceId", "Value": instance_id}],
    }
    points = [{"Timestamp": now - ago, "Value": count} for ago, count in calls.items()]
    cloudwatch.put_metric_data(
        Namespace="AWS/EC2", MetricData=[metric_data | point for point in points]
    )


def standalone(tokens: str, **tags: str) -> Callable[[str, str], events.Launch]:
    """Returns a function that calls RunInstances as a user."""

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


def auto_scaling(tokens: str, **tags: str) -> Callable[[str, str], events.Launch]:
    """Returns a function that creates an Auto Scaling group with one instance."""

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
        filters = [{"Name": "tag:aws:autoscaling:groupName", "Values": ["workers"]}]
        response = ec2.describe_instances(Filters=filters)["Reservations"][0]
        tag_specification = [
            tag for tag in response["Instances"][0]["Tags"] if "launchtemplate" not in tag["Key"]
        ]
        request = {
            "MinCount": 1,
            "MaxCount": 1,
            "LaunchTemplate": template,
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tag_specification}],
        }
        return events.Launch(request, response, by_auto_scaling=True)

    return run


CASES = (
    Case("compliant", "eu-central-1", standalone("required", app="shop")),
    Case("non-compliant", "us-east-1", standalone("optional", app="shop")),
    Case("Auto Scaling", "eu-central-1", auto_scaling("optional", stage="sandbox")),
    Case("sandbox", "eu-central-1", standalone("optional", stage="sandbox")),
    Case("exempt by tag", "us-east-1", standalone("optional", app="scanner-eu")),
    Case("exempt by ada", "us-east-1", standalone("optional", stage="sandbox"), exempted=True),
)


def image(ec2: Any) -> str:
    """Returns the ID of a Linux image."""
    filters = [{"Name": "name", "Values": ["al2023-ami-*-x86_64"]}]
    return str(ec2.describe_images(Filters=filters)["Images"][0]["ImageId"])


def client(service: str, region: str, endpoint: str) -> Any:
    """Creates a client that connects only to the endpoint."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="demo",
        aws_secret_access_key="demo",
    )
