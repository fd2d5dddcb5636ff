"""GetMetricData of CloudWatch."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from differences import check
from ground import Ground, refusal

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
WINDOW = {"StartTime": NOW - timedelta(days=1), "EndTime": NOW}


def query(name: str, metric: str, instance: str, **more: Any) -> dict[str, Any]:
    """A query of one metric of an instance."""
    dimensions = [{"Name": "InstanceId", "Value": instance}]
    of = {"Namespace": "AWS/EC2", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": of, "Period": 3600, "Stat": "Sum"}} | more


def check_label(ground: Ground, label: str, metric: str) -> None:
    """Checks a label, which AWS chooses by what tells the results apart."""
    if ground.name == "aws":
        assert label
    else:
        check(ground, label, metric, moto=("labels", f"{metric} Sum"))


def test_a_metric_without_datapoints_is_complete_and_empty(ground: Ground, instance: str) -> None:
    queries = [query("m0", "MetadataNoToken", instance), query("m1", "NoSuchMetric", instance)]
    # So many days ago that no instance of a test was there.
    window = {name: at - timedelta(days=400) for name, at in WINDOW.items()}
    cloudwatch = ground.client("cloudwatch")
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, **window)
    for name, metric, found in zip(
        ("m0", "m1"), ("MetadataNoToken", "NoSuchMetric"), answer["MetricDataResults"], strict=True
    ):
        check_label(ground, found.pop("Label"), metric)
        assert found == {"Id": name, "Timestamps": [], "Values": [], "StatusCode": "Complete"}
    assert not answer.get("NextToken")
    assert not answer.get("Messages")


@pytest.mark.only("fake", "moto")
def test_datapoints_are_summed_by_period_newest_first(ground: Ground, instance: str) -> None:
    points = {NOW - 2 * HOUR: 7.0, NOW - 2 * HOUR + timedelta(minutes=5): 0.5, NOW - 5 * HOUR: 2.0}
    ground.add_datapoints(instance, "MetadataNoToken", points)
    ground.add_datapoints(instance, "MetadataNoTokenRejected", {NOW - 3 * HOUR: 9.0})
    answer = ground.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            query("used", "MetadataNoToken", instance),
            query("refused", "MetadataNoTokenRejected", instance, ReturnData=True),
        ],
        **WINDOW,
    )
    for found in answer["MetricDataResults"]:
        found["Timestamps"] = [each.astimezone(UTC) for each in found["Timestamps"]]
    used, refused = answer["MetricDataResults"]
    check_label(ground, used.pop("Label"), "MetadataNoToken")
    check_label(ground, refused.pop("Label"), "MetadataNoTokenRejected")
    assert used == {
        "Id": "used",
        "Timestamps": [NOW - 2 * HOUR, NOW - 5 * HOUR],
        "Values": [7.5, 2.0],
        "StatusCode": "Complete",
    }
    assert refused == {
        "Id": "refused",
        "Timestamps": [NOW - 3 * HOUR],
        "Values": [9.0],
        "StatusCode": "Complete",
    }


@pytest.mark.only("fake", "moto")
@pytest.mark.parametrize(
    ("order", "values"),
    [("TimestampDescending", [2.0, 3.0, 4.0]), ("TimestampAscending", [4.0, 3.0, 2.0])],
)
def test_a_call_may_ask_for_the_oldest_first(
    ground: Ground, order: str, values: list[float]
) -> None:
    (launched,) = ground.launch()
    instance = launched["InstanceId"]
    points = {NOW - number * HOUR: float(number) for number in range(2, 5)}
    ground.add_datapoints(instance, "MetadataNoToken", points)
    queries = [query("m0", "MetadataNoToken", instance)]
    get = ground.client("cloudwatch").get_metric_data
    (found,) = get(MetricDataQueries=queries, ScanBy=order, **WINDOW)["MetricDataResults"]
    assert found["Values"] == values


@pytest.mark.only("fake", "moto")
def test_a_result_continues_on_the_next_page(ground: Ground) -> None:
    (launched,) = ground.launch()
    instance = launched["InstanceId"]
    points = {NOW - number * HOUR: float(number) for number in range(2, 5)}
    ground.add_datapoints(instance, "MetadataNoToken", points)
    asked = {"MetricDataQueries": [query("m0", "MetadataNoToken", instance)], "MaxDatapoints": 2}
    get = ground.client("cloudwatch").get_metric_data
    first = get(**asked, **WINDOW)
    (shown,) = first["MetricDataResults"]
    found = shown["Values"], shown["StatusCode"]
    moto = ("pages of metrics", ([2.0, 3.0, 4.0], "Complete"))
    check(ground, found, ([2.0, 3.0], "PartialData"), moto=moto)
    if ground.name == "moto":
        return
    second = get(**asked, **WINDOW, NextToken=first["NextToken"])
    (shown,) = second["MetricDataResults"]
    assert (shown["Values"], shown["StatusCode"]) == ([4.0], "Complete")
    assert "NextToken" not in second


def test_an_empty_window_and_an_unknown_token_are_refused(ground: Ground, instance: str) -> None:
    get = ground.client("cloudwatch").get_metric_data
    queries = [query("m0", "MetadataNoToken", instance)]
    found = refusal(get, MetricDataQueries=queries, StartTime=NOW, EndTime=NOW)
    assert found == ("ValidationError", 400)
    found = refusal(get, MetricDataQueries=queries, NextToken="abc", **WINDOW)
    check(ground, found, ("InvalidNextToken", 400), moto=("pages of metrics", None))


def test_a_wrong_query_is_refused(ground: Ground, instance: str) -> None:
    get = ground.client("cloudwatch").get_metric_data
    found = refusal(get, MetricDataQueries=[query("M0", "MetadataNoToken", instance)], **WINDOW)
    check(ground, found, ("ValidationError", 400), moto=("any query", None))
    twice = [query("m0", "MetadataNoToken", instance)] * 2
    found = refusal(get, MetricDataQueries=twice, **WINDOW)
    check(ground, found, ("ValidationError", 400), moto=("any query", None))
