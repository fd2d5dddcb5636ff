"""The tests' own fake of DynamoDB, compared with moto's: the same calls must have the same outcome.

Left out is what moto takes, or crashes at, and DynamoDB refuses.
"""

import itertools
import subprocess
from collections.abc import Iterator
from typing import Any

import account
import pytest
from botocore.exceptions import ClientError

from demo import launches, local

FAKE = account.PROGRAM.with_name("fake")
REGION = "eu-central-1"
TABLE = "imds-enforcer"
NUMBERS = itertools.count()

ITEM = {
    "version": {"N": "5"},
    "same": {"N": "5"},
    "holder": {"S": "hello"},
    "flag": {"BOOL": True},
    "nil": {"NULL": True},
    "elems": {"L": [{"S": "a"}, {"N": "1"}, {"S": "c"}]},
    "entries": {"M": {"x": {"N": "1"}, "deep": {"M": {"y": {"S": "z"}}}}},
    "labels": {"SS": ["a", "b", "c"]},
}
VALUES = {
    ":one": {"N": "1"},
    ":four": {"N": "4"},
    ":five": {"N": "5"},
    ":six": {"N": "6"},
    ":he": {"S": "he"},
    ":hello": {"S": "hello"},
    ":a": {"S": "a"},
    ":true": {"BOOL": True},
    ":map": {"M": {"y": {"S": "z"}}},
    ":list": {"L": [{"S": "d"}]},
    ":ab": {"SS": ["a", "d"]},
    ":all": {"SS": ["a", "b", "c"]},
    ":type": {"S": "N"},
}
NAMES = {"#id": "i-0123.a", "#until": "until", "#entries": "entries", "#key": "key"}

HOLDING = (
    "version = :five",
    "version = same",
    "version <> :four",
    "version < :six AND holder = :hello",
    ":four < version",
    "holder >= :he",
    "entries.deep = :map",
    "entries.deep.y <> :a",
    "elems[0] = :a",
    "version BETWEEN :four AND :six",
    "version IN (:four, :five)",
    "size(holder) = :five",
    "size(elems) < :four",
    "attribute_exists(version)",
    "attribute_exists(nil)",
    "attribute_exists(entries.deep.y)",
    "attribute_not_exists(entries.#id)",
    "attribute_not_exists(gone)",
    "attribute_type(version, :type)",
    "begins_with(holder, :he)",
    "contains(holder, :he)",
    "contains(elems, :a)",
    "contains(labels, :a)",
    "NOT version = :four",
    "NOT (version = :four OR version = :six)",
    "version = :five OR version = :four AND version = :six",
    "(version = :four OR flag = :true) AND attribute_exists(#key)",
    "attribute_not_exists(gone) OR gone < :four",
)
FAILING = (
    "version = :four",
    "version <> :five",
    "version > :five",
    "holder = :five",
    "gone = :a",
    "elems[9] = :a",
    "version BETWEEN :six AND same",
    "version IN (:four, :six)",
    "attribute_exists(gone)",
    "attribute_exists(entries.#id)",
    "attribute_not_exists(version)",
    "attribute_type(holder, :type)",
    "begins_with(holder, :a)",
    "contains(elems, :five)",
    "contains(labels, :he)",
    "NOT version = :five AND version = :four",
    "(version = :five OR version = :four) AND version = :six",
)
UPDATES = (
    "SET version = version + :one",
    "SET version = :one - version, holder = :a",
    "SET gone = if_not_exists(gone, :one) + :one",
    "SET version = if_not_exists(version, :one)",
    "SET entries.#id = :one",
    "SET entries.x = :five, entries.#id = :six",
    "SET entries.deep.y = :a",
    "SET elems[1] = :a",
    "SET elems[9] = :a",
    "SET elems = list_append(elems, :list)",
    "SET elems = list_append(:list, elems)",
    "SET gone = list_append(if_not_exists(gone, :list), :list)",
    "SET version = same, same = version",
    "SET #until = :a",
    "REMOVE holder",
    "REMOVE gone, entries.x",
    "REMOVE elems[0], elems[2]",
    "REMOVE entries.#id",
    "ADD version :one",
    "ADD gone :one",
    "ADD labels :ab",
    "ADD gone :ab",
    "DELETE labels :ab",
    "DELETE labels :all",
    "DELETE gone :ab",
    "SET holder = :a REMOVE flag, nil ADD version :one DELETE labels :ab",
)
REFUSED = (
    "SET until = :one",
    "SET entries.day = :one",
    "SET #key = :a",
    "SET gone.x = :one",
    "SET entries.gone.x = :one",
    "SET gone = absent",
    "SET holder = holder + :one",
    "SET version = version + :a",
    "SET elems = list_append(elems, :a)",
    "SET holder = list_append(holder, :list)",
    "ADD holder :one",
    "ADD version :a",
    "DELETE version :ab",
    "DELETE labels :one",
    "SET version = :one, version = :four",
    "SET entries = :map, entries.x = :one",
    "SET version = :none",
    "SET version",
    "SET version = :one,",
    "SET version = :one SET holder = :a",
    "version = :one",
    "SET version = nothing(:one)",
    "SET version = size(holder)",
    "",
)
# What moto crashes at where there is no item, and two missing attributes that are equal for it.
UNLIKE_DYNAMODB = {
    "size(holder) = :five",
    "size(elems) < :four",
    "SET elems = list_append(:list, elems)",
    "version = same",
}
REFUSED_CONDITIONS = ("until = :a", "entries.day = :a", "((version = :five))")


