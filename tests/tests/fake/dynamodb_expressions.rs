//! The expressions that DynamoDB refuses.

use imds_tests::FakeAws;
use serde_json::{Value, json};

use crate::REGION;
use crate::dynamodb_client::dynamodb;

pub(crate) const KEY: &str = "lease#1";

pub(crate) fn item() -> Value {
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

pub(crate) fn conditioned(expression: &str) -> Value {
    let mut more = json!({ "ConditionExpression": expression });
    let values = used(&values(), expression);
    if values != json!({}) {
        more["ExpressionAttributeValues"] = values;
    }
    more
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
