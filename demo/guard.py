"""Hands a launch event to the function, and looks at the instance afterwards."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.launches import Launched, Seen, look
from demo.local import HOST, Failure

INVOKE_SECONDS = 300


@dataclass(frozen=True)
class Guarded:
    """What the function says it did, beside what EC2 says."""

    launched: Launched
    report: dict[str, Any]
    after: Seen

    @property
    def verdict(self) -> dict[str, Any]:
        """The report's entry for the instance."""
        instance_id = self.launched.instance_id
        for entry in self.report["instances"]:
            if entry["instance_id"] == instance_id:
                return dict(entry)
        raise Failure(f"the function's report does not mention {instance_id}: {self.report}")


def deliver(launched: Launched, folder: Path, port: int, endpoint: str) -> Guarded:
    """Invokes the function with the event as a file."""
    name = launched.case.name.replace(" ", "-").lower()
    event = folder / f"{name}.json"
    event.write_text(json.dumps(launched.event, indent=2))
    command = ["cargo-lambda", "lambda", "invoke", "enforcer", "--data-file", str(event)]
    command += ["--invoke-address", HOST, "--invoke-port", str(port)]
    log = folder / "function.log"
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INVOKE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(f"the function did not answer {event} in {INVOKE_SECONDS} s", log) from None
    if answer.returncode != 0:
        raise Failure(f"the function failed on {event}:\n{answer.stderr.rstrip()}", log)
    try:
        report = json.loads(answer.stdout)
    except json.JSONDecodeError:
        raise Failure(f"the function answered no JSON to {event}: {answer.stdout}", log) from None
    return Guarded(launched, report, look(launched.instance_id, launched.case.region, endpoint))
