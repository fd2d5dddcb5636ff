"""Creates RunInstances events as EventBridge delivers them from CloudTrail."""

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
    """A RunInstances request and response in boto3's format."""

    request: Json
    response: Json
    by_auto_scaling: bool


def run_instances(launch: Launch, region: str) -> Json:
    """Returns the event for a launch, with the IDs, tags, and options of the response."""
    account = launch.response["OwnerId"]
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
        "requestParameters": request_parameters(launch.request, token),
        "responseElements": {"requestId": request_id} | response_elements(launch.response, token),
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
    """Returns the caller: a user, or Auto Scaling with its service-linked role."""
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


def request_parameters(request: Json, token: str) -> Json:
    """Returns `requestParameters`."""
    item = {"imageId": request.get("ImageId"), "minCount": 1, "maxCount": 1}
    parameters: Json = {
        "instancesSet": {"items": [{key: value for key, value in item.items() if value}]},
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


def response_elements(response: Json, token: str) -> Json:
    """Returns `responseElements` with the pending states of a launch."""
    elements: Json = cloudtrail(response, reservation())
    for instance in elements["instancesSet"]["items"]:
        instance["clientToken"] = token
        instance["instanceState"] = {"code": 0, "name": "pending"}
        instance["metadataOptions"]["state"] = "pending"
    return elements


def cloudtrail(value: Any, shape: Shape) -> Any:
    """Converts a value to CloudTrail's format: XML names, lists in `items`, milliseconds."""
    match shape.type_name:
        case "structure":
            members = shape.members
            return {
                members[key].serialization.get("name", key): cloudtrail(part, members[key])
                for key, part in value.items()
                if key in members
            }
        case "list":
            # The only list in a launch whose key is `item`.
            key = "item" if shape.name == "InstancePrivateIpAddressList" else "items"
            return {key: [cloudtrail(part, shape.member) for part in value]} if value else {}
        case "timestamp":
            return int(value.timestamp() * 1000)
        case _:
            return value


@cache
def reservation() -> Shape:
    """Returns the output shape of RunInstances."""
    model = botocore.session.get_session().get_service_model("ec2")
    return model.operation_model("RunInstances").output_shape


def lower(value: Any) -> Any:
    """Converts keys to lower camel case."""
    match value:
        case dict():
            return {key[0].lower() + key[1:]: lower(part) for key, part in value.items()}
        case list():
            return [lower(part) for part in value]
        case _:
            return value
