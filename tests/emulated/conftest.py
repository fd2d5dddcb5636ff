"""The emulated account, and the module applied to it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "terraform/tests"))

import ground  # noqa: E402
import limits  # noqa: E402
import pytest  # noqa: E402
from chain import HOME, REGIONS, Chain  # noqa: E402
from cloud import Cloud  # noqa: E402
from shared import (  # noqa: E402
    POLICY,
    evaluator,
    folder,
    initialised,
    pytest_configure,
    pytest_runtest_logreport,
    summary,
    unavailable,
    zip_file,
)
from tf import Terraform  # noqa: E402

from demo import local  # noqa: E402


@pytest.fixture(scope="session")
def localstack() -> None:
    """LocalStack in a venv of its own; skips all tests if no Python can run it."""
    create = [sys.executable, str(ROOT / "scripts/venv.py"), "emulated"]
    created = subprocess.run(create, stderr=subprocess.PIPE, text=True, check=False)
    print(created.stderr, file=sys.stderr)
    if created.returncode:
        unavailable(created.stderr.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def chain(
    initialised: Terraform, localstack: None, folder: Path, zip_file: Path
) -> Iterator[Chain]:
    """The module, applied to an account of the emulators."""
    assert localstack is None
    with ground.emulators(folder) as endpoint:
        cloud = Cloud(endpoint)
        before = {region: cloud.resources(region) for region in REGIONS}
        initialised.configure(endpoint, HOME, zip_file)
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
        yield Chain(cloud, initialised, variables, initialised.apply(variables), before)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints what the emulators cannot show, and the counts as the last line."""
    print("\nThe emulators cannot show:")
    for what, instead in limits.NOT_SHOWN.items():
        print(f"  {what} ({instead or 'only AWS can show it'})")
    summary(terminalreporter, "emulated", "the deployed chain")
