"""Creates `.venv` from requirements.txt; if several run at the same time, only one creates it."""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv"
READY = VENV / "ready"
SOURCES = [ROOT / "requirements.txt", ROOT / "constraints.txt", Path(__file__)]
PYTHON = (3, 11)


def main() -> None:
    """Does nothing if `.venv` is up to date."""
    if sys.version_info < PYTHON:
        version = sys.version.split()[0]
        sys.exit(
            f"Python is {version}: expected 3.11 or newer; set another one with `make PYTHON=…`"
        )
    with SOURCES[0].open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not READY.exists() or READY.read_text() != digest():
            make()
        READY.touch()


def digest() -> str:
    """Hashes what `.venv` depends on, because a change of branch changes modification times."""
    return hashlib.sha256(b"".join(source.read_bytes() for source in SOURCES)).hexdigest()


def make() -> None:
    """Starts with an empty folder, because an interrupted run may have left files."""
    print("setting up .venv (about a minute, once)", file=sys.stderr, flush=True)
    started = time.monotonic()
    READY.unlink(missing_ok=True)
    if run([sys.executable, "-m", "venv", "--clear", str(VENV)]) != 0:
        sys.exit("could not create .venv: see the message above; on Debian, install python3-venv")
    pip = [str(VENV / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    if run([*pip, "install", "--quiet", "--requirement", str(SOURCES[0])]) != 0:
        sys.exit("could not install requirements.txt into .venv: see pip's message above")
    READY.write_text(digest())
    print(f".venv is ready after {time.monotonic() - started:.0f} s", file=sys.stderr)


def run(command: list[str]) -> int:
    """Runs the command without the packages of an active venv."""
    hidden = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, check=False).returncode


main()
