"""Builds the function, and runs moto and `cargo lambda watch` on this machine."""

import os
import platform
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

POLICY = Path(__file__).with_name("policy.json").resolve()
SERVER = Path(__file__).with_name("aws.py").resolve()
HOST = "127.0.0.1"
START_SECONDS = 60
END_SECONDS = 10
LOG_LINES = 25


class Failure(Exception):
    """The demo cannot continue; contains the error and the last lines of the log."""

    def __init__(self, what: str, log: Path | None = None) -> None:
        """Reads the log before its folder is deleted."""
        if log:
            lines = log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            what = "\n".join([what, f"the last lines of {log}:", *(f"  {line}" for line in lines)])
        super().__init__(what)


def shield_environment() -> None:
    """Removes settings that could connect to a real account or through a proxy."""
    for name in list(os.environ):
        if (
            name.startswith(("AWS_", "BOTO_", "IMDS_POLICY", "IMDS_STATE", "CARGO_LAMBDA_"))
            or name == "RUST_LOG"
        ):
            del os.environ[name]
    nothing = dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "demo")
    os.environ.update(nothing | keys, AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true")
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), HOST)))


def architecture() -> str:
    """Returns the architecture of this machine, as Lambda names it."""
    return {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")


def build() -> None:
    """Builds the function as `cargo lambda watch` does."""
    say("building the function (takes several minutes the first time)")
    try:
        built = subprocess.run(["cargo", "build", "--package", "enforcer"], check=False)
    except FileNotFoundError:
        raise Failure("`cargo` is not installed: see https://rustup.rs") from None
    if built.returncode != 0:
        raise Failure("could not build the function: see the output of cargo above")


@contextmanager
def aws(folder: Path, server: Path = SERVER) -> Iterator[str]:
    """Runs moto's server, or another one that extends it; yields the endpoint."""
    port = free_port()
    endpoint = f"http://{HOST}:{port}"
    command = [sys.executable, str(server), "-H", HOST, "-p", str(port)]
    log = folder / "moto.log"
    env = {"PYTHONPATH": str(SERVER.parents[1])}
    with running("moto", command, log, lambda: answers(f"{endpoint}/moto-api/"), env):
        yield endpoint


@contextmanager
def permissions_enforced(endpoint: str) -> Iterator[None]:
    """Makes moto enforce IAM permissions."""
    authorise_after(endpoint, "0")
    try:
        yield
    finally:
        authorise_after(endpoint, "inf")


def authorise_after(endpoint: str, calls: str) -> None:
    """Sets the number of calls that moto allows before it enforces permissions."""
    request = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth",
        data=calls.encode(),
        headers={"Content-Type": "text/plain"},
        method="POST",
    )
    opener().open(request, timeout=10).close()


@contextmanager
def function(folder: Path, endpoint: str, table: str) -> Iterator[int]:
    """Runs the function in `cargo lambda watch`; yields the port for invocations."""
    port = free_port()
    command = ["cargo-lambda", "lambda", "watch", "--ignore-changes", "--color", "never"]
    command += ["--invoke-address", HOST, "--invoke-port", str(port), "--package", "enforcer"]
    env = {"AWS_ENDPOINT_URL": endpoint, "IMDS_POLICY_FILE": str(POLICY)}
    env["IMDS_STATE_TABLE"] = table
    log = folder / "function.log"
    with running("cargo lambda watch", command, log, lambda: listens(port), env):
        yield port


@contextmanager
def running(
    name: str,
    command: list[str],
    log: Path,
    ready: Callable[[], bool],
    env: dict[str, str] | None = None,
) -> Iterator[None]:
    """Runs a command in its own process group until the context exits."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None:
                raise Failure(f"{name} exited with status {process.returncode}", log)
            if time.monotonic() > deadline:
                raise Failure(f"{name} was not ready within {START_SECONDS} s", log)
            time.sleep(0.05)
        yield
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Sends SIGTERM first, so that `cargo lambda watch` stops the function."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(END_SECONDS)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue


def free_port() -> int:
    """Returns a port that the kernel does not assign to other processes for about a minute.

    A connection in TIME_WAIT reserves the port, but a server can still bind to it.
    """
    with socket.socket() as server, socket.socket() as client:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((HOST, 0))
        server.listen(1)
        client.connect(server.getsockname())
        accepted, _ = server.accept()
        accepted.close()
        return int(server.getsockname()[1])


def listens(port: int) -> bool:
    """Returns whether the port accepts connections."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def answers(url: str) -> bool:
    """Returns whether an HTTP server responds, with any status."""
    try:
        opener().open(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def opener() -> urllib.request.OpenerDirector:
    """Returns an opener that uses no proxy."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def say(message: str) -> None:
    """Prints a line of progress."""
    print(f"· {message}", flush=True)
