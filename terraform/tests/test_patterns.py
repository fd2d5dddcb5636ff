"""Matches the events in `events/` against the deployed patterns with two implementations."""

import json
from collections.abc import Callable, Iterator
from itertools import product
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
CALL = "AWS API Call via CloudTrail"
STATE = "EC2 Instance State-change Notification"
SENT = [name for name in EVENTS if name not in NOT_SENT]

Matches = Callable[[str, Any], bool]


def by_moto(pattern: str, event: Any) -> bool:
    """Supports all operators."""
    return EventPattern.load(pattern).matches_event(event)


def by_event_ruler(pattern: str, event: Any) -> bool:
    """Does not support `$or`, and is not available on all platforms."""
    event_ruler = pytest.importorskip("event_ruler")
    return any(
        event_ruler.test_event_pattern(json.dumps(fields(event, each)), json.dumps(each))
        for each in alternatives(json.loads(pattern))
    )


def alternatives(pattern: Any) -> Iterator[Any]:
    """Splits lists of operators, which event_ruler rejects. An event has to match only one."""
    if isinstance(pattern, dict):
        for parts in product(*map(alternatives, pattern.values())):
            yield dict(zip(pattern, parts, strict=True))
    elif all(isinstance(each, dict) for each in pattern):
        yield from ([operator] for operator in pattern)
    else:
        yield pattern


def fields(event: Any, pattern: Any) -> Any:
    """Returns the fields in the pattern, because event_ruler misses fields after some others."""
    if not (isinstance(event, dict) and isinstance(pattern, dict)):
        return event
    return {key: fields(event[key], part) for key, part in pattern.items() if key in event}


IMPLEMENTATIONS = pytest.mark.parametrize("matches", [by_moto, by_event_ruler])


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", EVENTS)
def test_rules_match_exactly_the_events_that_the_function_processes(
    deployed: Deployed, matches: Matches, name: str
) -> None:
    kind = EVENTS[name].get("detail-type") if name in SENT else None
    assert matches(deployed.patterns["api-calls"], EVENTS[name]) == (kind == CALL)
    assert matches(deployed.patterns["states"], EVENTS[name]) == (kind == STATE)


def call(name: str, identity: dict[str, Any] | None) -> dict[str, Any]:
    """Returns the event of a call by this identity."""
    event = EVENTS["metadata-change-our-own"]
    return event | {"detail": event["detail"] | {"eventName": name, "userIdentity": identity}}


def session(role: str) -> dict[str, Any]:
    """Returns the identity of a session of this role."""
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "userName": role}
    return {"type": "AssumedRole", "sessionContext": {"sessionIssuer": issuer, "attributes": {}}}


@IMPLEMENTATIONS
def test_changes_that_the_function_makes_are_not_sent(deployed: Deployed, matches: Matches) -> None:
    event = call("ModifyInstanceMetadataOptions", session("imds-enforcer-function"))
    assert not matches(deployed.patterns["api-calls"], event)


# Not every identity has a session, and not every session has an issuer.
CALLERS = {
    "another role": session("imds-enforcer-function-2"),
    "a user": {"type": "IAMUser", "userName": "ada"},
    "a user with temporary credentials": {
        "type": "IAMUser",
        "sessionContext": {"attributes": {"mfaAuthenticated": "true"}},
    },
    "a service": {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"},
    "nobody": None,
}


@IMPLEMENTATIONS
@pytest.mark.parametrize(
    "name", ["RunInstances", "StartInstances", "ModifyInstanceMetadataOptions"]
)
@pytest.mark.parametrize("caller", CALLERS)
def test_calls_of_all_others_are_sent(
    deployed: Deployed, matches: Matches, name: str, caller: str
) -> None:
    assert matches(deployed.patterns["api-calls"], call(name, CALLERS[caller]))


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", ["StopInstances", "RebootInstances", "DescribeInstances"])
def test_other_calls_are_not_sent(deployed: Deployed, matches: Matches, name: str) -> None:
    assert not matches(deployed.patterns["api-calls"], call(name, CALLERS["a user"]))


@IMPLEMENTATIONS
@pytest.mark.parametrize("name", SENT)
def test_the_home_bus_sends_these_events_to_the_function(
    deployed: Deployed, matches: Matches, name: str
) -> None:
    assert matches(deployed.patterns["function"], EVENTS[name] | {"account": ACCOUNT})


@IMPLEMENTATIONS
def test_events_of_other_accounts_are_not_sent_to_the_function(
    deployed: Deployed, matches: Matches
) -> None:
    event = EVENTS["launch-open"] | {"account": "111122223333"}
    assert not matches(deployed.patterns["function"], event)


def result(trigger: str = "launch", **summary: int) -> dict[str, Any]:
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
            "responsePayload": {
                "trigger": trigger,
                "summary": dict.fromkeys(outcomes, 0) | summary,
            },
        },
    }


@pytest.mark.parametrize("outcome", ["enforced", "stopped", "terminated", "failed"])
def test_actions_and_failures_are_published(deployed: Deployed, outcome: str) -> None:
    assert by_moto(deployed.patterns["done"], result(compliant=3, **{outcome: 1}))
    assert not by_moto(deployed.patterns["sweep"], result(compliant=3, **{outcome: 1}))


@pytest.mark.parametrize("outcome", ["enforced", "stopped", "terminated"])
def test_what_sweeps_do_is_published_only_in_numbers(deployed: Deployed, outcome: str) -> None:
    event = result("sweep", compliant=3, **{outcome: 1})
    assert by_moto(deployed.patterns["sweep"], event)
    assert not by_moto(deployed.patterns["done"], event)
    # Another message tells of the first sweep of a day.
    assert not by_moto(deployed.patterns["digest"], event)


@pytest.mark.parametrize("outcome", ["compliant", "exempt", "reported", "gone"])
def test_other_outcomes_are_not_published(deployed: Deployed, outcome: str) -> None:
    assert not by_moto(deployed.patterns["done"], result(**{outcome: 5}))


@IMPLEMENTATIONS
def test_results_are_not_sent_back_to_the_function(deployed: Deployed, matches: Matches) -> None:
    event = result(enforced=1)
    failure = {"detail-type": "Lambda Function Invocation Result - Failure"}
    assert not matches(deployed.patterns["function"], event)
    assert not matches(deployed.patterns["function"], event | failure)
    assert not matches(deployed.patterns["api-calls"], event)


@IMPLEMENTATIONS
def test_failed_invocations_are_published(deployed: Deployed, matches: Matches) -> None:
    failure = {"detail-type": "Lambda Function Invocation Result - Failure"}
    assert matches(deployed.patterns["failed"], result() | failure)
    assert not matches(deployed.patterns["failed"], result())
