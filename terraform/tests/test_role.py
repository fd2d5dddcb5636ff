"""What the function's role allows and denies, according to an independent IAM evaluator."""

import copy
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from conftest import HOME, OPTED_OUT, Deployed
from evaluator import Context, Evaluator

ACCOUNT = "123456789012"
MODIFY = "ec2:ModifyInstanceMetadataOptions"
SPOT = "ec2:DescribeSpotInstanceRequests"

# What each role allows in addition to reading, by the action of its policy. `all` is the role in
# the account, for a policy with all actions; the others are planned.
ALLOWED = {
    "report": set(),
    "enforce": {MODIFY},
    "stop": {MODIFY, "ec2:StopInstances", SPOT},
    "terminate": {MODIFY, "ec2:TerminateInstances", SPOT},
    "all": {MODIFY, "ec2:StopInstances", "ec2:TerminateInstances", SPOT},
}
NEVER_ALLOWED = {"ec2:StartInstances", "ec2:RebootInstances", "ec2:ModifyInstanceAttribute"}
NEVER_ALLOWED |= {"ec2:CreateTags", "ec2:DeleteTags"}
EACH = pytest.mark.parametrize("policy", ALLOWED)
EACH_THAT_ACTS = pytest.mark.parametrize("policy", [each for each in ALLOWED if ALLOWED[each]])


@dataclass
class Role:
    """A role with these policies."""

    evaluator: Evaluator
    policies: list[dict[str, Any]]

    def answer(
        self,
        action: str,
        context: Context | None = None,
        region: str = "eu-west-1",
        account: str = ACCOUNT,
    ) -> str:
        """Returns the result for an action, on an instance if it supports that."""
        instance = f"arn:aws:ec2:{region}:{account}:instance/i-0123456789abcdef0"
        resource = "*" if ":Describe" in action or ":Get" in action else instance
        role = f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-function"
        context = {"aws:RequestedRegion": region} | (context or {})
        return self.evaluator.evaluate(self.policies, role, action, resource, context)


@pytest.fixture(scope="module")
def roles(deployed: Deployed, evaluator: Evaluator) -> dict[str, Role]:
    """The roles by the action of the policy."""
    planned = {action: plan(deployed, action) for action in ALLOWED if action != "all"}
    documents = planned | {"all": deployed.role}
    return {name: Role(evaluator, [document]) for name, document in documents.items()}


def plan(deployed: Deployed, action: str) -> dict[str, Any]:
    """Returns the role's policy that Terraform plans for a policy with this action."""
    address = "aws_iam_role_policy.function"
    policy = {"require": {"http_tokens": "required"}, "on_violation": action}
    variables = deployed.variables | {"policy": policy}
    values = deployed.terraform.planned(variables, f"-target={address}")
    (role,) = [each for each in values["root_module"]["resources"] if each["address"] == address]
    return dict(json.loads(role["values"]["policy"]))


def sets(**options: str) -> Context:
    """Returns the condition keys of a call that sets these options."""
    return {f"ec2:Attribute/{name}": value for name, value in options.items()}


HARMLESS = {
    "tokens": sets(HttpTokens="required"),
    "endpoint": sets(HttpEndpoint="disabled"),
    "hop limit": sets(HttpPutResponseHopLimit="2"),
    "instance metadata tags": sets(InstanceMetadataTags="disabled"),
    "tokens and endpoint": sets(HttpTokens="required", HttpEndpoint="disabled"),
    "tokens and hop limit": sets(HttpTokens="required", HttpPutResponseHopLimit="2"),
}
WEAKENING = {
    "tokens": sets(HttpTokens="optional"),
    "endpoint": sets(HttpEndpoint="enabled"),
    "endpoint, with tokens": sets(HttpTokens="required", HttpEndpoint="enabled"),
    "tokens, with endpoint": sets(HttpTokens="optional", HttpEndpoint="disabled"),
    "tokens, with hop limit": sets(HttpTokens="optional", HttpPutResponseHopLimit="1"),
    "both": sets(HttpTokens="optional", HttpEndpoint="enabled"),
}


@EACH_THAT_ACTS
@pytest.mark.parametrize("change", HARMLESS)
def test_the_role_can_enforce(roles: dict[str, Role], policy: str, change: str) -> None:
    assert roles[policy].answer(MODIFY, HARMLESS[change]) == "Allowed"


