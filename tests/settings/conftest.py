"""What the tests share: both programs, authorities, and the line that counts."""

from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
from authority import Authority
from programs import scanned, swept

from demo import local


class Look(Protocol):
    """Looks at a region with these settings; gives what was said."""

    def __call__(self, **settings: str) -> str:
        """The same for both programs."""


@pytest.fixture(scope="session", autouse=True)
def _shielded() -> None:
    """Not even botocore's data is to come from elsewhere."""
    local.shield_environment()


@pytest.fixture(params=[scanned, swept], ids=["imdsctl", "enforcer"])
def look(request: pytest.FixtureRequest, tmp_path: Path) -> Look:
    """Each of the two programs in turn."""
    return partial(request.param, tmp_path)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that endpoints have their certificates of."""
    return Authority(tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Another one."""
    return Authority(tmp_path_factory.mktemp("another"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Ends with one line that counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\nsettings: {passed} passed, {failed + error} failed, {skipped} skipped")
