"""Every run of `terraform test` as a separate test."""

import json
import re
import subprocess
from collections import defaultdict

import pytest
from tf import MODULE, Terraform

FILES = sorted(MODULE.glob("tests/*.tftest.hcl"))
RUNS = [
    (f"tests/{file.name}", run)
    for file in FILES
    for run in re.findall(r'^run "(\w+)"', file.read_text(), re.MULTILINE)
]

Results = dict[tuple[str, str], tuple[str, str]]


@pytest.fixture(scope="module")
def results(terraform: Terraform, background: subprocess.Popen[str]) -> Results:
    """Status and diagnostics of each run."""
    background.wait()
    diagnostics = defaultdict(str)
    statuses = {}
    for line in (terraform.folder.parent / "test.log").read_text().splitlines():
        entry = json.loads(line)
        key = (entry.get("@testfile", ""), entry.get("@testrun", ""))
        if entry["type"] == "test_run" and entry["test_run"].get("status"):
            statuses[key] = entry["test_run"]["status"]
        elif entry["type"] == "diagnostic":
            diagnostics[key] += f"{entry['@message']}\n{entry['diagnostic'].get('detail', '')}\n"
    return {key: (status, diagnostics[key]) for key, status in statuses.items()}


@pytest.mark.parametrize(("file", "run"), RUNS)
def test_terraform_test(results: Results, file: str, run: str) -> None:
    status, diagnostics = results.get((file, run), ("did not run", ""))
    assert status == "pass", diagnostics


def test_every_file_has_runs() -> None:
    assert FILES
    assert {file for file, _ in RUNS} == {f"tests/{file.name}" for file in FILES}
