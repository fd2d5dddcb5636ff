"""Runs LocalStack, with functions as processes of this machine instead of containers.

The function's process gets its events from a Runtime API, and its credentials from STS.

<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
"""

import json
import os
import queue
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from tempfile import TemporaryFile
from typing import Any

import boto3
from localstack.runtime.main import main
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import DockerRuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

HOST = "127.0.0.1"
# The endpoint of the emulated account.
ENDPOINT = os.environ["EMULATED_URL"]
# Lambda's limit for the initialization of a function.
INIT_SECONDS = 10
Answer = tuple[bool, bytes]


class Runtime(ThreadingHTTPServer):
    """The Runtime API of one execution environment."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listens on a free port."""
        super().__init__((HOST, 0), Handler)
        self.events: queue.Queue[dict[str, str]] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.ready = threading.Event()
        self.timeout_seconds = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """Handles the calls of a function's process."""

    server: Runtime
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answers `next` when there is an event."""
        self.server.ready.set()
        event = self.server.events.get()
        deadline = int((time.time() + self.server.timeout_seconds) * 1000)
        headers = {
            "Lambda-Runtime-Aws-Request-Id": event["invoke-id"],
            "Lambda-Runtime-Invoked-Function-Arn": event["invoked-function-arn"],
            "Lambda-Runtime-Trace-Id": event["trace-id"],
            "Lambda-Runtime-Deadline-Ms": str(deadline),
        }
        self.respond(200, event["payload"].encode(), headers)

    def do_POST(self) -> None:
        """Takes a response or an error."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path.endswith("/error"), body))
        self.respond(202, b'{"status": "OK"}', {})

    def respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Writes a whole answer."""
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


class ProcessExecutor(RuntimeExecutor):
    """An execution environment: a process of `bootstrap` and its Runtime API."""

    def __init__(self, *of_localstack: Any, **named: Any) -> None:
        """Starts nothing yet."""
        super().__init__(*of_localstack, **named)
        self.env: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.runtime: Runtime | None = None
        # A file, because all that is written before an answer must be there with the answer.
        self.output = TemporaryFile("ab")  # noqa: SIM115
        self.read = 0

    def start(self, env_vars: dict[str, Any]) -> None:
        """Returns when the process asks for its first event."""
        kept = {key: str(value) for key, value in env_vars.items() if "LOCALSTACK" not in key}
        self.env = kept | {"AWS_ENDPOINT_URL": ENDPOINT} | self.credentials()
        self.launch()

    def credentials(self) -> dict[str, str]:
        """Assumes the execution role, as Lambda does."""
        given = {"aws_access_key_id": "lambda", "aws_secret_access_key": "lambda"}
        sts = boto3.client("sts", "us-east-1", endpoint_url=ENDPOINT, **given)
        role, name = self.function_version.config.role, self.function_version.id.function_name
        keys = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    def launch(self) -> None:
        """Starts a process, whose initialization must succeed."""
        self.runtime = Runtime()
        self.runtime.timeout_seconds = self.function_version.config.timeout
        code = self.function_version.config.code.get_unzipped_code_location()
        self.process = subprocess.Popen(
            [code / "bootstrap"],
            cwd=code,
            env=self.env | {"AWS_LAMBDA_RUNTIME_API": f"{HOST}:{self.runtime.server_port}"},
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output,
        )
        deadline = time.monotonic() + INIT_SECONDS
        while not self.runtime.ready.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                error = {"errorType": "Runtime.ExitError", "errorMessage": self.get_logs()}
                raise StatusErrorException("the function did not start", json.dumps(error).encode())

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Returns the answer; without one within the timeout, the process ends."""
        if self.process is None or self.process.poll() is not None:
            self.launch()
        assert self.runtime
        assert self.process
        self.runtime.events.put(payload)
        is_error, body = self.answer()
        return InvocationResult(payload["invoke-id"], body, is_error, self.get_logs())

    def answer(self) -> Answer:
        """Waits for the answer."""
        assert self.runtime
        assert self.process
        seconds = self.function_version.config.timeout
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                return self.runtime.answers.get(timeout=0.05)
            except queue.Empty:
                continue
        exited = self.process.poll() is not None
        self.stop()
        kind = "Runtime.ExitError" if exited else "Sandbox.Timedout"
        message = "the process exited" if exited else f"Task timed out after {seconds} seconds"
        return True, json.dumps({"errorType": kind, "errorMessage": message}).encode()

    def stop(self) -> None:
        """Ends the process."""
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.runtime:
            self.runtime.shutdown()
            self.runtime.server_close()
            self.runtime = None

    def get_logs(self) -> str:
        """Returns the output since the last call."""
        size = os.fstat(self.output.fileno()).st_size
        written = os.pread(self.output.fileno(), size - self.read, self.read)
        self.read = size
        return written.decode(errors="replace")

    def get_address(self) -> str:
        """Returns the address of the process."""
        return HOST

    def get_endpoint_from_executor(self) -> str:
        """Returns LocalStack's address."""
        return HOST

    def get_runtime_endpoint(self) -> str:
        """Returns nothing: only LocalStack's containers need it."""
        return ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpacks the code."""
        function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Leaves nothing behind."""


DockerRuntimeExecutorPlugin.load = lambda *_: ProcessExecutor

if __name__ == "__main__":
    main()
