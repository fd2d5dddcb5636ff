"""What AWS checks and no emulator does, in the documents that were deployed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import limits
import pytest
from chain import HOME, NAME, REGIONS, Chain
from evaluator import Evaluator
from ground import ACCOUNT, ROOT

Document = dict[str, Any]


class Target(NamedTuple):
    """A target of a rule, and where the rule is."""

    region: str
    bus: str
    rule: str
    arn: str
    settings: Document

    @property
    def service(self) -> str:
        """Returns the service of the target."""
        return self.arn.split(":")[2]


@pytest.fixture(scope="module")
def targets(chain: Chain) -> list[Target]:
    """All targets of all rules in all Regions."""
    return list(found(chain))


def found(chain: Chain) -> Iterator[Target]:
    """Reads the targets."""
    for region in REGIONS:
        events = chain.cloud.client("events", region)
        for bus in events.list_event_buses()["EventBuses"]:
            of_bus = {"EventBusName": bus["Name"]}
            for rule in events.list_rules(**of_bus)["Rules"]:
                for each in events.list_targets_by_rule(Rule=rule["Name"], **of_bus)["Targets"]:
                    yield Target(region, bus["Name"], rule["Arn"], each["Arn"], each)


def role_policies(chain: Chain, name: str) -> list[Document]:
    """Returns the policies of a role."""
    iam = chain.home("iam")
    names = iam.list_role_policies(RoleName=name)["PolicyNames"]
    return [iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in names]


def test_no_bus_forwards_what_it_received_from_another_bus(
    chain: Chain, targets: list[Target]
) -> None:
    hops = [each for each in targets if "event-bus/" in each.arn]
    buses = f"arn:aws:events:{HOME}:{ACCOUNT}:event-bus/"
    assert {each.arn for each in hops} == {buses + NAME, buses + "default"}
    for first in hops:
        region, bus = first.arn.split(":")[3], first.arn.rpartition("/")[2]
        for second in hops:
            if (second.region, second.bus) == (region, bus):
                # A rule on the bus that receives must not match what the first rule forwards.
                both = [source(chain, each) for each in (first, second)]
                assert both[0].isdisjoint(both[1]), (first.rule, second.rule)


def source(chain: Chain, target: Target) -> set[str]:
    """Returns the sources that the pattern of the target's rule matches."""
    events = chain.cloud.client("events", target.region)
    name = target.rule.rpartition("/")[2]
    rule = events.describe_rule(Name=name, EventBusName=target.bus)
    return set(json.loads(rule["EventPattern"])["source"])


