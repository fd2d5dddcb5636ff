"""Launches six instances, invokes the function with the events, and shows the results."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from demo import check, invoke, launches, local, state, table


def main() -> int:
    """Returns 0 if the demo succeeded and, with `--check`, all checks passed."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="check the results")
    checking = parser.parse_args().check
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    local.shield_environment()
    folder = Path(tempfile.mkdtemp(prefix="imds-enforcer-demo-"))
    try:
        failed = run(folder, checking)
    except local.Failure as failure:
        print(
            f"\nthe demo failed: {failure}\nall files of the demo are in {folder}", file=sys.stderr
        )
        return 1
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


def run(folder: Path, checking: bool) -> int:
    """Returns the number of failed checks."""
    local.build()
    local.say("starting moto as AWS and `cargo lambda watch` as Lambda")
    with local.aws(folder) as endpoint:
        state.create(endpoint)
        with local.function(folder, endpoint, state.NAME) as port:
            return handle(folder, endpoint, port, checking)


def handle(folder: Path, endpoint: str, port: int, checking: bool) -> int:
    """Launches, invokes, and shows; returns the number of failed checks."""
    regions = " and ".join(launches.REGIONS)
    local.say(f"launching {len(launches.CASES)} instances in {regions}")
    launched = [launches.launch(case, endpoint) for case in launches.CASES]
    for each in launched:
        if each.case.exempted:
            state.exempt(each.instance_id, endpoint)
    local.say("invoking the function with each event (`cargo lambda invoke enforcer --data-file`)")
    results = [invoke.invoke(launch, folder, port, endpoint) for launch in launched]
    table.show(results)
    local.say("the state table has what people exempt, and counts what the function disrupts")
    items = state.items(endpoint)
    table.show_items(items)
    if not checking:
        return 0
    local.say("invoking the function with the same events again")
    repeated = [invoke.invoke(launch, folder, port, endpoint) for launch in launched]
    return check.report(results, repeated, (items, state.items(endpoint)))


def stop(number: int, _frame: FrameType | None) -> None:
    """Exits through every `finally`, and ignores further signals during the cleanup."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    print("\nstopping", file=sys.stderr)
    raise SystemExit(128 + number)


sys.exit(main())
