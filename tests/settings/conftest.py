"""Shared fixtures: both programs and authorities."""

from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from authority import Authority
from programs import scanned, swept

from demo import local


class Inspect(Protocol):
    """Scans or sweeps a region with these settings and returns the output."""

    def __call__(self, **settings: str) -> str:
        """Takes the same settings for both programs."""


@pytest.fixture(scope="session", autouse=True)
def _shielded() -> None:
    """Hides the environment, also from botocore."""
    local.shield_environment()


@pytest.fixture(params=[scanned, swept], ids=["imdsctl", "enforcer"])
def inspect(request: pytest.FixtureRequest, tmp_path: Path) -> Inspect:
    """Each of the two programs."""
    return partial(request.param, tmp_path)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the endpoints."""
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another authority."""
    return Authority(tmp_path_factory.mktemp("another"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints one line with the counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\nsettings: {passed} passed, {failed + error} failed, {skipped} skipped")
