"""A clock that is wrong: AWS tells the time with its refusal, and the call is signed anew."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from answers import REGION, of_an_account, refusal
from conftest import Look
from listener import Answer, Listener, Request
from programs import Function, launch

AHEAD = timedelta(hours=2)
TOLERANCE = timedelta(minutes=1)


def ahead(request: Request) -> timedelta:
    """How far its signature is ahead of this machine's clock."""
    signed = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
    return signed - datetime.now(UTC)


def two_hours_ahead(request: Request) -> Answer:
    """A clock of AWS that is; EC2 takes no signature of another time."""
    now = datetime.now(UTC) + AHEAD
    date = {"Date": format_datetime(now, usegmt=True)}
    if request.service == "ec2" and abs(ahead(request) - AHEAD) > TOLERANCE:
        return Answer(401, refusal("AuthFailure"), date)
    answer = of_an_account(request)
    return Answer(answer.status, answer.body, date)


def test_a_call_is_signed_anew_by_the_clock_of_aws(look: Look) -> None:
    with Listener(two_hours_ahead) as endpoint:
        said = look(AWS_ENDPOINT_URL=endpoint.url)
    refused, taken = endpoint.named("DescribeInstances")
    assert refused.call == taken.call
    assert "http_tokens is optional" in said


def test_calls_after_it_are_right_at_once(tmp_path: Path) -> None:
    with (
        Listener(two_hours_ahead) as endpoint,
        Function(tmp_path, {"AWS_ENDPOINT_URL": endpoint.url}) as function,
    ):
        function.invoke(launch(REGION))
        function.invoke(launch(REGION))
    actions = [request.action for request in endpoint.requests]
    again = ["DescribeInstances", "ModifyInstanceMetadataOptions"]
    assert actions == ["DescribeInstances", *again, *again]
