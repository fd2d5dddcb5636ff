"""The command as a new user tries it, following `--help`, against moto's EC2."""

import csv
import io
import re
import shlex
from pathlib import Path
from typing import Any

from account import NON_COMPLIANT, REGIONS, ROOT, Account

COMMANDS = ("scan", "enforce", "usage", "rollback", "explain", "defaults", "policy", "doctor")
TRIED = {"scan", "enforce", "usage", "rollback", "explain"}
JOURNAL = "journal.jsonl"


def examples(text: str) -> list[list[str]]:
    """The examples of a help page, without their comments."""
    lines = re.findall(r"^  (imdsctl .*?)(?: {3,}.*)?$", text, re.MULTILINE)
    return [shlex.split(line, comments=False)[1:] for line in lines]


def enforced(fleet: Account) -> Path:
    """Enforces all instances and returns the journal."""
    journal = fleet.home / JOURNAL
    ran = fleet.imdsctl("enforce", "--yes", "--ignore-usage", "--journal", journal)
    assert ran.code == 0, ran.err
    return journal


def test_every_command_has_help_and_its_examples_run(fleet: Account) -> None:
    (fleet.home / "events").symlink_to(ROOT / "events")
    shown = examples(fleet.imdsctl("--help").out)
    for command in COMMANDS:
        ran = fleet.imdsctl(command, "--help")
        assert ran.code == 0, ran.err
        assert "Usage: imdsctl" in ran.out
        shown += examples(ran.out)
    # With --watch, a command runs until Ctrl-C.
    tried = [each for each in shown if each[0] in TRIED and "--watch" not in each]
    assert len(tried) >= 15
    journal = enforced(fleet)
    for example in tried:
        arguments = [str(journal) if is_journal(each) else each for each in example]
        if "--instance" in arguments:
            arguments[arguments.index("--instance") + 1] = min(fleet.of_kinds("web"))
        if "--policy" in arguments and "enforce" in arguments:
            arguments[arguments.index("--policy") + 1] = "events/policy.json"
        asks = {"enforce", "rollback"} & set(arguments[:1])
        ran = fleet.imdsctl(*arguments, *(["--yes"] if asks else []))
        shown = f"{shlex.join(arguments)}: {ran.code}\n{ran.err}\n{ran.out}"
        # moto does not implement the account's defaults.
        if {"--templates", "--defaults"} & set(arguments):
            assert ran.code == 3, shown
            errors = [
                line for line in ran.err.splitlines() if re.search(r": [a-z]+-[a-z]+-\d: ", line)
            ]
            assert errors, shown
            assert all("GetInstanceMetadataDefaults" in line for line in errors), shown
        else:
            assert ran.code in {0, 1}, shown


def is_journal(word: str) -> bool:
    """Whether a word of an example is a journal."""
    return word == "JOURNAL" or word.endswith(".jsonl")


def test_every_instance_of_every_region_is_found(fleet: Account) -> None:
    ran = fleet.imdsctl("scan", "--format", "json")
    assert ran.code == 1, ran.err
    report = ran.json()
    found = {each["instance_id"]: each for each in report["instances"]}
    assert len(found) == len(report["instances"]) == 60
    assert {each: row["region"] for each, row in found.items()} == fleet.regions
    assert {region["region"] for region in report["regions"]} == set(fleet.regions.values())
    assert set(REGIONS) <= set(fleet.regions.values()).union(
        *(empty["regions"] for empty in report["empty_regions"])
    )
    assert report["unreachable"] == []
    for each, instance in fleet.instances():
        row, options = found[each], instance["MetadataOptions"]
        assert row["state"] == instance["State"]["Name"]
        assert row["name"] == fleet.kinds[each].name
        assert row["before"]["http_tokens"] == options["HttpTokens"]
        assert row["before"]["hop_limit"] == options["HttpPutResponseHopLimit"]
        assert row["before"]["http_endpoint"] == options["HttpEndpoint"]


def test_only_non_compliant_instances_are_reported_with_the_reason(fleet: Account) -> None:
    report = fleet.imdsctl("scan", "--format", "json").json()
    rows = report["instances"]
    non_compliant = {row["instance_id"] for row in rows if row["decision"] == "enforce"}
    assert non_compliant == fleet.of_kinds(*NON_COMPLIANT)
    for each in report["instances"]:
        if each["instance_id"] in non_compliant:
            assert each["violations"] == ["http_tokens"]
            assert "http_tokens is optional" in each["reason"]
    summary = {name: count for name, count in report["summary"].items() if count}
    assert summary == {"compliant": 20, "reported": 35, "gone": 5}
    shown = fleet.imdsctl("scan", "--only", "violations")
    assert all(each in shown.out for each in non_compliant)
    assert "35 to remediate" in shown.out


