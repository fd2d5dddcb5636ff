"""An account of AWS as a ground: what it must be told first, what it costs, how it is left."""

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from ground import TAG, Ground, refusal

from demo import local

# The most that a run launches, and how long it runs.
MOST_INSTANCES = 8
MOST_MINUTES = 45
# An hour of an instance with its disk and its public address, in USD.
PRICE = 0.0042 + 0.0009 + 0.005
MOST_COST = MOST_INSTANCES * PRICE * MOST_MINUTES / 60
# For how many seconds a change is waited for.
PATIENCE = 300
# What ends an instance even if nobody is left who would.
ENDS_ITSELF = f"#!/bin/sh\nshutdown -h +{MOST_MINUTES + 15}\n"
ENDED = ("shutting-down", "terminated")
# When to look for an instance whose launch was never answered: seconds after the look before.
LOOKS = (2, 5, 10)


class Aws(Ground):
    """An account of AWS."""

    name = "aws"
    key = None
    attempts = 5
    image = (
        "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-arm64"
    )
    instance_type = "t4g.nano"

    def __init__(self, region: str, run: str) -> None:
        """Begins to count the minutes."""
        super().__init__(region, None, run)
        self.is_real = not any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ)
        self.patience = PATIENCE if self.is_real else 5
        self.end = time.monotonic() + MOST_MINUTES * 60
        self.is_launching = False

    def reserve(self, count: int, **more: Any) -> dict[str, Any]:
        """Launches instances, if so many are left, that end themselves."""
        if len(self.launched) + count > MOST_INSTANCES or time.monotonic() > self.end:
            pytest.exit(f"at most {MOST_INSTANCES} instances and {MOST_MINUTES} minutes", 1)
        self.is_launching = True
        itself = {"UserData": ENDS_ITSELF, "InstanceInitiatedShutdownBehavior": "terminate"}
        launched = super().reserve(count, **itself | more)
        self.is_launching = False
        return launched

    def eventually(self, found: Any, wanted: Any) -> Any:
        """Waits no longer than the run may take."""
        if time.monotonic() > self.end:
            pytest.exit(f"it takes more than {MOST_MINUTES} minutes", 1)
        return super().eventually(found, wanted)

    def left(self) -> set[str]:
        """The instances of this run that nobody has terminated."""
        filters = [{"Name": f"tag:{TAG}", "Values": [self.run]}]
        pages = self.ec2.get_paginator("describe_instances").paginate(Filters=filters)
        return {
            each["InstanceId"]
            for page in pages
            for found in page["Reservations"]
            for each in found["Instances"]
            if each["State"]["Name"] not in ENDED
        }

    def terminate_left(self, ended: set[str]) -> set[str]:
        """Terminates the instances of this run that may still run, and returns them."""
        left = (self.launched - ended) | self.left()
        for each in left:
            if not refusal(self.ec2.terminate_instances, InstanceIds=[each]):
                ended.add(each)
        return left

    def clean_up(self) -> None:
        """Terminates every instance of this run, whatever has happened."""
        self.end = math.inf
        ended: set[str] = set()
        try:
            for pause in LOOKS if self.is_launching else ():
                self.terminate_left(ended)
                time.sleep(pause * self.patience / PATIENCE)
            left = self.eventually(lambda: self.terminate_left(ended), lambda left: not left)
            why = "they do not end"
        except (BotoCoreError, ClientError) as error:
            left, why = self.launched - ended, str(error)
        if left:
            raise local.Failure(f"TERMINATE THESE YOURSELF, {why}: {' '.join(sorted(left))}")


@contextmanager
def aws(run: str, say: Callable[[str], None]) -> Iterator[Aws]:
    """The account, which is left as it was found; says what it costs and what is left."""
    account, region = asked()
    ground = Aws(region, run)
    found = ground.client("sts").get_caller_identity()["Account"]
    if found != account:
        pytest.exit(f"the credentials are of account {found}, not of {account}", 1)
    say(
        f"account {account}, {region}: at most {MOST_INSTANCES} instances of {Aws.instance_type} "
        f"for {MOST_MINUTES} minutes, which is about {MOST_COST:.2f} USD; tag {TAG}={run}"
    )
    # SIGINT too, which a shell makes the processes in its background ignore.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        yield ground
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            ground.clean_up()
            say(f"cleaned up: nothing is left of {len(ground.launched)} instances")
        except local.Failure as failure:
            say(str(failure))
            raise


def asked() -> tuple[str, str]:
    """The account and the region that the caller names on purpose."""
    account = os.environ.get("IMDS_LIVE_ACCOUNT")
    region = os.environ.get("AWS_REGION")
    if not account or not region:
        raise pytest.UsageError(
            "set IMDS_LIVE_ACCOUNT to the id of the account, and AWS_REGION: instances are launched"
        )
    return account, region
