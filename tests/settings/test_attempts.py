"""`AWS_MAX_ATTEMPTS`."""

import pytest
from answers import REGION, account_with_one_instance
from conftest import Inspect
from listener import Answer, Listener, Request

HOST = f"ec2.{REGION}.amazonaws.com:443"


def busy(request: Request) -> Answer:
    """Answers STS; EC2 always fails."""
    return account_with_one_instance(request) if request.service == "sts" else Answer(500)


@pytest.mark.parametrize(
    ("settings", "attempts"),
    [({}, 3), ({"AWS_MAX_ATTEMPTS": "1"}, 1), ({"AWS_MAX_ATTEMPTS": "4"}, 4)],
    ids=["default", "1", "4"],
)
def test_a_call_with_a_transient_error_is_attempted_this_often(
    inspect: Inspect, settings: dict[str, str], attempts: int
) -> None:
    with Listener(busy) as endpoint:
        output = inspect(AWS_ENDPOINT_URL=endpoint.url, **settings)
    tried = endpoint.named("DescribeInstances")
    assert len({request.call for request in tried}) == 1
    assert [request.headers["amz-sdk-request"] for request in tried] == [
        f"attempt={n}; max={attempts}" for n in range(1, attempts + 1)
    ]
    assert "HTTP status 500" in output


def test_a_proxy_that_rejects_connections_is_asked_this_often(inspect: Inspect) -> None:
    with Listener(busy) as proxy:
        inspect(HTTPS_PROXY=proxy.url, AWS_MAX_ATTEMPTS="2")
    assert [host for host, _ in proxy.connects if host.startswith("ec2.")] == [HOST, HOST]
