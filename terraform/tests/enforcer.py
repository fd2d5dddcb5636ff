"""Runs `bootstrap` from the deployment package with a fake of the Lambda Runtime API.

<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
"""

import json
import queue
import subprocess
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from demo.local import END_SECONDS, HOST

RESPONSE_SECONDS = 60


class NoResponse(Exception):
    """The function exited or did not respond in time."""


class Enforcer:
    """A function process and its Runtime API."""

    def __init__(self, timeout: int) -> None:
        """Sets the timeout of an invocation in seconds."""
        self.timeout = timeout
        self.process: subprocess.Popen[bytes] | None = None
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.responses: queue.Queue[Any] = queue.Queue()

    def invoke(self, event: Any) -> dict[str, Any]:
        """Returns the report or the error that the function responds with."""
        self.events.put((str(uuid.uuid4()), event))
        deadline = time.monotonic() + RESPONSE_SECONDS
        while time.monotonic() < deadline and (not self.process or self.process.poll() is None):
            try:
                return dict(self.responses.get(timeout=0.1))
            except queue.Empty:
                continue
        raise NoResponse

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Returns the request handler of the Runtime API."""
        function = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request_id, event = function.events.get()
                deadline = int((time.time() + function.timeout) * 1000)
                self.respond(200, event, request_id, deadline)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                function.responses.put(json.loads(body))
                self.respond(202, {"status": "OK"})

            def respond(
                self, status: int, body: Any, request_id: str = "", deadline: int = 0
            ) -> None:
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
                self.send_header(
                    "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::function:enforcer"
                )
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Logs nothing."""

        return Handler


@contextmanager
def running(zip_file: Path, folder: Path, env: dict[str, str], timeout: int) -> Iterator[Enforcer]:
    """Runs the function with these environment variables."""
    with zipfile.ZipFile(zip_file) as archive:
        bootstrap = Path(archive.extract("bootstrap", folder))
    bootstrap.chmod(0o755)
    function = Enforcer(timeout)
    server = ThreadingHTTPServer((HOST, 0), function.handler())
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lambda_env = {
        "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "",
        "AWS_LAMBDA_LOG_STREAM_NAME": "",
    }
    with (folder / "function.log").open("ab") as log:
        process = subprocess.Popen([bootstrap], env=lambda_env | env, stdout=log, stderr=log)
    function.process = process
    try:
        yield function
    finally:
        process.terminate()
        process.wait(END_SECONDS)
        server.shutdown()
        server.server_close()


def refusal(zip_file: Path, folder: Path, policy: str) -> str | None:
    """Returns the log if the function does not start with this policy."""
    env = {"IMDS_POLICY": policy, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    env |= {"AWS_LAMBDA_FUNCTION_NAME": "enforcer", "AWS_REGION": "us-east-1"}
    env |= {"IMDS_STATE_TABLE": "imds-enforcer"}
    with running(zip_file, folder, env, timeout=60) as function:
        try:
            function.invoke({"source": "aws.events", "detail-type": "Scheduled Event"})
        except NoResponse:
            return (folder / "function.log").read_text()
    return None
