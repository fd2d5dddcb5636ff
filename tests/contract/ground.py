"""The grounds that the same tests stand on: the tests' own fake, moto, and an account of AWS."""

import json
import os
import re
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import IO, Any
from unittest.mock import patch

import boto3
import wire
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from demo import launches, local

ROOT = Path(__file__).parents[2]
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"
FAKE = BINARIES / "fake"
MOTO = Path(sys.executable).with_name("moto_server")
REGION = "eu-central-1"
TAG = "imds-contract"
TABLE = "imds-enforcer"
CBOR = ("smithy-rpc-v2-cbor", "ec2", "query", "json")
QUERY = ("ec2", "query", "json")


# What is read of moto's answer where it crashes, which is HTML.
CRASH = ("", 500)


def attempt(call: Callable[..., Any], **named: Any) -> Any:
    """The result of a call, or the code and the status of its error."""
    try:
        return call(**named)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    except ResponseParserError:
        return CRASH


def refusal(call: Callable[..., Any], **named: Any) -> tuple[str, int] | None:
    """The code and the status of a call's error, if it fails."""
    result = attempt(call, **named)
    return result if isinstance(result, tuple) else None


@dataclass(frozen=True)
class Call:
    """A call that was answered."""

    service: str
    operation: str
    parameters: frozenset[str]
    status: int


class Like:
    """Is equal to every text that its pattern matches."""

    def __init__(self, pattern: str) -> None:
        """Compiles the pattern."""
        self.pattern = re.compile(pattern)

    def __eq__(self, other: object) -> bool:
        """Matches the other text."""
        return isinstance(other, str) and bool(self.pattern.fullmatch(other))

    __hash__ = None

    def __repr__(self) -> str:
        """Shows the pattern."""
        return f"<{self.pattern.pattern}>"


