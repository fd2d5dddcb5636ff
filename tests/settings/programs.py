"""The two programs, started with the settings of a test and no others."""

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
# Of an invocation; while its calls fail in passing, the function tries for most of it.
INVOCATION = 15

Settings = dict[str, str]


def program(name: str) -> Path:
    """Fails where it has not been built, for nothing here is ever skipped."""
    file = FOLDER / name
    if not file.is_file():
        raise local.Failure(f"{file} is missing: run `cargo build --workspace`")
    return file


@dataclass(frozen=True)
class Ran:
    """What came of a run."""

    code: int
    words: str


def imdsctl(home: Path, settings: Settings, *arguments: str) -> Ran:
    """The command, run to its end."""
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
    """The function, under a Runtime API of its own."""

    def __init__(self, home: Path, settings: Settings) -> None:
        """Starts with `with`."""
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
        """Its answer to an event, or its error."""
        self.runtime.events.put((event, INVOCATION))
        try:
            return self.runtime.outcomes.get(timeout=TIME_LIMIT)
        except Empty:
            raise local.Failure("the function did not answer", self.log) from None

    def ended(self) -> Ran:
        """How it ended by itself."""
        code = self.process.wait(TIME_LIMIT)
        return Ran(code, self.log.read_text())


def launch(region: str) -> Any:
    """An instance that answers IMDSv1 was launched there."""
    event = json.loads((EVENTS / "launch-open.json").read_text())
    event["region"] = event["detail"]["awsRegion"] = region
    return event


def sweep(*regions: str) -> Any:
    """All instances of these regions are to be looked at, once."""
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
    """What the command says of a region, in one run."""
    return imdsctl(home, KEYS | settings, "scan", "--region", REGION).words


def swept(home: Path, **settings: str) -> str:
    """What the function says of a region, in one sweep."""
    with Function(home, settings) as function:
        return json.dumps(function.invoke(sweep(REGION)))
