"""The function's state on moto's DynamoDB, which parses every expression that is sent."""

import hashlib
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from stateful import (
    ACCOUNT,
    PRINCIPAL,
    REGION,
    Json,
    Sandbox,
    ahead,
    ids,
    milliseconds,
    only,
    outcomes,
)

from demo import launches, local, state

LIMIT = f"limit#{ACCOUNT}#{REGION}"
EXISTING = f"existing#{ACCOUNT}#{REGION}"
LEASE = f"lease#{ACCOUNT}"
# Launched a month ago, and without data about the use of IMDSv1.
UNUSED = {"existing": {"unknown": "enforce"}}


def started(folder: Path, server: Path) -> Iterator[str]:
    """A moto of the function's account, apart from the other tests' instances."""
    local.shield_environment()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOTO_ACCOUNT_ID", ACCOUNT)
        environment.setenv("AWS_REGION", REGION)
        with local.aws(folder, server) as url:
            yield url


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto with new instances."""
    yield from started(tmp_path_factory.mktemp("new"), local.SERVER)


@pytest.fixture(scope="module")
def old_moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto with instances of a month ago."""
    server = Path(__file__).with_name("fake_aws.py")
    yield from started(tmp_path_factory.mktemp("old"), server)


def emptied(endpoint: str, folder: Path) -> Iterator[Sandbox]:
    """An empty table and no instances."""
    sandbox = Sandbox(endpoint, folder)
    state.create(endpoint)
    yield sandbox
    state.dynamodb(endpoint).delete_table(TableName=state.NAME)
    ec2 = sandbox.ec2()
    for reservation in ec2.describe_instances()["Reservations"]:
        ended = [instance["InstanceId"] for instance in reservation["Instances"]]
        ec2.terminate_instances(InstanceIds=ended)


@pytest.fixture
def new(moto: str, tmp_path: Path) -> Iterator[Sandbox]:
    """Launches are new."""
    yield from emptied(moto, tmp_path)


@pytest.fixture
def old(old_moto: str, tmp_path: Path) -> Iterator[Sandbox]:
    """Launches are a month old."""
    yield from emptied(old_moto, tmp_path)


def expires(item: Json, within: timedelta) -> bool:
    """Whether the item expires by then, and not before a quarter of that."""
    left = item["expires_at"] - time.time()
    return within.total_seconds() / 4 < left <= within.total_seconds() + 1


def test_terminations_are_counted_up_to_the_limit(new: Sandbox) -> None:
    policy = {"on_violation": "terminate", "limits": {"disruptions_per_hour": 3}}
    with new.function(policy) as function:
        first = function.handle(new.launch(2))
        counted = new.items()[LIMIT]
        second = function.handle(new.launch(2))
    assert set(outcomes(first).values()) == {"terminated"}
    assert (counted["version"], set(counted["entries"])) == (1, set(outcomes(first)))
    assert expires(counted, timedelta(hours=2))
    assert sorted(outcomes(second).values()) == ["enforced", "terminated"]
    reasons = {each["outcome"]: each.get("because") for each in second["instances"]}
    assert reasons == {"enforced": "disruption_limit", "terminated": None}
    counted = new.items()[LIMIT]
    ended = {each for each, outcome in outcomes(first | second).items() if outcome == "terminated"}
    assert counted["version"] == 2
    assert ended | set(outcomes(first)) == set(counted["entries"])


def test_a_limit_that_is_not_readable_terminates_nothing(new: Sandbox) -> None:
    new.put(LIMIT, version="one", entries=7)
    with new.function({"on_violation": "terminate"}) as function:
        entry = only(function.handle(new.launch()))
    assert (entry["outcome"], entry["because"]) == ("enforced", "state_unavailable")
    assert "`version`" in entry["reason"]


