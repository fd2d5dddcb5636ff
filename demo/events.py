"""Creates events of EC2 calls as EventBridge delivers them from CloudTrail."""

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
    by_auto_scaling = launch.by_auto_scaling
    caller = auto_scaling(account) if by_auto_scaling else identity(account, "developer", "ada")
    return event(record("RunInstances", launch.request, launch.response, region, caller))


def event(detail: Json) -> Json:
    """Returns the event of a record, as EventBridge delivers it."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "account": detail["recipientAccountId"],
        "time": detail["eventTime"],
        "region": detail["awsRegion"],
        "resources": [],
        "detail": detail,
    }


def record(name: str, request: Json, response: Json, region: str, caller: Json) -> Json:
    """Returns CloudTrail's record of a call of EC2; request and response have boto3's format."""
    request_id = str(uuid.uuid4())
    service = caller.get("invokedBy")
    parameters, elements = CALLS[name](request, response)
    return {
        "eventVersion": "1.11",
        "userIdentity": caller,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": service or "192.0.2.10",
        "userAgent": service or "aws-cli/2.31.0",
        "requestParameters": parameters,
        "responseElements": {"requestId": request_id} | elements,
        "requestID": request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": caller["accountId"],
        "eventCategory": "Management",
    }


def identity(account: str, role: str, session: str, path: str = "") -> Json:
    """Returns a session of a role."""
    principal = "AROAEXAMPLEEXAMPLEEXA"
    issuer = {
        "type": "Role",
        "principalId": principal,
        "arn": f"arn:aws:iam::{account}:role/{path}{role}",
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
    }


def auto_scaling(account: str) -> Json:
    """Returns Auto Scaling with its service-linked role."""
    service = "autoscaling.amazonaws.com"
    caller = identity(
        account, "AWSServiceRoleForAutoScaling", "AutoScaling", f"aws-service-role/{service}/"
    )
    return caller | {"invokedBy": service}


def launched(request: Json, response: Json) -> tuple[Json, Json]:
    """Returns what CloudTrail records of RunInstances."""
    token = request.get("ClientToken") or str(uuid.uuid4())
    return request_parameters(request, token), response_elements(response, token)


def started(request: Json, response: Json) -> tuple[Json, Json]:
    """Returns what CloudTrail records of StartInstances."""
    ids = {"items": [{"instanceId": each} for each in request["InstanceIds"]]}
    return {"instancesSet": ids}, cloudtrail(response, output("StartInstances"))


def modified(request: Json, response: Json) -> tuple[Json, Json]:
    """Returns what CloudTrail records of ModifyInstanceMetadataOptions."""
    name = "ModifyInstanceMetadataOptions"
    elements = cloudtrail(response, output(name))
    return {f"{name}Request": request}, {f"{name}Response": elements}


CALLS = {
    "RunInstances": launched,
    "StartInstances": started,
    "ModifyInstanceMetadataOptions": modified,
}


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
                for each in request.get("TagSpecifications", [])
            ]
        },
        "metadataOptions": lower(request.get("MetadataOptions")),
        "launchTemplate": lower(request.get("LaunchTemplate")),
    }
    return {key: value for key, value in parameters.items() if value is not None}


def response_elements(response: Json, token: str) -> Json:
    """Returns `responseElements` with the pending states of a launch."""
    elements: Json = cloudtrail(response, output("RunInstances"))
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
def output(operation: str) -> Shape:
    """Returns the output shape of an operation of EC2."""
    model = botocore.session.get_session().get_service_model("ec2")
    return model.operation_model(operation).output_shape


def lower(value: Any) -> Any:
    """Converts keys to lower camel case."""
    match value:
        case dict():
            return {key[0].lower() + key[1:]: lower(part) for key, part in value.items()}
        case list():
            return [lower(part) for part in value]
        case _:
            return value
