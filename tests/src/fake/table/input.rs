//! What the calls have in common: the table's name, keys, and words.

use serde_json::Value;

use super::value::{AttributeValue, Item};
use super::{KEY, TABLE, invalid, wire};
use crate::fake::api_error::ApiError;
use crate::fake::request::ApiRequest;
use crate::fake::state::FakeState;

const MOST_KEY_BYTES: usize = 2048;

/// A member of the call that is not null.
pub(crate) fn member<'a>(input: &'a Value, name: &str) -> Option<&'a Value> {
    input.get(name).filter(|value| !value.is_null())
}

pub(crate) fn require<'a>(input: &'a Value, name: &str) -> Result<&'a Value, ApiError> {
    member(input, name).ok_or_else(|| {
        let (first, rest) = name.split_at(1);
        invalid(format!(
            "1 validation error detected: Value null at '{}{rest}' failed to satisfy constraint: Member must not be null",
            first.to_lowercase()
        ))
    })
}

pub(crate) fn flag(input: &Value, name: &str) -> Result<bool, ApiError> {
    member(input, name).map_or(Ok(false), wire::flag)
}

/// One of the given words; the first if there is none.
pub(crate) fn word<'a>(
    input: &'a Value,
    name: &str,
    words: &[&'a str],
) -> Result<&'a str, ApiError> {
    let Some(value) = member(input, name) else {
        return Ok(words.first().copied().unwrap_or_default());
    };
    let value = wire::text(value)?;
    if words.contains(&value) {
        return Ok(value);
    }
    let (first, rest) = name.split_at(1);
    Err(invalid(format!(
        "1 validation error detected: Value '{value}' at '{}{rest}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
        first.to_lowercase(),
        words.join(", ")
    )))
}

/// Fails unless the name or the ARN is that of the table.
pub(crate) fn check_table(
    fake: &FakeState,
    request: &ApiRequest,
    name: &str,
) -> Result<(), ApiError> {
    if name == TABLE || name == arn(&request.region, &fake.account) {
        return Ok(());
    }
    Err(ApiError::new(
        "ResourceNotFoundException",
        "Requested resource not found",
    ))
}

pub(crate) fn arn(region: &str, account: &str) -> String {
    format!("arn:aws:dynamodb:{region}:{account}:table/{TABLE}")
}

/// The text of a key, which must be its only attribute.
pub(crate) fn key(value: &Value) -> Result<String, ApiError> {
    let mut attributes = wire::read_item(value)?;
    let key = attributes.remove(KEY).filter(|_| attributes.is_empty());
    match key {
        Some(AttributeValue::S(key)) => checked(key),
        _ => Err(invalid(
            "The provided key element does not match the schema",
        )),
    }
}

/// The text of the key of a whole item.
pub(crate) fn key_of(item: &Item) -> Result<String, ApiError> {
    match item.get(KEY) {
        Some(AttributeValue::S(key)) => checked(key.clone()),
        Some(other) => Err(invalid(format!(
            "One or more parameter values were invalid: Type mismatch for key {KEY} expected: S actual: {}",
            other.kind()
        ))),
        None => Err(invalid(format!(
            "One or more parameter values were invalid: Missing the key {KEY} in the item"
        ))),
    }
}

/// Every key that a call names, as far as it can be read.
pub(crate) fn keys(input: &Value) -> Vec<String> {
    let single = [input.get("Key"), input.get("Item")];
    let tables = input.get("RequestItems").and_then(Value::as_object);
    let several = tables
        .into_iter()
        .flat_map(|tables| tables.values())
        .filter_map(|table| table.get("Keys")?.as_array())
        .flatten();
    single
        .into_iter()
        .flatten()
        .chain(several)
        .filter_map(|key| Some(key.get(KEY)?.get("S")?.as_str()?.to_owned()))
        .collect()
}

fn checked(key: String) -> Result<String, ApiError> {
    if key.is_empty() {
        return Err(invalid(format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {KEY}"
        )));
    }
    if key.len() > MOST_KEY_BYTES {
        return Err(invalid(
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ));
    }
    Ok(key)
}
