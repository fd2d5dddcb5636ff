//! Scan in the fake's DynamoDB.

use imds_tests::FakeAws;
use serde_json::{Value, json};

use crate::REGION;
use crate::dynamodb_client::dynamodb;

#[test]
fn a_scan_finds_page_by_page_what_its_filter_lets_through() {
    let fake = FakeAws::start();
    fake.allow_people("AKIDEXAMPLE");
    fake.set_scan_page(2);
    for key in ["exempt#1", "exempt#2", "limit#1", "limit#2", "pause#1"] {
        fake.put_item(key, json!({ "by": "ada" }));
    }
    let client = dynamodb(&fake, REGION);
    let mut call = json!({"TableName": "imds-enforcer", "ConsistentRead": true,
        "FilterExpression": "begins_with(#key, :kind)",
        "ExpressionAttributeNames": {"#key": "key"},
        "ExpressionAttributeValues": {":kind": {"S": "pause#"}}});
    let mut pages = Vec::new();
    loop {
        let answer = client.call("Scan", &call).is_done().clone();
        pages.push((answer["Count"].clone(), answer["ScannedCount"].clone()));
        let last = answer["LastEvaluatedKey"].clone();
        if last.is_null() {
            assert_eq!(answer["Items"][0]["key"], json!({"S": "pause#1"}));
            break;
        }
        call["ExclusiveStartKey"] = last;
    }
    let page = |found: u8, read: u8| (json!(found), json!(read));
    assert_eq!(pages, [page(0, 2), page(0, 2), page(1, 1)]);
    let mut unfiltered = json!({"TableName": "imds-enforcer", "Limit": 1});
    let count = |call: &Value| client.call("Scan", call).is_done()["Count"].clone();
    assert_eq!(count(&unfiltered), json!(0), "it was written just now");
    unfiltered["ConsistentRead"] = json!(true);
    assert_eq!(count(&unfiltered), json!(1));
}
