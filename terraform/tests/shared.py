"""Fixtures and hooks of the tests that apply the module: here, and in tests/emulated."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest
from evaluator import Evaluator
from tf import Terraform, Unavailable, deployment_package

from demo import local

POLICY = {
    "require": {"http_tokens": "required"},
    "on_violation": "enforce",
    "rules": [
        {"name": "scanners", "when": {"tags": {"app": ["scanner-*"]}}, "action": "exempt"},
        {"name": "parked", "when": {"tags": {"stage": ["parked"]}}, "action": "stop"},
        {"name": "sandboxes", "when": {"tags": {"stage": ["sandbox"]}}, "action": "terminate"},
    ],
    "new_instances": {"grace_seconds": 0},
    "existing": {"in_use": "report", "unknown": "enforce"},
}
UNPROVED: list[str] = []
FAILED: list[str] = []


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A temporary folder, which is kept if a test fails."""
    path = Path(tempfile.mkdtemp(prefix="imds-enforcer-tests-"))
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
def initialised(folder: Path) -> Terraform:
    """The initialised module without an account; skips the test if Terraform is not installed."""
    local.shield_environment()
    try:
        return Terraform(folder)
    except Unavailable as reason:
        unavailable(str(reason))


@pytest.fixture(scope="session")
def evaluator() -> Iterator[Evaluator]:
    """An evaluator of IAM policies."""
    with closing(Evaluator()) as running:
        yield running


def unavailable(why: str) -> NoReturn:
    """Skips the test, or fails it in CI, where no test may be skipped."""
    UNPROVED.append(why)
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


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


def summary(reporter: Any, name: str, what: str) -> None:
    """Prints what was not tested, and the counts as the last line."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(reporter.getreports(kind)) for kind in kinds)
    for why in dict.fromkeys(UNPROVED):
        print(f"\nnot proved: {what} was not tested. {why.splitlines()[0]}")
    print(f"\n{name}: {passed} passed, {failed + error} failed, {skipped} skipped")
