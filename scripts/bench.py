"""Builds what is measured, as it is released, and measures it: `bench.py [ARGUMENT…]`."""

import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import build

OUT = build.DIST / "bench"
# Of this machine, as Lambda calls it.
ARCH = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())


def main(arguments: list[str]) -> None:
    """Becomes the benchmark, which gets the arguments."""
    build.main(ARCH)
    enforcer = build.DIST / f"enforcer-{ARCH}.zip"
    floor = build.build("floor", ARCH, OUT)
    command = ["cargo", "build", "--quiet", "--profile", "measure", "--package", "imds-bench"]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("could not build the benchmark: see cargo's message above")
    bench = Path(os.environ["CARGO_TARGET_DIR"], "measure", "bench")
    programs = ["--enforcer", unpacked(enforcer), "--zip", enforcer]
    programs += ["--floor", unpacked(floor), "--floor-zip", floor, "--out", OUT]
    os.execv(bench, list(map(os.fspath, [bench, *programs, *arguments])))


def unpacked(archive: Path) -> Path:
    """Returns the binary, with the leave to run that zip files leave out when unpacked."""
    folder = OUT / archive.stem if archive.parent == build.DIST else archive.parent
    with zipfile.ZipFile(archive) as content:
        binary = Path(content.extract("bootstrap", folder))
    binary.chmod(0o755)
    return binary


main(sys.argv[1:])
