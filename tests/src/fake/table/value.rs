//! The values of attributes, and their plain JSON for tests.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::number::Number;

/// The attributes of an item, its key included.
pub(crate) type Item = BTreeMap<String, AttributeValue>;

/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttributeValue {
    S(String),
    N(Number),
    B(Vec<u8>),
    Bool(bool),
    Null,
    M(Item),
    L(Vec<AttributeValue>),
    Ss(BTreeSet<String>),
    Ns(BTreeSet<Number>),
    Bs(BTreeSet<Vec<u8>>),
}

impl AttributeValue {
    /// The name of its type in JSON.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            AttributeValue::S(_) => "S",
            AttributeValue::N(_) => "N",
            AttributeValue::B(_) => "B",
            AttributeValue::Bool(_) => "BOOL",
            AttributeValue::Null => "NULL",
            AttributeValue::M(_) => "M",
            AttributeValue::L(_) => "L",
            AttributeValue::Ss(_) => "SS",
            AttributeValue::Ns(_) => "NS",
            AttributeValue::Bs(_) => "BS",
        }
    }

    /// Only texts, numbers and bytes have an order, each among themselves.
    pub(crate) fn compare(&self, other: &AttributeValue) -> Option<Ordering> {
        match (self, other) {
            (AttributeValue::S(left), AttributeValue::S(right)) => Some(left.cmp(right)),
            (AttributeValue::N(left), AttributeValue::N(right)) => Some(left.cmp(right)),
            (AttributeValue::B(left), AttributeValue::B(right)) => Some(left.cmp(right)),
            _ => None,
        }
    }

    pub(crate) fn has_order(&self) -> bool {
        self.compare(self).is_some()
    }

    /// `size(…)`: bytes, or elements.
    pub(crate) fn length(&self) -> Option<usize> {
        match self {
            AttributeValue::S(text) => Some(text.len()),
            AttributeValue::B(bytes) => Some(bytes.len()),
            AttributeValue::M(members) => Some(members.len()),
            AttributeValue::L(elements) => Some(elements.len()),
            AttributeValue::Ss(texts) => Some(texts.len()),
            AttributeValue::Ns(numbers) => Some(numbers.len()),
            AttributeValue::Bs(set) => Some(set.len()),
            AttributeValue::N(_) | AttributeValue::Bool(_) | AttributeValue::Null => None,
        }
    }

    /// `contains(…)`: part of a text, or an element.
    pub(crate) fn contains(&self, other: &AttributeValue) -> bool {
        match (self, other) {
            (AttributeValue::S(text), AttributeValue::S(part)) => text.contains(part),
            (AttributeValue::B(bytes), AttributeValue::B(part)) => {
                part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
            }
            (AttributeValue::L(elements), element) => elements.contains(element),
            (AttributeValue::Ss(texts), AttributeValue::S(text)) => texts.contains(text),
            (AttributeValue::Ns(numbers), AttributeValue::N(number)) => numbers.contains(number),
            (AttributeValue::Bs(set), AttributeValue::B(bytes)) => set.contains(bytes),
            _ => false,
        }
    }

    pub(crate) fn begins_with(&self, start: &AttributeValue) -> bool {
        match (self, start) {
            (AttributeValue::S(text), AttributeValue::S(start)) => text.starts_with(start),
            (AttributeValue::B(bytes), AttributeValue::B(start)) => bytes.starts_with(start),
            _ => false,
        }
    }

    /// The bytes that it takes in an item:
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>.
    pub(crate) fn size(&self) -> usize {
        match self {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(number) => number.size(),
            AttributeValue::B(bytes) => bytes.len(),
            AttributeValue::Bool(_) | AttributeValue::Null => 1,
            AttributeValue::M(members) => 3 + members.len() + item_size(members),
            AttributeValue::L(elements) => {
                3 + elements
                    .iter()
                    .map(|element| 1 + element.size())
                    .sum::<usize>()
            }
            AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
            AttributeValue::Ns(numbers) => numbers.iter().map(|number| number.size()).sum(),
            AttributeValue::Bs(set) => set.iter().map(Vec::len).sum(),
        }
    }

    /// # Panics
    /// On a number that DynamoDB does not have, which is a mistake in the test.
    pub(crate) fn from_plain(plain: Value) -> AttributeValue {
        match plain {
            Value::Null => AttributeValue::Null,
            Value::Bool(flag) => AttributeValue::Bool(flag),
            Value::Number(number) => {
                let number = Number::parse(&number.to_string());
                AttributeValue::N(number.expect("a number that DynamoDB has"))
            }
            Value::String(text) => AttributeValue::S(text),
            Value::Array(elements) => AttributeValue::L(
                elements
                    .into_iter()
                    .map(AttributeValue::from_plain)
                    .collect(),
            ),
            Value::Object(members) => AttributeValue::M(
                members
                    .into_iter()
                    .map(|(name, value)| (name, AttributeValue::from_plain(value)))
                    .collect(),
            ),
        }
    }

    /// Sets become arrays, bytes become Base64.
    pub(crate) fn plain(&self) -> Value {
        match self {
            AttributeValue::S(text) => text.as_str().into(),
            AttributeValue::N(number) => plain_number(*number),
            AttributeValue::B(bytes) => STANDARD.encode(bytes).into(),
            AttributeValue::Bool(flag) => (*flag).into(),
            AttributeValue::Null => Value::Null,
            AttributeValue::M(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.plain()))
                .collect(),
            AttributeValue::L(elements) => elements.iter().map(AttributeValue::plain).collect(),
            AttributeValue::Ss(texts) => texts.iter().map(String::as_str).collect(),
            AttributeValue::Ns(numbers) => numbers.iter().copied().map(plain_number).collect(),
            AttributeValue::Bs(set) => set.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
        }
    }
}

pub(crate) fn item_size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value.size())
        .sum()
}

fn plain_number(number: Number) -> Value {
    serde_json::from_str(&number.to_string()).expect("decimals are JSON")
}
