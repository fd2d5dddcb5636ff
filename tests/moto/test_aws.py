"""moto's CloudWatch in CBOR, called by botocore."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from demo import launches, local

REGION = "us-west-2"
METRIC = {
    "Namespace": "AWS/EC2",
    "MetricName": "MetadataNoToken",
    "Dimensions": [{"Name": "InstanceId", "Value": "i-0123456789abcdef0"}],
}
QUERY = {"Id": "m0", "MetricStat": {"Metric": METRIC, "Period": 3600, "Stat": "Sum"}}


@pytest.fixture(autouse=True)
def cbor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes new clients use CBOR where they can."""
    protocols = ("smithy-rpc-v2-cbor", "query")
    monkeypatch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", protocols)


@pytest.fixture
def cloudwatch(endpoint: str) -> Any:
    client = launches.client("cloudwatch", REGION, endpoint)
    assert client.meta.service_model.resolved_protocol == "smithy-rpc-v2-cbor"
    return client


@pytest.fixture
def stranger(endpoint: str) -> Iterator[Any]:
    """A client of a user without permissions."""
    iam = launches.client("iam", REGION, endpoint)
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    with local.permissions_enforced(endpoint):
        yield boto3.client(
            "cloudwatch",
            region_name=REGION,
            endpoint_url=endpoint,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )


def test_data_is_found_at_its_time(cloudwatch: Any) -> None:
    now = datetime.now(UTC)
    begin = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    calls = {timedelta(hours=5): 7, timedelta(hours=2): 0}
    launches.called(cloudwatch, METRIC["Dimensions"][0]["Value"], calls)
    asked = {"StartTime": begin, "EndTime": now, "ScanBy": "TimestampAscending"}
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=[QUERY], **asked)["MetricDataResults"]
    assert (found["Id"], found["StatusCode"]) == ("m0", "Complete")
    assert found["Values"] == [7.0, 0.0]
    for time, ago in zip(found["Timestamps"], calls, strict=True):
        assert timedelta() <= now - ago - time < timedelta(hours=1)


def test_an_error_keeps_its_code_message_and_status(cloudwatch: Any) -> None:
    now = datetime.now(UTC)
    with pytest.raises(ClientError, match="StartTime must not equal parameter EndTime") as error:
        cloudwatch.get_metric_data(MetricDataQueries=[QUERY], StartTime=now, EndTime=now)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_denied_call_keeps_its_code_message_and_status(stranger: Any) -> None:
    with pytest.raises(ClientError, match="user/stranger is not authorized") as denied:
        stranger.list_metrics()
    # A wrong signature would have another code.
    assert denied.value.response["Error"]["Code"] == "AccessDenied"
    assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_token_leads_to_the_next_page(cloudwatch: Any) -> None:
    names = {f"metric-{n}" for n in range(501)}
    data = [{"MetricName": name, "Value": 1} for name in sorted(names)]
    cloudwatch.put_metric_data(Namespace="pages", MetricData=data)
    first = cloudwatch.list_metrics(Namespace="pages")
    second = cloudwatch.list_metrics(Namespace="pages", NextToken=first["NextToken"])
    assert len(first["Metrics"]) == 500
    assert "NextToken" not in second
    pages = first["Metrics"] + second["Metrics"]
    assert {each["MetricName"] for each in pages} == names
