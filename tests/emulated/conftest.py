"""The emulated account, and the module applied to it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "terraform/tests"))

import ground  # noqa: E402
import limits  # noqa: E402
import pytest  # noqa: E402
from chain import HOME, POLICY, REGIONS, Chain  # noqa: E402
from cloud import Cloud  # noqa: E402
from evaluator import Evaluator  # noqa: E402
from tf import Terraform, Unavailable, deployment_package  # noqa: E402

from demo import local  # noqa: E402

FAILED: list[str] = []
UNPROVED: list[str] = []


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A temporary folder, which is kept if a test fails."""
    path = Path(tempfile.mkdtemp(prefix="imds-enforcer-emulated-"))
    yield path
    if FAILED:
        print(f"\nall files of the tests are in {path}")
    else:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def zip_file() -> Path:
    """The deployment package for the processor of this machine."""
    return deployment_package()


@pytest.fixture(scope="session")
def terraform(folder: Path) -> Terraform:
    """The initialised module; skips all tests if Terraform is not installed."""
    local.shield_environment()
    try:
        return Terraform(folder)
    except Unavailable as reason:
        unavailable(str(reason))


@pytest.fixture(scope="session")
def localstack() -> None:
    """LocalStack in a venv of its own; skips all tests if no Python can run it."""
    create = [sys.executable, str(ROOT / "scripts/venv.py"), "emulated"]
    created = subprocess.run(create, stderr=subprocess.PIPE, text=True, check=False)
    print(created.stderr, file=sys.stderr)
    if created.returncode:
        unavailable(created.stderr.strip().splitlines()[-1])


def unavailable(why: str) -> NoReturn:
    """Skips the test, or fails it in CI, where no test may be skipped."""
    UNPROVED.append(why)
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def chain(terraform: Terraform, localstack: None, folder: Path, zip_file: Path) -> Iterator[Chain]:
    """The module, applied to an account of the emulators."""
    assert localstack is None
    with ground.emulators(folder) as endpoint:
        cloud = Cloud(endpoint)
        before = {region: cloud.resources(region) for region in REGIONS}
        terraform.configure(endpoint, HOME, zip_file)
        enabled = {
            each["RegionName"] for each in cloud.client("ec2", HOME).describe_regions()["Regions"]
        }
        variables = {
            "excluded_regions": sorted(enabled - set(REGIONS)),
            "policy": POLICY,
            "architecture": local.architecture(),
            # LocalStack delivers an event again one minute later than this.
            "timeout": 60,
            "log_skip_destroy": False,
            "state_deletion_protection": False,
        }
        yield Chain(cloud, terraform, variables, terraform.apply(variables), before)


@pytest.fixture(scope="session")
def evaluator() -> Iterator[Evaluator]:
    """An evaluator of IAM policies."""
    running = Evaluator()
    yield running
    running.close()


def pytest_configure() -> None:
    """Handles SIGTERM, so that fixtures stop their processes."""
    signal.signal(signal.SIGTERM, stop)


def stop(*_signal: Any) -> None:
    """Exits through the teardown of all fixtures."""
    pytest.exit("stopped by a signal", returncode=128 + signal.SIGTERM)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Records failed tests."""
    if report.failed:
        FAILED.append(report.nodeid)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints what the emulators cannot show, and the counts as the last line."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print("\nThe emulators cannot show:")
    for what, instead in limits.NOT_SHOWN.items():
        print(f"  {what} ({instead or 'only AWS can show it'})")
    for why in UNPROVED:
        print(f"\nnot proved: the deployed chain was not tested. {why.splitlines()[0]}")
    print(f"\nemulated: {passed} passed, {failed + error} failed, {skipped} skipped")
