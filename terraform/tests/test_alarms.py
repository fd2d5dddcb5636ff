"""Which alarm rings when: the rendered alarms, judged by the metrics of failing runs."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from cloudwatch import DAY, MINUTE, Alarm, Clock, Points
from conftest import HOME, ROOT
from tf import MODULE, Terraform
from timelines import HOUR, NAME, Timeline, function, gauge, queue, rule

OTHER = "us-east-1"
POLICY = {"require": {"http_tokens": "required"}, "on_violation": "terminate"}
SCHEDULES = {
    "rate(5 minutes)": 5 * MINUTE,
    "rate(15 minutes)": 15 * MINUTE,
    "rate(45 minutes)": 45 * MINUTE,
    "rate(1 hour)": HOUR,
    "rate(7 hours)": 7 * HOUR,
    "rate(1 day)": DAY,
}
HOURLY = "rate(1 hour)"
EVERY_SCHEDULE = pytest.mark.parametrize("schedule", SCHEDULES)
CLOCKS = [Clock(slides, extra) for slides, extra in product((True, False), (0, 1, 3))]
EVERY_CLOCK = pytest.mark.parametrize("clock", CLOCKS, ids=str)
RESOURCES = ("home", "dead_letters", "undelivered")
# How long the history before a timeline is: longer than any alarm looks back.
BEFORE = 8 * DAY

Alarms = dict[str, Alarm]
Render = Callable[[str], Alarms]


@pytest.fixture(scope="module")
def render(folder: Path, endpoint: str, initialised: Terraform) -> Render:
    """Plans the module with a schedule, and returns its alarms in the home Region and another."""
    assert initialised
    base = folder / "alarms"
    base.mkdir()
    terraform = Terraform(base)
    terraform.configure(endpoint, HOME, MODULE / "permissions.json")
    targets = [f"-target=aws_cloudwatch_metric_alarm.{name}" for name in RESOURCES]
    terraform.write({})

    @cache
    def rendered(schedule: str) -> Alarms:
        variables: dict[str, Any] = {"sweep_schedule": schedule, "policy": POLICY}
        variables |= {"regions": [HOME, OTHER], "notify_reported": True}
        planned = terraform.planned(variables, *targets)["root_module"]["resources"]
        found = [
            Alarm.of(each["values"], HOME)
            for each in planned
            if each["type"] == "aws_cloudwatch_metric_alarm"
        ]
        return {named(alarm): alarm for alarm in found}

    return rendered


def named(alarm: Alarm) -> str:
    """Returns the name without the prefix, with the Region unless it is the home Region."""
    name = alarm.name.removeprefix(f"{NAME}-")
    return name if alarm.region == HOME else f"{alarm.region}/{name}"


@pytest.fixture(scope="module")
def hourly(render: Render) -> Alarms:
    """The alarms with the default schedule."""
    return render(HOURLY)


def rings(
    alarms: Alarms, timeline: Timeline, end: int, clock: Clock, start: int = 0
) -> dict[str, int]:
    """Returns how often each alarm of the home Region rings, unless never."""
    counts = {
        name: len(alarm.rings(timeline.metrics.get(alarm.metric, Points()), start, end, clock))
        for name, alarm in alarms.items()
        if alarm.region == HOME
    }
    return {name: count for name, count in counts.items() if count}


def healthy(end: int, interval: int = HOUR, offset: int = 0, late: int = 0) -> Timeline:
    """A guard with healthy sweeps until the end."""
    return Timeline(interval, offset, late).sweeps(-BEFORE, end)


def before(interval: int = HOUR, offset: int = 0) -> Timeline:
    """A guard whose sweeps were healthy until the timeline begins."""
    return healthy(0, interval, offset)


def offsets(interval: int) -> Iterator[int]:
    """Yields offsets of a period, also such that sweeps end on both sides of a boundary."""
    yield from sorted({interval * part // 5 for part in range(5)} | {interval - 60, interval - 120})


# Healthy runs


@EVERY_SCHEDULE
@EVERY_CLOCK
def test_nothing_rings_on_a_day_of_sweeps_with_nothing_wrong(
    render: Render, schedule: str, clock: Clock
) -> None:
    interval = SCHEDULES[schedule]
    end = max(DAY, 4 * interval)
    for offset in offsets(interval):
        assert rings(render(schedule), healthy(end, interval, offset), end, clock) == {}, offset


@EVERY_CLOCK
def test_nothing_rings_on_a_day_of_launches(hourly: Alarms, clock: Clock) -> None:
    assert rings(hourly, healthy(DAY).launches_all_day(), DAY, clock) == {}


# Launches


@EVERY_CLOCK
@pytest.mark.parametrize("late", [0, 15 * MINUTE])
def test_a_lost_launch_rings_once_at_every_offset(hourly: Alarms, clock: Clock, late: int) -> None:
    for minute in range(15):
        timeline = healthy(4 * HOUR, late=late)
        timeline.loses(HOUR + minute * MINUTE)
        assert rings(hourly, timeline, 4 * HOUR, clock) == {"launches-lost": 1}, minute


@EVERY_CLOCK
def test_two_lost_launches_an_hour_apart_ring_twice(hourly: Alarms, clock: Clock) -> None:
    timeline = healthy(4 * HOUR, late=10 * MINUTE)
    timeline.loses(HOUR)
    timeline.loses(2 * HOUR)
    assert rings(hourly, timeline, 4 * HOUR, clock)["launches-lost"] == 2


def test_a_lost_launch_rings_although_a_message_is_in_the_queue_for_13_days(
    hourly: Alarms,
) -> None:
    timeline = healthy(14 * DAY)
    timeline.loses(HOUR)
    for minute in range(360, 13 * 24 * 60):
        timeline.add(queue("on-failure"), HOUR + minute * MINUTE, 0)
    timeline.loses(HOUR + 13 * DAY)
    for clock in CLOCKS[:2]:
        assert rings(hourly, timeline, 14 * DAY, clock)["launches-lost"] == 2


@EVERY_CLOCK
def test_an_instance_that_refuses_for_good_neither_hides_nor_imitates_a_lost_launch(
    hourly: Alarms, clock: Clock
) -> None:
    timeline = before().sweeps(0, 2 * DAY, SweepIncomplete=1, NonCompliant=1)
    assert rings(hourly, timeline, DAY, clock) == {"sweep-incomplete": 1}
    timeline = before().sweeps(0, 2 * DAY, SweepIncomplete=1, NonCompliant=1)
    timeline.loses(DAY)
    found = rings(hourly, timeline, 2 * DAY, clock)
    assert (found["launches-lost"], found["sweep-incomplete"]) == (1, 1)


def test_a_lost_launch_whose_attempts_time_out_rings(hourly: Alarms) -> None:
    for clock in CLOCKS:
        timeline = healthy(4 * HOUR)
        timeline.loses(HOUR, seconds=300)
        assert rings(hourly, timeline, 4 * HOUR, clock)["launches-lost"] == 1


def test_two_failed_attempts_and_a_success_ring_nothing(hourly: Alarms) -> None:
    for clock in CLOCKS:
        timeline = healthy(3 * HOUR)
        for wait in (0, 61):
            timeline.invoked(HOUR + wait, wait, errors=1)
        timeline.launch(HOUR + 182)
        assert rings(hourly, timeline, 3 * HOUR, clock) == {}


# Sweeps


@EVERY_SCHEDULE
@EVERY_CLOCK
def test_a_region_that_no_sweep_can_scan_rings(render: Render, schedule: str, clock: Clock) -> None:
    interval = SCHEDULES[schedule]
    end = 12 * interval
    for offset in offsets(interval):
        timeline = before(interval, offset).sweeps(0, end, SweepIncomplete=1)
        found = rings(render(schedule), timeline, end, clock)
        assert found.keys() == {"sweep-incomplete"}, offset
        # While a healthy sweep is still in the evaluation range, the alarm can waver once.
        assert found["sweep-incomplete"] <= 2, offset


# Without the additional periods that CloudWatch reads, an incomplete sweep could be in the same
# period as the healthy one after it, between two periods without a sweep.
@pytest.mark.parametrize("clock", [each for each in CLOCKS if each.extra_periods], ids=str)
def test_a_region_that_sweeps_miss_now_and_then_rings_nothing(hourly: Alarms, clock: Clock) -> None:
    for offset in range(0, HOUR, 10 * MINUTE):
        timeline = before(offset=offset)
        for number, at in enumerate(timeline.times(0, 2 * DAY)):
            timeline.sweep(at, SweepIncomplete=int(number % 5 == 0))
        assert rings(hourly, timeline, 2 * DAY, clock) == {}, offset


@EVERY_CLOCK
def test_sweeps_that_die_ring_each_time_and_are_incomplete(hourly: Alarms, clock: Clock) -> None:
    timeline = before()
    for at in timeline.times(0, 8 * HOUR):
        timeline.loses(at, "sweep-failures", seconds=240)
    found = rings(hourly, timeline, 8 * HOUR, clock)
    assert (found["sweep-failures"], found["sweep-incomplete"]) == (8, 1)
    assert found.keys() <= {"sweep-failures", "sweep-incomplete", "errors", "event-age"}


@EVERY_CLOCK
def test_one_sweep_that_dies_rings_once(hourly: Alarms, clock: Clock) -> None:
    for offset in range(0, HOUR, 10 * MINUTE):
        timeline = before(offset=offset)
        for number, at in enumerate(timeline.times(0, 12 * HOUR)):
            if number == 2:
                timeline.loses(at, "sweep-failures", seconds=5)
            else:
                timeline.sweep(at)
        assert rings(hourly, timeline, 12 * HOUR, clock) == {"sweep-failures": 1}, offset


@EVERY_SCHEDULE
@EVERY_CLOCK
def test_sweeps_that_do_not_start_ring(render: Render, schedule: str, clock: Clock) -> None:
    interval = SCHEDULES[schedule]
    found = rings(render(schedule), before(interval), 12 * interval, clock)
    assert found == {"sweep-incomplete": 1}


def test_the_alarm_for_incomplete_sweeps_rings_within_three_intervals(hourly: Alarms) -> None:
    timeline = before().sweeps(0, 12 * HOUR, SweepIncomplete=2)
    alarm = hourly["sweep-incomplete"]
    (at,) = alarm.rings(timeline.metrics[alarm.metric], 0, 12 * HOUR, Clock(True, 0))
    assert at <= 3 * HOUR + 10 * MINUTE


# What sweeps find


@EVERY_CLOCK
@pytest.mark.parametrize(
    ("metric", "name"),
    [("RejectedCalls", "rejected-calls"), ("MissedLaunchesInUse", "missed-launches-in-use")],
)
def test_what_every_sweep_finds_again_rings_once(
    hourly: Alarms, clock: Clock, metric: str, name: str
) -> None:
    for offset in range(0, HOUR, 10 * MINUTE):
        timeline = before(offset=offset).sweeps(0, DAY, **{metric: 2}).sweeps(DAY, 2 * DAY)
        assert rings(hourly, timeline, 2 * DAY, clock) == {name: 1}, offset


@EVERY_CLOCK
def test_each_missed_launch_rings(hourly: Alarms, clock: Clock) -> None:
    timeline = before()
    for number, at in enumerate(timeline.times(0, DAY)):
        timeline.sweep(at, **({"MissedLaunches": 1} if number in (3, 12) else {}))
    assert rings(hourly, timeline, DAY, clock) == {"missed-launches": 2}


@EVERY_CLOCK
def test_rejected_calls_that_an_event_tells_ring(hourly: Alarms, clock: Clock) -> None:
    timeline = healthy(8 * HOUR)
    timeline.launch(HOUR, RejectedCalls=1, Enforced=0)
    assert rings(hourly, timeline, 8 * HOUR, clock) == {"rejected-calls": 1}


@EVERY_SCHEDULE
@EVERY_CLOCK
def test_a_pause_of_23_hours_rings_nothing(render: Render, schedule: str, clock: Clock) -> None:
    interval = SCHEDULES[schedule]
    end = max(2 * DAY, 4 * interval)
    for offset in offsets(interval):
        timeline = before(interval, offset).sweeps(0, 23 * HOUR, Paused=1)
        timeline.sweeps(23 * HOUR, end)
        assert rings(render(schedule), timeline, end, clock) == {}, offset


# With longer intervals, fewer sweeps see a pause: it rings as many intervals later. The module's
# periods slide, so that at some minute of the hour each period has its sweep.
@pytest.mark.parametrize(
    ("schedule", "hours"),
    [(each, 25 + max(0, interval - HOUR) * 2 // HOUR) for each, interval in SCHEDULES.items()],
)
@pytest.mark.parametrize("clock", [each for each in CLOCKS if each.slides], ids=str)
def test_a_pause_of_25_hours_rings(render: Render, schedule: str, hours: int, clock: Clock) -> None:
    interval = SCHEDULES[schedule]
    end = max(2 * DAY, hours * HOUR + 4 * interval)
    for offset in offsets(interval):
        timeline = before(interval, offset)
        for at in timeline.times(0, end):
            paused = {"Paused": 1} if at < hours * HOUR else {}
            # Every 5 minutes, sweeps can differ by less.
            timeline.sweep(at, interval // 5 if interval < HOUR else 240, **paused)
        assert rings(render(schedule), timeline, end, clock).keys() == {"paused"}, offset


def test_a_pause_of_three_days_rings_once(hourly: Alarms) -> None:
    for clock in CLOCKS:
        timeline = before()
        for at in timeline.times(0, 4 * DAY):
            timeline.sweep(at, 10, **({"Paused": 1} if at < 3 * DAY else {}))
        assert rings(hourly, timeline, 4 * DAY, clock) == {"paused": 1}


@EVERY_CLOCK
def test_a_function_that_keeps_failing_rings(hourly: Alarms, clock: Clock) -> None:
    timeline = healthy(3 * HOUR)
    for minute in range(0, 40, 4):
        timeline.loses(HOUR + minute * MINUTE)
    assert rings(hourly, timeline, 3 * HOUR, clock) == {"errors": 1, "launches-lost": 1}


# Limits, state, and the function


@EVERY_CLOCK
@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("DisruptionLimitReached", "disruption-limit-reached"),
        ("DriftLimitReached", "drift-limit-reached"),
        ("StateUnavailable", "state-unavailable"),
    ],
)
@pytest.mark.parametrize("times", [1, 8])
def test_an_episode_rings_once(
    hourly: Alarms, clock: Clock, metric: str, name: str, times: int
) -> None:
    for minute in range(5):
        timeline = healthy(8 * HOUR)
        for number in range(times):
            timeline.launch(HOUR + (minute + number * 7) * MINUTE, **{metric: 1})
        assert rings(hourly, timeline, 8 * HOUR, clock) == {name: 1}, minute


@EVERY_CLOCK
def test_an_episode_three_hours_later_rings_again(hourly: Alarms, clock: Clock) -> None:
    timeline = healthy(8 * HOUR)
    for at in (HOUR, 4 * HOUR):
        timeline.launch(at, DisruptionLimitReached=1, DriftLimitReached=1, StateUnavailable=1)
    names = ("disruption-limit-reached", "drift-limit-reached", "state-unavailable")
    assert rings(hourly, timeline, 8 * HOUR, clock) == dict.fromkeys(names, 2)


@EVERY_CLOCK
def test_a_limit_that_hourly_sweeps_reach_again_rings_once(hourly: Alarms, clock: Clock) -> None:
    timeline = before().sweeps(0, DAY, DriftLimitReached=1)
    assert rings(hourly, timeline, DAY, clock) == {"drift-limit-reached": 1}


@EVERY_CLOCK
def test_throttling_rings_if_it_lasts(hourly: Alarms, clock: Clock) -> None:
    timeline = healthy(4 * HOUR)
    timeline.add(function("Throttles"), HOUR, 7)
    assert rings(hourly, timeline, 4 * HOUR, clock) == {}
    timeline = healthy(4 * HOUR)
    for minute in range(16):
        timeline.add(function("Throttles"), HOUR + minute * MINUTE, 7)
    assert rings(hourly, timeline, 4 * HOUR, clock) == {"throttles": 1}


@EVERY_CLOCK
def test_a_backlog_rings_if_it_lasts(hourly: Alarms, clock: Clock) -> None:
    timeline = healthy(4 * HOUR)
    timeline.invoked(HOUR, age=400)
    for minute in range(1, 30):
        timeline.invoked(HOUR + minute * MINUTE)
    assert rings(hourly, timeline, 4 * HOUR, clock) == {}
    timeline = healthy(4 * HOUR)
    for minute in range(60):
        timeline.invoked(HOUR + minute * MINUTE, age=400 if minute < 11 else 0.2)
    assert rings(hourly, timeline, 4 * HOUR, clock) == {"event-age": 1}


# Delivery

LOSSES = {
    "destination-failures": function("DestinationDeliveryFailures"),
    "dead-letters": queue("dead-letters"),
    "sweep-failures": queue("sweep-failures"),
    "launches-lost": queue("on-failure"),
    "failed-invocations-done": rule("FailedInvocations", "done", NAME),
    "failed-invocations-sweep": rule("FailedInvocations", "sweep", NAME),
    "failed-invocations-digest": rule("FailedInvocations", "digest", NAME),
    "failed-invocations-paused": rule("FailedInvocations", "paused", NAME),
    "failed-invocations-failed": rule("FailedInvocations", "failed", NAME),
    "failed-invocations-on-failure": rule("FailedInvocations", "on-failure", NAME),
    "failed-invocations-sweep-failures": rule("FailedInvocations", "sweep-failures", NAME),
    "failed-invocations-alarms": rule("FailedInvocations", "alarms"),
}


LOSSES |= {
    f"undelivered-{name}": rule("InvocationsFailedToBeSentToDlq", name, bus)
    for name, bus in [
        *[(name, None) for name in ("alarms", "api-calls")],
        *[(name, NAME) for name in ("function", "done", "sweep", "digest", "paused", "failed")],
        *[(name, NAME) for name in ("on-failure", "sweep-failures")],
    ]
}


def test_every_alarm_of_a_loss_is_judged(hourly: Alarms) -> None:
    losses = (
        "FailedInvocations",
        "InvocationsFailedToBeSentToDlq",
        "DestinationDeliveryFailures",
        "NumberOfMessagesSent",
    )
    of_home = {name: alarm for name, alarm in hourly.items() if alarm.region == HOME}
    assert {name for name, alarm in of_home.items() if alarm.metric[1] in losses} == set(LOSSES)


@EVERY_CLOCK
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_rings_however_late_its_metric_is(
    hourly: Alarms, clock: Clock, name: str
) -> None:
    for late, minute in product((0, 15 * MINUTE), range(5)):
        timeline = healthy(6 * HOUR, late=late)
        timeline.arrives(HOUR + minute * MINUTE, LOSSES[name])
        timeline.arrives(3 * HOUR + minute * MINUTE, LOSSES[name])
        assert rings(hourly, timeline, 6 * HOUR, clock) == {name: 2}, (late, minute)


def test_other_regions_have_alarms_for_their_rules_and_their_queue(hourly: Alarms) -> None:
    found = {name: alarm.metric for name, alarm in hourly.items() if alarm.region == OTHER}
    assert found == {
        f"{OTHER}/dead-letters": queue("dead-letters"),
        f"{OTHER}/undelivered-alarms": rule("InvocationsFailedToBeSentToDlq", "alarms"),
        f"{OTHER}/undelivered-api-calls": rule("InvocationsFailedToBeSentToDlq", "api-calls"),
    }
    for name in found:
        home = hourly[name.removeprefix(f"{OTHER}/")]
        differs = {"region": HOME, "name": home.name, "description": home.description}
        assert replace(hourly[name], **differs) == home


# Limits of CloudWatch, and the documentation


@EVERY_SCHEDULE
def test_every_alarm_is_within_the_limits_of_cloudwatch(render: Render, schedule: str) -> None:
    for name, alarm in render(schedule).items():
        longest = DAY if alarm.period < HOUR else 7 * DAY
        assert alarm.period * alarm.periods <= longest, name
        assert alarm.period % MINUTE == 0, name
        assert 1 <= alarm.breaching <= alarm.periods, name


@EVERY_SCHEDULE
def test_gauges_of_sweeps_have_periods_as_long_as_the_interval(
    render: Render, schedule: str
) -> None:
    gauges = ("SweepIncomplete", "Paused", "MissedLaunches", "MissedLaunchesInUse", "RejectedCalls")
    periods = {alarm.period for alarm in render(schedule).values() if alarm.metric[1] in gauges}
    assert periods == {SCHEDULES[schedule]}


OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def test_every_alarm_has_its_section_and_every_section_its_alarm(hourly: Alarms) -> None:
    named = {
        re.findall(r"docs/operations\.md#([a-z-]+)\.$", alarm.description)[0]
        for alarm in hourly.values()
    }
    part = OPERATIONS.partition("\n## Alarms\n")[2].partition("\n## ")[0]
    assert named == set(re.findall(r"^### ([a-z-]+)$", part, re.MULTILINE))


@pytest.mark.parametrize("section", re.findall(r"^### ([a-z-]+)$", OPERATIONS, re.MULTILINE))
def test_every_section_says_what_it_means_and_what_to_do(section: str) -> None:
    body = OPERATIONS.partition(f"\n### {section}\n")[2].partition("\n##")[0]
    assert body.index("**Now.**") < body.index("**Tomorrow.**")
    assert len(body[: body.index("**Now.**")].strip()) > 60


# The model itself, by the tables in AWS's documentation: the value for missing data is written
# first. A dash is a missing period, X a breaching one; the newest is last.
TABLE = [
    (3, 3, "0-X-X", {"breaching": False, "notBreaching": False}),
    (3, 3, "----0", {"breaching": False, "notBreaching": False}),
    (3, 3, "-----", {"breaching": True, "notBreaching": False}),
    (3, 3, "0XX-X", {"breaching": True, "notBreaching": True}),
    (3, 3, "--X--", {"breaching": True, "notBreaching": False}),
    (3, 2, "0-X-X", {"breaching": True, "notBreaching": True}),
    (3, 2, "00X0X", {"breaching": True, "notBreaching": True}),
    (3, 2, "0-X--", {"breaching": True, "notBreaching": False}),
    (3, 2, "----0", {"breaching": True, "notBreaching": False}),
    (3, 2, "----X", {"breaching": True, "notBreaching": False}),
]


@pytest.mark.parametrize(("periods", "breaching", "data", "expected"), TABLE)
def test_the_model_evaluates_missing_data_as_aws_documents(
    periods: int, breaching: int, data: str, expected: dict[str, bool]
) -> None:
    for missing, is_alarm in expected.items():
        alarm = Alarm(
            "", HOME, gauge("x"), "Sum", 60, periods, breaching,
            "GreaterThanThreshold", 0, missing, "",
        )  # fmt: skip
        values = [{"-": None, "0": 0, "X": 1}[each] for each in reversed(data)]
        assert alarm.state(values) == is_alarm, missing


def test_the_table_of_costs_counts_the_alarms_of_the_module(hourly: Alarms) -> None:
    prices = (ROOT / "tests/tests/costs/prices.rs").read_text()

    def number(name: str) -> int:
        terms = re.search(rf"const {name}: usize = ([0-9 +]+);", prices)
        assert terms
        return sum(int(term) for term in terms[1].split("+"))

    defaults = number("HOME_ALARMS") + number("HOME_BUS_ALARMS") + 2 * number("REGION_ALARMS")
    # A policy that terminates adds one, and the digest two, for its rule.
    assert len(hourly) == defaults + 1 + 2
