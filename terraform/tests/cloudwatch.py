"""The arithmetic of CloudWatch alarms.

<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>

CloudWatch evaluates an alarm every minute. It reads some more periods than the alarm has (the
evaluation range, whose length AWS does not document), and uses the most recent periods with data.
Only if they are too few, it fills in missing ones. By default, periods slide with each evaluation;
with a wall clock window they are aligned to the clock.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

MINUTE = 60
DAY = 24 * 60 * MINUTE
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
}
STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": len,
}
MISSING = {"breaching": True, "notBreaching": False}
Metric = tuple[str, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Clock:
    """How CloudWatch reads: what AWS does not promise is varied by the tests."""

    slides: bool
    extra_periods: int


@dataclass
class Points:
    """The data points of one metric: time, value, and when CloudWatch shows them."""

    all: list[tuple[int, float, int]] = field(default_factory=list)

    def add(self, at: float, value: float, seen: float | None = None) -> None:
        """Adds a point; CloudWatch stores metrics by the minute."""
        minute = int(at) // MINUTE * MINUTE
        self.all.append((minute, value, int(at if seen is None else seen)))

    @cached_property
    def by_time(self) -> tuple[list[int], list[tuple[int, float, int]]]:
        """The sorted points, after the last was added."""
        ordered = sorted(self.all)
        return [at for at, _, _ in ordered], ordered

    @cached_property
    def known(self) -> dict[tuple[str, int, int], float | None]:
        """Statistics that were computed, if CloudWatch shows all points at once."""
        return {}

    @cached_property
    def are_late(self) -> bool:
        """Whether CloudWatch shows a point later than in the minute after it."""
        return any(seen >= at + MINUTE for at, _, seen in self.all)

    def statistic(self, name: str, period: int, end: int, now: int) -> float | None:
        """Returns the statistic of a period as CloudWatch shows it now, or None without data."""
        if self.are_late:
            return self.compute(name, end - period, end, now)
        key = (name, period, end)
        if key not in self.known:
            self.known[key] = self.compute(name, end - period, end, now)
        return self.known[key]

    def compute(self, name: str, start: int, end: int, now: int) -> float | None:
        """Computes the statistic of the points that CloudWatch shows now."""
        times, ordered = self.by_time
        found = ordered[bisect_left(times, start) : bisect_left(times, end)]
        values = [value for _, value, seen in found if seen <= now]
        return STATISTICS[name](values) if values else None

    def changes(self, period: int, periods: int, step: int, slides: bool) -> set[int]:
        """Returns the evaluations whose range can differ from that of the one before."""
        times = set()
        for at, _, seen in self.all:
            times.add(-(-seen // step) * step)
            # A period that slides has a point from the minute after it.
            first = at + MINUTE if slides else (at // period + 1) * period
            for number in range(periods + 1):
                times.add(-(-(first + number * period) // step) * step)
        return times


@dataclass(frozen=True)
class Alarm:
    """An alarm as Terraform renders it."""

    name: str
    region: str
    metric: Metric
    statistic: str
    period: int
    periods: int
    breaching: int
    comparison: str
    threshold: float
    missing: str
    description: str

    @classmethod
    def of(cls, values: dict[str, Any], home: str) -> "Alarm":
        """Reads the planned values of a resource."""
        dimensions = tuple(sorted((values.get("dimensions") or {}).items()))
        return cls(
            name=values["alarm_name"],
            region=values.get("region") or home,
            metric=(values["namespace"], values["metric_name"], dimensions),
            statistic=values["statistic"],
            period=values["period"],
            periods=values["evaluation_periods"],
            breaching=values["datapoints_to_alarm"] or values["evaluation_periods"],
            comparison=values["comparison_operator"],
            threshold=values["threshold"],
            missing=values["treat_missing_data"],
            description=values["alarm_description"],
        )

    def state(self, newest_first: Iterable[float | None]) -> bool:
        """Returns whether the alarm is in ALARM for the values of the evaluation range."""
        shown = [value for value in newest_first if value is not None][: self.periods]
        breaches = sum(COMPARISONS[self.comparison](value, self.threshold) for value in shown)
        filled = (self.periods - len(shown)) * MISSING[self.missing]
        return breaches + filled >= self.breaching

    def range(self, points: Points, now: int, clock: Clock) -> Iterable[float | None]:
        """Yields the statistic of each period of the evaluation range, newest first."""
        end = now if clock.slides else now // self.period * self.period
        for number in range(self.periods + clock.extra_periods):
            yield points.statistic(self.statistic, self.period, end - number * self.period, now)

    def rings(self, points: Points, start: int, end: int, clock: Clock) -> list[int]:
        """Returns when the alarm goes to ALARM; at the start it is OK."""
        rings, was = [], False
        # Alarms that cover more than a day are evaluated once an hour.
        step = 60 * MINUTE if self.period * self.periods > DAY else MINUTE
        periods = self.periods + clock.extra_periods
        times = points.changes(self.period, periods, step, clock.slides)
        for now in sorted({start // step * step} | times):
            if not start <= now < end:
                continue
            is_alarm = self.state(self.range(points, now, clock))
            if is_alarm and not was:
                rings.append(now)
            was = is_alarm
        return rings
