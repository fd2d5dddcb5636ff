"""The event of a launch, as EventBridge delivers CloudTrail's record of it."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.session
from botocore.model import Shape

Json = dict[str, Any]


@dataclass(frozen=True)
class Launch:
    """What was asked of EC2 and what it answered, in boto3's terms."""

    request: Json
    answer: Json
    by_auto_scaling: bool


def run_instances(launch: Launch, region: str) -> Json:
    """The record in its envelope; account, ids, tags and options are those of EC2's answer."""
    account = launch.answer["OwnerId"]
    request_id = str(uuid.uuid4())
    token = str(uuid.uuid4())
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    record = {
        "eventVersion": "1.11",
        "userIdentity": identity(account, launch.by_auto_scaling),
        "eventTime": now,
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "awsRegion": region,
        "sourceIPAddress": "autoscaling.amazonaws.com" if launch.by_auto_scaling else "192.0.2.10",
        "userAgent": "autoscaling.amazonaws.com" if launch.by_auto_scaling else "aws-cli/2.31.0",
        "requestParameters": asked(launch.request, token),
        "responseElements": {"requestId": request_id} | answered(launch.answer, token),
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": account,
        "time": now,
        "region": region,
        "resources": [],
        "detail": record,
    }


def identity(account: str, by_auto_scaling: bool) -> Json:
    """Who launched: a person, or Auto Scaling in its service's role."""
    role, session, path = ("developer", "ada", "developer")
    if by_auto_scaling:
        role, session = ("AWSServiceRoleForAutoScaling", "AutoScaling")
        path = f"aws-service-role/autoscaling.amazonaws.com/{role}"
    principal = "AROAEXAMPLEEXAMPLEEXA"
    issuer = {
        "type": "Role",
        "principalId": principal,
        "arn": f"arn:aws:iam::{account}:role/{path}",
        "accountId": account,
        "userName": role,
    }
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "sessionContext": {
            "sessionIssuer": issuer,
            "attributes": {"creationDate": "2026-01-01T08:00:00Z", "mfaAuthenticated": "false"},
        },
    } | ({"invokedBy": "autoscaling.amazonaws.com"} if by_auto_scaling else {})


def asked(request: Json, token: str) -> Json:
    """`requestParameters`."""
    counted = {"imageId": request.get("ImageId"), "minCount": 1, "maxCount": 1}
    parameters: Json = {
        "instancesSet": {"items": [{key: value for key, value in counted.items() if value}]},
        "instanceType": request.get("InstanceType"),
        "blockDeviceMapping": {},
        "monitoring": {"enabled": False},
        "disableApiTermination": False,
        "disableApiStop": False,
        "clientToken": token,
        "tagSpecificationSet": {
            "items": [
                {"resourceType": each["ResourceType"], "tags": lower(each["Tags"])}
                for each in request["TagSpecifications"]
            ]
        },
        "metadataOptions": lower(request.get("MetadataOptions")),
        "launchTemplate": lower(request.get("LaunchTemplate")),
    }
    return {key: value for key, value in parameters.items() if value is not None}


def answered(answer: Json, token: str) -> Json:
    """`responseElements`, at the moment of the launch: nothing runs or is applied yet."""
    elements: Json = recorded(answer, reservation())
    for instance in elements["instancesSet"]["items"]:
        instance["clientToken"] = token
        instance["instanceState"] = {"code": 0, "name": "pending"}
        instance["metadataOptions"]["state"] = "pending"
    return elements


def recorded(value: Any, shape: Shape) -> Any:
    """As CloudTrail writes it: names of EC2's XML, lists as `items`, times in milliseconds."""
    match shape.type_name:
        case "structure":
            members = shape.members
            return {
                members[key].serialization.get("name", key): recorded(part, members[key])
                for key, part in value.items()
                if key in members
            }
        case "list":
            # The one list of a launch that is spelt so.
            key = "item" if shape.name == "InstancePrivateIpAddressList" else "items"
            return {key: [recorded(part, shape.member) for part in value]} if value else {}
        case "timestamp":
            return int(value.timestamp() * 1000)
        case _:
            return value


@cache
def reservation() -> Shape:
    """What RunInstances answers, by the SDK's model of EC2."""
    model = botocore.session.get_session().get_service_model("ec2")
    return model.operation_model("RunInstances").output_shape


def lower(value: Any) -> Any:
    """The same with names in lower camel case."""
    match value:
        case dict():
            return {key[0].lower() + key[1:]: lower(part) for key, part in value.items()}
        case list():
            return [lower(part) for part in value]
        case _:
            return value
