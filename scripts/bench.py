"""Builds the release binaries and runs the benchmark on them: `bench.py [ARGUMENT…]`."""

import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import build

OUT = build.DIST / "bench"
# This machine's processor, by Lambda's name for it.
ARCH = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())


def main(arguments: list[str]) -> None:
    """Replaces this process with the benchmark, and passes the arguments on."""
    build.main(ARCH)
    enforcer = build.DIST / f"enforcer-{ARCH}.zip"
    floor = build.build("floor", ARCH, OUT)
    imdsctl = build.build("imdsctl", ARCH, OUT)
    bench = cargo("imds-bench", "measure", "bench")
    programs = ["--enforcer", unpacked(enforcer), "--zip", enforcer]
    programs += ["--floor", unpacked(floor), "--floor-zip", floor]
    programs += ["--imdsctl", unpacked(imdsctl), "--out", OUT]
    os.execv(bench, list(map(os.fspath, [bench, *programs, *arguments])))


def cargo(package: str, profile: str, binary: str) -> Path:
    """Builds one package, so that Cargo adds no other package's features; returns the binary."""
    command = ["cargo", "build", "--profile", profile, "--package", package]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"could not build `{package}`: see Cargo's message above")
    return Path(os.environ.get("CARGO_TARGET_DIR", "target"), profile, binary)


def unpacked(archive: Path) -> Path:
    """Returns the binary, executable again: `zipfile` does not restore the mode."""
    folder = OUT / archive.stem if archive.parent == build.DIST else archive.parent
    with zipfile.ZipFile(archive) as content:
        binary = Path(content.extract("bootstrap", folder))
    binary.chmod(0o755)
    return binary


main(sys.argv[1:])
