//! When conditions hold.

use imds_tests::FakeAws;
use serde_json::json;

use crate::REGION;
use crate::dynamodb_client::dynamodb;
use crate::dynamodb_expressions::{KEY, conditioned, item};

#[track_caller]
fn holds(expression: &str, expected: bool) {
    let fake = FakeAws::start();
    fake.put_item(KEY, item());
    let answer = dynamodb(&fake, REGION).update(KEY, conditioned(expression));
    let call = &fake.table_calls()[0];
    assert!(call.took_effect.is_some(), "{expression}: {}", answer.body);
    assert_eq!(call.condition, Some(expected), "{expression}");
    if expected {
        answer.is_done();
    } else {
        let told = "The conditional request failed";
        answer.is_rejected(400, "ConditionalCheckFailedException", told);
    }
}

#[test]
fn comparisons_hold_as_they_should() {
    for (expression, expected) in [
        ("n = :five", true),
        ("n = same", true),
        ("n = :four", false),
        ("n <> :four", true),
        ("n <> :five", false),
        ("n < :six", true),
        ("n < :five", false),
        ("n <= :five", true),
        ("n > :four", true),
        ("n >= :six", false),
        (":four < n", true),
        ("s = :hello", true),
        ("s > :he", true),
        ("s > :five", false),
        ("s = :five", false),
        ("s <> :five", true),
        ("flag = :t", true),
        ("nil = :nil", true),
        ("m.deep = :map", true),
        ("m.deep.y <> :a", true),
        ("elems[0] = :a", true),
        ("elems[9] = :a", false),
        ("absent = :a", false),
        ("absent <> :a", true),
        ("absent < :a", false),
        ("NOT absent < :a", true),
        ("n BETWEEN :four AND :six", true),
        ("n between :five and :five", true),
        ("n BETWEEN :six AND same", false),
        ("absent BETWEEN :four AND :six", false),
        ("n IN (:four, :five)", true),
        ("n IN (:four, :six, s)", false),
        ("absent IN (:four)", false),
        ("size(s) = :five", true),
        ("size(elems) < :four", true),
        ("size(m) > :four", false),
        ("size(absent) < :four", false),
        ("size(n) > :four", false),
    ] {
        holds(expression, expected);
    }
}

#[test]
fn functions_hold_as_they_should() {
    for (expression, expected) in [
        ("attribute_exists(n)", true),
        ("attribute_exists(nil)", true),
        ("attribute_exists(m.deep.y)", true),
        ("attribute_exists(m.deep.x)", false),
        ("attribute_exists(s.x)", false),
        ("attribute_not_exists(absent)", true),
        ("attribute_not_exists(elems[1])", false),
        ("attribute_type(n, :type)", true),
        ("attribute_type(s, :type)", false),
        ("begins_with(s, :he)", true),
        ("begins_with(s, :a)", false),
        ("begins_with(s, :bytes)", false),
        ("begins_with(n, :he)", false),
        ("begins_with(absent, :he)", false),
        ("contains(s, :he)", true),
        ("contains(s, :a)", false),
        ("contains(elems, :a)", true),
        ("contains(elems, :five)", false),
        ("contains(n, :a)", false),
        ("contains(absent, :a)", false),
    ] {
        holds(expression, expected);
    }
}

#[test]
fn not_binds_before_and_and_and_before_or() {
    // Each would hold otherwise, or not, if it were read from the left or with another order.
    for (expression, expected) in [
        ("n = :five OR n = :four AND n = :six", true),
        ("(n = :five OR n = :four) AND n = :six", false),
        ("n = :four AND n = :six OR n = :five", true),
        ("n = :four AND (n = :six OR n = :five)", false),
        ("NOT n = :four OR n = :five", true),
        ("NOT (n = :four OR n = :five)", false),
        ("NOT n = :five AND n = :four", false),
        ("NOT (n = :five AND n = :four)", true),
        ("NOT NOT n = :five", true),
        ("n BETWEEN :four AND :six AND s = :a", false),
        ("n BETWEEN :four AND :six OR s = :a", true),
        ("not n=:four and(s=:hello)or flag=:t", true),
    ] {
        holds(expression, expected);
    }
}

#[test]
fn without_an_item_nothing_exists() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let with_old = |expression: &str| {
        let mut more = conditioned(expression);
        more["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD".into();
        more["ExpressionAttributeNames"] = json!({"#k": "key"});
        client.update(KEY, more)
    };
    let failed = with_old("attribute_exists(#k)");
    failed.is_rejected(400, "ConditionalCheckFailedException", "");
    assert_eq!(failed.body.get("Item"), None);
    assert_eq!(fake.item(KEY), None);
    with_old("attribute_not_exists(#k)").is_done();
    with_old("attribute_exists(#k)").is_done();
    with_old("attribute_not_exists(#k)").is_rejected(400, "ConditionalCheckFailedException", "");
}

#[test]
fn a_failed_condition_changes_nothing_and_tells_the_item_where_it_is_asked_for() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    fake.put_item(KEY, json!({"version": 3}));
    let attempt = |told: &str| {
        let answer = client.update(
            KEY,
            json!({"UpdateExpression": "SET version = :next", "ConditionExpression": "version = :seen",
                "ExpressionAttributeValues": {":next": {"N": "3"}, ":seen": {"N": "2"}},
                "ReturnValuesOnConditionCheckFailure": told}),
        );
        answer.is_rejected(
            400,
            "ConditionalCheckFailedException",
            "The conditional request failed",
        );
        let kind = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
        assert_eq!(answer.body["__type"], kind);
        answer.body.get("Item").cloned()
    };
    assert_eq!(attempt("NONE"), None);
    let item = json!({"key": {"S": KEY}, "version": {"N": "3"}});
    assert_eq!(attempt("ALL_OLD"), Some(item));
    assert_eq!(fake.item(KEY), Some(json!({"version": 3})));
}
