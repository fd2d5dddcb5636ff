"""moto's server with instances that were launched a month ago, because moto's are always new."""

import sys
from datetime import timedelta
from typing import Any

from moto.ec2.models.instances import Instance

from demo.aws import main

AGE = timedelta(days=30)

launch = Instance.__init__


def launch_earlier(self: Instance, *given: Any, **more: Any) -> None:
    """Launches it `AGE` ago."""
    launch(self, *given, **more)
    self.launch_time -= AGE


Instance.__init__ = launch_earlier

if __name__ == "__main__":
    sys.exit(main())
