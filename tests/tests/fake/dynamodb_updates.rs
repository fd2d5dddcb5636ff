//! What an update expression does to an item.

use imds_tests::FakeAws;
use serde_json::{Value, json};

use crate::REGION;
use crate::dynamodb_client::{JsonAnswer, dynamodb};

const KEY: &str = "limit#1";

/// Updates an item that is this before, with these values.
fn updated(fake: &FakeAws, before: &Value, expression: &str, values: &Value) -> JsonAnswer {
    fake.put_item(KEY, before.clone());
    let mut more = json!({ "UpdateExpression": expression });
    if values.as_object().is_some_and(|values| !values.is_empty()) {
        more["ExpressionAttributeValues"] = values.clone();
    }
    dynamodb(fake, REGION).update(KEY, more)
}

/// What the item is after that.
#[track_caller]
fn after(before: &Value, expression: &str, values: &Value) -> Value {
    let fake = FakeAws::start();
    updated(&fake, before, expression, values).is_done();
    fake.item(KEY).unwrap()
}

/// The update is refused, and changes nothing.
#[track_caller]
fn refused(before: &Value, expression: &str, values: &Value, message: &str) {
    let fake = FakeAws::start();
    updated(&fake, before, expression, values).is_invalid(message);
    assert_eq!(fake.item(KEY).as_ref(), Some(before), "{expression}");
}

#[test]
fn an_update_of_no_item_makes_one() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let update = json!({
        "UpdateExpression": "SET version = if_not_exists(version, :zero) + :one, entries = :none",
        "ConditionExpression": "attribute_not_exists(version)",
        "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}, ":none": {"M": {}}},
        "ReturnValues": "ALL_NEW",
    });
    let answer = client.update(KEY, update);
    assert_eq!(
        answer.is_done()["Attributes"],
        json!({"key": {"S": KEY}, "version": {"N": "1"}, "entries": {"M": {}}})
    );
    client.update("lease#1", json!({})).is_done();
    assert_eq!(fake.item("lease#1"), Some(json!({})));
}

