"""What must be true after the demo, one sentence each."""

from collections.abc import Iterator

from demo.guard import Guarded

Claim = tuple[str, bool]


def report(guarded: list[Guarded], again: list[Guarded]) -> int:
    """Prints each claim and their count; returns how many are wrong."""
    claims = [*first(guarded), *repeated(guarded, again)]
    for sentence, holds in claims:
        print(f"{'ok    ' if holds else 'FAILED'} {sentence}")
    wrong = [sentence for sentence, holds in claims if not holds]
    if wrong:
        for each in [*guarded, *again]:
            print(f"\n{each.launched.case.name}: {each.report}\nEC2 says: {each.after}")
    print(f"demo: {len(claims) - len(wrong)} passed, {len(wrong)} failed", flush=True)
    return len(wrong)


def first(guarded: list[Guarded]) -> Iterator[Claim]:
    """After the events were delivered."""
    right, wrong, scaled, exempt = guarded
    for each in guarded:
        yield (
            f"the launch “{each.launched.case.name}” is reported once, with nothing unseen",
            each.report["trigger"] == "launch"
            and len(each.report["instances"]) == 1
            and not each.report["unseen"]
            and sum(each.report["summary"].values()) == 1,
        )
    yield "the instance that was right is compliant", right.verdict["outcome"] == "compliant"
    yield "the instance that was right is left as it was", right.after == right.launched.before
    yield "the open instance is enforced", wrong.verdict["outcome"] == "enforced"
    yield "the open instance was wrong in its tokens", "http_tokens" in wrong.verdict["violations"]
    yield "the open instance now requires tokens", requires_tokens(wrong)
    yield (
        "the open instance still has its endpoint",
        wrong.after.options["HttpEndpoint"] == "enabled",
    )
    yield "the Auto Scaling instance is not terminated", scaled.after.state == "running"
    yield "the Auto Scaling instance is enforced instead", scaled.verdict["outcome"] == "enforced"
    yield "the Auto Scaling instance fell under the terminate rule", rule(scaled) == "sandboxes"
    yield "the Auto Scaling instance now requires tokens", requires_tokens(scaled)
    yield (
        "its reason names the launch template to mend",
        template(scaled) in scaled.verdict["reason"],
    )
    yield "the exempt instance is exempt", exempt.verdict["outcome"] == "exempt"
    yield "the exempt instance names its rule", rule(exempt) == "legacy scanner"
    yield "the exempt instance is left as it was", exempt.after == exempt.launched.before


def repeated(guarded: list[Guarded], again: list[Guarded]) -> Iterator[Claim]:
    """After the same events were delivered once more."""
    for once, twice in zip(guarded, again, strict=True):
        name = once.launched.case.name
        done = twice.report["summary"]
        yield (
            f"a second delivery of “{name}” does nothing",
            done["compliant"] + done["exempt"] == 1 and sum(done.values()) == 1,
        )
        yield f"a second delivery of “{name}” changes nothing", twice.after == once.after


def requires_tokens(each: Guarded) -> bool:
    """As EC2 sees it."""
    return each.after.tokens == "required"


def rule(each: Guarded) -> str | None:
    """The rule that the report names."""
    name: str | None = each.verdict["rule"]
    return name


def template(each: Guarded) -> str:
    """The launch template that the event names."""
    request = each.launched.event["detail"]["requestParameters"]
    return str(request["launchTemplate"]["launchTemplateId"])
