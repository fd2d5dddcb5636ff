"""Shared fixtures: the grounds, and an instance on each."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite("differences", "ground")

import ground as grounds  # noqa: E402
from ground import Ground  # noqa: E402

from demo import local  # noqa: E402

LOCAL = ("fake", "moto")
OPTIONS = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": 1,
    "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled",
    "InstanceMetadataTags": "disabled",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test on each ground, or on those that it names."""
    if "ground" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        names = [name for name in LOCAL if not only or name in only.args]
        metafunc.parametrize("ground", names, indirect=True, scope="session")


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line("markers", "only(ground, …): the grounds where it can run")


@pytest.fixture(scope="session")
def run() -> str:
    """The id of this run."""
    return secrets.token_hex(8)


@pytest.fixture(scope="session")
def fake(run: str) -> Iterator[Ground]:
    """The tests' own fake."""
    local.shield_environment()
    with grounds.fake(run) as fake:
        yield fake


@pytest.fixture(scope="session")
def moto(run: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """moto."""
    local.shield_environment()
    with grounds.moto(run, tmp_path_factory.mktemp("moto")) as moto:
        yield moto


@pytest.fixture(scope="session")
def ground(request: pytest.FixtureRequest) -> Ground:
    """Where the test runs."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def shared(ground: Ground) -> str:
    """The id of a running instance."""
    (launched,) = ground.launch(MetadataOptions=OPTIONS, ClientToken=f"{ground.run}-*")
    ground.in_state(launched["InstanceId"], "running")
    return str(launched["InstanceId"])


@pytest.fixture
def instance(ground: Ground, shared: str) -> str:
    """The id of a running instance with known options."""
    ground.ec2.modify_instance_metadata_options(InstanceId=shared, **OPTIONS)
    ground.eventually(
        lambda: ground.instance(shared)["MetadataOptions"],
        lambda options: options["State"] == "applied" and OPTIONS.items() <= options.items(),
    )
    return shared


@pytest.fixture(scope="session")
def ended(ground: Ground) -> str:
    """The id of a terminated instance."""
    (launched,) = ground.launch()
    instance = str(launched["InstanceId"])
    ground.ec2.terminate_instances(InstanceIds=[instance])
    ground.in_state(instance, "terminated")
    return instance


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints one line with the counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\ncontract: {passed} passed, {failed + error} failed, {skipped} skipped")