@EACH
@pytest.mark.parametrize("change", WEAKENING)
def test_the_role_cannot_weaken_an_instance(
    roles: dict[str, Role], policy: str, change: str
) -> None:
    assert roles[policy].answer(MODIFY, WEAKENING[change]) == "ExplicitlyDenied"


@pytest.mark.parametrize("change", WEAKENING)
def test_the_role_cannot_weaken_an_instance_even_with_an_additional_policy(
    roles: dict[str, Role], change: str
) -> None:
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    additional = {"Version": "2012-10-17", "Statement": [everything]}
    role = replace(roles["enforce"], policies=[*roles["enforce"].policies, additional])
    assert role.answer(MODIFY, WEAKENING[change]) == "ExplicitlyDenied"


@pytest.mark.parametrize(
    ("denial", "change"), [("DenyOptionalTokens", "tokens"), ("DenyEnabledEndpoint", "endpoint")]
)
def test_every_part_of_a_denial_is_necessary(
    roles: dict[str, Role], denial: str, change: str
) -> None:
    changed = replace(roles["enforce"], policies=copy.deepcopy(roles["enforce"].policies))
    statements = changed.policies[0]["Statement"]
    (statement,) = [each for each in statements if each["Sid"] == denial]
    del statement["Condition"]["Null"]
    assert changed.answer(MODIFY, HARMLESS["hop limit"]) == "ExplicitlyDenied"
    statements.remove(statement)
    assert changed.answer(MODIFY, WEAKENING[change]) == "Allowed"


@EACH
def test_the_role_can_read(roles: dict[str, Role], policy: str) -> None:
    for action in ("ec2:DescribeInstances", "ec2:DescribeRegions", "cloudwatch:GetMetricData"):
        assert roles[policy].answer(action) == "Allowed", action


@EACH
def test_the_role_can_do_only_what_the_policy_can_lead_to(
    roles: dict[str, Role], policy: str
) -> None:
    actions = set.union(*ALLOWED.values(), NEVER_ALLOWED)
    allowed = {action for action in actions if roles[policy].answer(action) == "Allowed"}
    assert allowed == ALLOWED[policy]


@EACH
def test_the_role_can_do_nothing_in_other_regions(roles: dict[str, Role], policy: str) -> None:
    for action in {"ec2:DescribeInstances", *ALLOWED["all"]}:
        assert roles[policy].answer(action, region=OPTED_OUT) == "ImplicitlyDenied", action


@EACH
def test_the_role_can_do_nothing_in_other_accounts(roles: dict[str, Role], policy: str) -> None:
    for action in ALLOWED["all"] - {SPOT}:
        answer = roles[policy].answer(action, account="111122223333")
        assert answer == "ImplicitlyDenied", action


TABLE = f"arn:aws:dynamodb:{HOME}:{ACCOUNT}:table/imds-enforcer"
OF_THE_FUNCTION = ["limit#1", "drift#i-1", "existing#1", "watch#i-1", "launcher#i-1", "lease#1"]
OF_PEOPLE = ["exempt#i-1", f"pause#{ACCOUNT}", f"pause#{ACCOUNT}#eu-west-1"]
OF_TERRAFORM = ["policy#0123456789abcdef"]
WRITES = [f"dynamodb:{action}Item" for action in ("Put", "Update", "Delete", "BatchWrite")]
OTHERS = [f"dynamodb:{action}" for action in ("Scan", "Query", "DeleteTable", "UpdateTimeToLive")]
Documents = list[dict[str, Any]]


@pytest.fixture(scope="module")
def people(deployed: Deployed) -> Documents:
    """The policy of people who exempt and pause."""
    return [json.loads(deployed.outputs["exemptions_policy"])]


def on_table(
    evaluator: Evaluator, policies: Documents, action: str, keys: list[str], table: str = TABLE
) -> str:
    """Returns the result for an action on items with these keys."""
    context = {"dynamodb:LeadingKeys": keys} if keys else {}
    context |= {"aws:RequestedRegion": HOME}
    role = f"arn:aws:iam::{ACCOUNT}:role/imds-enforcer-function"
    return evaluator.evaluate(policies, role, action, table, context)


