"""Shared fixtures: moto, and an account that is restored before each test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import account
import pytest

from demo import local


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto's endpoint."""
    local.shield_environment()
    folder = tmp_path_factory.mktemp("moto")
    with local.aws(folder, Path(__file__).with_name("fake_aws.py")) as url:
        yield url


@pytest.fixture(scope="session")
def launched(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> account.Account:
    """The account, on moto."""
    account.required()
    return account.Account(endpoint, tmp_path_factory.mktemp("home"))


@pytest.fixture
def fleet(launched: account.Account, tmp_path: Path) -> account.Account:
    """The account as it was launched, with a home of the test's own."""
    launched.home = tmp_path
    launched.restore()
    return launched


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints one line with the counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\nmoto: {passed} passed, {failed + error} failed, {skipped} skipped")
