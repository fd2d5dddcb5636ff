"""The deployed patterns against the events of `events/`, by implementations that are not ours."""

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
# What EventBridge does not deliver, calls that failed, and what nobody asked for.
NOT_SENT = {name for name, event in EVENTS.items() if "detail-type" not in event}
NOT_SENT |= {"launch-denied", "launch-dry-run", "state-change-stopped", "scheduled-event"}
LAUNCHES = [name for name in EVENTS if name.startswith(("launch-", "metadata-change-"))]
STATES = [name for name in EVENTS if name.startswith("state-change-")]

Matches = Callable[[str, Any], bool]


def by_moto(pattern: str, event: Any) -> bool:
    """Knows the whole language."""
    return EventPattern.load(pattern).matches_event(event)


def by_event_ruler(pattern: str, event: Any) -> bool:
    """Knows no `$or`, and is not made for every machine."""
    event_ruler = pytest.importorskip("event_ruler")
    return bool(event_ruler.test_event_pattern(json.dumps(event), pattern))


IMPLEMENTATIONS = pytest.mark.parametrize("matches", [by_moto, by_event_ruler])


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", EVENTS)
def test_what_is_sent_home_is_what_the_function_is_for(
    deployed: Deployed, matches: Matches, name: str
) -> None:
    event = EVENTS[name]
    sent = name not in NOT_SENT
    assert matches(deployed.patterns["launches"], event) == (sent and name in LAUNCHES)
    assert matches(deployed.patterns["states"], event) == (sent and name in STATES)


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", [*LAUNCHES, *STATES])
def test_whatever_was_sent_home_is_handed_to_the_function(
    deployed: Deployed, matches: Matches, name: str
) -> None:
    if name not in NOT_SENT:
        assert matches(deployed.patterns["function"], EVENTS[name] | {"account": ACCOUNT})


@IMPLEMENTATIONS
def test_nothing_of_another_account_is_handed_to_the_function(
    deployed: Deployed, matches: Matches
) -> None:
    event = EVENTS["launch-open"] | {"account": "111122223333"}
    assert not matches(deployed.patterns["function"], event)


def result(**summary: int) -> dict[str, Any]:
    """As Lambda puts a result on the home bus."""
    outcomes = ("compliant", "exempt", "reported", "enforced", "stopped", "terminated")
    outcomes += ("spared", "gone", "failed")
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


@pytest.mark.parametrize("outcome", ["enforced", "stopped", "terminated", "spared", "failed"])
def test_what_was_done_is_told(deployed: Deployed, outcome: str) -> None:
    assert by_moto(deployed.patterns["done"], result(compliant=3, **{outcome: 1}))


@pytest.mark.parametrize("outcome", ["compliant", "exempt", "reported", "gone"])
def test_what_needs_nobody_is_not_told(deployed: Deployed, outcome: str) -> None:
    assert not by_moto(deployed.patterns["done"], result(**{outcome: 5}))


@IMPLEMENTATIONS
def test_a_result_never_comes_back_to_the_function(deployed: Deployed, matches: Matches) -> None:
    event = result(enforced=1)
    failure = {"detail-type": "Lambda Function Invocation Result - Failure"}
    assert not matches(deployed.patterns["function"], event)
    assert not matches(deployed.patterns["function"], event | failure)
    assert not matches(deployed.patterns["launches"], event)


@IMPLEMENTATIONS
def test_a_failure_is_told(deployed: Deployed, matches: Matches) -> None:
    failure = {"detail-type": "Lambda Function Invocation Result - Failure"}
    assert matches(deployed.patterns["failed"], result() | failure)
    assert not matches(deployed.patterns["failed"], result())