@EACH
@pytest.mark.parametrize("key", [*OF_THE_FUNCTION, *OF_PEOPLE, *OF_TERRAFORM])
def test_the_function_reads_every_item_and_writes_only_its_own(
    roles: dict[str, Role], evaluator: Evaluator, policy: str, key: str
) -> None:
    policies = roles[policy].policies
    for action in ("dynamodb:GetItem", "dynamodb:BatchGetItem"):
        assert on_table(evaluator, policies, action, [key]) == "Allowed", action
    allowed = {each for each in WRITES if on_table(evaluator, policies, each, [key]) == "Allowed"}
    assert allowed == ({"dynamodb:UpdateItem"} if key in OF_THE_FUNCTION else set())


@EACH
def test_the_function_cannot_scan_query_or_change_the_table(
    roles: dict[str, Role], evaluator: Evaluator, policy: str
) -> None:
    for action in OTHERS:
        answer = on_table(evaluator, roles[policy].policies, action, [])
        assert answer == "ImplicitlyDenied", action


def test_the_function_can_do_nothing_on_other_tables(
    roles: dict[str, Role], evaluator: Evaluator
) -> None:
    for action in ("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem"):
        answer = on_table(evaluator, roles["all"].policies, action, ["limit#1"], f"{TABLE}-2")
        assert answer == "ImplicitlyDenied", action


@pytest.mark.parametrize("keys", [[], ["limit#1", "exempt#i-1"], ["limit"], ["xlimit#1"]])
def test_the_function_cannot_write_items_without_its_prefixes(
    roles: dict[str, Role], evaluator: Evaluator, keys: list[str]
) -> None:
    answer = on_table(evaluator, roles["all"].policies, "dynamodb:UpdateItem", keys)
    assert answer == "ImplicitlyDenied"


@pytest.mark.parametrize("key", [*OF_THE_FUNCTION, *OF_PEOPLE, *OF_TERRAFORM])
def test_people_write_only_exemptions_and_pauses(
    people: Documents, evaluator: Evaluator, key: str
) -> None:
    actions = ["dynamodb:GetItem", "dynamodb:BatchGetItem", *WRITES]
    allowed = {each for each in actions if on_table(evaluator, people, each, [key]) == "Allowed"}
    expected = {f"dynamodb:{name}Item" for name in ("Get", "BatchGet", "Put", "Update", "Delete")}
    read = {"dynamodb:BatchGetItem"} if key.startswith("watch#") else set()
    assert allowed == (expected if key in OF_PEOPLE else read)


def test_people_can_do_nothing_else(people: Documents, evaluator: Evaluator) -> None:
    # A list of all exemptions and pauses takes a scan, which names no keys.
    answers = {action: on_table(evaluator, people, action, []) for action in OTHERS}
    assert answers.pop("dynamodb:Scan") == "Allowed"
    assert set(answers.values()) == {"ImplicitlyDenied"}
    for keys in ([], ["exempt#i-1", "limit#1"]):
        answer = on_table(evaluator, people, "dynamodb:PutItem", keys)
        assert answer == "ImplicitlyDenied", keys
    answer = on_table(evaluator, people, "dynamodb:PutItem", ["exempt#i-1"], f"{TABLE}-2")
    assert answer == "ImplicitlyDenied"


@pytest.mark.parametrize("part", ["ForAllValues:StringLike", "Null"])
def test_every_part_of_the_conditions_on_keys_is_necessary(
    roles: dict[str, Role], people: Documents, evaluator: Evaluator, part: str
) -> None:
    keys = {"ForAllValues:StringLike": ["policy#0"], "Null": []}[part]
    for policies, sid, action in (
        (roles["all"].policies, "WriteState", "dynamodb:UpdateItem"),
        (people, "ExemptAndPause", "dynamodb:PutItem"),
    ):
        changed = copy.deepcopy(policies)
        (statement,) = [each for each in changed[0]["Statement"] if each["Sid"] == sid]
        assert on_table(evaluator, changed, action, keys) == "ImplicitlyDenied"
        del statement["Condition"][part]
        assert on_table(evaluator, changed, action, keys) == "Allowed"
