"""A listener that is AWS's endpoint, a proxy, or both, and records its requests."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message

from authority import Authority
from server import Handler, Server

from demo.local import HOST

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


@dataclass(frozen=True)
class Request:
    """A call as it arrived."""

    # As in the request line: a path, or the whole URL in a plain HTTP request to a proxy.
    target: str
    headers: Message
    body: bytes
    # `host:port` of the CONNECT to the proxy, if there was one.
    through: str | None

    @property
    def action(self) -> str:
        """The operation, from the body, or with CBOR from the path, or with JSON from a header."""
        target = self.headers["X-Amz-Target"]
        if target:
            return str(target).rpartition(".")[2]
        found = ACTION.search(self.body)
        return found[1].decode() if found else self.target.rpartition("/")[2]

    @property
    def call(self) -> str:
        """An id that all attempts of a call share."""
        return self.headers["amz-sdk-invocation-id"]

    @property
    def key(self) -> str:
        """The access key id of the signature."""
        return self.credential[0]

    @property
    def region(self) -> str:
        """The region of the signature."""
        return self.credential[1]

    @property
    def service(self) -> str:
        """The service of the signature."""
        return self.credential[2]

    @property
    def credential(self) -> tuple[str, ...]:
        """The credential scope of the signature."""
        found = CREDENTIAL.search(self.headers["Authorization"])
        assert found, self.headers["Authorization"]
        return found.groups()


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Listener(Server):
    """Answers calls; as a proxy it rejects CONNECT, or acts as every host."""

    def __init__(
        self,
        answers: Callable[[Request], Answer],
        *,
        tls: Authority | None = None,
        every_host: Authority | None = None,
    ) -> None:
        """Uses TLS as `localhost` or as every host, if there is an authority for it."""
        super().__init__(Connection)
        self.answers = answers
        self.tls = tls
        self.every_host = every_host
        # In the order of arrival.
        self.requests: list[Request] = []
        # `host:port` and headers of each CONNECT.
        self.connects: list[tuple[str, Message]] = []

    @property
    def url(self) -> str:
        """The URL of the listener."""
        return f"https://localhost:{self.port}" if self.tls else f"http://{HOST}:{self.port}"

    @property
    def hosts(self) -> set[str]:
        """The hosts of all CONNECT requests."""
        return {host for host, _ in self.connects}

    def forget(self) -> None:
        """Forgets all requests."""
        self.requests.clear()
        self.connects.clear()

    def named(self, action: str) -> list[Request]:
        """The attempts of calls of this action."""
        return [request for request in self.requests if request.action == action]


class Connection(Handler):
    """A connection to an endpoint, or to a proxy that becomes one."""

    server: Listener
    through: str | None = None

    def setup(self) -> None:
        """Does the handshake, if it uses TLS."""
        if self.server.tls and not self.through:
            self.encrypt(self.server.tls, "localhost")
        super().setup()

    def encrypt(self, authority: Authority, host: str) -> None:
        """Continues with TLS as this host."""
        self.request = authority.context(host).wrap_socket(self.request, server_side=True)

    def do_CONNECT(self) -> None:
        """Rejects the request, or continues as the host."""
        self.server.connects.append((self.path, self.headers))
        if not self.server.every_host:
            self.send(502)
            return
        self.send_response_only(200)
        self.end_headers()
        self.wfile.flush()
        self.through = self.path
        self.encrypt(self.server.every_host, self.path.rpartition(":")[0])
        self.setup()

    def do_POST(self) -> None:
        """Answers a call to AWS."""
        request = Request(self.path, self.headers, self.body(), self.through)
        self.server.requests.append(request)
        answer = self.server.answers(request)
        self.send(answer.status, answer.body.encode(), answer.headers)

    def finish(self) -> None:
        """Closes the TLS socket too."""
        super().finish()
        self.request.close()