def test_filters_select_instances(fleet: Account) -> None:
    def found(*arguments: str) -> set[str]:
        report = fleet.imdsctl("scan", "--format", "json", *arguments).json()
        return {each["instance_id"] for each in report["instances"]}

    in_dublin = {each for each, region in fleet.regions.items() if region == "eu-west-1"}
    web = fleet.of_kinds("web")
    one = min(web)
    assert found("--region", "eu-west-1") == in_dublin
    assert found("--tag", "app=web-*") == web
    assert found("--tag", "app=web-1", "--region", "eu-west-1") == web & in_dublin
    assert found("--state", "stopped") == fleet.of_kinds("parked")
    assert found("--instance", one) == {one}


def test_a_dry_run_changes_nothing(fleet: Account) -> None:
    before = fleet.options()
    ran = fleet.imdsctl("enforce", "--dry-run")
    assert ran.code == 1, ran.err
    assert all(each in ran.out for each in fleet.of_kinds(*NON_COMPLIANT))
    assert fleet.options() == before


def test_nothing_is_changed_without_yes(fleet: Account) -> None:
    before = fleet.options()
    ran = fleet.imdsctl("enforce")
    assert ran.code == 2
    assert "--yes" in ran.err
    assert fleet.options() == before


def test_non_compliant_instances_are_enforced_and_others_unchanged(fleet: Account) -> None:
    before = fleet.options()
    enforced(fleet)
    after = fleet.options()
    non_compliant = fleet.of_kinds(*NON_COMPLIANT)
    for each in before:
        if each in non_compliant:
            assert after[each]["HttpTokens"] == "required"
            assert after[each]["HttpEndpoint"] == "enabled"
        else:
            assert after[each] == before[each]
    assert fleet.imdsctl("scan").code == 0
    again = fleet.imdsctl("enforce", "--yes")
    assert again.code == 0
    assert "nothing to do" in again.err
    assert fleet.options() == after


def test_a_rollback_restores_all_options(fleet: Account) -> None:
    before = fleet.options()
    journal = enforced(fleet)
    assert fleet.options() != before
    ran = fleet.imdsctl("rollback", journal, "--yes", "--json")
    assert ran.code == 0, ran.err
    assert ran.json()["summary"]["restored"] == len(fleet.of_kinds(*NON_COMPLIANT))
    assert fleet.options() == before


