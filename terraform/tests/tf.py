"""Runs Terraform in a copy of the module."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.local import architecture

MODULE = Path(__file__).resolve().parent.parent
MINIMUM_VERSION = (1, 11)
# Applies mostly wait for queues.
PARALLEL = ("-parallelism=40",)
NO_PROVIDER = re.compile(r"Failed to (query available|install) provider")
TIMEOUT_SECONDS = 600
# The provider of the tests may be older than 6.8. An override also applies to the examples, which
# leave the variable out.
OVERRIDE = 'variable "max_message_size" {\n  default = 262144\n}\n'
# Settings of the user that do not apply to the tests.
USER_SETTING = re.compile(r"TF_(VAR_.*|CLI_ARGS.*|WORKSPACE|DATA_DIR|LOG.*|INPUT)")


class Unavailable(Exception):
    """Terraform or the AWS provider is not installed; the first line gives the reason."""


class Failed(Exception):
    """A Terraform command failed."""


class Terraform:
    """A copy of the module."""

    def __init__(self, folder: Path) -> None:
        """Copies and initialises the module, or raises `Unavailable`."""
        self.folder = folder / "terraform"
        kept = (name for name in os.environ if not USER_SETTING.match(name))
        self.env = {name: os.environ[name] for name in kept}
        self.env |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"}
        if not {"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"} & self.env.keys():
            self.env["TF_PLUGIN_CACHE_DIR"] = str(plugin_cache())
        ignored = (".terraform*", "*.tfstate*", "*.tfvars", "*.py", "__pycache__", "iam")
        shutil.copytree(MODULE, self.folder, ignore=shutil.ignore_patterns(*ignored))
        (self.folder / "tests_override.tf").write_text(OVERRIDE)
        self.check_version()
        try:
            self.run("init", "-input=false", "-no-color")
        except Failed as failed:
            if NO_PROVIDER.search(str(failed)):
                what = "`terraform init` cannot install version 6 of the AWS provider"
                raise Unavailable(f"{what}\n{failed}") from None
            raise

    def check_version(self) -> None:
        """Raises `Unavailable` if Terraform is not installed or too old."""
        required = f"Terraform {MINIMUM_VERSION[0]}.{MINIMUM_VERSION[1]} or newer is required"
        try:
            text = json.loads(self.run("version", "-json"))["terraform_version"]
        except FileNotFoundError:
            raise Unavailable(f"{required}, but `terraform` is not on PATH") from None
        version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
        if version < MINIMUM_VERSION:
            raise Unavailable(f"{required}, but `terraform` is {text}")

    def configure(self, endpoint: str, region: str, zip_file: Path) -> None:
        """Sets the account and the deployment package."""
        # By default, the provider retries permanent errors for 15 minutes.
        self.env |= {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region, "AWS_MAX_ATTEMPTS": "3"}
        self.zip_file = zip_file
        # The examples need packages of both architectures, but are only planned.
        dist = self.folder.parent / "dist"
        dist.mkdir()
        for arch in ("x86_64", "arm64"):
            (dist / f"enforcer-{arch}.zip").symlink_to(zip_file)

    def apply(self, variables: dict[str, Any], *options: str) -> dict[str, Any]:
        """Applies the module and returns its outputs."""
        self.write(variables)
        self.run("apply", "-auto-approve", "-input=false", "-no-color", *PARALLEL, *options)
        outputs = json.loads(self.run("output", "-json"))
        return {name: output["value"] for name, output in outputs.items()}

    def changes(self) -> list[dict[str, Any]]:
        """Returns the changes that another apply would make."""
        changes: list[dict[str, Any]] = self.plan()["resource_changes"]
        return [each for each in changes if each["change"]["actions"] not in (["no-op"], ["read"])]

    def planned(self, variables: dict[str, Any], *options: str) -> dict[str, Any]:
        """Returns the planned values with these variables."""
        before = self.variables.read_text()
        self.write(variables)
        try:
            return dict(self.plan("-refresh=false", *options)["planned_values"])
        finally:
            self.variables.write_text(before)

    def outputs_of(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Returns the outputs that are known in a plan with these variables."""
        outputs = self.planned(variables)["outputs"]
        return {name: output.get("value") for name, output in outputs.items()}

    def plan(self, *options: str) -> dict[str, Any]:
        """Returns a plan as JSON."""
        self.run("plan", "-input=false", "-no-color", "-out=plan", *options)
        return dict(json.loads(self.run("show", "-json", "plan")))

    def evaluate(self, expression: str, policy: str = "", **numbers: int) -> Any:
        """Returns the value of an expression of strings, numbers, lists, and objects.

        The source of a policy and the numbers replace variables."""
        values = self.folder / "evaluated.tfvars"
        # The longest grace period needs the longest timeout.
        given = {"timeout": 900} | numbers | ({"policy": policy} if policy else {})
        values.write_text("".join(f"{name} = {value}\n" for name, value in given.items()))
        command = ["console", "-no-color", f"-var-file={values.name}"]
        told = self.run(*command, given=f"jsonencode({expression})\n")
        if not told.startswith('"'):
            raise Failed(f"terraform console with `{policy}`:\n{told}")
        return json.loads(json.loads(told))

    def destroy(self) -> None:
        """Destroys all resources."""
        self.run("destroy", "-auto-approve", "-input=false", "-no-color", *PARALLEL)

    def run(self, *arguments: str, given: str = "") -> str:
        """Runs a command with this input and returns its standard output."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.env,
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
        if done.returncode != 0:
            raise Failed(f"terraform {' '.join(arguments)}:\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Runs a command in the background, and terminates it on exit."""
        log = self.folder.parent / f"{arguments[0]}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["terraform", *arguments],
                cwd=self.folder,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    @property
    def variables(self) -> Path:
        """Path of the variables file."""
        return self.folder / "test.auto.tfvars.json"

    def write(self, variables: dict[str, Any]) -> None:
        """Writes the variables file."""
        self.variables.write_text(json.dumps({"zip": str(self.zip_file)} | variables))


def deployment_package() -> Path:
    """Builds the deployment package for the processor of this machine."""
    arch = architecture()
    build = [sys.executable, "scripts/build.py", arch]
    if subprocess.run(build, cwd=MODULE.parent, check=False).returncode:
        raise Failed("could not build the deployment package: see the output above")
    return MODULE.parent / "dist" / f"enforcer-{arch}.zip"


def plugin_cache() -> Path:
    """Returns a folder that keeps the provider between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "imds-enforcer" / "terraform"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