class Ground:
    """Where calls are made."""

    name: str
    # How botocore may write its calls, best first.
    protocols: Sequence[str] = CBOR
    # How long a change may take to be seen.
    patience = 10
    image = "ami-0abcdef1234567890"
    instance_type = "t3.micro"
    # The access key and its secret.
    key: str | None = "contract"
    # How often a call is made that fails for a while.
    attempts = 1

    def __init__(self, region: str, endpoint: str | None, run: str) -> None:
        """Tags what it launches with the id of the run."""
        self.region = region
        self.endpoint = endpoint
        self.run = run
        self.calls: list[Call] = []
        self.launched: set[str] = set()
        # The known differences that were found.
        self.differences: set[str] = set()
        # What was observed of what nobody knows of AWS.
        self.settled: list[str] = []
        self.client = cache(self.new_client)

    def new_client(self, service: str, region: str | None = None) -> Any:
        """A client that records its calls."""
        config = Config(retries={"mode": "standard", "total_max_attempts": self.attempts})
        with patch("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", self.protocols):
            client = boto3.client(
                service,
                region_name=region or self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id=self.key,
                aws_secret_access_key=self.key,
                config=config,
            )
            assert client.meta.service_model.resolved_protocol in self.protocols
        given: dict[str, Any] = {}
        client.meta.events.register(
            "provide-client-params", lambda params, model, **_: given.update({model.name: params})
        )
        client.meta.events.register(
            "before-parse",
            lambda operation_model, response_dict, **_: self.answered(
                operation_model, given[operation_model.name], response_dict
            ),
        )
        return client

    def answered(self, operation: Any, given: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Records a call."""
        service = operation.service_model.signing_name
        known = operation.input_shape.members if operation.input_shape else {}
        names = frozenset(wire.parameter(name, known[name]) for name in given if name in known)
        self.calls.append(Call(service, operation.name, names, answer["status_code"]))

    @property
    def ec2(self) -> Any:
        """EC2."""
        return self.client("ec2")

    def launch(self, count: int = 1, **more: Any) -> list[dict[str, Any]]:
        """Launches instances."""
        return list(self.reserve(count, **more)["Instances"])

    def reserve(self, count: int, **more: Any) -> dict[str, Any]:
        """Launches instances and returns the whole answer."""
        tags = {TAG: self.run} | more.pop("Tags", {})
        answer = self.ec2.run_instances(
            **{
                "ImageId": self.image,
                "InstanceType": self.instance_type,
                "MinCount": count,
                "MaxCount": count,
                "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
                "TagSpecifications": [
                    {
                        "ResourceType": "instance",
                        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                    }
                ],
            }
            | more
        )
        self.launched |= {each["InstanceId"] for each in answer["Instances"]}
        return dict(answer)

    def describe(self, *ids: str, **more: Any) -> list[dict[str, Any]]:
        """Describes instances that are visible, in the order of the answer."""
        if ids:
            filters = [{"Name": "instance-id", "Values": list(ids)}]
            more["Filters"] = filters + more.get("Filters", [])
        answer = self.ec2.describe_instances(**more)
        return [each for found in answer["Reservations"] for each in found["Instances"]]

    def instance(self, instance_id: str) -> dict[str, Any]:
        """An instance as it is described."""
        (found,) = self.describe(instance_id)
        return found

    def eventually(self, found: Callable[[], Any], wanted: Callable[[Any], bool]) -> Any:
        """What is found, as soon as it is what is wanted; otherwise what is found at the end."""
        deadline = time.monotonic() + self.patience
        pause = 0.02
        while not wanted(value := found()) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 2, 5)
        return value

    def in_state(self, instance_id: str, state: str) -> dict[str, Any]:
        """An instance when it has this state."""

        def found() -> Any:
            return next(iter(self.describe(instance_id)), None)

        described = self.eventually(found, lambda each: each and each["State"]["Name"] == state)
        assert described, f"{instance_id} is not shown"
        found_in = described["State"]["Name"]
        assert found_in == state, f"{instance_id} is {found_in} instead of {state}"
        return described


class Fake(Ground):
    """The tests' own fake. Whatever it answers must be as AWS's model says."""

    name = "fake"

    def __init__(self, process: "subprocess.Popen[str]", run: str) -> None:
        """Reads the address that the process prints."""
        assert process.stdin
        assert process.stdout
        self.input: IO[str] = process.stdin
        self.output: IO[str] = process.stdout
        super().__init__(REGION, self.output.readline().strip(), run)
        self.seed("person", accessKey=self.key)

    def answered(self, operation: Any, given: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Compares the answer with the model."""
        super().answered(operation, given, answer)
        faults = wire.faults(operation, answer)
        assert not faults, "\n".join(faults)

    def seed(self, kind: str, **what: Any) -> Any:
        """Adds what no call can, and returns its id."""
        print(json.dumps({kind: what}, default=datetime.isoformat), file=self.input, flush=True)
        return json.loads(self.output.readline())

    def add_image(self, image: str, name: str, *, imds_v2: bool) -> str:
        """An AMI with this id."""
        self.seed("image", region=self.region, id=image, name=name, imdsV2=imds_v2)
        return image

    def add_role(self, name: str, serial: str, code: str, external_id: str) -> None:
        """A role that requires the code of a device."""
        self.seed("role", name=name, serial=serial, code=code, externalId=external_id)

    def add_template(self, name: str, versions: list[dict[str, Any]], default: int) -> str:
        """A launch template; all of the fake's have the same instance type."""
        data = [{key: each[key] for key in each if key != "InstanceType"} for each in versions]
        what = {"name": name, "versions": data, "default": default}
        return str(self.seed("template", region=self.region, **what))

    def add_spot(self, kind: str, launched: datetime, state: str = "running") -> str:
        """A Spot instance of a request of this kind."""
        what = {"region": self.region, "tags": {}, "tenancy": "default", "spot": kind}
        return str(self.seed("instance", launched=launched, started=launched, state=state, **what))

    def add_launch_configuration(self, name: str, origin: dict[str, Any]) -> None:
        """A launch configuration; all of the fake's have the same instance type."""
        data = {key: origin[key] for key in origin if key != "InstanceType"}
        self.seed("launchConfiguration", region=self.region, name=name, origin=data)

    def add_datapoints(self, instance: str, metric: str, points: dict[datetime, float]) -> None:
        """Datapoints of a metric of an instance."""
        self.seed("datapoints", instance=instance, metric=metric, points=list(points.items()))


class Moto(Ground):
    """moto as it is, which speaks no CBOR."""

    name = "moto"
    protocols = QUERY

    def __init__(self, endpoint: str, run: str) -> None:
        """Launches from one of its images."""
        super().__init__(REGION, endpoint, run)
        self.image = launches.image(self.ec2)
        self.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def add_image(self, image: str, name: str, *, imds_v2: bool) -> str:
        """An AMI, with an id that moto chooses."""
        del image
        support = {"ImdsSupport": "v2.0"} if imds_v2 else {}
        answer = self.ec2.register_image(
            Name=name, Architecture="x86_64", RootDeviceName="/dev/xvda", **support
        )
        return str(answer["ImageId"])

    def add_template(self, name: str, versions: list[dict[str, Any]], default: int) -> str:
        """A launch template."""
        first, *others = versions
        named = {"LaunchTemplateName": name}
        made = self.ec2.create_launch_template(LaunchTemplateData=first, **named)
        for version in others:
            self.ec2.create_launch_template_version(LaunchTemplateData=version, **named)
        self.ec2.modify_launch_template(DefaultVersion=str(default), **named)
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def add_spot(self, kind: str, _launched: datetime) -> str:
        """A Spot instance of a request of this kind."""
        what = {"ImageId": self.image, "InstanceType": self.instance_type}
        answer = self.ec2.request_spot_instances(Type=kind, LaunchSpecification=what)
        return str(answer["SpotInstanceRequests"][0]["InstanceId"])

    def add_launch_configuration(self, name: str, origin: dict[str, Any]) -> None:
        """A launch configuration."""
        # botocore encodes it.
        script = b64decode(origin["UserData"]).decode()
        autoscaling = self.client("autoscaling")
        autoscaling.create_launch_configuration(
            LaunchConfigurationName=name,
            InstanceMonitoring={"Enabled": True},
            **origin | {"UserData": script},
        )

    def add_datapoints(self, instance: str, metric: str, points: dict[datetime, float]) -> None:
        """Datapoints of a metric of an instance."""
        named = {
            "MetricName": metric,
            "Dimensions": [{"Name": "InstanceId", "Value": instance}],
        }
        data = [named | {"Timestamp": at, "Value": value} for at, value in points.items()]
        self.client("cloudwatch").put_metric_data(Namespace="AWS/EC2", MetricData=data)


@contextmanager
def fake(run: str) -> Iterator[Fake]:
    """Runs the fake."""
    if not FAKE.is_file():
        raise local.Failure(f"{FAKE} is missing: run `cargo build --workspace`")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([FAKE, "--seeds"], text=True, **pipes) as process:
        try:
            yield Fake(process, run)
        finally:
            process.kill()


@contextmanager
def moto(run: str, folder: Path) -> Iterator[Moto]:
    """Runs moto."""
    with local.aws(folder, MOTO) as endpoint:
        yield Moto(endpoint, run)
