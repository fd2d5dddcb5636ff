"""A local server that runs for as long as it is needed."""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from demo.local import HOST


class Server(ThreadingHTTPServer):
    """Starts and ends with `with`."""

    request_queue_size = 128

    def __init__(self, handler: type["Handler"]) -> None:
        """On a port that nobody else has."""
        super().__init__((HOST, 0), handler)
        # Why there was no handshake.
        self.refused: list[ssl.SSLError] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_address[1]

    def __enter__(self) -> Self:
        """Begins to listen."""
        Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self.shutdown()
        self.server_close()

    def handle_error(self, *given: Any) -> None:
        """Keeps what the other side did not like; what went wrong here is shown."""
        error = sys.exception()
        if isinstance(error, ssl.SSLError):
            self.refused.append(error)
        elif not isinstance(error, OSError):
            super().handle_error(*given)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Headers and body leave in one piece.
    wbufsize = -1

    def body(self) -> bytes:
        """All of it."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Sends it whole."""
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Stays silent."""
