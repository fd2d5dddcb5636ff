"""Shared fixtures: the grounds, and an instance on each."""

import secrets
from collections.abc import Iterator
from typing import Any

import ground as grounds
import live
import pytest
from ground import Ground

from demo import local

# What the tests ran on, by name.
GROUNDS: dict[str, Ground] = {}
OPTIONS = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": 1,
    "HttpEndpoint": "enabled",
    "HttpProtocolIpv6": "disabled",
    "InstanceMetadataTags": "disabled",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Lets the caller choose AWS."""
    text = (
        "run in an account of AWS instead of on the fake and on moto; see tests/contract/README.md"
    )
    parser.addoption("--live", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker; refuses to begin without what AWS must be told."""
    config.addinivalue_line("markers", "only(ground, …): the grounds where it can run")
    if config.getoption("--live"):
        live.asked()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs a test on each local ground, or on those that it names; or on AWS."""
    if "ground" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only")
        names = ["fake", "moto"] if only is None else list(only.args)
        if metafunc.config.getoption("--live"):
            names = ["aws"]
        metafunc.parametrize("ground", names, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what cannot run on AWS."""
    if config.getoption("--live"):
        here = [item for item in items if "ground" in getattr(item, "fixturenames", ())]
        items[:] = [item for item in here if not item.get_closest_marker("only")]


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
def aws(run: str, pytestconfig: pytest.Config) -> Iterator[Ground]:
    """An account of AWS."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{line}", flush=True)

    with live.aws(run, say) as aws:
        yield aws


@pytest.fixture(scope="session")
def ground(request: pytest.FixtureRequest) -> Ground:
    """Where the test runs."""
    ground: Ground = request.getfixturevalue(request.param)
    GROUNDS[ground.name] = ground
    return ground


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
    """Prints what was called in AWS and what that has settled, and one line with the counts."""
    if "aws" in GROUNDS:
        calls = {f"{call.service}:{call.operation}" for call in GROUNDS["aws"].calls}
        print("\ncalled:", *sorted(calls))
        print(*(f"settled: {line}" for line in GROUNDS["aws"].settled), sep="\n")
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\ncontract: {passed} passed, {failed + error} failed, {skipped} skipped")
