//! What an update returns, numbers, and sizes.

use imds_tests::FakeAws;
use serde_json::{Value, json};

use crate::REGION;
use crate::dynamodb_client::dynamodb;

const KEY: &str = "limit#1";

#[test]
fn sums_are_exact_to_38_digits() {
    let sum = |left: &str, right: &str| {
        let fake = FakeAws::start();
        let client = dynamodb(&fake, REGION);
        client.update(
            KEY,
            json!({"UpdateExpression": "SET n = :l + :r", "ReturnValues": "ALL_NEW",
                "ExpressionAttributeValues": {":l": {"N": left}, ":r": {"N": right}}}),
        )
    };
    for (left, right, expected) in [
        ("0.1", "0.2", "0.3"),
        ("1753142400123", "1", "1753142400124"),
        ("1e3", "-0.50", "999.5"),
        ("-5", "+5.0", "0"),
        (
            "12345678901234567890123456789012345678",
            "1",
            "12345678901234567890123456789012345679",
        ),
        ("9e124", "0", &format!("9{}", "0".repeat(124))),
        ("-.05", "0", "-0.05"),
    ] {
        let answer = sum(left, right);
        assert_eq!(
            answer.is_done()["Attributes"]["n"]["N"],
            expected,
            "{left} + {right}"
        );
    }
    sum("1e38", "0.1").is_invalid("more than 38 significant digits");
    sum("123456789012345678901234567890123456789", "0").is_invalid("more than 38");
    sum("9e125", "9e125").is_invalid("larger than supported range");
    sum("1e126", "0").is_invalid("larger than supported range");
    sum("1e-131", "0").is_invalid("smaller than supported range");
    for text in [
        "", "-", "x", "1x", "1e", "0x10", "1 ", "NaN", "--1", "1.2.3",
    ] {
        sum(text, "0").is_invalid(&format!("converted to a numeric value: {text} for key :l"));
    }
}

#[test]
fn an_item_has_400_kilobytes_at_most() {
    let fake = FakeAws::start();
    let client = dynamodb(&fake, REGION);
    let room = 400 * 1024 - "key".len() - KEY.len() - "a".len();
    let set = |length: usize| {
        client.update(
            KEY,
            json!({"UpdateExpression": "SET a = :v",
                "ExpressionAttributeValues": {":v": {"S": "x".repeat(length)}}}),
        )
    };
    set(room).is_done();
    set(room + 1).is_invalid("Item size to update has exceeded the maximum allowed size");
    let stored = fake.item(KEY).unwrap();
    assert_eq!(stored["a"].as_str().unwrap().len(), room);
}

#[test]
fn an_answer_has_the_values_that_the_call_asks_for() {
    let before = json!({"a": 1, "b": 2, "m": {"x": 1, "y": 2}, "l": [1, 2, 3]});
    let returned = |which: &str, existing: bool| {
        let fake = FakeAws::start();
        if existing {
            fake.put_item(KEY, before.clone());
        }
        let expression = if existing {
            "SET a = :v, m.x = :v, l[2] = :v REMOVE b"
        } else {
            "SET a = :v"
        };
        let answer = dynamodb(&fake, REGION).update(
            KEY,
            json!({"UpdateExpression": expression, "ReturnValues": which,
                "ExpressionAttributeValues": {":v": {"N": "9"}}}),
        );
        answer.is_done().get("Attributes").cloned()
    };
    let number = |n: i32| json!({"N": n.to_string()});
    assert_eq!(returned("NONE", true), None);
    let old = returned("ALL_OLD", true).unwrap();
    assert_eq!(
        (&old["a"], &old["key"], &old["b"]),
        (&number(1), &json!({"S": KEY}), &number(2))
    );
    let new = returned("ALL_NEW", true).unwrap();
    assert_eq!(
        (&new["a"], &new["key"], &new["b"]),
        (&number(9), &json!({"S": KEY}), &Value::Null)
    );
    assert_eq!(
        returned("UPDATED_OLD", true),
        Some(
            json!({"a": number(1), "b": number(2), "m": {"M": {"x": number(1)}},
            "l": {"L": [number(3)]}})
        )
    );
    assert_eq!(
        returned("UPDATED_NEW", true),
        Some(json!({"a": number(9), "m": {"M": {"x": number(9)}}, "l": {"L": [number(9)]}}))
    );
    assert_eq!(returned("ALL_OLD", false), None);
    assert_eq!(returned("UPDATED_OLD", false), None);
    assert_eq!(
        returned("UPDATED_NEW", false),
        Some(json!({"a": number(9)}))
    );
    let fake = FakeAws::start();
    dynamodb(&fake, REGION)
        .update(KEY, json!({"ReturnValues": "ALL"}))
        .is_invalid("Value 'ALL' at 'returnValues' failed to satisfy constraint");
}
