"""What runs of the guard write to CloudWatch, healthy and failing, as timelines of metrics."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from cloudwatch import DAY, MINUTE, Metric, Points

NAME = "imds-enforcer"
HOUR = 60 * MINUTE


def gauge(name: str) -> Metric:
    """A metric of the guard."""
    return (f"ImdsEnforcer/{NAME}", name, ())


def function(name: str) -> Metric:
    """A metric that Lambda writes for the function."""
    return ("AWS/Lambda", name, (("FunctionName", NAME),))


def queue(name: str) -> Metric:
    """The messages that arrive in a queue."""
    return ("AWS/SQS", "NumberOfMessagesSent", (("QueueName", f"{NAME}-{name}"),))


def rule(metric: str, name: str, bus: str | None = None) -> Metric:
    """A metric of a rule, with the dimensions that EventBridge writes."""
    dimensions = {"RuleName": f"{NAME}-{name}"} | ({"EventBusName": bus} if bus else {})
    return ("AWS/Events", metric, tuple(sorted(dimensions.items())))


@dataclass
class Timeline:
    """All metrics of a guard, by metric."""

    interval: int = HOUR
    offset: int = 0
    # SQS shows metrics up to 15 minutes late when a queue becomes active.
    late: int = 0
    metrics: dict[Metric, Points] = field(default_factory=lambda: defaultdict(Points))
    random: Random = field(default_factory=lambda: Random(1))

    def add(self, metric: Metric, at: float, value: float = 1, late: float = 0) -> None:
        """Adds a data point."""
        self.metrics[metric].add(at, value, at + late)

    def times(self, start: int, end: int) -> Iterable[int]:
        """Yields when the schedule starts sweeps."""
        first = start + (self.offset - start) % self.interval
        return range(first, end, self.interval)

    def invoked(self, at: float, age: float = 0.2, errors: int = 0) -> None:
        """Adds what Lambda writes for an attempt."""
        self.add(function("Invocations"), at)
        # Lambda writes a zero for each attempt that succeeds.
        self.add(function("Errors"), at, errors)
        self.add(function("AsyncEventAge"), at, age * 1000)

    def sweep(self, at: int, longest: int = 240, **gauges: int) -> None:
        """Adds a sweep that ends after some minutes and writes its gauges, zero only for one."""
        self.invoked(at)
        ended = at + self.random.uniform(3, min(longest, self.interval * 0.8))
        for name, value in ({"SweepIncomplete": 0} | gauges).items():
            self.add(gauge(name), ended, value)

    def sweeps(self, start: int, end: int, **gauges: int) -> "Timeline":
        """Adds the sweeps of a time, all alike."""
        for at in self.times(start, end):
            self.sweep(at, **gauges)
        return self

    def launch(self, at: float, **counts: int) -> None:
        """Adds a launch that is enforced at the first attempt."""
        self.invoked(at)
        for name, value in ({"Enforced": 1} | counts).items():
            self.add(gauge(name), at + 1, value)

    def loses(self, at: float, into: str = "on-failure", seconds: int = 1, **counts: int) -> None:
        """Adds an event that fails in all attempts, so that it arrives in a queue."""
        begins = at
        for wait in (0, 60, 120):
            begins += wait
            self.invoked(begins, begins - at, errors=1)
            for name, value in counts.items():
                self.add(gauge(name), begins + seconds, value)
            begins += seconds
        self.arrives(begins + 1, queue(into))

    def arrives(self, at: float, metric: Metric) -> None:
        """Adds a message to a queue, which from then on shows zeros for six hours."""
        self.add(metric, at, 1, self.late)
        for minute in range(1, 360):
            self.add(metric, at + minute * MINUTE, 0, self.late)

    def launches_all_day(self, start: int = 0, end: int = DAY) -> "Timeline":
        """Adds healthy launches every few minutes; every tenth needs two attempts."""
        at, number = float(start), 0
        while at < end:
            number += 1
            if number % 10 == 0:
                self.invoked(at, errors=1)
            self.launch(at + (61 if number % 10 == 0 else 0))
            at += self.random.uniform(20, 600)
        return self
