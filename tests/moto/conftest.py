"""What the tests share: moto, and an account that is as it was launched when a test begins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import account
import pytest

from demo import local


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Moto's."""
    local.shield_environment()
    folder = tmp_path_factory.mktemp("moto")
    with local.aws(folder, Path(__file__).with_name("stand_in.py")) as url:
        yield url


@pytest.fixture(scope="session")
def launched(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> account.Account:
    """The account, on moto."""
    account.required()
    return account.Account(endpoint, tmp_path_factory.mktemp("home"))


@pytest.fixture
def fleet(launched: account.Account, tmp_path: Path) -> account.Account:
    """The account before anybody has touched it, and a home of the test's own."""
    launched.home = tmp_path
    launched.put_back()
    return launched


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Ends with one line that counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\nmoto: {passed} passed, {failed + error} failed, {skipped} skipped")
