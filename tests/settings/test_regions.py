"""FIPS and dual stack in every region of every partition, compared with botocore's rules."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import boto3
import pytest
from answers import ACCOUNT, REGION, account_with_one_instance
from authority import Authority
from botocore.exceptions import EndpointProviderError
from conftest import Inspect
from listener import Listener
from programs import KEYS, Function, imdsctl, launch, sweep
from rules import DATA, MODES, REGIONS, SERVICES, TABLE, host, known, url

CONCURRENT_SCANS = 4
EVERY_REGION = [region for regions in REGIONS.values() for region in regions]
# Calls all four services.
SCAN = ("scan", "--templates", "--usage", "14", "--region")

# The `host:port` of each service in each region.
Called = dict[tuple[str, str], str | None]


def called(proxy: Listener) -> Called:
    """The hosts of all calls; fails if the proxy connected to another host."""
    hosts: Called = {}
    for request in proxy.requests:
        row = request.region, request.service
        assert hosts.setdefault(row, request.through) == request.through
    assert proxy.hosts == set(hosts.values())
    return hosts


def expected(services: list[str], regions: list[str], mode: str) -> Called:
    """The hosts according to botocore."""
    rows = product(regions, services)
    return {(region, service): host(service, region, mode) for region, service in rows}


def through(proxy: Listener, authority: Authority, mode: str) -> dict[str, str]:
    """Settings that send every call through the proxy."""
    once = {"AWS_MAX_ATTEMPTS": "1", "AWS_CA_BUNDLE": str(authority.bundle)}
    return once | MODES[mode] | {"HTTPS_PROXY": proxy.url}


@pytest.fixture(scope="module")
def scans(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Called]:
    """The hosts that the command called in each mode and region."""
    home = tmp_path_factory.mktemp("home")

    def scan(row: tuple[str, str]) -> Called:
        mode, region = row
        with Listener(account_with_one_instance, every_host=authority) as proxy:
            imdsctl(home, KEYS | through(proxy, authority, mode), *SCAN, region)
        return called(proxy)

    rows = list(product(MODES, EVERY_REGION))
    with ThreadPoolExecutor(CONCURRENT_SCANS) as pool:
        return dict(zip(rows, pool.map(scan, rows), strict=True))


@pytest.mark.parametrize("partition", REGIONS)
@pytest.mark.parametrize("mode", MODES)
def test_the_command_calls_the_hosts_that_botocore_would(
    scans: dict[tuple[str, str], Called], mode: str, partition: str
) -> None:
    found: Called = {}
    for region in REGIONS[partition]:
        found |= scans[mode, region]
    assert found == expected(list(SERVICES), REGIONS[partition], mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_sweep_calls_the_hosts_that_botocore_would(
    authority: Authority, tmp_path: Path, mode: str
) -> None:
    with (
        Listener(account_with_one_instance, every_host=authority) as proxy,
        Function(tmp_path, through(proxy, authority, mode)) as function,
    ):
        function.invoke(sweep(*EVERY_REGION))
    swept = expected(["ec2", "monitoring"], EVERY_REGION, mode)
    # The table is in the function's region.
    assert called(proxy) == swept | expected([TABLE], [REGION], mode)


@pytest.mark.parametrize("mode", MODES)
def test_the_state_table_is_called_at_the_host_that_botocore_would(
    authority: Authority, tmp_path: Path, mode: str
) -> None:
    def ask(region: str) -> Called:
        home = tmp_path / region
        home.mkdir()
        with Listener(account_with_one_instance, every_host=authority) as proxy:
            settings = through(proxy, authority, mode) | {"AWS_REGION": region}
            with Function(home, settings) as function:
                function.invoke(sweep(region))
        return {row: found for row, found in called(proxy).items() if row[1] == TABLE}

    asked: Called = {}
    with ThreadPoolExecutor(CONCURRENT_SCANS) as pool:
        for found in pool.map(ask, EVERY_REGION):
            asked |= found
    assert asked == expected([TABLE], EVERY_REGION, mode)


@pytest.mark.parametrize("mode", MODES)
def test_a_state_table_with_an_arn_is_called_at_the_host_that_botocore_would(
    authority: Authority, tmp_path: Path, mode: str
) -> None:
    region = "eu-west-1"
    arn = f"arn:aws:dynamodb:{region}:{ACCOUNT}:table/imds-enforcer"
    with Listener(account_with_one_instance, every_host=authority) as proxy:
        settings = through(proxy, authority, mode) | {"IMDS_STATE_TABLE": arn}
        with Function(tmp_path, settings) as function:
            function.invoke(sweep(REGION))
    tables = {row: found for row, found in called(proxy).items() if row[1] == TABLE}
    # It has the account's own host, where there is one.
    asked = {"ResourceArn": arn, "AccountIdEndpointMode": "preferred"}
    assert tables == {(region, TABLE): host(TABLE, region, mode, **asked)}


@pytest.mark.parametrize("mode", MODES)
def test_a_launch_calls_the_hosts_that_botocore_would(
    authority: Authority, tmp_path: Path, mode: str
) -> None:
    with (
        Listener(account_with_one_instance, every_host=authority) as proxy,
        Function(tmp_path, through(proxy, authority, mode)) as function,
    ):
        for region in EVERY_REGION:
            proxy.forget()
            function.invoke(launch(region))
            assert proxy.named("ModifyInstanceMetadataOptions")
            assert called(proxy) == expected(["ec2"], [region], mode)


def test_no_region_of_botocore_is_left_out() -> None:
    session = boto3.Session()
    for partition, service in product(DATA["partitions"], SERVICES.values()):
        available = session.get_available_regions(service, partition["id"])
        assert set(available) <= set(known(partition))


@pytest.mark.parametrize("mode", ["FIPS", "dual stack"])
def test_a_custom_endpoint_is_rejected_as_by_botocore(
    inspect: Inspect, authority: Authority, mode: str
) -> None:
    with (
        Listener(account_with_one_instance, every_host=authority) as proxy,
        Listener(account_with_one_instance) as endpoint,
    ):
        with pytest.raises(EndpointProviderError) as refused:
            url("ec2", "eu-central-1", mode, Endpoint=endpoint.url)
        settings = through(proxy, authority, mode)
        output = inspect(**settings, AWS_ENDPOINT_URL=endpoint.url)
    assert str(refused.value) in output
    assert not endpoint.requests
    assert not proxy.hosts
