"""Creates `.venv`, or `.venv-emulated` with `emulated`; if several run, only one creates it."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Later than every minor version.
ANY = 100


@dataclass(frozen=True)
class Venv:
    """A virtual environment, and the folder with its requirements."""

    folder: Path
    source: Path
    # The minor versions of Python 3 that its packages run on.
    pythons: range

    @property
    def ready(self) -> Path:
        """The file that is created last."""
        return self.folder / "ready"

    @property
    def sources(self) -> list[Path]:
        """The files that the environment depends on."""
        return [self.source / "requirements.txt", self.source / "constraints.txt", Path(__file__)]

    def digest(self) -> str:
        """Hashes the sources, because a change of branch changes modification times."""
        return hashlib.sha256(b"".join(path.read_bytes() for path in self.sources)).hexdigest()


TOOLS = Venv(ROOT / ".venv", ROOT, range(11, ANY))
EMULATED = Venv(ROOT / ".venv-emulated", ROOT / "tests/emulated", range(12, 14))


def main() -> None:
    """Does nothing if the environment is up to date."""
    venv = EMULATED if sys.argv[1:] == ["emulated"] else TOOLS
    with venv.sources[0].open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not venv.ready.exists() or venv.ready.read_text() != venv.digest():
            make(venv)
        venv.ready.touch()


def make(venv: Venv) -> None:
    """Starts with an empty folder, because an interrupted run may have left files."""
    name = venv.folder.name
    python = interpreter(venv.pythons)
    print(f"setting up {name} (about a minute, once)", file=sys.stderr, flush=True)
    started = time.monotonic()
    venv.ready.unlink(missing_ok=True)
    if run([python, "-m", "venv", "--clear", str(venv.folder)]) != 0:
        sys.exit(f"could not create {name}: see the message above; on Debian, install python3-venv")
    pip = [str(venv.folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    requirements = venv.sources[0]
    if run([*pip, "install", "--quiet", "--requirement", str(requirements)]) != 0:
        sys.exit(f"could not install {requirements} into {name}: see pip's message above")
    venv.ready.write_text(venv.digest())
    print(f"{name} is ready after {time.monotonic() - started:.0f} s", file=sys.stderr)


def interpreter(minors: range) -> str:
    """Returns this Python if its version fits, or else one on PATH or of pyenv."""
    if sys.version_info.minor in minors:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in reversed(minors):
        name = f"python3.{minor}"
        for found in (shutil.which(name), *pyenv.glob(f"versions/*/bin/{name}")):
            # pyenv's shims on PATH fail if the version is not selected.
            if found and run([str(found), "-c", ""], quiet=True) == 0:
                return str(found)
    version = ".".join(map(str, sys.version_info[:2]))
    if minors.stop == ANY:
        wanted = f"3.{minors.start} or newer; set another one with `make PYTHON=…`"
    else:
        wanted = f"also Python 3.{minors.start} to 3.{minors.stop - 1}, for LocalStack"
    sys.exit(f"Python is {version}: expected {wanted}")


def run(command: list[str], quiet: bool = False) -> int:
    """Runs the command without the packages of an active venv."""
    hidden = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    errors = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, stderr=errors, check=False
    ).returncode


main()
