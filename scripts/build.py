"""Builds the release zip and checks that Lambda can run it: `build.py x86_64|arm64`.

What may run on every launch stays small: the zip is measured too.
"""

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
# What ELF calls the processors that Lambda offers.
MACHINES = {"x86_64": "EM_X86_64", "arm64": "EM_AARCH64"}
# The C library of the runtime `provided.al2023`.
GLIBC = (2, 34)
# In bytes. Lambda fetches and maps the binary at every cold start.
LARGEST = int(2.5 * 1024 * 1024)


def main(arch: str) -> None:
    """Leaves `dist/enforcer-ARCH.zip`, or nothing."""
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
    print(f"{final}: {mib(final.stat().st_size)}, {arch}, glibc {version(GLIBC)} suffices")


def build(package: str, arch: str, folder: Path) -> Path:
    """Builds a function, whose binary is called as its package.

    Returns the zip's path; zig, as the linker, holds the binary to an old C library."""
    command = ["cargo-lambda", "lambda", "build", "--release", "--output-format", "zip"]
    command += ["--arm64" if arch == "arm64" else "--x86-64"]
    command += ["--package", package, "--bin", package, "--lambda-dir", str(folder)]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"could not build `{package}` for {arch}: see cargo's message above")
    return folder / package / "bootstrap.zip"


def faults_of(built: Path, arch: str) -> list[str]:
    """Why Lambda could not run the zip's content."""
    with zipfile.ZipFile(built) as archive:
        if archive.namelist() != ["bootstrap"]:
            return [f"holds {archive.namelist()}: expected `bootstrap` alone"]
        mode = archive.getinfo("bootstrap").external_attr >> 16
        elf = ELFFile(io.BytesIO(archive.read("bootstrap")))
    faults = []
    size = built.stat().st_size
    if size > LARGEST:
        faults.append(f"has {mib(size)}: expected {mib(LARGEST)} at most")
    if mode & 0o555 != 0o555:  # noqa: PLR2004
        faults.append(f"`bootstrap` has mode {mode & 0o777:o}: expected all to read and run it")
    if elf["e_machine"] != MACHINES[arch]:
        faults.append(f"`bootstrap` is for {elf['e_machine']}: expected {MACHINES[arch]}")
    needed = glibc_of(elf)
    if needed > GLIBC:
        faults.append(
            f"`bootstrap` asks for glibc {version(needed)}: expected {version(GLIBC)} at most"
        )
    return faults


def glibc_of(elf: ELFFile) -> tuple[int, ...]:
    """The newest glibc whose symbols the binary asks for; 0 where it asks for none."""
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
    """As it is read."""
    return f"{size / 1024 / 1024:.2f} MiB"


def version(numbers: tuple[int, ...]) -> str:
    """As it is written."""
    return ".".join(map(str, numbers))


if __name__ == "__main__":
    main(sys.argv[1])
