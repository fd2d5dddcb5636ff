"""Errors in each format: code, message and status."""

import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ground import TABLE, Ground
from test_metrics import WINDOW, query

KEY = {"key": {"S": "limit#1"}}
GET_ITEM = {"TableName": TABLE, "Key": KEY}
METRIC = {"MetricDataQueries": [query("m0", "MetadataNoToken", "i-0123456789abcdef0")]}
# Service, call, its parameters; code, message and status of a call that is throttled.
THROTTLED = [
    ("ec2", "describe_regions", {}, ("RequestLimitExceeded", "Request limit exceeded.", 503)),
    ("sts", "get_caller_identity", {}, ("Throttling", "Rate exceeded", 400)),
    ("autoscaling", "describe_launch_configurations", {}, ("Throttling", "Rate exceeded", 400)),
    ("cloudwatch", "get_metric_data", METRIC | WINDOW, ("Throttling", "Rate exceeded", 400)),
    (
        "dynamodb",
        "get_item",
        GET_ITEM,
        (
            "ThrottlingException",
            "Throughput exceeds the current capacity of your table or index.",
            400,
        ),
    ),
]


def error(call: Any, **named: Any) -> tuple[str, str, int]:
    """Code, message and status of an error, whose call has an id."""
    with pytest.raises(ClientError) as caught:
        call(**named)
    answer = caught.value.response
    metadata = answer["ResponseMetadata"]
    assert re.fullmatch("[0-9a-f-]{36}", metadata["RequestId"])
    return answer["Error"]["Code"], answer["Error"]["Message"], metadata["HTTPStatusCode"]


@pytest.mark.only("fake")
@pytest.mark.parametrize(("service", "name", "named", "wanted"), THROTTLED)
def test_a_throttled_call_has_the_error_of_its_service(
    ground: Any, service: str, name: str, named: dict[str, Any], wanted: tuple[str, str, int]
) -> None:
    call = getattr(ground.client(service), name)
    action = "".join(word.capitalize() for word in name.split("_"))
    ground.seed("throttle", action=action)
    assert error(call, **named) == wanted
    call(**named)


@pytest.mark.only("fake")
@pytest.mark.parametrize("service", ["ec2", "sts", "autoscaling", "cloudwatch", "dynamodb"])
def test_a_region_that_is_not_enabled_looks_like_wrong_credentials(
    ground: Ground, service: str
) -> None:
    (name, named) = next((each[1], each[2]) for each in THROTTLED if each[0] == service)
    code, message, status = error(getattr(ground.client(service, "me-south-1"), name), **named)
    wanted = ("UnrecognizedClientException", 400) if service == "dynamodb" else ("AuthFailure", 401)
    assert (code, status) == wanted
    assert message == "AWS was not able to validate the provided access credentials"


@pytest.mark.only("fake")
@pytest.mark.parametrize(
    ("service", "name", "named", "wanted"),
    [
        ("ec2", "describe_vpcs", {}, ("InvalidAction", 400)),
        ("sts", "get_session_token", {}, ("InvalidAction", 400)),
        ("autoscaling", "describe_policies", {}, ("InvalidAction", 400)),
        ("cloudwatch", "list_metrics", {}, ("UnknownOperationException", 404)),
        ("dynamodb", "list_tables", {}, ("UnknownOperationException", 400)),
    ],
)
def test_an_operation_that_the_fake_does_not_have_is_refused(
    ground: Ground, service: str, name: str, named: dict[str, Any], wanted: tuple[str, int]
) -> None:
    code, message, status = error(getattr(ground.client(service), name), **named)
    assert (code, status) == wanted
    assert "is not valid for this web service" in message


def test_a_message_names_the_instance_that_does_not_exist(ground: Ground) -> None:
    with pytest.raises(ClientError) as caught:
        ground.ec2.describe_instances(InstanceIds=["i-0123456789abcdef0"])
    wanted = "The instance ID 'i-0123456789abcdef0' does not exist"
    assert caught.value.response["Error"]["Message"] == wanted
