"""DynamoDB: answers are what was meant, and expressions have the outcome that moto's have."""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError
from differences import check
from ground import TABLE, Ground, refusal

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
# Where moto crashes if there is no item.
CRASHING = {
    "size(holder) = :five",
    "size(elems) < :four",
    "SET elems = list_append(:list, elems)",
}
REFUSED_CONDITIONS = ("until = :a", "entries.day = :a", "((version = :five))")


@pytest.fixture(scope="module")
def both(fake: Ground, moto: Ground) -> tuple[Ground, Ground]:
    """moto and the fake."""
    return moto, fake


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
    both: tuple[Ground, Ground],
    item: dict[str, Any],
    update: str = "SET holder = :a",
    condition: str | None = None,
    returned: str = "ALL_NEW",
) -> Any:
    """The outcome in the fake, which is that in moto."""
    key = f"limit#{next(NUMBERS)}"
    call = {
        "UpdateExpression": update,
        "ReturnValues": returned,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if condition is not None:
        call["ConditionExpression"] = condition
    call |= placeholders(f"{update} {condition}")
    in_moto, in_fake = (outcome(each.client("dynamodb"), key, item, call) for each in both)
    if not item and CRASHING & {update, condition}:
        check(both[0], in_moto[0], in_fake[0], moto=("missing items", ("500", None)))
    elif not item and condition == "version = same":
        answer, stored = in_moto
        check(both[0], answer, in_fake[0], moto=("missing attributes", stored))
    else:
        assert in_fake == in_moto
    return in_fake


@pytest.mark.parametrize("condition", [*HOLDING, *FAILING])
def test_a_condition_holds_or_fails_as_in_moto(both: tuple[Ground, Ground], condition: str) -> None:
    answer, stored = same_outcome(both, ITEM, condition=condition)
    before = {"key": stored["key"]} | ITEM
    if condition in HOLDING:
        assert answer == stored == before | {"holder": {"S": "a"}}
    else:
        assert answer == ("ConditionalCheckFailedException", before)
        assert stored == before


@pytest.mark.parametrize("condition", [*HOLDING, *FAILING])
def test_a_condition_is_about_a_missing_item_what_it_is_in_moto(
    both: tuple[Ground, Ground], condition: str
) -> None:
    answer, stored = same_outcome(both, {}, condition=condition)
    assert answer in (stored, ("ConditionalCheckFailedException", None))


@pytest.mark.parametrize("condition", REFUSED_CONDITIONS)
def test_a_wrong_condition_is_refused_as_in_moto(
    both: tuple[Ground, Ground], condition: str
) -> None:
    answer, stored = same_outcome(both, ITEM, condition=condition)
    assert answer == ("ValidationException", None)
    assert stored == {"key": stored["key"]} | ITEM


@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD", "ALL_NEW"])
@pytest.mark.parametrize("update", UPDATES)
def test_an_update_has_the_result_that_it_has_in_moto(
    both: tuple[Ground, Ground], update: str, returned: str
) -> None:
    answer, stored = same_outcome(both, ITEM, update, returned=returned)
    before = {"key": stored["key"]} | ITEM
    assert answer == {"NONE": None, "ALL_OLD": before, "ALL_NEW": stored}[returned]


@pytest.mark.parametrize("update", UPDATES)
def test_an_update_of_a_missing_item_has_the_result_that_it_has_in_moto(
    both: tuple[Ground, Ground], update: str
) -> None:
    answer, stored = same_outcome(both, {}, update)
    assert answer in (stored, ("ValidationException", None))


@pytest.mark.parametrize("update", REFUSED)
def test_a_wrong_update_is_refused_as_in_moto(both: tuple[Ground, Ground], update: str) -> None:
    answer, stored = same_outcome(both, ITEM, update)
    assert answer == ("ValidationException", None)
    assert stored == {"key": stored["key"]} | ITEM


WHOLE = ITEM | {
    "bytes": {"B": b"\x1f\x8b\xff"},
    "blobs": {"BS": [b"a", b"b"]},
    "numbers": {"NS": ["1", "2.5"]},
}
NAMED = {"TableName": TABLE}


def put(ground: Ground, key: str, **more: Any) -> dict[str, Any]:
    """Puts an item and returns it."""
    item = {"key": {"S": key}} | WHOLE
    ground.client("dynamodb").put_item(**NAMED, Item=item, **more)
    return item


@pytest.mark.only("fake", "moto")
def test_an_item_is_read_as_it_was_put(ground: Ground) -> None:
    dynamodb = ground.client("dynamodb")
    item = put(ground, "put#1")
    found = dynamodb.get_item(**NAMED, Key={"key": {"S": "put#1"}}, ConsistentRead=True)
    assert sets(found["Item"]) == sets(item)
    found = dynamodb.get_item(**NAMED, Key={"key": {"S": "put#none"}})
    assert "Item" not in found
    answer = dynamodb.delete_item(**NAMED, Key={"key": {"S": "put#1"}}, ReturnValues="ALL_OLD")
    assert sets(answer["Attributes"]) == sets(item)
    found = dynamodb.get_item(**NAMED, Key={"key": {"S": "put#1"}}, ConsistentRead=True)
    assert "Item" not in found


@pytest.mark.only("fake", "moto")
def test_a_put_answers_with_the_item_before_it(ground: Ground) -> None:
    item = put(ground, "put#2")
    key = {"key": {"S": "put#2"}}
    put_item = ground.client("dynamodb").put_item
    answer = put_item(**NAMED, Item=key | {"version": {"N": "6"}}, ReturnValues="ALL_OLD")
    assert sets(answer["Attributes"]) == sets(item)
    assert "Attributes" not in put_item(**NAMED, Item=key)


@pytest.mark.only("fake", "moto")
def test_a_batch_finds_what_exists(ground: Ground) -> None:
    items = [put(ground, f"batch#{number}") for number in range(3)]
    keys = [{"key": {"S": f"batch#{number}"}} for number in range(4)]
    answer = ground.client("dynamodb").batch_get_item(
        RequestItems={TABLE: {"Keys": keys, "ConsistentRead": True}}
    )
    found = sorted(answer["Responses"].pop(TABLE), key=lambda item: item["key"]["S"])
    assert [sets(each) for each in found] == [sets(item) for item in items]
    assert answer["Responses"] == answer["UnprocessedKeys"] == {}


@pytest.mark.only("fake")
def test_a_batch_may_leave_keys_unprocessed(ground: Any) -> None:
    item = put(ground, "left#1")
    ground.seed("unprocessed", key="left#1")
    asked = {TABLE: {"Keys": [{"key": {"S": "left#1"}}], "ConsistentRead": True}}
    batch_get_item = ground.client("dynamodb").batch_get_item
    answer = batch_get_item(RequestItems=asked)
    assert answer["Responses"] == {TABLE: []}
    assert answer["UnprocessedKeys"] == asked
    answer = batch_get_item(RequestItems=answer["UnprocessedKeys"])
    (found,) = answer["Responses"][TABLE]
    assert sets(found) == sets(item)


@pytest.mark.only("fake", "moto")
def test_a_scan_finds_what_its_filter_lets_through(ground: Ground) -> None:
    items = [put(ground, f"scan#{number}") for number in range(3)]
    put(ground, "scanned#1")
    call: dict[str, Any] = NAMED | {
        "ConsistentRead": True,
        "FilterExpression": "begins_with(#key, :prefix)",
        "ExpressionAttributeNames": {"#key": "key"},
        "ExpressionAttributeValues": {":prefix": {"S": "scan#"}},
        "Limit": 2,
    }
    found, pages = [], 0
    while True:
        answer = ground.client("dynamodb").scan(**call)
        assert answer["Count"] == len(answer["Items"]) <= answer["ScannedCount"] <= call["Limit"]
        found += answer["Items"]
        pages += 1
        if "LastEvaluatedKey" not in answer:
            break
        call["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    found.sort(key=lambda item: str(item["key"]["S"]))
    assert [sets(each) for each in found] == [sets(item) for item in items]
    assert pages > 1


@pytest.mark.only("fake", "moto")
@pytest.mark.parametrize("name", ["put_item", "delete_item", "update_item"])
def test_a_condition_that_fails_tells_the_item_where_it_is_asked_for(
    ground: Ground, name: str
) -> None:
    key = {"key": {"S": f"failed#{name}"}}
    item = put(ground, f"failed#{name}")
    named = {"Item": key} if name == "put_item" else {"Key": key}
    call = getattr(ground.client("dynamodb"), name)
    with pytest.raises(ClientError) as caught:
        call(
            **NAMED,
            **named,
            ConditionExpression="#version = :four",
            ExpressionAttributeNames={"#version": "version"},
            ExpressionAttributeValues={":four": {"N": "4"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    answer = caught.value.response
    assert answer["Error"] == {
        "Code": "ConditionalCheckFailedException",
        "Message": "The conditional request failed",
    }
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert sets(answer["Item"]) == sets(item)


def sets(item: dict[str, Any]) -> dict[str, Any]:
    """The item with sorted sets, because they have no order."""
    return {
        name: {kind: sorted(each) if kind in {"SS", "NS", "BS"} else each}
        for name, value in item.items()
        for kind, each in value.items()
    }


@pytest.mark.only("fake", "moto")
def test_wrong_calls_are_refused(ground: Ground) -> None:
    dynamodb = ground.client("dynamodb")
    found = refusal(dynamodb.get_item, TableName="nothing", Key={"key": {"S": "a"}})
    assert found == ("ResourceNotFoundException", 400)
    found = refusal(dynamodb.get_item, **NAMED, Key={"key": {"N": "1"}})
    check(ground, found, ("ValidationException", 400), moto=("types of keys", None))
    twice = [{"key": {"S": "a"}}] * 2
    found = refusal(dynamodb.batch_get_item, RequestItems={TABLE: {"Keys": twice}})
    assert found == ("ValidationException", 400)
