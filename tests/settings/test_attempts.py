"""`AWS_MAX_ATTEMPTS`."""

import pytest
from answers import REGION, of_an_account
from conftest import Look
from listener import Answer, Listener, Request

HOST = f"ec2.{REGION}.amazonaws.com:443"


def busy(request: Request) -> Answer:
    """EC2 never answers; who asks is told."""
    return of_an_account(request) if request.service == "sts" else Answer(500)


@pytest.mark.parametrize(
    ("settings", "attempts"),
    [({}, 3), ({"AWS_MAX_ATTEMPTS": "1"}, 1), ({"AWS_MAX_ATTEMPTS": "4"}, 4)],
    ids=["unless it says otherwise", "1", "4"],
)
def test_a_call_that_fails_in_passing_is_tried_so_often(
    look: Look, settings: dict[str, str], attempts: int
) -> None:
    with Listener(busy) as endpoint:
        said = look(AWS_ENDPOINT_URL=endpoint.url, **settings)
    tried = endpoint.named("DescribeInstances")
    assert len({request.call for request in tried}) == 1
    assert [request.headers["amz-sdk-request"] for request in tried] == [
        f"attempt={n}; max={attempts}" for n in range(1, attempts + 1)
    ]
    assert "HTTP status 500" in said


def test_a_proxy_that_does_not_connect_is_asked_so_often(look: Look) -> None:
    with Listener(busy) as proxy:
        look(HTTPS_PROXY=proxy.url, AWS_MAX_ATTEMPTS="2")
    assert [host for host, _ in proxy.connects if host.startswith("ec2.")] == [HOST, HOST]