def test_a_rollback_can_be_rolled_back(fleet: Account) -> None:
    journal = enforced(fleet)
    after_enforcement = fleet.options()
    second = fleet.home / "second.jsonl"
    assert fleet.imdsctl("rollback", journal, "--yes", "--journal", second).code == 0
    assert fleet.options() != after_enforcement
    ran = fleet.imdsctl("rollback", second, "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert fleet.options() == after_enforcement


def test_after_a_kill_the_journal_restores_all_options(fleet: Account) -> None:
    before = fleet.options()
    journal = fleet.home / JOURNAL
    with fleet.start("enforce", "--yes", "--ignore-usage", "--journal", journal) as process:
        while not journal.exists() or journal.read_text().count('"answer"') < 5:
            assert process.poll() is None, process.communicate()
        process.kill()
    assert fleet.settled() != before
    ran = fleet.imdsctl("rollback", journal, "--yes")
    assert ran.code == 0, ran.out + ran.err
    assert fleet.options() == before


def test_a_plan_is_applied_where_it_is_still_valid(fleet: Account) -> None:
    plan = fleet.home / "plan.json"
    assert fleet.imdsctl("enforce", "--ignore-usage", "--plan-out", plan).code == 1
    changed = min(fleet.of_kinds("node"))
    fleet.ec2(fleet.regions[changed]).modify_instance_metadata_options(
        InstanceId=changed, HttpTokens="optional", HttpPutResponseHopLimit=7
    )
    ran = fleet.imdsctl("enforce", "--plan", plan, "--yes", "--format", "json")
    assert ran.code == 1, ran.err
    after = fleet.options()
    for each in fleet.of_kinds(*NON_COMPLIANT) - {changed}:
        assert after[each]["HttpTokens"] == "required"
    assert after[changed]["HttpTokens"] == "optional"
    [row] = [each for each in ran.json()["instances"] if each["instance_id"] == changed]
    assert "changed since the plan was made" in row["reason"]


def test_the_fleet_is_written_as_html_and_csv(fleet: Account) -> None:
    page = fleet.home / "fleet.html"
    ran = fleet.imdsctl("scan", "--usage", "--format", "html", "--output", page)
    assert (ran.code, ran.out) == (1, ""), ran.err
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text.rstrip().endswith("</html>")
    assert all(each in text for each in fleet.kinds)
    ran = fleet.imdsctl("scan", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert {row["instance_id"]: row["region"] for row in rows} == fleet.regions


def verdicts(fleet: Account, rows: list[Any]) -> dict[str, tuple[str, str | None]]:
    """The usage of each kind that has one."""
    report = {
        (fleet.kinds[row["instance_id"]].name, row["usage"]["verdict"], row["usage"].get("because"))
        for row in rows
        if "usage" in row
    }
    assert len({kind for kind, *_ in report}) == len(report), report
    return {kind: (verdict, because) for kind, verdict, because in report}


USAGE = {
    "web": ("in_use", None),
    "node": ("unused", None),
    "tagged": ("unknown", "no_data"),
    "parked": ("unused", None),
}
# Calls of `api` are rejected, which is use as well. Other commands ask only for non-compliant ones.
ALL_USAGE = USAGE | {"api": ("in_use", None)}


def test_usage_is_in_use_unused_or_unknown(fleet: Account) -> None:
    ran = fleet.imdsctl("usage", "--format", "json")
    assert ran.code == 1, ran.err
    report = ran.json()
    assert report["unreachable"] == []
    assert report["summary"] == {"in_use": 30, "unused": 15, "unknown": 5, "closed": 5}
    assert verdicts(fleet, report["instances"]) == ALL_USAGE
    calls_by_day = [None, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0]
    by_day = {
        "web": calls_by_day,
        "api": calls_by_day,
        "node": [None, *[0] * 13],
        "tagged": [None] * 14,
        "parked": [None, *[0] * 13],
    }
    for row in report["instances"]:
        kind = fleet.kinds[row["instance_id"]].name
        assert row["days"] == by_day[kind]
        assert row["calls"] == {"web": 9, "api": 9, "node": 0, "parked": 0}.get(kind)


def test_usage_covers_the_requested_days(fleet: Account) -> None:
    week = fleet.imdsctl("usage", "--days", "7", "--format", "json").json()["instances"]
    assert verdicts(fleet, week) == ALL_USAGE
    assert {row["calls"] for row in week} == {5, 0, None}


def test_rejected_calls_are_reported_by_instance(fleet: Account) -> None:
    ran = fleet.imdsctl("usage", "--rejected", "--format", "json")
    assert ran.code == 1, ran.err
    rows = ran.json()["instances"]
    assert {row["instance_id"] for row in rows} == fleet.of_kinds("api")
    assert {row["calls"] for row in rows} == {9}


def test_unused_only_enforces_only_unused_instances(fleet: Account) -> None:
    before = fleet.options()
    planned = fleet.imdsctl("enforce", "--unused-only", "--dry-run", "--format", "json")
    assert fleet.options() == before
    done = fleet.imdsctl("enforce", "--unused-only", "--yes", "--format", "json")
    assert (planned.code, done.code) == (1, 1), done.err
    scanned = fleet.imdsctl("scan", "--usage", "--format", "json")
    for ran in (planned, done):
        assert verdicts(fleet, ran.json()["instances"]) == USAGE
    after = fleet.options()
    unused = fleet.of_kinds("node", "parked")
    assert {each for each in before if after[each] != before[each]} == unused
    left = {kind: usage for kind, usage in USAGE.items() if kind not in {"node", "parked"}}
    assert verdicts(fleet, scanned.json()["instances"]) == left


def test_unused_says_whether_a_start_lies_within_the_window(fleet: Account) -> None:
    # All were launched 30 days ago.
    for days, without_start in (("14", True), ("60", None)):
        rows = fleet.imdsctl("usage", "--days", days, "--format", "json").json()["instances"]
        usages = [row["usage"] for row in rows if row["usage"]["verdict"] == "unused"]
        assert len(usages) == 15
        assert {usage.get("not_started_within_window") for usage in usages} == {without_start}
