"""Terraform, run on a copy of the module."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MODULE = Path(__file__).resolve().parent.parent
LEAST = (1, 11)
# Most of the time goes by in waits that the provider makes for queues.
MANY = ("-parallelism=40",)
NO_PROVIDER = re.compile(r"Failed to (query available|install) provider")
# Seconds for one command.
LONGEST = 600
# Whatever the person running the tests has set for configurations of their own.
PERSONAL = re.compile(r"TF_(VAR_.*|CLI_ARGS.*|WORKSPACE|DATA_DIR|LOG.*|INPUT)")


class Unavailable(Exception):
    """The machine lacks what Terraform needs; says so in one line, and then what Terraform said."""


class Failed(Exception):
    """Terraform says why."""


class Terraform:
    """A copy of the module, initialised."""

    def __init__(self, folder: Path) -> None:
        """Raises `Unavailable` where there is no Terraform, or no provider."""
        self.folder = folder / "terraform"
        self.env = {name: value for name, value in os.environ.items() if not PERSONAL.match(name)}
        self.env |= {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"}
        if not {"TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"} & self.env.keys():
            self.env["TF_PLUGIN_CACHE_DIR"] = str(plugin_cache())
        own = (".terraform*", "*.tfstate*", "*.tfvars", "*.py", "__pycache__")
        shutil.copytree(MODULE, self.folder, ignore=shutil.ignore_patterns(*own))
        self.check_version()
        try:
            self.run("init", "-input=false", "-no-color")
        except Failed as failed:
            if NO_PROVIDER.search(str(failed)):
                what = "`terraform init` could not install version 6 of the AWS provider"
                raise Unavailable(f"{what}\n{failed}") from None
            raise

    def check_version(self) -> None:
        """Too old is as good as none."""
        wanted = f"Terraform {LEAST[0]}.{LEAST[1]} or newer is needed"
        try:
            text = json.loads(self.run("version", "-json"))["terraform_version"]
        except FileNotFoundError:
            raise Unavailable(f"{wanted}, and there is no `terraform` on PATH") from None
        version = tuple(int(part) for part in re.findall(r"\d+", text)[:2])
        if version < LEAST:
            raise Unavailable(f"{wanted}, and `terraform` is {text}")

    def work_on(self, endpoint: str, region: str, zip_file: Path) -> None:
        """Gives it an account, and the function."""
        # The provider would try for a quarter of an hour to mend what is broken for good.
        self.env |= {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region, "AWS_MAX_ATTEMPTS": "3"}
        self.zip_file = zip_file
        # Examples find the zips where `make build` puts them. Nothing of theirs is applied, so that
        # one processor's may stand for the other's.
        dist = self.folder.parent / "dist"
        dist.mkdir()
        for arch in ("x86_64", "arm64"):
            (dist / f"enforcer-{arch}.zip").symlink_to(zip_file)

    def apply(self, variables: dict[str, Any], *options: str) -> dict[str, Any]:
        """Returns the outputs."""
        self.write(variables)
        self.run("apply", "-auto-approve", "-input=false", "-no-color", *MANY, *options)
        outputs = json.loads(self.run("output", "-json"))
        return {name: output["value"] for name, output in outputs.items()}

    def changes(self) -> list[dict[str, Any]]:
        """What another apply would change."""
        changes: list[dict[str, Any]] = self.plan()["resource_changes"]
        return [each for each in changes if each["change"]["actions"] not in (["no-op"], ["read"])]

    def outputs_of(self, variables: dict[str, Any]) -> dict[str, Any]:
        """What a plan with these variables knows of the outputs."""
        before = self.variables.read_text()
        self.write(variables)
        try:
            outputs = self.plan("-refresh=false")["planned_values"]["outputs"]
        finally:
            self.variables.write_text(before)
        return {name: output.get("value") for name, output in outputs.items()}

    def plan(self, *options: str) -> dict[str, Any]:
        """A plan as JSON."""
        self.run("plan", "-input=false", "-no-color", "-out=plan", *options)
        return dict(json.loads(self.run("show", "-json", "plan")))

    def destroy(self) -> None:
        """Takes everything away."""
        self.run("destroy", "-auto-approve", "-input=false", "-no-color", *MANY)

    def run(self, *arguments: str) -> str:
        """Returns what it prints."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
        if done.returncode != 0:
            raise Failed(f"terraform {' '.join(arguments)}:\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Runs it in the background; ends it where nobody waited for it."""
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
        """Where Terraform reads them."""
        return self.folder / "test.auto.tfvars.json"

    def write(self, variables: dict[str, Any]) -> None:
        """Sets the variables."""
        self.variables.write_text(json.dumps({"zip": str(self.zip_file)} | variables))


def plugin_cache() -> Path:
    """The provider is large: it is kept from run to run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "imds-enforcer" / "terraform"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
