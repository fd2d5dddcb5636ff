"""Checks of the demo's results."""

from collections.abc import Iterator
from typing import Any

from demo.invoke import Result
from demo.state import disrupted

Check = tuple[str, bool]
# The items of the state table, by their keys.
Items = dict[str, dict[str, Any]]


def report(results: list[Result], repeated: list[Result], states: tuple[Items, Items]) -> int:
    """Prints the checks and their counts; returns the number of failed checks."""
    checks = [*first_invocations(results), *repeated_invocations(results, repeated)]
    checks += state(results, *states)
    for sentence, passed in checks:
        print(f"{'ok    ' if passed else 'FAILED'} {sentence}")
    failed = sum(not passed for _, passed in checks)
    if failed:
        for each in [*results, *repeated]:
            print(f"\n{each.launched.case.name}: {each.report}\nEC2: {each.after}")
    print(f"demo: {len(checks) - failed} passed, {failed} failed", flush=True)
    return failed


def first_invocations(results: list[Result]) -> Iterator[Check]:
    """Checks the results of the first invocations."""
    compliant, enforced, scaled, sandbox, exempt, entered = results
    for each in results:
        yield (
            f"the report of the launch “{each.launched.case.name}” has one instance and no errors",
            each.report["version"] == 1
            and each.report["trigger"] == "launch"
            and len(each.report["instances"]) == 1
            and not each.report["unreachable"]
            and sum(each.report["summary"].values()) == 1,
        )
    yield "the compliant instance is compliant", compliant.entry["outcome"] == "compliant"
    yield "the compliant instance is unchanged", compliant.after == compliant.launched.before
    yield "the non-compliant instance is enforced", enforced.entry["outcome"] == "enforced"
    yield "the report names the violation", "http_tokens" in enforced.entry["violations"]
    yield "the enforced instance requires tokens", requires_tokens(enforced)
    yield (
        "the endpoint of the enforced instance is still enabled",
        enforced.after.options["HttpEndpoint"] == "enabled",
    )
    yield "the Auto Scaling instance is running", scaled.after.state == "running"
    yield "the Auto Scaling instance is enforced", scaled.entry["outcome"] == "enforced"
    yield (
        "its report has the reason for not terminating it",
        (scaled.entry["instead_of"], scaled.entry["because"]) == ("terminate", "replaced"),
    )
    yield "its report names the rule", rule(scaled) == "sandboxes"
    yield "the Auto Scaling instance requires tokens", requires_tokens(scaled)
    yield "its report names the launch template", template(scaled) in scaled.entry["reason"]
    yield "the sandbox instance is terminated", sandbox.entry["outcome"] == "terminated"
    yield "the sandbox instance ends", sandbox.after.is_ended
    yield "the exempt instance is exempt", exempt.entry["outcome"] == "exempt"
    yield "its report names the rule of the exemption", rule(exempt) == "legacy scanner"
    yield "the exempt instance is unchanged", exempt.after == exempt.launched.before
    yield "the instance that ada exempts is exempt", entered.entry["outcome"] == "exempt"
    yield (
        "its report names ada and her reason",
        "by ada (a demonstration" in entered.entry["reason"],
    )
    yield "the instance that ada exempts is unchanged", entered.after == entered.launched.before


def repeated_invocations(results: list[Result], repeated: list[Result]) -> Iterator[Check]:
    """Checks the results of invocations with the same events."""
    for first, second in zip(results, repeated, strict=True):
        name = first.launched.case.name
        summary = second.report["summary"]
        yield (
            f"a second invocation for “{name}” takes no action",
            sum(summary[each] for each in ("compliant", "exempt", "gone")) == 1
            and sum(summary.values()) == 1,
        )
        yield f"a second invocation for “{name}” changes nothing", second.after == first.after


def state(results: list[Result], first: Items, second: Items) -> Iterator[Check]:
    """Checks the state table after the first invocations and after the second ones."""
    sandbox = next(each for each in results if each.launched.case.name == "sandbox")
    account, region = sandbox.report["account"], sandbox.launched.case.region
    counted = disrupted(first, account, region)
    yield (
        "the state table counts the terminated instance",
        counted == {sandbox.launched.instance_id},
    )
    yield (
        "the state table has no other item of the function",
        {key.partition("#")[0] for key in first} == {"limit", "exempt"},
    )
    yield "second invocations change nothing in the state table", second == first


def requires_tokens(each: Result) -> bool:
    """Returns whether the instance requires tokens."""
    return each.after.tokens == "required"


def rule(each: Result) -> str | None:
    """Returns the rule in the report."""
    name: str | None = each.entry["rule"]
    return name


def template(each: Result) -> str:
    """Returns the ID of the launch template in the event."""
    request = each.launched.event["detail"]["requestParameters"]
    return str(request["launchTemplate"]["launchTemplateId"])
