"""Runs moto's server with additions and corrections that the tests of the module need."""

import copy
import json
import sys
from datetime import timedelta
from functools import cache
from typing import Any

from evaluator import Context, Evaluator
from moto.awslambda.models import LambdaFunction
from moto.cloudtrail.models import CloudTrailBackend
from moto.core.responses import ActionResult
from moto.ec2.models.instances import Instance
from moto.ec2.responses import EC2Response
from moto.events.models import Rule
from moto.iam.access_control import IAMPolicy, IAMRequest
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends
from moto.utilities.utils import get_partition
from transformer import transform

from demo.aws import main


def describe_regions(self: EC2Response) -> ActionResult:
    """Returns Regions of the partition; Regions that are not enabled only with `AllRegions`."""
    partition = get_partition(self.region)
    every = str(self._get_param("AllRegions")).lower() == "true"
    known = self.ec2_backend.describe_regions(self._get_param("RegionNames", []))
    shown = [each for each in known if get_partition(each.name) == partition]
    enabled = [each for each in shown if each.opt_in_status != "not-opted-in"]
    return ActionResult({"Regions": shown if every else enabled})


DEFAULTS = ("HttpTokens", "HttpPutResponseHopLimit", "HttpEndpoint", "InstanceMetadataTags")


def defaults(response: EC2Response) -> dict[str, Any]:
    """Returns the defaults, stored in the backend of the account and Region."""
    return response.ec2_backend.__dict__.setdefault("metadata_defaults", {})


def modify_instance_metadata_defaults(self: EC2Response) -> ActionResult:
    """Sets defaults; `no-preference` and a hop limit of -1 remove them."""
    for name in DEFAULTS:
        value = self._get_param(name)
        if value is not None and str(value) in ("-1", "no-preference"):
            defaults(self).pop(name, None)
        elif value is not None:
            defaults(self)[name] = int(value) if name == "HttpPutResponseHopLimit" else value
    return ActionResult({"Return": True})


def get_instance_metadata_defaults(self: EC2Response) -> ActionResult:
    """Returns the defaults of the Region."""
    return ActionResult({"AccountLevel": defaults(self)})


tag_instance = Instance.add_tags


def tag_and_age(self: Instance, tag_map: dict[str, str]) -> None:
    """Launches an instance with the tag `hours` that long ago."""
    tag_instance(self, tag_map)
    self.launch_time -= timedelta(hours=float(tag_map.get("hours", 0)))


# Function settings that moto does not store.
NOT_STORED = ("LoggingConfig", "KMSKeyArn")

create = LambdaFunction.__init__
update_configuration = LambdaFunction.update_configuration
get_configuration = LambdaFunction.get_configuration


def create_and_keep(self: LambdaFunction, *, spec: Any, **more: Any) -> None:
    """Stores the settings of a new function."""
    self.kept = {key: spec[key] for key in NOT_STORED if key in spec}
    create(self, spec=spec, **more)


def update_and_keep(self: LambdaFunction, config_updates: Any) -> Any:
    """Updates stored settings."""
    self.kept |= {key: config_updates[key] for key in NOT_STORED if key in config_updates}
    return update_configuration(self, config_updates)


def configuration(self: LambdaFunction, on_create: bool = False) -> Any:
    """Adds stored settings to the configuration."""
    return get_configuration(self, on_create) | self.kept


def invoke(_: LambdaFunction, body: str, *_more: Any, **_named: Any) -> str:
    """Returns the event, because moto would run the function in Docker."""
    return body


delete_by_name = CloudTrailBackend.delete_trail


def delete_trail(self: CloudTrailBackend, name: str) -> None:
    """Deletes a trail by name or ARN; moto ignores ARNs."""
    delete_by_name(self, name.rpartition("/")[2])


send_to_other_targets = Rule.send_to_targets


def send_to_targets(self: Rule, original_event: Any, transform_input: bool = True) -> None:
    """Sends events to topics and parts of events to queues, which moto does not support.

    Does not send events to functions, for which moto would fail PutEvents."""
    if not self.event_pattern.matches_event(original_event):
        return
    others = copy.copy(self)
    others.targets = []
    for target in self.targets:
        service = target["Arn"].split(":")[2]
        if service == "sns":
            publish(target, original_event)
        elif service == "sqs" and "InputPath" in target:
            send_part(target, original_event)
        elif service != "lambda":
            others.targets.append(target)
    send_to_other_targets(others, original_event, transform_input)


def publish(target: Any, event: Any) -> None:
    """Publishes the message of the target's input transformer."""
    transformer = target["InputTransformer"]
    text = transform(transformer["InputTemplate"], transformer["InputPathsMap"], event)
    _, _, _, region, account, _ = target["Arn"].split(":")
    sns_backends[account][region].publish(text, arn=target["Arn"])


def send_part(target: Any, event: Any) -> None:
    """Sends the part of the event that the target's input path selects."""
    part = event
    for key in target["InputPath"].removeprefix("$.").split("."):
        part = part[key]
    _, _, _, region, account, queue = target["Arn"].split(":")
    sqs_backends[account][region].send_message(queue, json.dumps(part))


@cache
def evaluator() -> Evaluator:
    """Starts the evaluator when permissions are enforced for the first time."""
    return Evaluator()


def check_action_permitted(self: IAMRequest, resource: str) -> None:
    """Evaluates policies as IAM does; moto ignores instances, Regions, and most conditions."""
    # Signing names can differ from IAM service prefixes.
    action = self._action.replace("monitoring:", "cloudwatch:")
    role = self._access_key.arn
    policies = [IAMPolicy(policy)._policy_json for policy in self._access_key.collect_policies()]
    given = {key: value[0] for key, value in self._data.items() if isinstance(value, list)}
    instances = f"arn:aws:ec2:{self._region}:{self._access_key.account_id}:instance"
    ids = [value for key, value in given.items() if key.startswith(("InstanceId", "ResourceId"))]
    options = {key: value for key, value in given.items() if key.startswith("Http")}
    context: Context = {"aws:RequestedRegion": self._region}
    context |= {f"ec2:Attribute/{key}": value for key, value in options.items()}
    if self._service == "dynamodb":
        call = json.loads(self._body)
        resource, context["dynamodb:LeadingKeys"] = items(self, call)
    for each in [f"{instances}/{each}" for each in ids] or [resource]:
        if evaluator().evaluate(policies, role, action, each, context) != "Allowed":
            self._raise_access_denied()


def items(request: IAMRequest, call: dict[str, Any]) -> tuple[str, list[str]]:
    """Returns the table and the partition keys of a call of DynamoDB."""
    requested = call.get("RequestItems", {})
    keys = [key for table in requested.values() for key in table["Keys"]]
    name = next(iter(requested), call.get("TableName"))
    table = f"arn:aws:dynamodb:{request._region}:{request._access_key.account_id}:table/{name}"
    return table, [key["key"]["S"] for key in keys or [call["Key"]]]


CloudTrailBackend.delete_trail = delete_trail
EC2Response.describe_regions = describe_regions
EC2Response.modify_instance_metadata_defaults = modify_instance_metadata_defaults
EC2Response.get_instance_metadata_defaults = get_instance_metadata_defaults
LambdaFunction.__init__ = create_and_keep
LambdaFunction.update_configuration = update_and_keep
LambdaFunction.get_configuration = configuration
LambdaFunction.invoke = invoke
Rule.send_to_targets = send_to_targets
IAMRequest.check_action_permitted = check_action_permitted
Instance.add_tags = tag_and_age

if __name__ == "__main__":
    sys.exit(main())
