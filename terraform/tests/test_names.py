"""Names fit the limits of their services."""

from typing import Any

import pytest
from conftest import Deployed

# The longest name, by type and attribute.
LIMITS = {
    ("aws_cloudtrail", "name"): 128,
    ("aws_cloudwatch_dashboard", "dashboard_name"): 255,
    ("aws_cloudwatch_event_archive", "name"): 48,
    ("aws_cloudwatch_event_archive", "description"): 512,
    ("aws_cloudwatch_event_bus", "name"): 256,
    ("aws_cloudwatch_event_rule", "name"): 64,
    ("aws_cloudwatch_event_rule", "description"): 512,
    ("aws_cloudwatch_event_target", "target_id"): 64,
    ("aws_cloudwatch_log_group", "name"): 512,
    ("aws_cloudwatch_metric_alarm", "alarm_name"): 255,
    ("aws_cloudwatch_metric_alarm", "alarm_description"): 1024,
    ("aws_dynamodb_table", "name"): 255,
    ("aws_iam_role", "name"): 64,
    ("aws_iam_role", "description"): 1000,
    ("aws_iam_role_policy", "name"): 128,
    ("aws_lambda_function", "function_name"): 64,
    ("aws_lambda_function", "description"): 256,
    ("aws_lambda_permission", "statement_id"): 100,
    ("aws_s3_bucket", "bucket"): 63,
    ("aws_scheduler_schedule", "name"): 64,
    ("aws_scheduler_schedule", "description"): 512,
    ("aws_sns_topic", "name"): 256,
    ("aws_sqs_queue", "name"): 80,
}
# The shortest name.
LEAST = {("aws_cloudtrail", "name"): 3, ("aws_dynamodb_table", "name"): 3}
NAMES = {"name", "bucket", "description", "statement_id", "target_id"}
NAMES |= {"alarm_name", "alarm_description", "dashboard_name", "function_name"}
# Attributes that refer to another resource.
REFERENCES = {("aws_lambda_function_event_invoke_config", "function_name")}
REFERENCES |= {("aws_lambda_permission", "function_name")}
LONGEST = "a" * 39 + "z"


@pytest.fixture(scope="module", params=[LONGEST, "a-z"])
def resources(deployed: Deployed, request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """The planned resources with the longest and the shortest name, in the longest Region."""
    variables = deployed.variables | {"name": request.param}
    return list(deployed.terraform.planned(variables)["root_module"]["resources"])


def test_every_name_fits_the_limit_of_its_service(resources: list[dict[str, Any]]) -> None:
    checked = set()
    for each in resources:
        kind = each["type"]
        if each["mode"] != "managed" or kind.startswith("aws_s3_bucket_"):
            continue
        for attribute in NAMES & {key for key, value in each["values"].items() if value}:
            key = (kind, attribute)
            if key in REFERENCES:
                continue
            size = len(each["values"][attribute])
            assert LEAST.get(key, 1) <= size <= LIMITS[key], each["address"]
            checked.add(kind)
    assert checked >= {kind for kind, _ in LIMITS} - {"aws_sns_topic"}
