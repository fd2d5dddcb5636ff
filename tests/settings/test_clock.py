"""A wrong clock: AWS's error has the time, and the call is signed again."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from answers import REGION, account_with_one_instance, ec2_error
from conftest import Inspect
from listener import Answer, Listener, Request
from programs import Function, launch

AHEAD = timedelta(hours=2)
TOLERANCE = timedelta(minutes=1)


def ahead(request: Request) -> timedelta:
    """How far the signature is ahead of this machine's clock."""
    signed = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    return signed - datetime.now(UTC)


def two_hours_ahead(request: Request) -> Answer:
    """Answers with a clock that is two hours ahead; EC2 rejects signatures of other times."""
    now = datetime.now(UTC) + AHEAD
    date = {"Date": format_datetime(now, usegmt=True)}
    if request.service == "ec2" and abs(ahead(request) - AHEAD) > TOLERANCE:
        return Answer(401, ec2_error("AuthFailure"), date)
    answer = account_with_one_instance(request)
    return Answer(answer.status, answer.body, date)


def test_a_call_is_signed_again_by_the_clock_of_aws(inspect: Inspect) -> None:
    with Listener(two_hours_ahead) as endpoint:
        output = inspect(AWS_ENDPOINT_URL=endpoint.url)
    rejected, accepted = endpoint.named("DescribeInstances")
    assert rejected.call == accepted.call
    assert re.search("http_tokens (is )?optional", output)


def test_later_calls_use_the_clock_of_aws_immediately(tmp_path: Path) -> None:
    with (
        Listener(two_hours_ahead) as endpoint,
        Function(tmp_path, {"AWS_ENDPOINT_URL": endpoint.url}) as function,
    ):
        function.invoke(launch(REGION))
        function.invoke(launch(REGION))
    actions = [request.action for request in endpoint.requests]
    again = ["DescribeInstances", "ModifyInstanceMetadataOptions"]
    assert actions == ["DescribeInstances", *again, *again]
