"""Invokes the function with a launch event and describes the instance afterward."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.launches import Description, Launched, describe
from demo.local import HOST, Failure

INVOKE_SECONDS = 300


@dataclass(frozen=True)
class Result:
    """The report of the function, and the instance after the invocation."""

    launched: Launched
    report: dict[str, Any]
    after: Description

    @property
    def entry(self) -> dict[str, Any]:
        """Returns the entry of the instance in the report."""
        instance_id = self.launched.instance_id
        for each in self.report["instances"]:
            if each["instance_id"] == instance_id:
                return dict(each)
        raise Failure(f"the report does not contain {instance_id}: {self.report}")


def invoke(launched: Launched, folder: Path, port: int, endpoint: str) -> Result:
    """Invokes the function with the event in a file."""
    name = launched.case.name.replace(" ", "-").lower()
    event = folder / f"{name}.json"
    event.write_text(json.dumps(launched.event, indent=2))
    command = ["cargo-lambda", "lambda", "invoke", "enforcer", "--data-file", str(event)]
    command += ["--invoke-address", HOST, "--invoke-port", str(port)]
    log = folder / "function.log"
    try:
        process = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INVOKE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure(
            f"the function did not respond to {event} within {INVOKE_SECONDS} s", log
        ) from None
    if process.returncode != 0:
        raise Failure(f"the function failed on {event}:\n{process.stderr.rstrip()}", log)
    try:
        report = json.loads(process.stdout)
    except json.JSONDecodeError:
        raise Failure(f"the response to {event} is not JSON: {process.stdout}", log) from None
    after = describe(launched.instance_id, launched.case.region, endpoint)
    return Result(launched, report, after)
