"""The Lambda Runtime API.

<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
"""

import json
import time
from queue import Queue
from typing import Any

from answers import ACCOUNT, REGION
from server import Handler, Server

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:imds-enforcer"
REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


class Runtime(Server):
    """Delivers events and receives their results."""

    def __init__(self) -> None:
        """Begins without an event."""
        super().__init__(Invocation)
        # Events with their timeouts in seconds; `None` is the end.
        self.events: Queue[tuple[Any, float] | None] = Queue()
        self.outcomes: Queue[Any] = Queue()
        # How often the function polled for an event.
        self.asked = 0


class Invocation(Handler):
    """A connection of the function."""

    server: Runtime

    def do_GET(self) -> None:
        """Waits for the next event."""
        self.server.asked += 1
        given = self.server.events.get()
        if given is None:
            self.close_connection = True
            return
        event, seconds = given
        headers = {
            "Lambda-Runtime-Aws-Request-Id": REQUEST_ID,
            "Lambda-Runtime-Deadline-Ms": str(round((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
        }
        self.send(200, json.dumps(event).encode(), headers)

    def do_POST(self) -> None:
        """Receives an answer or an error."""
        self.server.outcomes.put(json.loads(self.body()))
        self.send(202)
