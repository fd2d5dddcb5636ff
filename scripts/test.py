"""Runs every test, or the steps that are named, and ends with one line of counts."""

import re
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from demo.local import architecture, shield_environment

CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
OURS = re.compile(
    r"^(?:contract|demo|emulated|formats|moto|settings|terraform): "
    r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$"
)
OUTCOMES = ("passed", "failed", "skipped")

PYTEST = (sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Step:
    """A command, which is stopped after so many minutes."""

    command: tuple[str, ...]
    minutes: int = 60


STEPS = {
    "cargo": Step(("cargo", "test", "--workspace", "--no-fail-fast")),
    "demo": Step((sys.executable, "-m", "demo", "--check")),
    "contract": Step((*PYTEST, "tests/contract")),
    "formats": Step((*PYTEST, "tests/formats")),
    "moto": Step((*PYTEST, "tests/moto")),
    "settings": Step((*PYTEST, "tests/settings")),
    "terraform": Step((*PYTEST, "terraform/tests")),
    "emulated": Step((*PYTEST, "tests/emulated"), minutes=15),
}
# The deployment package needs a build of its own.
DEPLOYED = {"terraform", "emulated"}
# How a step begins the line about what it could not test on this machine.
UNPROVED = "not proved: "


def main() -> None:
    """Builds what the tests run, then runs each step."""
    shield_environment()
    names = sys.argv[1:] or list(STEPS)
    total: Counter[str] = Counter()
    unproved: list[str] = []
    if all(subprocess.run(command, check=False).returncode == 0 for command in builds(names)):
        for name in names:
            total += outcomes(STEPS[name], unproved)
    else:
        total["failed"] += 1
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print("", *unproved, sep="\n", end="")
    print(f"\n{total['passed']} passed, {total['failed']} failed{skipped}", flush=True)
    sys.exit(1 if total["failed"] else 0)


def builds(names: list[str]) -> list[list[str]]:
    """Returns the commands that build what these steps run, so that no limit applies to them."""
    commands = []
    if set(names) != {"emulated"}:
        commands.append(["cargo", "build", "--workspace"])
    if DEPLOYED & set(names):
        commands.append([sys.executable, "scripts/build.py", architecture()])
    return commands


def outcomes(step: Step, unproved: list[str]) -> Counter[str]:
    """Runs a step, prints its output and returns its counts; adds to `unproved`."""
    print(f"\n$ {' '.join([Path(step.command[0]).name, *step.command[1:]])}", flush=True)
    counted: Counter[str] = Counter()
    process = subprocess.Popen(
        step.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    limit = threading.Timer(step.minutes * 60, process.terminate)
    limit.start()
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
    if not limit.is_alive():
        print(f"stopped after {step.minutes} minutes", flush=True)
        counted["failed"] += 1
    limit.cancel()
    if process.returncode != 0 and not counted["failed"]:
        # It ended before it printed counts, for example with a compiler error or a crash.
        counted["failed"] += 1
    return counted


main()