#[test]
fn set_writes_attributes_members_and_elements() {
    let one = json!({":v": {"N": "1"}});
    for (before, expression, expected) in [
        (json!({}), "SET a = :v", json!({"a": 1})),
        (json!({"a": "x"}), "set a = :v", json!({"a": 1})),
        (json!({"m": {}}), "SET m.a = :v", json!({"m": {"a": 1}})),
        (
            json!({"m": {"a": {"b": 2}}}),
            "SET m.a.b = :v",
            json!({"m": {"a": {"b": 1}}}),
        ),
        (json!({"l": [5, 6]}), "SET l[1] = :v", json!({"l": [5, 1]})),
        (json!({"l": [5]}), "SET l[9] = :v", json!({"l": [5, 1]})),
        (
            json!({"l": [{}]}),
            "SET l[0].a = :v, b=:v",
            json!({"l": [{"a": 1}], "b": 1}),
        ),
        (
            json!({"a": 1, "b": 2}),
            "SET a = b, b = a, c = :v",
            json!({"a": 2, "b": 1, "c": 1}),
        ),
        (json!({"a": 5}), "SET a = a + :v", json!({"a": 6})),
        (json!({"a": 5}), "SET b = :v - a", json!({"a": 5, "b": -4})),
        (
            json!({"a": 5}),
            "SET a = if_not_exists(a, :v)",
            json!({"a": 5}),
        ),
        (
            json!({}),
            "SET a = if_not_exists(a, :v) + :v",
            json!({"a": 2}),
        ),
        (
            json!({"m": {"b": 7}}),
            "SET a = if_not_exists(m.b, :v)",
            json!({"m": {"b": 7}, "a": 7}),
        ),
    ] {
        let values = if expression.contains(":v") {
            one.clone()
        } else {
            json!({})
        };
        assert_eq!(
            after(&before, expression, &values),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn lists_are_joined() {
    let values = json!({":l": {"L": [{"S": "c"}]}});
    let before = json!({"p": ["a", "b"]});
    let joined = |expression: &str| after(&before, expression, &values)["p"].clone();
    assert_eq!(joined("SET p = list_append(p, :l)"), json!(["a", "b", "c"]));
    assert_eq!(joined("SET p = list_append(:l, p)"), json!(["c", "a", "b"]));
    assert_eq!(
        joined("SET p = list_append(if_not_exists(q, :l), p)"),
        json!(["c", "a", "b"])
    );
}

#[test]
fn remove_deletes_attributes_members_and_elements() {
    for (before, expression, expected) in [
        (json!({"a": 1, "b": 2}), "REMOVE a", json!({"b": 2})),
        (json!({"b": 2}), "REMOVE a, c", json!({"b": 2})),
        (
            json!({"m": {"a": 1, "b": 2}}),
            "REMOVE m.a, m.c",
            json!({"m": {"b": 2}}),
        ),
        (
            json!({"l": [0, 1, 2, 3]}),
            "REMOVE l[0], l[2], l[9]",
            json!({"l": [1, 3]}),
        ),
        (
            json!({"l": [{"a": 1}]}),
            "remove l[0].a",
            json!({"l": [{}]}),
        ),
        (
            json!({"a": 1, "b": 2}),
            "SET c = a REMOVE a, b",
            json!({"c": 1}),
        ),
    ] {
        assert_eq!(
            after(&before, expression, &json!({})),
            expected,
            "{expression}"
        );
    }
}

#[test]
fn add_counts_and_joins_sets_and_delete_takes_from_them() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let set = |names: &[&str]| json!({":s": {"SS": names}});
    let step = |expression: &str, values: Value| {
        let more = json!({"UpdateExpression": expression, "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW"});
        let answer = client.update(KEY, more);
        answer.is_done()["Attributes"].clone()
    };
    let number = |n: &str| json!({":n": {"N": n}});
    assert_eq!(step("ADD n :n", number("2"))["n"], json!({"N": "2"}));
    assert_eq!(step("ADD n :n", number("-3"))["n"], json!({"N": "-1"}));
    assert_eq!(
        step("ADD s :s", set(&["b", "a"]))["s"],
        json!({"SS": ["a", "b"]})
    );
    assert_eq!(
        step("ADD s :s", set(&["c", "a"]))["s"],
        json!({"SS": ["a", "b", "c"]})
    );
    assert_eq!(fake.item(KEY), Some(json!({"n": -1, "s": ["a", "b", "c"]})));
    assert_eq!(
        step("DELETE s :s", set(&["a", "x"]))["s"],
        json!({"SS": ["b", "c"]})
    );
    assert_eq!(step("DELETE s :s", set(&["b", "c"]))["s"], Value::Null);
    assert_eq!(step("DELETE s :s", set(&["b"]))["s"], Value::Null);
    let numbers = json!({":s": {"NS": ["1.0", "2"]}});
    assert_eq!(step("ADD k :s", numbers)["k"], json!({"NS": ["1", "2"]}));
}

#[test]
fn a_path_needs_its_parent() {
    let path = "The document path provided in the update expression is invalid for update";
    let one = json!({":v": {"N": "1"}});
    let nothing = json!({});
    for before in [
        json!({}),
        json!({"m": 1}),
        json!({"m": [1]}),
        json!({"m": {"x": 1}}),
    ] {
        refused(&before, "SET m.a.b = :v", &one, path);
        refused(&before, "ADD m.a.b :v", &one, path);
        refused(&before, "REMOVE m.a.b", &nothing, path);
    }
    refused(&json!({}), "SET m.a = :v", &one, path);
    refused(&json!({}), "REMOVE m.a", &nothing, path);
    refused(&json!({"l": {}}), "SET l[0] = :v", &one, path);
    refused(&json!({"l": []}), "SET l.a = :v", &one, path);
    refused(&json!({"l": []}), "SET l[0].a = :v", &one, path);
    let fake = FakeAws::start();
    dynamodb(&fake, REGION)
        .update(
            KEY,
            json!({"UpdateExpression": "SET m.a = :v", "ExpressionAttributeValues": one}),
        )
        .is_invalid(path);
    assert_eq!(fake.item(KEY), None);
}

#[test]
fn operands_must_exist_and_have_the_right_type() {
    let one = json!({":v": {"N": "1"}});
    let missing = "refers to an attribute that does not exist in the item";
    refused(&json!({}), "SET a = b", &json!({}), missing);
    refused(&json!({}), "SET a = a + :v", &one, missing);
    refused(
        &json!({}),
        "SET a = :v, b = list_append(c, c)",
        &one,
        missing,
    );
    let wrong = "An operand in the update expression has an incorrect data type";
    refused(&json!({"a": "x"}), "SET a = a + :v", &one, wrong);
    refused(&json!({"a": "x"}), "ADD a :v", &one, wrong);
    refused(
        &json!({"a": 5}),
        "DELETE a :s",
        &json!({":s": {"SS": ["x"]}}),
        wrong,
    );
    refused(
        &json!({"a": 5}),
        "SET b = list_append(a, a)",
        &json!({}),
        wrong,
    );
    let never = "Incorrect operand type for operator or function";
    let text = json!({":v": {"S": "x"}});
    refused(&json!({"a": 5}), "SET a = a + :v", &text, never);
    refused(
        &json!({"a": []}),
        "SET a = list_append(a, :v)",
        &text,
        never,
    );
    refused(&json!({}), "ADD a :v", &text, "ALLOWED_FOR_ADD_OPERAND");
    refused(
        &json!({}),
        "DELETE a :v",
        &one,
        "ALLOWED_FOR_DELETE_OPERAND",
    );
}

#[test]
fn the_key_is_not_changed() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let named = |expression: &str| {
        let mut more = json!({"UpdateExpression": expression,
            "ExpressionAttributeNames": {"#k": "key"}});
        if expression.contains(":v") {
            more["ExpressionAttributeValues"] = json!({":v": {"S": KEY}});
        }
        client.update(KEY, more)
    };
    let message = "Cannot update attribute key. This attribute is part of the key";
    named("SET #k = :v").is_invalid(message);
    named("REMOVE #k").is_invalid(message);
    named("SET a = #k").is_done();
    assert_eq!(fake.item(KEY), Some(json!({"a": KEY})));
}

#[test]
fn paths_must_not_overlap_or_conflict() {
    let values = json!({":v": {"N": "1"}});
    let before = json!({"m": {"a": {}}, "l": [1, 2]});
    let overlap = "Two document paths overlap with each other";
    refused(&before, "SET x = :v, x = :v", &values, overlap);
    refused(&before, "SET m = :v, m.a = :v", &values, overlap);
    refused(&before, "SET m.a.b = :v REMOVE m.a", &values, overlap);
    refused(&before, "SET l[0] = :v ADD l[0] :v", &values, overlap);
    refused(
        &before,
        "SET m.a = :v, m[0] = :v",
        &values,
        "Two document paths conflict",
    );
    let done = after(&before, "SET m.a = :v, m.b = :v, l[0] = :v", &values);
    assert_eq!(done, json!({"m": {"a": 1, "b": 1}, "l": [1, 2]}));
}

#[test]
fn a_value_has_one_type_and_fits_it() {
    let value = |value: Value, message: &str| {
        refused(&json!({}), "SET a = :v", &json!({ ":v": value }), message);
    };
    value(json!({}), "Supplied AttributeValue is empty");
    value(json!({"S": "a", "N": "1"}), "more than one datatypes");
    value(json!({"NULL": false}), "must have the value of true");
    value(json!({"SS": []}), "may not be empty");
    value(json!({"SS": ["a", "a"]}), "contains duplicates");
    value(json!({"NS": ["1", "1.0"]}), "contains duplicates");
    value(json!({"M": {"a": {"N": "x"}}}), "contains invalid value");
    let fake = FakeAws::start();
    for wrong in [
        json!({"S": 1}),
        json!({"N": 1}),
        json!({"M": []}),
        json!("x"),
        json!({"B": "*"}),
    ] {
        updated(&fake, &json!({}), "SET a = :v", &json!({ ":v": wrong })).is_rejected(
            400,
            "SerializationException",
            "",
        );
    }
    let bytes = after(&json!({}), "SET a = :v", &json!({":v": {"B": "AAEC"}}));
    assert_eq!(bytes, json!({"a": "AAEC"}));
}
