"""The function as Lambda runs it: `bootstrap` out of the zip, fed through the Runtime API.

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

ANSWER_SECONDS = 60
API = "/2018-06-01/runtime"


class Silent(Exception):
    """The function ended, or did not answer in time."""


class Enforcer:
    """A running function."""

    def __init__(self, timeout: int) -> None:
        """Has as many seconds for an event as the timeout says."""
        self.timeout = timeout
        self.process: subprocess.Popen[bytes] | None = None
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.answers: queue.Queue[Any] = queue.Queue()

    def invoke(self, event: Any) -> dict[str, Any]:
        """The report, or what Lambda is told of the error."""
        self.events.put((str(uuid.uuid4()), event))
        until = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < until and (not self.process or self.process.poll() is None):
            try:
                return dict(self.answers.get(timeout=0.1))
            except queue.Empty:
                continue
        raise Silent

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Of the Runtime API."""
        function = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request_id, event = function.events.get()
                deadline = int((time.time() + function.timeout) * 1000)
                self.answer(200, event, request_id, deadline)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                function.answers.put(json.loads(body))
                self.answer(202, {"status": "OK"})

            def answer(
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
                """Says nothing."""

        return Handler


@contextmanager
def running(zip_file: Path, folder: Path, env: dict[str, str], timeout: int) -> Iterator[Enforcer]:
    """The function with these variables; one that does not start answers nothing."""
    with zipfile.ZipFile(zip_file) as archive:
        bootstrap = Path(archive.extract("bootstrap", folder))
    bootstrap.chmod(0o755)
    function = Enforcer(timeout)
    server = ThreadingHTTPServer((HOST, 0), function.handler())
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    of_lambda = {
        "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{server.server_port}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": "",
        "AWS_LAMBDA_LOG_STREAM_NAME": "",
    }
    with (folder / "function.log").open("ab") as log:
        process = subprocess.Popen([bootstrap], env=of_lambda | env, stdout=log, stderr=log)
    function.process = process
    try:
        yield function
    finally:
        process.terminate()
        process.wait(END_SECONDS)
        server.shutdown()
        server.server_close()


def refusal(zip_file: Path, folder: Path, policy: str) -> str | None:
    """Why the function does not start with this policy; none where it does."""
    env = {"IMDS_POLICY": policy, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    env |= {"AWS_LAMBDA_FUNCTION_NAME": "enforcer"}
    with running(zip_file, folder, env, timeout=60) as function:
        try:
            function.invoke({"source": "aws.events", "detail-type": "Scheduled Event"})
        except Silent:
            return (folder / "function.log").read_text()
    return None
