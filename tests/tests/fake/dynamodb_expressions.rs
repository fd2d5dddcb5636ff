//! Conditions, and the expressions that DynamoDB refuses.

use imds_tests::FakeAws;
use serde_json::{Value, json};

use crate::REGION;
use crate::dynamodb::dynamodb;

const KEY: &str = "lease#1";

fn item() -> Value {
    json!({"n": 5, "s": "hello", "flag": true, "nil": null, "elems": ["a", 1], "m": {"x": 1, "deep": {"y": "z"}},
        "same": 5})
}

fn values() -> Value {
    json!({":four": {"N": "4"}, ":five": {"N": "5.0"}, ":six": {"N": "6"}, ":he": {"S": "he"},
        ":hello": {"S": "hello"}, ":a": {"S": "a"}, ":t": {"BOOL": true}, ":nil": {"NULL": true},
        ":map": {"M": {"y": {"S": "z"}}}, ":bytes": {"B": "aGU="}, ":type": {"S": "N"}})
}

/// Only the placeholders that the expression uses.
fn used(all: &Value, expression: &str) -> Value {
    let words: Vec<_> = expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || "_:#".contains(c)))
        .collect();
    let all = all.as_object().unwrap().iter();
    all.filter(|(name, _)| words.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn conditioned(expression: &str) -> Value {
    let mut more = json!({ "ConditionExpression": expression });
    let values = used(&values(), expression);
    if values != json!({}) {
        more["ExpressionAttributeValues"] = values;
    }
    more
}

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

#[track_caller]
fn is_invalid(expression: &str, message: &str) {
    let fake = FakeAws::start();
    fake.put_item(KEY, item());
    dynamodb(&fake, REGION)
        .update(KEY, conditioned(expression))
        .is_invalid(message);
    let call = &fake.table_calls()[0];
    assert_eq!(
        (call.took_effect, call.condition),
        (None, None),
        "{expression}"
    );
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

#[test]
fn a_condition_that_no_item_could_meet_is_refused() {
    for (expression, message) in [
        (
            "n < :t",
            "Incorrect operand type for operator or function; operator or function: <",
        ),
        ("n >= :map", "operand type: M"),
        ("n BETWEEN :t AND :t", "operand type: BOOL"),
        (
            "n BETWEEN :six AND :four",
            "upper bound to be greater than or equal to lower bound",
        ),
        (
            "n BETWEEN :four AND :he",
            "same data type for lower and upper bounds",
        ),
        (
            "begins_with(s, :five)",
            "operator or function: begins_with, operand type: N",
        ),
        (
            "size(:five) = :five",
            "operator or function: size, operand type: N",
        ),
        (
            "n = n",
            "The first operand must be distinct from the remaining operands",
        ),
        ("contains(s, s)", "must be distinct"),
        ("attribute_type(n, :he)", "Invalid attribute type name"),
        ("attribute_exists(:he)", "requires a document path"),
        ("attribute_exists(n, s)", "Incorrect number of operands"),
        ("begins_with(s)", "Incorrect number of operands"),
        ("exists(n)", "Invalid function name; function: exists"),
        ("ATTRIBUTE_EXISTS(n)", "Invalid function name"),
        ("size(n)", "Syntax error"),
        (
            "n = if_not_exists(n, :five)",
            "not allowed in a condition expression",
        ),
        ("n = attribute_exists(s)", "not allowed to be used this way"),
    ] {
        is_invalid(expression, message);
    }
}

#[test]
fn a_condition_that_is_not_one_is_refused() {
    for (expression, message) in [
        (
            "",
            "Invalid ConditionExpression: The expression can not be empty;",
        ),
        ("  ", "The expression can not be empty;"),
        ("n", "Syntax error; token: \"<EOF>\", near: \"n\""),
        ("n =", "Syntax error; token: \"<EOF>\""),
        (
            "n == :five",
            "Syntax error; token: \"=\", near: \"== :five\"",
        ),
        ("n = :five)", "Syntax error; token: \")\""),
        ("(n = :five", "Syntax error; token: \"<EOF>\""),
        ("((n = :five))", "The expression has redundant parentheses;"),
        ("n = 5", "Syntax error; token: \"5\""),
        ("n = \"5\"", "Syntax error; token: \"\"\""),
        ("n = :five AND", "Syntax error"),
        ("AND n = :five", "reserved keyword: AND"),
        ("n IN ()", "Syntax error; token: \")\""),
        ("elems[x] = :five", "Syntax error; token: \"x\""),
        ("m. = :five", "Syntax error; token: \"=\""),
        ("n != :five", "Syntax error; token: \"!\""),
        ("_n = :five", "Syntax error; token: \"_\""),
        (
            "n = :missing",
            "value used in expression is not defined; attribute value: :missing",
        ),
        (
            "#missing = :five",
            "name used in the document path is not defined; attribute name: #missing",
        ),
        (
            "key = :five",
            "Attribute name is a reserved keyword; reserved keyword: key",
        ),
        ("m.until = :five", "reserved keyword: until"),
        ("attribute_exists(Day)", "reserved keyword: Day"),
    ] {
        is_invalid(expression, message);
    }
}

#[test]
fn an_update_that_is_not_one_is_refused() {
    let fake = FakeAws::start();
    for (expression, message) in [
        (
            "",
            "Invalid UpdateExpression: The expression can not be empty;",
        ),
        ("a = :five", "Syntax error; token: \"a\""),
        ("SET a", "Syntax error; token: \"<EOF>\""),
        ("SET a = :five,", "Syntax error; token: \"<EOF>\""),
        ("SET a = :five b = :four", "Syntax error; token: \"b\""),
        ("SET a = :five + :four + :six", "Syntax error; token: \"+\""),
        (
            "SET a = :five SET b = :four",
            "The \"SET\" section can only be used once",
        ),
        ("SET until = :five", "reserved keyword: until"),
        ("SET values = :five", "reserved keyword: values"),
        ("SET day = :five", "reserved keyword: day"),
        ("SET a = :none", "attribute value: :none"),
        ("SET #a = :five", "attribute name: #a"),
        ("SET :five = :four", "Syntax error; token: \":five\""),
        (
            "SET a = size(n)",
            "not allowed in an update expression; function: size",
        ),
        (
            "SET a = nothing(n)",
            "Invalid function name; function: nothing",
        ),
        (
            "SET a = if_not_exists(:five, :four)",
            "requires a document path",
        ),
        ("SET a = if_not_exists(n)", "Incorrect number of operands"),
        ("REMOVE", "Syntax error; token: \"<EOF>\""),
        ("REMOVE a = :five", "Syntax error; token: \"=\""),
        ("ADD a n", "Syntax error; token: \"n\""),
        ("DELETE a", "Syntax error; token: \"<EOF>\""),
    ] {
        let mut more = json!({ "UpdateExpression": expression });
        let values = used(&values(), expression);
        if values != json!({}) {
            more["ExpressionAttributeValues"] = values;
        }
        dynamodb(&fake, REGION)
            .update(KEY, more)
            .is_invalid(message);
    }
    assert_eq!(fake.item(KEY), None);
}

#[test]
fn names_that_are_no_reserved_words_need_no_placeholder() {
    let fake = FakeAws::start();
    let names = [
        "version",
        "entries",
        "holder",
        "expires_at",
        "principals",
        "enforced_at",
        "reason",
    ];
    for name in names {
        let more = json!({"UpdateExpression": format!("SET {name} = :v"),
            "ExpressionAttributeValues": {":v": {"N": "1"}}});
        dynamodb(&fake, REGION).update(KEY, more).is_done();
    }
    assert_eq!(
        fake.item(KEY).unwrap().as_object().unwrap().len(),
        names.len()
    );
    for name in ["key", "until", "day", "before", "by", "document", "values"] {
        let more = json!({"UpdateExpression": format!("SET m.#n = :v, {name}x = :v"),
            "ExpressionAttributeNames": {"#n": name}, "ExpressionAttributeValues": {":v": {"N": "1"}}});
        fake.put_item(KEY, json!({"m": {}}));
        dynamodb(&fake, REGION).update(KEY, more).is_done();
        assert_eq!(fake.item(KEY).unwrap()["m"], json!({name: 1}));
    }
}

#[test]
fn a_name_may_contain_what_a_word_may_not() {
    let fake = FakeAws::start();
    fake.put_item(KEY, json!({"entries": {}}));
    let more = json!({"UpdateExpression": "SET entries.#id = :at",
        "ConditionExpression": "attribute_not_exists(entries.#id)",
        "ExpressionAttributeNames": {"#id": "i-0123.a[0]"},
        "ExpressionAttributeValues": {":at": {"N": "1753142400123"}}});
    let client = dynamodb(&fake, REGION);
    client.update(KEY, more.clone()).is_done();
    assert_eq!(
        fake.item(KEY),
        Some(json!({"entries": {"i-0123.a[0]": 1_753_142_400_123_i64}}))
    );
    client
        .update(KEY, more)
        .is_rejected(400, "ConditionalCheckFailedException", "");
}

#[test]
fn placeholders_must_be_used_and_well_formed() {
    let fake = FakeAws::start();
    let one = json!({"N": "1"});
    let refused = |more: Value, message: &str| {
        dynamodb(&fake, REGION)
            .update(KEY, more)
            .is_invalid(message);
    };
    let set = "SET a = :v";
    refused(
        json!({"UpdateExpression": set, "ExpressionAttributeValues": {":v": one, ":w": one}}),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}",
    );
    refused(
        json!({"UpdateExpression": set, "ExpressionAttributeValues": {":v": one},
            "ExpressionAttributeNames": {"#a": "a"}}),
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}",
    );
    refused(
        json!({"UpdateExpression": set, "ExpressionAttributeValues": {"v": one}}),
        "ExpressionAttributeValues contains invalid key: Syntax error; key: \"v\"",
    );
    refused(
        json!({"UpdateExpression": set, "ExpressionAttributeValues": {":v": one},
            "ExpressionAttributeNames": {"#": "a"}}),
        "ExpressionAttributeNames contains invalid key",
    );
    refused(
        json!({"UpdateExpression": set, "ExpressionAttributeValues": {}}),
        "ExpressionAttributeValues must not be empty",
    );
    refused(
        json!({"UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {}}),
        "ExpressionAttributeNames must not be empty",
    );
    refused(
        json!({"ExpressionAttributeNames": {"#a": "a"}}),
        "ExpressionAttributeNames can only be specified when using expressions",
    );
    refused(
        json!({"ExpressionAttributeValues": {":v": one}}),
        "UpdateExpression and ConditionExpression are null",
    );
    let both = json!({"UpdateExpression": set, "ConditionExpression": "#b <> :v",
        "ExpressionAttributeValues": {":v": one}, "ExpressionAttributeNames": {"#b": "b"}});
    dynamodb(&fake, REGION).update(KEY, both).is_done();
}
