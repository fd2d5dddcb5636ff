"""A listener that is AWS's endpoint, a proxy, or both, and remembers what it was asked."""

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
    """A call as it came."""

    # As the request line names it: a path, or the whole URL where a proxy is asked in plain HTTP.
    target: str
    headers: Message
    body: bytes
    # `host:port` that the proxy was asked to connect to, where there was one.
    through: str | None

    @property
    def action(self) -> str:
        """The operation: in the body, or as in CBOR in the path."""
        found = ACTION.search(self.body)
        return found[1].decode() if found else self.target.rpartition("/")[2]

    @property
    def call(self) -> str:
        """The same for all attempts of a call."""
        return self.headers["amz-sdk-invocation-id"]

    @property
    def key(self) -> str:
        """What it is signed with."""
        return self.credential[0]

    @property
    def region(self) -> str:
        """What it is signed for, first."""
        return self.credential[1]

    @property
    def service(self) -> str:
        """What it is signed for, second."""
        return self.credential[2]

    @property
    def credential(self) -> tuple[str, ...]:
        """Of the signature."""
        found = CREDENTIAL.search(self.headers["Authorization"])
        assert found, self.headers["Authorization"]
        return found.groups()


@dataclass(frozen=True)
class Answer:
    """What is said to a request."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


class Listener(Server):
    """Answers calls that are sent to it; as a proxy it refuses to connect, or is every host."""

    def __init__(
        self,
        answers: Callable[[Request], Answer],
        *,
        tls: Authority | None = None,
        every_host: Authority | None = None,
    ) -> None:
        """Speaks TLS as `localhost`, or as every host, where there is an authority for it."""
        super().__init__(Connection)
        self.answers = answers
        self.tls = tls
        self.every_host = every_host
        # In the order of their coming.
        self.requests: list[Request] = []
        # Each CONNECT: its `host:port`, and its headers.
        self.connects: list[tuple[str, Message]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://localhost:{self.port}" if self.tls else f"http://{HOST}:{self.port}"

    @property
    def hosts(self) -> set[str]:
        """What it was asked to connect to."""
        return {host for host, _ in self.connects}

    def forget(self) -> None:
        """As if nothing had been asked."""
        self.requests.clear()
        self.connects.clear()

    def named(self, action: str) -> list[Request]:
        """The attempts of these calls."""
        return [request for request in self.requests if request.action == action]


class Connection(Handler):
    """To an endpoint, or to a proxy that becomes one."""

    server: Listener
    through: str | None = None

    def setup(self) -> None:
        """Shakes hands where TLS is spoken."""
        if self.server.tls and not self.through:
            self.encrypt(self.server.tls, "localhost")
        super().setup()

    def encrypt(self, authority: Authority, host: str) -> None:
        """From here on it is the host."""
        self.request = authority.context(host).wrap_socket(self.request, server_side=True)

    def do_CONNECT(self) -> None:
        """Refuses, or is the host."""
        self.server.connects.append((self.path, self.headers))
        if not self.server.every_host:
            self.say(502)
            return
        self.send_response_only(200)
        self.end_headers()
        self.wfile.flush()
        self.through = self.path
        self.encrypt(self.server.every_host, self.path.rpartition(":")[0])
        self.setup()

    def do_POST(self) -> None:
        """Every call to AWS is one."""
        request = Request(self.path, self.headers, self.body(), self.through)
        self.server.requests.append(request)
        answer = self.server.answers(request)
        self.say(answer.status, answer.body.encode(), answer.headers)

    def finish(self) -> None:
        """Closes what TLS has put in the place of the socket, too."""
        super().finish()
        self.request.close()
