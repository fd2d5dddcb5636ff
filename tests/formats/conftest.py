"""Shared fixtures: what the command reports of a fleet in the fake of AWS."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from demo import local

ROOT = Path(__file__).parents[2]
BINARIES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"
POLICY = {
    "version": 1,
    "require": {"http_tokens": "required", "hop_limit": {"at_most": 2}},
    "on_violation": "enforce",
    "rules": [{"name": "ci", "when": {"tags": {"app": "ci"}}, "action": "exempt"}],
}
# No instance has it.
MISSING = "i-0123456789abcdef0"


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The JSON, ASFF, and OCSF of a scan, of an enforcement, and of what is not found."""
    local.shield_environment()
    folder = tmp_path_factory.mktemp("reports")
    (folder / "policy.json").write_text(json.dumps(POLICY))
    policy = ["--policy", "policy.json"]
    with subprocess.Popen(
        [BINARIES / "fake", "--fleet", "400"], stdout=subprocess.PIPE, text=True
    ) as fake:
        try:
            endpoint = fake.stdout.readline().strip()
            return {
                "scan": written(folder, endpoint, "scan", *policy),
                "missing": written(folder, endpoint, "scan", "--instance", MISSING),
                "enforce": written(folder, endpoint, "enforce", "--yes", "--unused-only"),
            }
        finally:
            fake.kill()


def written(folder: Path, endpoint: str, *arguments: str) -> dict[str, Any]:
    """Runs the command and reads what it wrote, by format."""
    files = {name: folder / f"report{ending}" for name, ending in ENDINGS.items()}
    outputs = [word for path in files.values() for word in ("--output", path)]
    command = [BINARIES / "imdsctl", *arguments, "--endpoint-url", endpoint, *outputs]
    environment = {
        "HOME": str(folder),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
    }
    subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True)
    return {name: json.loads(path.read_text()) for name, path in files.items()}


ENDINGS = {"json": ".json", "asff": ".asff.json", "ocsf": ".ocsf.json"}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints one line with the counts."""
    kinds = ("passed", "failed", "error", "skipped")
    passed, failed, error, skipped = (len(terminalreporter.getreports(kind)) for kind in kinds)
    print(f"\nformats: {passed} passed, {failed + error} failed, {skipped} skipped")
