"""An account with 60 instances in five regions, and the command that runs against it."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from demo import launches, local

ROOT = Path(__file__).parents[2]
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug/imdsctl"
REGIONS = ("ap-southeast-2", "eu-central-1", "eu-west-1", "sa-east-1", "us-east-1")
TIME_LIMIT = 120
# For how many seconds options must not change to be final; moto does not show calls in flight.
STABLE = 2
# It runs for four hours a day.
NO_CALLS = {timedelta(days=day, hours=hour): 0 for day in range(13) for hour in range(1, 5)}
CALLS = NO_CALLS | {timedelta(days=2, hours=1): 5, timedelta(days=9, hours=1): 4}


@dataclass(frozen=True)
class Kind:
    """A kind of instance, and how many of it each region has."""

    name: str
    count: int
    options: dict[str, Any]
    becomes: str = "running"
    # Calls to the metadata service, by metric; CloudWatch has no data for the rest.
    calls: dict[str, dict[timedelta, int]] = field(default_factory=dict)


KINDS = (
    Kind(
        "web",
        3,
        {"HttpTokens": "optional", "HttpPutResponseHopLimit": 1},
        calls={"MetadataNoToken": CALLS},
    ),
    Kind(
        "node",
        2,
        {"HttpTokens": "optional", "HttpPutResponseHopLimit": 3},
        calls={"MetadataNoToken": NO_CALLS},
    ),
    Kind("tagged", 1, {"HttpTokens": "optional", "InstanceMetadataTags": "enabled"}),
    Kind(
        "parked",
        1,
        {"HttpTokens": "optional"},
        becomes="stopped",
        calls={"MetadataNoToken": NO_CALLS},
    ),
    Kind(
        "api",
        3,
        {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
        calls={"MetadataNoTokenRejected": CALLS},
    ),
    Kind("off", 1, {"HttpTokens": "optional", "HttpEndpoint": "disabled"}),
    Kind("ended", 1, {"HttpTokens": "optional"}, becomes="terminated"),
)
NON_COMPLIANT = ("web", "node", "tagged", "parked")


@dataclass(frozen=True)
class Ran:
    """The result of a run."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


class Account:
    """The account behind the endpoint."""

    def __init__(self, endpoint: str, home: Path) -> None:
        """Launches the fleet; `home` may be changed later."""
        self.endpoint = endpoint
        self.home = home
        # By id.
        self.kinds: dict[str, Kind] = {}
        self.regions: dict[str, str] = {}
        for region in REGIONS:
            ec2 = self.ec2(region)
            image = launches.image(ec2)
            for kind in KINDS:
                self.launch(ec2, image, region, kind)
        self.first = self.options()

    def launch(self, ec2: Any, image: str, region: str, kind: Kind) -> None:
        """Launches the instances of a kind in a region."""
        tags = [{"Key": "Name", "Value": kind.name}, {"Key": "app", "Value": f"{kind.name}-1"}]
        answer = ec2.run_instances(
            ImageId=image,
            MinCount=kind.count,
            MaxCount=kind.count,
            InstanceType="t3.micro",
            MetadataOptions={"HttpEndpoint": "enabled"} | kind.options,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )
        ids = [instance["InstanceId"] for instance in answer["Instances"]]
        for each in ids:
            self.kinds[each] = kind
            self.regions[each] = region
        cloudwatch = launches.client("cloudwatch", region, self.endpoint)
        for each in ids:
            for metric, calls in kind.calls.items():
                launches.called(cloudwatch, each, calls, metric)
        if kind.becomes == "stopped":
            ec2.stop_instances(InstanceIds=ids)
        if kind.becomes == "terminated":
            ec2.terminate_instances(InstanceIds=ids)

    def restore(self) -> None:
        """Restores the options of the launch."""
        for each, options in self.options().items():
            first = self.first[each]
            if options != first:
                asked = {name: value for name, value in first.items() if name != "State"}
                ec2 = self.ec2(self.regions[each])
                ec2.modify_instance_metadata_options(InstanceId=each, **asked)
        assert self.options() == self.first

    def ec2(self, region: str) -> Any:
        """A client of the endpoint."""
        return launches.client("ec2", region, self.endpoint)

    def instances(self) -> Iterator[tuple[str, Any]]:
        """Every instance, by its id."""
        for region in REGIONS:
            pages = self.ec2(region).get_paginator("describe_instances").paginate()
            for page in pages:
                for reservation in page["Reservations"]:
                    for instance in reservation["Instances"]:
                        yield instance["InstanceId"], instance

    def options(self) -> dict[str, Any]:
        """All metadata options of every instance, by its id."""
        return {each: instance["MetadataOptions"] for each, instance in self.instances()}

    def settled(self) -> dict[str, Any]:
        """The same, once calls in flight have taken effect and nothing changes any more."""
        before = self.options()
        for _ in range(TIME_LIMIT // STABLE):
            time.sleep(STABLE)
            after = self.options()
            if after == before:
                return after
            before = after
        raise local.Failure("the options keep changing")

    def of_kinds(self, *names: str) -> set[str]:
        """The ids of these kinds."""
        return {each for each, kind in self.kinds.items() if kind.name in names}

    def start(self, *arguments: str | Path) -> "subprocess.Popen[str]":
        """Starts the command with the account's home."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.home,
            env=os.environ | {"HOME": str(self.home), "AWS_ENDPOINT_URL": self.endpoint},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def imdsctl(self, *arguments: str | Path) -> Ran:
        """Runs the command and waits for its end."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=TIME_LIMIT)
            return Ran(process.returncode, out, err)


def required() -> None:
    """Fails if the command has not been built, because no test is skipped."""
    if not PROGRAM.is_file():
        raise local.Failure(f"{PROGRAM} is missing: run `cargo build --workspace`")