def test_a_change_counts_once_towards_the_limit_of_its_instance(new: Sandbox) -> None:
    policy = {"on_violation": "enforce", "limits": {"enforcements_per_hour": 1}}
    (instance,) = ids(new.launch())
    with new.function(policy) as function:
        event = new.changed(instance)
        assert only(function.handle(event))["outcome"] == "enforced"
        new.changed(instance)
        assert only(function.handle(event))["outcome"] == "enforced"
        counted = new.items()[f"drift#{instance}"]
        event["time"] = event["detail"]["eventTime"] = ahead(0).replace("Z", ".5Z")
        new.changed(instance)
        entry = only(function.handle(event))
    (at,) = counted["entries"]
    assert counted["version"] == 2
    assert abs(int(at) - int(milliseconds(event["time"]))) < 60_000
    assert expires(counted, timedelta(hours=2))
    assert (entry["outcome"], entry["because"]) == ("reported", "drift_limit")
    assert new.tokens(instance) == "optional"


def test_existing_instances_are_enforced_up_to_the_limit(old: Sandbox) -> None:
    launched = ids(old.launch(3))
    policy = {"on_violation": "enforce", "limits": {"existing_per_hour": 2}} | UNUSED
    with old.function(policy) as function:
        report = function.sweep()
    done = outcomes(report)
    enforced = {each for each, outcome in done.items() if outcome == "enforced"}
    assert sorted(done.values()) == ["enforced", "enforced", "reported"]
    assert report["left"] == 1
    counted = old.items()[EXISTING]
    assert set(counted["entries"]) == enforced
    assert expires(counted, timedelta(hours=2))
    assert sorted(old.tokens(each) for each in launched) == ["optional", "required", "required"]


def test_a_person_s_exemption_holds_until_its_end(old: Sandbox) -> None:
    held, ended = ids(old.launch(2))
    old.put(f"exempt#{held}", until=ahead(1), reason="ticket 4711", by="ada")
    old.put(f"exempt#{ended}", until=ahead(-1), reason="ticket 4711", by="ada")
    with old.function({"on_violation": "enforce"} | UNUSED) as function:
        report = function.sweep()
    assert outcomes(report) == {held: "exempt", ended: "enforced"}
    (reason,) = [each["reason"] for each in report["instances"] if each["outcome"] == "exempt"]
    assert "by ada (ticket 4711)" in reason


def test_an_exemption_that_cannot_be_read_holds(old: Sandbox) -> None:
    (instance,) = ids(old.launch())
    old.put(f"exempt#{instance}", until=2_000_000_000)
    with old.function({"on_violation": "enforce"} | UNUSED) as function:
        assert only(function.sweep())["outcome"] == "exempt"
    assert old.tokens(instance) == "optional"


@pytest.mark.parametrize("key", [f"pause#{ACCOUNT}", f"pause#{ACCOUNT}#{REGION}"])
def test_while_a_pause_holds_instances_are_reported(old: Sandbox, key: str) -> None:
    old.launch()
    old.put(key, until=ahead(1), reason="an incident", by="ada")
    with old.function({"on_violation": "enforce"} | UNUSED) as function:
        report = function.sweep()
        entry = only(report)
        old.put(key, until=ahead(-1), reason="an incident", by="ada")
        after = only(function.sweep())
    assert (entry["outcome"], entry["because"]) == ("reported", "paused")
    assert report["paused"]["by"] == "ada"
    assert after["outcome"] == "enforced"


def test_who_launched_an_instance_decides_about_it_later(new: Sandbox) -> None:
    # Where it is not known who launched an instance, the first rule may match.
    rules = [
        {"name": "mallory", "when": {"principals": ["*/mallory"]}, "action": "report"},
        {"name": "ada", "when": {"principals": [PRINCIPAL]}, "action": "enforce"},
    ]
    event = new.launch()
    (instance,) = ids(event)
    with new.function({"on_violation": "enforce", "rules": rules}) as function:
        assert only(function.handle(event))["outcome"] == "enforced"
        remembered = new.items()[f"launcher#{instance}"]
        drifted = only(function.handle(new.changed(instance)))
        state.dynamodb(new.endpoint).delete_item(
            TableName=state.NAME, Key={"key": {"S": f"launcher#{instance}"}}
        )
        unknown = only(function.handle(new.changed(instance)))
    assert PRINCIPAL in remembered["principals"]
    assert remembered["expires_at"] > time.time() + 365 * 86400
    assert (drifted["outcome"], drifted["rule"]) == ("enforced", "ada")
    assert (unknown["outcome"], unknown["because"]) == ("reported", "launcher_unknown")


