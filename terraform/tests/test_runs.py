"""Every run of `terraform test`, as a test of its own."""

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
    """How each run ended, and what Terraform said to it."""
    background.wait()
    said = defaultdict(str)
    ended = {}
    for line in (terraform.folder.parent / "test.log").read_text().splitlines():
        entry = json.loads(line)
        key = (entry.get("@testfile", ""), entry.get("@testrun", ""))
        if entry["type"] == "test_run" and entry["test_run"].get("status"):
            ended[key] = entry["test_run"]["status"]
        elif entry["type"] == "diagnostic":
            said[key] += f"{entry['@message']}\n{entry['diagnostic'].get('detail', '')}\n"
    return {key: (status, said[key]) for key, status in ended.items()}


@pytest.mark.parametrize(("file", "run"), RUNS)
def test_terraform_test(results: Results, file: str, run: str) -> None:
    status, said = results.get((file, run), ("did not run", ""))
    assert status == "pass", said


def test_every_file_has_runs() -> None:
    assert FILES
    assert {file for file, _ in RUNS} == {f"tests/{file.name}" for file in FILES}
