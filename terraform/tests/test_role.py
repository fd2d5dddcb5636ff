"""What the function's role allows and denies, according to an independent IAM evaluator."""

import copy
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from conftest import OPTED_OUT, Deployed
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


@EACH_THAT_ACTS
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["imds-enforcer:terminate"], "Allowed"),
        (["app"], "ImplicitlyDenied"),
        (["imds-enforcer:terminate", "app"], "ImplicitlyDenied"),
        ([], "ImplicitlyDenied"),
    ],
)
def test_the_role_can_set_only_its_own_tags(
    roles: dict[str, Role], policy: str, keys: list[str], expected: str
) -> None:
    context = {"aws:TagKeys": keys} if keys else None
    assert roles[policy].answer("ec2:CreateTags", context) == expected
