"""Matches the events in `events/` against the deployed patterns with two implementations."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import ROOT, Deployed
from moto.events.models import EventPattern

ACCOUNT = "123456789012"
EVENTS = {
    path.stem: event
    for path in sorted(ROOT.glob("events/*.json"))
    if {"detail-type", "Records", "eventName"} & (event := json.loads(path.read_text())).keys()
}
# Events without an EventBridge envelope, failed calls, and events that no rule selects.
NOT_SENT = {name for name, event in EVENTS.items() if "detail-type" not in event}
NOT_SENT |= {"launch-denied", "launch-dry-run", "start-stopped", "scheduled-event"}
LAUNCHES = [name for name in EVENTS if name.startswith(("launch-", "metadata-change-"))]
STARTS = [name for name in EVENTS if name.startswith("start-")]

Matches = Callable[[str, Any], bool]


def by_moto(pattern: str, event: Any) -> bool:
    """Supports all operators."""
    return EventPattern.load(pattern).matches_event(event)


def by_event_ruler(pattern: str, event: Any) -> bool:
    """Does not support `$or`, and is not available on all platforms."""
    event_ruler = pytest.importorskip("event_ruler")
    return bool(event_ruler.test_event_pattern(json.dumps(event), pattern))


IMPLEMENTATIONS = pytest.mark.parametrize("matches", [by_moto, by_event_ruler])


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", EVENTS)
def test_rules_match_exactly_the_events_that_the_function_processes(
    deployed: Deployed, matches: Matches, name: str
) -> None:
    event = EVENTS[name]
    sent = name not in NOT_SENT
    assert matches(deployed.patterns["launches"], event) == (sent and name in LAUNCHES)
    assert matches(deployed.patterns["states"], event) == (sent and name in STARTS)


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", [*LAUNCHES, *STARTS])
def test_the_home_bus_sends_these_events_to_the_function(
    deployed: Deployed, matches: Matches, name: str
) -> None:
    if name not in NOT_SENT:
        assert matches(deployed.patterns["function"], EVENTS[name] | {"account": ACCOUNT})


@IMPLEMENTATIONS
def test_events_of_other_accounts_are_not_sent_to_the_function(
    deployed: Deployed, matches: Matches
) -> None:
    event = EVENTS["launch-open"] | {"account": "111122223333"}
    assert not matches(deployed.patterns["function"], event)


def result(**summary: int) -> dict[str, Any]:
    """Returns a result as Lambda puts it on the home bus."""
    outcomes = ("compliant", "exempt", "reported", "enforced", "stopped", "terminated")
    outcomes += ("gone", "failed")
    arn = f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:imds-enforcer:$LATEST"
    return {
        "source": "lambda",
        "account": ACCOUNT,
        "detail-type": "Lambda Function Invocation Result - Success",
        "detail": {
            "requestContext": {"functionArn": arn, "condition": "Success"},
            "requestPayload": EVENTS["launch-open"],
            "responsePayload": {"summary": dict.fromkeys(outcomes, 0) | summary},
        },
    }


@pytest.mark.parametrize("outcome", ["enforced", "stopped", "terminated", "failed"])
def test_actions_and_failures_are_published(deployed: Deployed, outcome: str) -> None:
    assert by_moto(deployed.patterns["done"], result(compliant=3, **{outcome: 1}))


@pytest.mark.parametrize("outcome", ["compliant", "exempt", "reported", "gone"])
def test_other_outcomes_are_not_published(deployed: Deployed, outcome: str) -> None:
    assert not by_moto(deployed.patterns["done"], result(**{outcome: 5}))


@IMPLEMENTATIONS
def test_results_are_not_sent_back_to_the_function(deployed: Deployed, matches: Matches) -> None:
    event = result(enforced=1)
    failure = {"detail-type": "Lambda Function Invocation Result - Failure"}
    assert not matches(deployed.patterns["function"], event)
    assert not matches(deployed.patterns["function"], event | failure)
    assert not matches(deployed.patterns["launches"], event)


@IMPLEMENTATIONS
def test_failed_invocations_are_published(deployed: Deployed, matches: Matches) -> None:
    failure = {"detail-type": "Lambda Function Invocation Result - Failure"}
    assert matches(deployed.patterns["failed"], result() | failure)
    assert not matches(deployed.patterns["failed"], result())
