"""The module on the emulators: launches, and what the deployed function did with them."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from cloud import Cloud
from tf import Terraform

from demo import launches, local

HOME = "eu-central-1"
REGIONS = ("ap-southeast-2", "eu-central-1", "us-east-1")
NAME = "imds-enforcer"
# An event is processed within seconds; one that was received while the code was replaced, within
# two minutes.
TIME_LIMIT = 180
Entry = dict[str, Any]
T = TypeVar("T")


@dataclass
class Chain:
    """The applied module, and the account that it watches."""

    cloud: Cloud
    terraform: Terraform
    variables: dict[str, Any]
    outputs: dict[str, Any]
    # Resources before the first apply, by Region.
    before: dict[str, set[str]]

    def launch(self, region: str, tokens: str = "optional", **tags: str) -> str:
        """Launches an instance, and returns its ID."""
        launched = launches.standalone(tokens, **({"app": "shop"} | tags))
        made = launched(region, self.cloud.endpoint)
        return str(made.response["Instances"][0]["InstanceId"])

    def describe(self, region: str, instance: str) -> launches.Description:
        """Describes an instance."""
        return launches.describe(instance, region, self.cloud.endpoint)

    def entries(self) -> Iterator[Entry]:
        """Returns the entries of all reports, read from CloudWatch Logs."""
        pages = self.home("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self.outputs["log_group"]):
            for event in page["events"]:
                line = json.loads(event["message"])
                if "entry" in line:
                    yield {"trigger": line["trigger"]} | json.loads(line["entry"])

    def entries_of(self, instance: str, count: int = 1) -> list[Entry]:
        """Waits for so many entries of an instance."""

        def found() -> list[Entry]:
            return [entry for entry in self.entries() if entry["instance_id"] == instance]

        return until(f"{count} entries of {instance}", found, lambda found: len(found) >= count)

    def queued(self, url: str) -> list[Any]:
        """Receives all messages in a queue of the home Region."""
        return [json.loads(body) for body in self.cloud.receive_all(HOME, url)]

    def home(self, service: str) -> Any:
        """Returns a client in the home Region."""
        return self.cloud.client(service, HOME)

    def invoke(self, event: Any) -> None:
        """Invokes the function as EventBridge does: asynchronously."""
        self.home("lambda").invoke(
            FunctionName=NAME, InvocationType="Event", Payload=json.dumps(event)
        )


def until(what: str, read: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """Reads until it holds, and returns what was read."""
    deadline = time.monotonic() + TIME_LIMIT
    while not holds(found := read()):
        if time.monotonic() > deadline:
            raise local.Failure(f"expected {what} within {TIME_LIMIT} s: found {found}")
        time.sleep(0.5)
    return found
