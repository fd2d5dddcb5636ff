"""The precedence of `AWS_ENDPOINT_URL` and the other settings of endpoints."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from answers import REGION, account_with_one_instance
from authority import Authority
from listener import Listener
from programs import KEYS, Function, imdsctl, sweep
from rules import SERVICES, host
from urls import Urls

# Calls all four services.
SCAN = ("scan", "--templates", "--usage", "14", "--region", REGION)
SWEPT = ("ec2", "monitoring", "dynamodb")
IGNORE = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}


@pytest.fixture
def urls(authority: Authority) -> Iterator[Urls]:
    """URLs without a setting that names the endpoint."""
    with (
        Listener(account_with_one_instance) as endpoint,
        Listener(account_with_one_instance, every_host=authority) as proxy,
    ):
        yield Urls(endpoint, proxy, authority)


def aws_hosts(services: Iterable[str]) -> dict[str, str]:
    """AWS's hosts."""
    return {service: host(service, REGION, "plain") for service in services}


def test_the_option_has_the_highest_precedence(urls: Urls, tmp_path: Path) -> None:
    profile = urls.profile(tmp_path, "section", "profile")
    settings = urls.settings | profile | urls.all() | urls.services(*SERVICES)
    imdsctl(tmp_path, settings, *SCAN, *urls.option())
    assert urls.called() == dict.fromkeys(SERVICES, "option")


def test_a_variable_for_a_service_comes_before_the_one_for_all(urls: Urls, tmp_path: Path) -> None:
    profile = urls.profile(tmp_path, "section", "profile")
    imdsctl(tmp_path, urls.settings | profile | urls.all() | urls.services(*SERVICES), *SCAN)
    assert urls.called() == {service: f"service/{service}" for service in SERVICES}


def test_the_variable_for_all_comes_before_the_profile(urls: Urls, tmp_path: Path) -> None:
    profile = urls.profile(tmp_path, "section", "profile")
    imdsctl(tmp_path, urls.settings | profile | urls.all(), *SCAN)
    assert urls.called() == dict.fromkeys(SERVICES, "all")


def test_a_section_of_services_comes_before_the_url_of_the_profile(
    urls: Urls, tmp_path: Path
) -> None:
    profile = urls.profile(tmp_path, "section", "profile")
    imdsctl(tmp_path, urls.settings | profile, *SCAN)
    assert urls.called() == {service: f"section/{service}" for service in SERVICES}


def test_the_url_of_the_profile_applies_to_all_services(urls: Urls, tmp_path: Path) -> None:
    imdsctl(tmp_path, urls.settings | urls.profile(tmp_path, "profile"), *SCAN)
    assert urls.called() == dict.fromkeys(SERVICES, "profile")


@pytest.mark.parametrize("service", SERVICES)
def test_a_variable_for_a_service_does_not_affect_the_others(
    urls: Urls, tmp_path: Path, service: str
) -> None:
    imdsctl(tmp_path, KEYS | urls.settings | urls.services(service), *SCAN)
    assert urls.called() == aws_hosts(SERVICES) | {service: f"service/{service}"}


def test_configured_urls_can_be_ignored(urls: Urls, tmp_path: Path) -> None:
    profile = urls.profile(tmp_path, "section", "profile")
    settings = urls.settings | profile | urls.all() | urls.services(*SERVICES)
    imdsctl(tmp_path, settings | IGNORE, *SCAN)
    assert urls.called() == aws_hosts(SERVICES)


def test_a_profile_can_ignore_them_too(urls: Urls, tmp_path: Path) -> None:
    ignore = "ignore_configured_endpoint_urls = true"
    profile = urls.profile(tmp_path, "section", "profile", ignore)
    imdsctl(tmp_path, urls.settings | profile | urls.all() | urls.services(*SERVICES), *SCAN)
    assert urls.called() == aws_hosts(SERVICES)


def test_the_option_is_never_ignored(urls: Urls, tmp_path: Path) -> None:
    settings = KEYS | urls.settings | urls.all() | urls.services(*SERVICES) | IGNORE
    imdsctl(tmp_path, settings, *SCAN, *urls.option())
    assert urls.called() == dict.fromkeys(SERVICES, "option")


def test_the_function_takes_the_variable_for_a_service_first(urls: Urls, tmp_path: Path) -> None:
    with Function(tmp_path, urls.settings | urls.all() | urls.services(*SWEPT)) as function:
        function.invoke(sweep(REGION))
    assert urls.called() == {service: f"service/{service}" for service in SWEPT}


def test_the_function_then_takes_the_variable_for_all(urls: Urls, tmp_path: Path) -> None:
    with Function(tmp_path, urls.settings | urls.all()) as function:
        function.invoke(sweep(REGION))
    assert urls.called() == dict.fromkeys(SWEPT, "all")


@pytest.mark.parametrize("service", SWEPT)
def test_in_the_function_too_a_variable_for_a_service_does_not_affect_the_others(
    urls: Urls, tmp_path: Path, service: str
) -> None:
    with Function(tmp_path, urls.settings | urls.services(service)) as function:
        function.invoke(sweep(REGION))
    assert urls.called() == aws_hosts(SWEPT) | {service: f"service/{service}"}


def test_the_function_can_ignore_configured_urls(urls: Urls, tmp_path: Path) -> None:
    settings = urls.settings | urls.all() | urls.services(*SWEPT) | IGNORE
    with Function(tmp_path, settings) as function:
        function.invoke(sweep(REGION))
    assert urls.called() == aws_hosts(SWEPT)
