"""What the tests share: moto, and a fresh account for every test."""

import urllib.request
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
    account.required()
    with local.aws(tmp_path_factory.mktemp("moto")) as endpoint:
        yield endpoint


@pytest.fixture
def fleet(endpoint: str, tmp_path: Path) -> account.Account:
    """The account before anybody has touched it."""
    request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()
    return account.Account(endpoint, tmp_path)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Ends with one line that counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\nmoto: {passed} passed, {failed + error} failed, {skipped} skipped")
