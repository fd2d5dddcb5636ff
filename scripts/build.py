"""Builds the release zip, and checks its size and that Lambda can run it: `build.py ARCH`."""

import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

DIST = Path("dist")
# ELF's names for the processors that Lambda offers.
MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
# The version of glibc in the runtime `provided.al2023`.
GLIBC = (2, 34)
# In bytes. Lambda fetches and maps the binary on every cold start.
LARGEST = int(2.75 * 1024 * 1024)


def main(arch: str) -> None:
    """Writes `dist/enforcer-ARCH.zip`; after an error there is none."""
    if arch not in MACHINES:
        sys.exit(f"ARCH is `{arch}`: expected one of {', '.join(MACHINES)}")
    final = DIST / f"enforcer-{arch}.zip"
    final.unlink(missing_ok=True)
    DIST.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DIST) as folder:
        built = build("enforcer", arch, Path(folder))
        faults = faults_of(built, arch)
        if faults:
            sys.exit("\n".join(f"{final}: {fault}" for fault in faults))
        shutil.move(built, final)
    print(f"{final}: {mib(final.stat().st_size)}, {arch}, needs glibc {version(GLIBC)} at most")


def build(package: str, arch: str, folder: Path) -> Path:
    """Builds a function whose binary has its package's name, and returns the zip's path.

    cargo-lambda links with zig, against an old glibc."""
    command = ["cargo-lambda", "lambda", "build", "--release", "--output-format", "zip"]
    command += ["--arm64" if arch == "arm64" else "--x86-64"]
    command += ["--package", package, "--bin", package, "--lambda-dir", str(folder)]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"could not build `{package}` for {arch}: see Cargo's message above")
    return folder / package / "bootstrap.zip"


def faults_of(built: Path, arch: str) -> list[str]:
    """Returns the reasons why the zip cannot be released."""
    with zipfile.ZipFile(built) as archive:
        if archive.namelist() != ["bootstrap"]:
            return [f"contains {archive.namelist()}: expected only `bootstrap`"]
        mode = archive.getinfo("bootstrap").external_attr >> 16
        elf = ELFFile(io.BytesIO(archive.read("bootstrap")))
    faults = []
    size = built.stat().st_size
    if size > LARGEST:
        faults.append(f"is {mib(size)}: expected {mib(LARGEST)} at most")
    if mode & 0o555 != 0o555:  # noqa: PLR2004
        faults.append(f"`bootstrap` has mode {mode & 0o777:o}: expected `r` and `x` for everyone")
    if elf["e_machine"] != MACHINES[arch]:
        faults.append(f"`bootstrap` is for {elf['e_machine']}: expected {MACHINES[arch]}")
    needed = glibc_of(elf)
    if needed > GLIBC:
        faults.append(
            f"`bootstrap` needs glibc {version(needed)}: expected {version(GLIBC)} at most"
        )
    return faults


def glibc_of(elf: ELFFile) -> tuple[int, ...]:
    """Returns the newest glibc version that the binary needs, or (0,) if it needs none."""
    names = [
        wanted.name.removeprefix("GLIBC_")
        for section in elf.iter_sections()
        if isinstance(section, GNUVerNeedSection)
        for _, versions in section.iter_versions()
        for wanted in versions
        if wanted.name.startswith("GLIBC_2")
    ]
    return max((tuple(map(int, name.split("."))) for name in names), default=(0,))


def mib(size: int) -> str:
    """Formats a size given in bytes."""
    return f"{size / 1024 / 1024:.2f} MiB"


def version(numbers: tuple[int, ...]) -> str:
    """Formats a version."""
    return ".".join(map(str, numbers))


if __name__ == "__main__":
    main(sys.argv[1])
