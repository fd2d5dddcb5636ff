"""`HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in either case."""

import base64

import pytest
from answers import REGION, account_with_one_instance
from authority import Authority
from conftest import Inspect
from listener import Answer, Listener

ONCE = {"AWS_MAX_ATTEMPTS": "1"}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_https_goes_through_the_proxy(inspect: Inspect, variable: str) -> None:
    with Listener(account_with_one_instance) as proxy:
        output = inspect(**ONCE, **{variable: proxy.url})
    assert f"ec2.{REGION}.amazonaws.com:443" in proxy.hosts
    assert "could not call DescribeInstances" in output
    assert not proxy.requests


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_plain_http_goes_through_the_proxy(inspect: Inspect, variable: str) -> None:
    with (
        Listener(account_with_one_instance) as proxy,
        Listener(account_with_one_instance) as endpoint,
    ):
        inspect(AWS_ENDPOINT_URL=endpoint.url, **{variable: proxy.url})
    assert {request.target for request in proxy.requests if request.service == "ec2"} == {
        f"{endpoint.url}/"
    }
    assert not endpoint.requests


def test_each_kind_of_traffic_has_its_own_proxy(inspect: Inspect, authority: Authority) -> None:
    with (
        Listener(account_with_one_instance) as proxy,
        Listener(account_with_one_instance) as plain,
        Listener(account_with_one_instance, tls=authority) as encrypted,
    ):
        inspect(AWS_ENDPOINT_URL=plain.url, HTTPS_PROXY=proxy.url)
        bundle = str(authority.bundle)
        inspect(AWS_ENDPOINT_URL=encrypted.url, HTTP_PROXY=proxy.url, AWS_CA_BUNDLE=bundle)
    assert plain.named("DescribeInstances")
    assert encrypted.named("DescribeInstances")
    assert not proxy.requests
    assert not proxy.hosts


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("named", ["localhost", "elsewhere.test,localhost", "*"])
def test_a_host_in_no_proxy_is_reached_without_it(
    inspect: Inspect, authority: Authority, variable: str, named: str
) -> None:
    with (
        Listener(account_with_one_instance, every_host=authority) as proxy,
        Listener(account_with_one_instance, tls=authority) as endpoint,
    ):
        settings = {"AWS_ENDPOINT_URL": endpoint.url, "HTTPS_PROXY": proxy.url}
        settings["AWS_CA_BUNDLE"] = str(authority.bundle)
        inspect(**settings, **{variable: named})
        assert endpoint.named("DescribeInstances")
        assert not proxy.hosts
        endpoint.forget()
        inspect(**settings, **{variable: "elsewhere.test"})
        assert proxy.hosts == {f"localhost:{endpoint.port}"}
        assert not endpoint.requests


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
def test_an_address_in_no_proxy_is_reached_without_it(inspect: Inspect, variable: str) -> None:
    with (
        Listener(account_with_one_instance) as proxy,
        Listener(account_with_one_instance) as endpoint,
    ):
        proxies = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url}
        inspect(AWS_ENDPOINT_URL=endpoint.url, **proxies, **{variable: "127.0.0.1"})
    assert endpoint.named("DescribeInstances")
    assert not proxy.requests
    assert not proxy.hosts


@pytest.mark.parametrize("domain", ["nowhere.invalid", ".nowhere.invalid"])
def test_a_domain_in_no_proxy_covers_its_hosts(inspect: Inspect, domain: str) -> None:
    # `.invalid` never resolves, so that nothing can be reached without the proxy.
    url = "https://ec2.nowhere.invalid"
    with Listener(account_with_one_instance) as proxy:
        settings = {"AWS_ENDPOINT_URL": url, "HTTPS_PROXY": proxy.url} | ONCE
        assert "could not call DescribeInstances" in inspect(**settings, NO_PROXY=domain)
        assert not proxy.hosts
        inspect(**settings, NO_PROXY="else.nowhere.invalid")
        assert proxy.hosts == {"ec2.nowhere.invalid:443"}


def test_a_name_and_a_password_are_sent_to_the_proxy(inspect: Inspect) -> None:
    with Listener(lambda _: Answer(407)) as proxy, Listener(account_with_one_instance) as endpoint:
        url = proxy.url.replace("//", "//mira:p%40ss@")
        inspect(**ONCE, HTTPS_PROXY=url)
        inspect(**ONCE, HTTP_PROXY=url, AWS_ENDPOINT_URL=endpoint.url)
    shown = [headers["Proxy-Authorization"] for _, headers in proxy.connects]
    shown += [request.headers["Proxy-Authorization"] for request in proxy.requests]
    expected = f"Basic {base64.b64encode(b'mira:p@ss').decode()}"
    assert proxy.connects
    assert proxy.requests
    assert set(shown) == {expected}