def test_a_watched_instance_tells_of_rejected_calls(old: Sandbox) -> None:
    (instance,) = ids(old.launch())
    policy = {"on_violation": "enforce", "existing": {"unknown": "enforce", "watch_days": 7}}
    with old.function(policy) as function:
        assert only(function.sweep())["outcome"] == "enforced"
        watched = old.items()[f"watch#{instance}"]
        # CloudWatch is asked by whole hours.
        old.put(f"watch#{instance}", enforced_at=ahead(-2), before=watched["before"])
        cloudwatch = launches.client("cloudwatch", REGION, old.endpoint)
        launches.called(cloudwatch, instance, {timedelta(): 3}, "MetadataNoTokenRejected")
        # moto leaves out the second in which it is asked.
        time.sleep(1)
        report = function.sweep()
    assert json.loads(watched["before"])["http_tokens"] == "optional"
    assert watched["enforced_at"].endswith("Z")
    assert expires(watched, timedelta(days=8))
    entry = only(report)
    assert (entry["outcome"], entry["rejected_calls"]["calls"]) == ("compliant", 3)


def test_one_sweep_at_a_time_has_the_lease_of_an_account(old: Sandbox) -> None:
    (instance,) = ids(old.launch())
    until = int((time.time() + 600) * 1000)
    old.put(LEASE, holder="another sweep", until=until)
    with old.function({"on_violation": "enforce"} | UNUSED) as function:
        report = function.sweep()
        assert report["trigger"] == "ignored"
        assert "sweep another sweep of this account runs until" in report["reason"]
        assert old.tokens(instance) == "optional"
        old.put(LEASE, holder="another sweep", until=int((time.time() - 1) * 1000))
        first, second = function.sweep(), function.sweep()
    assert only(first)["outcome"] == "enforced"
    assert first["first_of_day"] is True
    assert "first_of_day" not in second
    lease = old.items()[LEASE]
    assert lease["day"] == time.strftime("%Y-%m-%d", time.gmtime())
    # It is released.
    assert lease["until"] <= time.time() * 1000
    assert expires(lease, timedelta(hours=72))


def test_a_policy_is_served_by_its_hash(new: Sandbox) -> None:
    document = json.dumps(
        {"version": 1, "require": {"http_tokens": "required"}, "on_violation": "enforce"}
    )
    sha256 = hashlib.sha256(document.encode()).hexdigest()
    new.put(f"policy#{sha256}", document=document)
    with new.function({}, IMDS_POLICY_FILE="", IMDS_POLICY_SHA256=sha256) as function:
        assert only(function.handle(new.launch()))["outcome"] == "enforced"


def test_another_policy_than_that_of_the_hash_is_refused(new: Sandbox) -> None:
    sha256 = hashlib.sha256(b"{}").hexdigest()
    new.put(f"policy#{sha256}", document="{ }")
    with new.function({}, IMDS_POLICY_FILE="", IMDS_POLICY_SHA256=sha256) as function:
        ended = function.function.ended()
    assert ended.code == 1
    assert f"the document in item `policy#{sha256}` has the SHA-256" in ended.words


def test_a_launch_that_is_only_enforced_leaves_nothing_in_the_table(new: Sandbox) -> None:
    with new.function({"on_violation": "enforce"}) as function:
        assert only(function.handle(new.launch()))["outcome"] == "enforced"
    assert new.items() == {}
