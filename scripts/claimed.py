"""Runs a command while this checkout holds the target folder: `claimed.py COMMAND…`.

Cargo tells the members of two checkouts apart by nothing but time: with one target folder, the
checkout that was written first and built last would run the other's code. So a checkout that takes
the folder over makes its sources new, and waits until no other checkout is at work in it.
"""

import fcntl
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELD = "IMDS_ENFORCER_TARGET_HELD"


def main(command: list[str]) -> None:
    """Becomes the command, which keeps the folder until it ends."""
    target = os.environ["CARGO_TARGET_DIR"]
    if os.environ.get(HELD) != target:
        hold(Path(target))
        os.environ[HELD] = target
    try:
        os.execvp(command[0], command)
    except FileNotFoundError:
        sys.exit(f"`{command[0]}` is not on this machine: Rust comes from https://rustup.rs")


def hold(target: Path) -> None:
    """Shares the folder with other commands of this checkout."""
    target.mkdir(parents=True, exist_ok=True)
    with (target / "checkout.gate").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        holder = os.open(target / "checkout", os.O_RDWR | os.O_CREAT)
        os.set_inheritable(holder, True)
        fcntl.flock(holder, fcntl.LOCK_SH)
        if os.read(holder, os.fstat(holder).st_size) != os.fsencode(ROOT):
            take_over(holder, target)
            fcntl.flock(holder, fcntl.LOCK_SH)


def take_over(holder: int, target: Path) -> None:
    """Writes this checkout's name, once all commands of another have ended."""
    try:
        fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another checkout to leave {target}", file=sys.stderr, flush=True)
        fcntl.flock(holder, fcntl.LOCK_EX)
    for manifest in [*ROOT.glob("*/Cargo.toml"), *ROOT.glob("*/*/Cargo.toml")]:
        for source in manifest.parent.rglob("*.rs"):
            source.touch()
    os.ftruncate(holder, 0)
    os.pwrite(holder, os.fsencode(ROOT), 0)


main(sys.argv[1:])
