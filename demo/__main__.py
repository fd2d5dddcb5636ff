"""Launches four instances, hands each launch to the function and shows what became of them."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from demo import check, guard, launches, local, table


def main() -> int:
    """Returns 0 when all went as it should; with `--check`, when every claim holds as well."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="assert the outcome of every launch")
    asserting = parser.parse_args().check
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    local.shield_environment()
    folder = Path(tempfile.mkdtemp(prefix="imds-enforcer-demo-"))
    try:
        failed = run(folder, asserting)
    except local.Failure as failure:
        print(f"\nthe demo failed: {failure}\neverything it wrote is in {folder}", file=sys.stderr)
        return 1
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


def run(folder: Path, asserting: bool) -> int:
    """Returns how many claims were wrong."""
    local.build()
    local.say("starting moto, which plays AWS, and `cargo lambda watch`, which plays Lambda")
    with local.aws(folder) as endpoint, local.function(folder, endpoint) as port:
        regions = " and ".join(launches.REGIONS)
        local.say(f"launching {len(launches.CASES)} instances in {regions}")
        launched = [launches.launch(case, endpoint) for case in launches.CASES]
        local.say("delivering each launch event with `cargo lambda invoke enforcer --data-file`")
        guarded = [guard.deliver(launch, folder, port, endpoint) for launch in launched]
        table.show(guarded)
        if not asserting:
            return 0
        local.say("delivering the same events again")
        again = [guard.deliver(launch, folder, port, endpoint) for launch in launched]
        return check.report(guarded, again)


def stop(number: int, _frame: FrameType | None) -> None:
    """Leaves through every `finally`, once; more signals do not hinder the clearing up."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    print("\nstopping", file=sys.stderr)
    raise SystemExit(128 + number)


sys.exit(main())
