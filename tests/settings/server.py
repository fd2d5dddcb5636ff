"""A local server."""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

from demo.local import HOST


class Server(ThreadingHTTPServer):
    """A server that runs during a `with` block."""

    request_queue_size = 128

    def __init__(self, handler: type["Handler"]) -> None:
        """Takes a free port."""
        super().__init__((HOST, 0), handler)
        # The errors of failed handshakes.
        self.refused: list[ssl.SSLError] = []

    @property
    def port(self) -> int:
        """The port of the server."""
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
        """Records errors of handshakes, ignores closed connections, and shows the rest."""
        error = sys.exception()
        if isinstance(error, ssl.SSLError):
            self.refused.append(error)
        elif not isinstance(error, OSError):
            super().handle_error(*given)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    # Sends headers and body together.
    wbufsize = -1

    def body(self) -> bytes:
        """The whole body."""
        return self.rfile.read(int(self.headers["Content-Length"]))

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Sends a response."""
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Stays silent."""
