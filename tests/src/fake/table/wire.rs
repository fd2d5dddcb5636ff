//! Attribute values as they are written in calls and answers: `{"S": "text"}`.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::invalid;
use super::number::Number;
use super::value::{AttributeValue, Item};
use crate::fake::api_error::ApiError;

pub(crate) fn read(value: &Value) -> Result<AttributeValue, ApiError> {
    let members = object(value)?;
    let mut types = members.iter().filter(|(_, value)| !value.is_null());
    let (kind, value) = types.next().ok_or_else(|| {
        invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        )
    })?;
    if types.next().is_some() {
        return Err(invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ));
    }
    Ok(match kind.as_str() {
        "S" => AttributeValue::S(text(value)?.to_owned()),
        "N" => AttributeValue::N(Number::parse(text(value)?)?),
        "B" => AttributeValue::B(bytes(value)?),
        "BOOL" => AttributeValue::Bool(flag(value)?),
        "NULL" if flag(value)? => AttributeValue::Null,
        "NULL" => {
            return Err(wrong(
                "Null attribute value types must have the value of true",
            ));
        }
        "M" => AttributeValue::M(read_item(value)?),
        "L" => AttributeValue::L(array(value)?.iter().map(read).collect::<Result<_, _>>()?),
        "SS" => AttributeValue::Ss(set("string", value, |text_of| {
            text(text_of).map(str::to_owned)
        })?),
        "NS" => AttributeValue::Ns(set("number", value, |number| Number::parse(text(number)?))?),
        "BS" => AttributeValue::Bs(set("binary", value, bytes)?),
        other => {
            return Err(unreadable(format!(
                "no attribute value has the type {other}"
            )));
        }
    })
}

pub(crate) fn read_item(value: &Value) -> Result<Item, ApiError> {
    object(value)?
        .iter()
        .map(|(name, value)| Ok((name.clone(), read(value)?)))
        .collect()
}

pub(crate) fn write(value: &AttributeValue) -> Value {
    let inner = match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => json!(number.to_string()),
        AttributeValue::B(bytes) => json!(STANDARD.encode(bytes)),
        AttributeValue::Bool(flag) => json!(flag),
        AttributeValue::Null => json!(true),
        AttributeValue::M(members) => write_item(members),
        AttributeValue::L(elements) => elements.iter().map(write).collect(),
        AttributeValue::Ss(texts) => texts.iter().map(String::as_str).collect(),
        AttributeValue::Ns(numbers) => numbers.iter().map(Number::to_string).collect(),
        AttributeValue::Bs(set) => set.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
    };
    json!({ value.kind(): inner })
}

pub(crate) fn write_item(item: &Item) -> Value {
    item.iter()
        .map(|(name, value)| (name.clone(), write(value)))
        .collect()
}

pub(crate) fn object(value: &Value) -> Result<&Map<String, Value>, ApiError> {
    value
        .as_object()
        .ok_or_else(|| unreadable("an object is expected"))
}

pub(crate) fn array(value: &Value) -> Result<&Vec<Value>, ApiError> {
    value
        .as_array()
        .ok_or_else(|| unreadable("a list is expected"))
}

pub(crate) fn text(value: &Value) -> Result<&str, ApiError> {
    value
        .as_str()
        .ok_or_else(|| unreadable("a string is expected"))
}

pub(crate) fn flag(value: &Value) -> Result<bool, ApiError> {
    value
        .as_bool()
        .ok_or_else(|| unreadable("a boolean is expected"))
}

pub(crate) fn unreadable(what: impl Into<String>) -> ApiError {
    ApiError::new("SerializationException", what)
}

fn bytes(value: &Value) -> Result<Vec<u8>, ApiError> {
    STANDARD
        .decode(text(value)?)
        .map_err(|error| unreadable(format!("bytes are not Base64: {error}")))
}

fn set<T: Ord>(
    kind: &str,
    value: &Value,
    element: impl Fn(&Value) -> Result<T, ApiError>,
) -> Result<BTreeSet<T>, ApiError> {
    let elements = array(value)?;
    if elements.is_empty() {
        return Err(wrong(&format!("An {kind} set  may not be empty")));
    }
    let set = elements
        .iter()
        .map(element)
        .collect::<Result<BTreeSet<T>, _>>()?;
    if set.len() < elements.len() {
        let texts: Vec<_> = elements.iter().filter_map(Value::as_str).collect();
        return Err(wrong(&format!(
            "Input collection [{}] contains duplicates.",
            texts.join(", ")
        )));
    }
    Ok(set)
}

fn wrong(what: &str) -> ApiError {
    invalid(format!("One or more parameter values were invalid: {what}"))
}
