//! GetItem, BatchGetItem and Scan.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::condition::Condition;
use super::placeholders::Placeholders;
use super::value::item_size;
use super::{KEY, access, input, invalid, wire};
use crate::fake::api_error::ApiError;
use crate::fake::request::ApiRequest;
use crate::fake::state::FakeState;

const MOST_KEYS: usize = 100;
const MOST_BYTES: usize = 16 * 1024 * 1024;
const MOST_SCANNED_BYTES: usize = 1024 * 1024;

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html>
pub(crate) fn get_item(fake: &mut FakeState, request: &ApiRequest) -> Result<Value, ApiError> {
    access::check(fake, request)?;
    let input = &request.body;
    let name = wire::text(input::require(input, "TableName")?)?;
    let key = input::require(input, "Key")?;
    let consistent = input::flag(input, "ConsistentRead")?;
    input::check_table(fake, request, name)?;
    let key = input::key(key)?;
    let table = &mut fake.region(&request.region).table;
    Ok(match table.read(&key, consistent) {
        Some(item) => json!({ "Item": wire::write_item(item) }),
        None => json!({}),
    })
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>
///
/// The items come in another order than their keys, because AWS promises none.
pub(crate) fn batch_get_item(
    fake: &mut FakeState,
    request: &ApiRequest,
) -> Result<Value, ApiError> {
    access::check(fake, request)?;
    let tables = wire::object(input::require(&request.body, "RequestItems")?)?;
    if tables.is_empty() {
        return Err(invalid(
            "1 validation error detected: Value '{}' at 'requestItems' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ));
    }
    let mut responses = Map::new();
    let mut unprocessed = Map::new();
    for (name, asked) in tables {
        let keys = wire::array(input::require(asked, "Keys")?)?;
        check_count(name, keys.len())?;
        input::check_table(fake, request, name)?;
        let consistent = input::flag(asked, "ConsistentRead")?;
        let mut found = Vec::new();
        let mut left = Vec::new();
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for wired in keys {
            let key = input::key(wired)?;
            if seen.contains(&key) {
                return Err(invalid("Provided list of item keys contains duplicates"));
            }
            seen.insert(key.clone());
            if is_left(fake, &key) {
                left.push(wired.clone());
                continue;
            }
            let table = &mut fake.region(&request.region).table;
            let Some(item) = table.read(&key, consistent) else {
                continue;
            };
            bytes += item_size(item);
            if bytes > MOST_BYTES {
                left.push(wired.clone());
            } else {
                found.push(wire::write_item(item));
            }
        }
        found.reverse();
        responses.insert(name.clone(), found.into());
        if !left.is_empty() {
            let mut asked = asked.clone();
            asked["Keys"] = left.into();
            unprocessed.insert(name.clone(), asked);
        }
    }
    Ok(json!({ "Responses": responses, "UnprocessedKeys": unprocessed }))
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>
///
/// A page ends after 1 MB or the limit of items that were read, before the filter, so that it may be empty.
pub(crate) fn scan(fake: &mut FakeState, request: &ApiRequest) -> Result<Value, ApiError> {
    access::check(fake, request)?;
    let input = &request.body;
    let name = wire::text(input::require(input, "TableName")?)?;
    let mut placeholders = Placeholders::read(input, &["FilterExpression"])?;
    let filter = input::member(input, "FilterExpression")
        .map(wire::text)
        .transpose()?
        .map(|text| Condition::read("FilterExpression", text, &mut placeholders))
        .transpose()?;
    placeholders.finish()?;
    let consistent = input::flag(input, "ConsistentRead")?;
    let limit = input::member(input, "Limit").and_then(Value::as_u64);
    let start = input::member(input, "ExclusiveStartKey")
        .map(input::key)
        .transpose()?;
    input::check_table(fake, request, name)?;
    let most = fake.table.scan_page;
    let most = limit.map_or(most, |limit| {
        most.min(usize::try_from(limit).unwrap_or(most))
    });
    let table = &mut fake.region(&request.region).table;
    let keys = table.keys().filter(|key| Some(*key) > start.as_ref());
    let keys: Vec<String> = keys.cloned().collect();
    let (mut items, mut scanned, mut bytes, mut last) = (Vec::new(), 0, 0, None);
    for key in keys {
        let Some(item) = table.read(&key, consistent) else {
            continue;
        };
        scanned += 1;
        bytes += item_size(item);
        if filter.as_ref().map_or(Ok(true), |it| it.holds(item))? {
            items.push(wire::write_item(item));
        }
        if scanned == most || bytes >= MOST_SCANNED_BYTES {
            last = Some(key);
            break;
        }
    }
    let mut answer = json!({ "Count": items.len(), "ScannedCount": scanned, "Items": items });
    if let Some(last) = last {
        answer["LastEvaluatedKey"] = json!({ KEY: { "S": last } });
    }
    Ok(answer)
}

fn check_count(table: &str, count: usize) -> Result<(), ApiError> {
    let bound = match count {
        0 => "greater than or equal to 1",
        1..=MOST_KEYS => return Ok(()),
        _ => "less than or equal to 100",
    };
    Err(invalid(format!(
        "1 validation error detected: Value at 'requestItems.{table}.member.keys' failed to satisfy constraint: Member must have length {bound}"
    )))
}

/// Counts one refusal of a key.
fn is_left(fake: &mut FakeState, key: &str) -> bool {
    let left = fake.table.unprocessed.get_mut(key);
    left.is_some_and(|left| {
        let refused = *left > 0;
        *left = left.saturating_sub(1);
        refused
    })
}