def test_a_topic_lets_eventbridge_publish_without_a_condition(
    chain: Chain, targets: list[Target]
) -> None:
    topics = {each.arn for each in targets if each.service == "sns"}
    assert topics == {chain.outputs["topic_arn"]}
    for topic in topics:
        attributes = chain.home("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
        allowed = [
            statement
            for statement in json.loads(attributes["Policy"])["Statement"]
            if statement["Principal"] == {"Service": "events.amazonaws.com"}
        ]
        assert [(each["Effect"], each["Action"], each["Resource"]) for each in allowed] == [
            ("Allow", "sns:Publish", topic)
        ]
        assert not any("Condition" in each for each in allowed)
    assert not any("RoleArn" in each.settings for each in targets if each.service == "sns")


def test_every_queue_accepts_messages_from_exactly_the_rules_that_send_to_it(
    chain: Chain, targets: list[Target]
) -> None:
    senders: dict[str, set[str]] = {}
    for each in targets:
        queues = [each.settings.get("DeadLetterConfig", {}).get("Arn")]
        queues += [each.arn] if each.service == "sqs" else []
        for queue in filter(None, queues):
            senders.setdefault(queue, set()).add(each.rule)
            # A queue for failed deliveries must be in the rule's own Region.
            assert queue.split(":")[3] == each.region
    assert len(senders) == len(REGIONS) + 2
    for queue, rules in senders.items():
        _, _, _, region, _, name = queue.split(":")
        sqs = chain.cloud.client("sqs", region)
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        read = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
        (statement,) = json.loads(read["Policy"])["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", queue)
        allowed = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert set(allowed if isinstance(allowed, list) else [allowed]) == rules


def test_only_the_rule_of_the_home_bus_may_invoke_the_function(
    chain: Chain, targets: list[Target]
) -> None:
    (target,) = [each for each in targets if each.service == "lambda"]
    policy = json.loads(chain.home("lambda").get_policy(FunctionName=NAME)["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert (statement["Effect"], statement["Action"]) == ("Allow", "lambda:InvokeFunction")
    assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": target.rule}}
    assert target.bus == NAME


def test_the_role_of_the_rules_may_put_events_on_the_home_bus_only(
    chain: Chain, targets: list[Target], evaluator: Evaluator
) -> None:
    home = f"arn:aws:events:{HOME}:{ACCOUNT}:event-bus/{NAME}"
    (role,) = {each.settings["RoleArn"] for each in targets if each.arn == home}
    policies = role_policies(chain, role.rpartition("/")[2])
    bus = json.loads(chain.home("events").describe_event_bus(Name=NAME)["Policy"])

    def answer(resource: str) -> str:
        principal = {"aws:PrincipalArn": role}
        return evaluator.evaluate(policies, role, "events:PutEvents", (resource, bus), principal)

    assert answer(home) == "Allowed"
    assert answer(home.replace(NAME, "default")) == "ImplicitlyDenied"


def test_the_execution_role_may_send_results_to_the_home_bus(
    chain: Chain, evaluator: Evaluator
) -> None:
    configured = chain.home("lambda").get_function_event_invoke_config(FunctionName=NAME)
    home = f"arn:aws:events:{HOME}:{ACCOUNT}:event-bus/{NAME}"
    sent = configured["DestinationConfig"]
    assert {sent[each]["Destination"] for each in ("OnSuccess", "OnFailure")} == {home}
    role = chain.outputs["role_arn"]
    policies = role_policies(chain, f"{NAME}-function")
    bus = json.loads(chain.home("events").describe_event_bus(Name=NAME)["Policy"])
    context = {"aws:PrincipalArn": role}
    put = evaluator.evaluate(policies, role, "events:PutEvents", (home, bus), context)
    assert put == "Allowed"


def test_every_role_trusts_only_the_service_that_assumes_it(chain: Chain) -> None:
    roles = chain.home("iam").list_roles()["Roles"]
    trusted = {}
    for role in roles:
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Action"]) == ("Allow", "sts:AssumeRole")
        trusted[role["RoleName"]] = statement["Principal"]
        if role["RoleName"] != f"{NAME}-function":
            assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT
    services = {"alarms": "events", "forward": "events", "function": "lambda", "sweep": "scheduler"}
    assert trusted == {
        f"{NAME}-{name}": {"Service": f"{service}.amazonaws.com"}
        for name, service in services.items()
    }


def test_the_schedule_may_invoke_its_target(chain: Chain, evaluator: Evaluator) -> None:
    schedule = chain.home("scheduler").get_schedule(Name=chain.outputs["schedule_name"])
    target = schedule["Target"]
    assert (schedule["State"], target["Arn"]) == ("ENABLED", chain.outputs["function_arn"])
    policies = role_policies(chain, target["RoleArn"].rpartition("/")[2])
    for action, resource in (
        ("lambda:InvokeFunction", target["Arn"]),
        ("sqs:SendMessage", target["DeadLetterConfig"]["Arn"]),
    ):
        assert evaluator.evaluate(policies, target["RoleArn"], action, resource, {}) == "Allowed"


@pytest.mark.parametrize("what", [name for name, test in limits.NOT_SHOWN.items() if test])
def test_what_the_emulators_cannot_show_is_tested_elsewhere(what: str) -> None:
    path, _, name = str(limits.NOT_SHOWN[what]).partition("::")
    assert f"def {name}(" in Path(ROOT / path).read_text() if name else Path(ROOT / path).is_file()