@pytest.fixture(scope="module")
def both(endpoint: str) -> Iterator[tuple[Any, Any]]:
    """Clients of moto, with the table that every region of the fake has, and of the fake."""
    if not FAKE.is_file():
        raise local.Failure(f"{FAKE} is missing: run `cargo build --workspace`")
    moto = launches.client("dynamodb", REGION, endpoint)
    moto.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with subprocess.Popen([FAKE], stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            yield moto, launches.client("dynamodb", REGION, url)
        finally:
            process.kill()


def outcome(client: Any, key: str, item: dict[str, Any], call: dict[str, Any]) -> Any:
    """What the call answers, or its error's code and item; and the item after the call."""
    named = {"TableName": TABLE, "Key": {"key": {"S": key}}}
    if item:
        sets = ", ".join(f"#{name} = :{name}" for name in item)
        client.update_item(
            **named,
            UpdateExpression=f"SET {sets}",
            ExpressionAttributeNames={f"#{name}": name for name in item},
            ExpressionAttributeValues={f":{name}": value for name, value in item.items()},
        )
    try:
        answer = client.update_item(**named, **call).get("Attributes")
    except ClientError as error:
        answer = error.response["Error"]["Code"], in_order(error.response.get("Item"))
    stored = client.get_item(**named, ConsistentRead=True).get("Item")
    return in_order(answer), in_order(stored)


def in_order(value: Any) -> Any:
    """The value with sorted sets, because they have no order."""
    if isinstance(value, dict):
        return {
            name: sorted(each) if name == "SS" else in_order(each) for name, each in value.items()
        }
    return [in_order(each) for each in value] if isinstance(value, list) else value


def placeholders(text: str) -> dict[str, Any]:
    """The names and values that expressions use."""
    words = "".join(each if each.isalnum() or each in ":#_" else " " for each in text).split()
    given = {"ExpressionAttributeNames": NAMES, "ExpressionAttributeValues": VALUES}
    used = {
        name: {word: value for word, value in known.items() if word in words}
        for name, known in given.items()
    }
    return {name: known for name, known in used.items() if known}


def same_outcome(
    both: tuple[Any, Any],
    item: dict[str, Any],
    update: str = "SET holder = :a",
    condition: str | None = None,
    returned: str = "ALL_NEW",
) -> Any:
    """The outcome of both."""
    key = f"limit#{next(NUMBERS)}"
    call = {
        "UpdateExpression": update,
        "ReturnValues": returned,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if condition is not None:
        call["ConditionExpression"] = condition
    call |= placeholders(f"{update} {condition}")
    outcomes = [outcome(each, key, item, call) for each in both]
    in_moto, in_fake = outcomes
    assert in_fake == in_moto
    return in_fake


@pytest.mark.parametrize("condition", [*HOLDING, *FAILING])
def test_a_condition_holds_or_fails_as_in_moto(both: tuple[Any, Any], condition: str) -> None:
    answer, stored = same_outcome(both, ITEM, condition=condition)
    before = {"key": stored["key"]} | ITEM
    if condition in HOLDING:
        assert answer == stored == before | {"holder": {"S": "a"}}
    else:
        assert answer == ("ConditionalCheckFailedException", before)
        assert stored == before


@pytest.mark.parametrize("condition", sorted({*HOLDING, *FAILING} - UNLIKE_DYNAMODB))
def test_a_condition_is_about_a_missing_item_what_it_is_in_moto(
    both: tuple[Any, Any], condition: str
) -> None:
    answer, stored = same_outcome(both, {}, condition=condition)
    assert answer in (stored, ("ConditionalCheckFailedException", None))


@pytest.mark.parametrize("condition", REFUSED_CONDITIONS)
def test_a_wrong_condition_is_refused_as_in_moto(both: tuple[Any, Any], condition: str) -> None:
    answer, stored = same_outcome(both, ITEM, condition=condition)
    assert answer == ("ValidationException", None)
    assert stored == {"key": stored["key"]} | ITEM


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD", "ALL_NEW"])
@pytest.mark.parametrize("update", UPDATES)
def test_an_update_has_the_result_that_it_has_in_moto(
    both: tuple[Any, Any], update: str, returned: str
) -> None:
    answer, stored = same_outcome(both, ITEM, update, returned=returned)
    before = {"key": stored["key"]} | ITEM
    assert answer == {"NONE": None, "ALL_OLD": before, "ALL_NEW": stored}[returned]


@pytest.mark.parametrize("update", sorted({*UPDATES} - UNLIKE_DYNAMODB))
def test_an_update_of_a_missing_item_has_the_result_that_it_has_in_moto(
    both: tuple[Any, Any], update: str
) -> None:
    answer, stored = same_outcome(both, {}, update)
    assert answer in (stored, ("ValidationException", None))


@pytest.mark.parametrize("update", REFUSED)
def test_a_wrong_update_is_refused_as_in_moto(both: tuple[Any, Any], update: str) -> None:
    answer, stored = same_outcome(both, ITEM, update)
    assert answer == ("ValidationException", None)
    assert stored == {"key": stored["key"]} | ITEM
