"""The two programs, started with only the settings of a test."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, Self

from answers import ACCOUNT, REGION
from runtime import Runtime

from demo import local

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "debug"
EVENTS = ROOT / "events"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIA3XMPLMIRAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
TIME_LIMIT = 30
# The timeout of an invocation in seconds; the function retries for most of it.
INVOCATION = 15

Settings = dict[str, str]


def program(name: str) -> Path:
    """Fails if it has not been built, because no test is skipped."""
    file = FOLDER / name
    if not file.is_file():
        raise local.Failure(f"{file} is missing: run `cargo build --workspace`")
    return file


@dataclass(frozen=True)
class Ran:
    """The result of a run."""

    code: int
    words: str


def imdsctl(home: Path, settings: Settings, *arguments: str) -> Ran:
    """Runs the command and waits for its end."""
    ran = subprocess.run(
        [program("imdsctl"), *arguments],
        env={"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout + ran.stderr)


class Function:
    """The function with a Runtime API of its own."""

    def __init__(self, home: Path, settings: Settings) -> None:
        """Prepares it; `with` starts it."""
        self.log = home / "function.log"
        self.runtime = Runtime()
        self.settings = {
            "AWS_LAMBDA_RUNTIME_API": f"{local.HOST}:{self.runtime.port}",
            "AWS_LAMBDA_FUNCTION_NAME": "imds-enforcer",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/imds-enforcer",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
            "AWS_REGION": REGION,
            "IMDS_POLICY_FILE": str(EVENTS / "policy.json"),
            "IMDS_STATE_TABLE": "imds-enforcer",
            **KEYS,
            **settings,
        }

    def __enter__(self) -> Self:
        """Starts both."""
        self.runtime.__enter__()
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [program("enforcer")],
                env=self.settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *given: object) -> None:
        """Ends both."""
        self.process.kill()
        self.process.wait()
        self.runtime.events.put(None)
        self.runtime.__exit__(*given)

    def invoke(self, event: Any) -> Any:
        """Delivers an event and returns the answer or the error."""
        self.runtime.events.put((event, INVOCATION))
        try:
            return self.runtime.outcomes.get(timeout=TIME_LIMIT)
        except Empty:
            raise local.Failure("the function did not answer", self.log) from None

    def ended(self) -> Ran:
        """Waits for the process to exit."""
        code = self.process.wait(TIME_LIMIT)
        return Ran(code, self.log.read_text())


def launch(region: str) -> Any:
    """The event of a launch that allows IMDSv1."""
    event = json.loads((EVENTS / "launch-open.json").read_text())
    event["region"] = event["detail"]["awsRegion"] = region
    return event


def sweep(*regions: str) -> Any:
    """The event of a sweep of these regions."""
    return {
        "version": "0",
        "id": "5267082f-80e1-45d0-aeb1-d994ab849d79",
        "source": "imds-enforcer",
        "detail-type": "Sweep",
        "account": ACCOUNT,
        "time": "2026-03-12T03:00:00Z",
        "region": REGION,
        "resources": [],
        "detail": {"regions": regions},
    }


def scanned(home: Path, **settings: str) -> str:
    """The output of a scan of a region."""
    return imdsctl(home, KEYS | settings, "scan", "--region", REGION).words


def swept(home: Path, **settings: str) -> str:
    """The answer of a sweep of a region."""
    with Function(home, settings) as function:
        return json.dumps(function.invoke(sweep(REGION)))
