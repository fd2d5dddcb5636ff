"""The function with a state table of its own, both on moto."""

import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from demo import events, launches, state

# The Runtime API and the function's start are those of the tests of its settings.
sys.path.append(str(Path(__file__).parents[1] / "settings"))
from answers import ACCOUNT, REGION
from programs import Function, sweep

Json = dict[str, Any]
PRINCIPAL = f"arn:aws:sts::{ACCOUNT}:assumed-role/developer/ada"


@dataclass(frozen=True)
class Sandbox:
    """A moto, and a folder for the function's files."""

    endpoint: str
    folder: Path

    def function(self, policy: Json, **settings: str) -> "Stateful":
        """Prepares the function with this policy; `with` starts it."""
        file = self.folder / "policy.json"
        required = {"version": 1, "require": {"http_tokens": "required"}}
        file.write_text(json.dumps(required | {"new_instances": {"grace_seconds": 0}} | policy))
        named = {"IMDS_POLICY_FILE": str(file), "AWS_ENDPOINT_URL": self.endpoint}
        return Stateful(self, Function(self.folder, named | settings))

    def ec2(self) -> Any:
        """A client of EC2."""
        return launches.client("ec2", REGION, self.endpoint)

    def launch(self, count: int = 1) -> Json:
        """Launches instances that allow IMDSv1 and returns the event."""
        ec2 = self.ec2()
        request = {
            "ImageId": launches.image(ec2),
            "MinCount": count,
            "MaxCount": count,
            "InstanceType": "t3.micro",
            "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
            "TagSpecifications": [],
        }
        response = ec2.run_instances(**request)
        return events.run_instances(events.Launch(request, response, False), REGION)

    def changed(self, instance_id: str) -> Json:
        """Allows IMDSv1 again, and returns the event of that."""
        self.ec2().modify_instance_metadata_options(InstanceId=instance_id, HttpTokens="optional")
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return {
            "detail-type": "AWS API Call via CloudTrail",
            "source": "aws.ec2",
            "account": ACCOUNT,
            "region": REGION,
            "time": now,
            "detail": {
                "eventSource": "ec2.amazonaws.com",
                "eventName": "ModifyInstanceMetadataOptions",
                "awsRegion": REGION,
                "eventTime": now,
                "userIdentity": {
                    "type": "AssumedRole",
                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/mallory",
                },
                "requestParameters": {
                    "ModifyInstanceMetadataOptionsRequest": {
                        "InstanceId": instance_id,
                        "HttpTokens": "optional",
                    }
                },
            },
        }

    def tokens(self, instance_id: str) -> str:
        """What the instance requires now."""
        return launches.describe(instance_id, REGION, self.endpoint).tokens

    def items(self) -> dict[str, Json]:
        """The items of the table, as Python values."""
        found = state.items(self.endpoint)
        return {
            key: {name: plain(value) for name, value in item.items() if name != "key"}
            for key, item in found.items()
        }

    def put(self, key: str, **attributes: Any) -> None:
        """Writes an item, as a person, Terraform or another function."""
        item = {"key": {"S": key}} | {name: typed(value) for name, value in attributes.items()}
        state.dynamodb(self.endpoint).put_item(TableName=state.NAME, Item=item)


class Stateful:
    """The running function."""

    def __init__(self, sandbox: Sandbox, function: Function) -> None:
        """Prepares it."""
        self.sandbox = sandbox
        self.function = function
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        """Starts it."""
        self.stack.enter_context(self.function)
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self.stack.close()

    def handle(self, event: Json) -> Json:
        """Delivers an event and returns the report; fails where the invocation fails."""
        report: Json = self.function.invoke(event)
        assert "errorType" not in report, report
        return report

    def sweep(self) -> Json:
        """Sweeps the region."""
        return self.handle(sweep(REGION))


def ids(event: Json) -> list[str]:
    """The instances of a launch."""
    items = event["detail"]["responseElements"]["instancesSet"]["items"]
    return [item["instanceId"] for item in items]


def outcomes(report: Json) -> dict[str, str]:
    """The outcome of every instance that is listed."""
    return {each["instance_id"]: each["outcome"] for each in report["instances"]}


def only(report: Json) -> Json:
    """The only instance that is listed."""
    (entry,) = report["instances"]
    return dict(entry)


def milliseconds(time: str) -> str:
    """The time of an event as the table has it."""
    return str(int(datetime.fromisoformat(time).timestamp() * 1000))


def ahead(hours: int) -> str:
    """A time that is so many hours ahead."""
    return f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"


def typed(value: str | int) -> Json:
    """A value in DynamoDB's JSON."""
    return {"S": value} if isinstance(value, str) else {"N": str(value)}


def plain(value: Json) -> Any:
    """A value of DynamoDB's JSON."""
    ((kind, inner),) = value.items()
    match kind:
        case "N":
            return int(inner)
        case "M":
            return {name: plain(each) for name, each in inner.items()}
        case "L":
            return [plain(each) for each in inner]
        case _:
            return inner
