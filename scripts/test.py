"""Runs every test, whatever fails, and ends with one line of counts."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from demo.local import shield_environment

CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
OURS = re.compile(
    r"^(?:contract|demo|moto|settings|terraform): (\d+) passed, (\d+) failed(?:, (\d+) skipped)?$"
)
OUTCOMES = ("passed", "failed", "skipped")

STEPS = [
    ["cargo", "test", "--workspace", "--no-fail-fast"],
    [sys.executable, "-m", "demo", "--check"],
    [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "tests/contract"],
    [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "tests/moto"],
    [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "tests/settings"],
    [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "terraform/tests"],
]
# How a step begins the line about what it could not test on this machine.
UNPROVED = "not proved: "


def main() -> None:
    """Builds the binaries that the tests run, then runs each step."""
    shield_environment()
    total: Counter[str] = Counter()
    unproved: list[str] = []
    if subprocess.run(["cargo", "build", "--workspace"], check=False).returncode == 0:
        for step in STEPS:
            total += outcomes(step, unproved)
    else:
        total["failed"] += 1
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print("", *unproved, sep="\n", end="")
    print(f"\n{total['passed']} passed, {total['failed']} failed{skipped}", flush=True)
    sys.exit(1 if total["failed"] else 0)


def outcomes(step: list[str], unproved: list[str]) -> Counter[str]:
    """Runs a step, prints its output and returns its counts; adds to `unproved`."""
    print(f"\n$ {' '.join([Path(step[0]).name, *step[1:]])}", flush=True)
    counted: Counter[str] = Counter()
    process = subprocess.Popen(step, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    with process:
        for line in process.stdout or ():
            found = CARGO.match(line) or OURS.match(line)
            if found:
                counted.update(
                    dict(zip(OUTCOMES, map(int, found.groups(default="0")), strict=True))
                )
            if line.startswith(UNPROVED):
                unproved.append(line)
            print(line, end="", flush=True)
    if process.returncode != 0 and not counted["failed"]:
        # It ended before it printed counts, for example with a compiler error or a crash.
        counted["failed"] += 1
    return counted


main()
