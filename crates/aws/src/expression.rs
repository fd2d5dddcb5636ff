//! Items and expressions as DynamoDB has them.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use imds_core::state::{Item, Value};
use jiff::Timestamp;

/// The name of the partition key.
pub(crate) const KEY: &str = "key";

/// When an item expires, in seconds since 1970.
const EXPIRES_AT: &str = "expires_at";

/// What a write depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Nothing.
    Always,
    /// The item has this version; `None`: there is no item.
    Version(Option<i64>),
    /// Nobody else holds the lease at this time.
    LeaseFree(&'a str, Timestamp),
    /// It is this holder's lease.
    LeaseHeld(&'a str),
}

/// The expressions of an `UpdateItem` call. Every name is a placeholder, because many words are reserved.
pub(crate) struct Expression {
    pub(crate) update: String,
    pub(crate) condition: Option<String>,
    pub(crate) names: HashMap<String, String>,
    pub(crate) values: HashMap<String, AttributeValue>,
    pub(crate) answers: ReturnValue,
}

impl Expression {
    pub(crate) fn new(attributes: &Item, expires_at: Timestamp, condition: Condition<'_>) -> Self {
        let mut expression = Expression {
            update: String::new(),
            condition: None,
            names: HashMap::new(),
            values: HashMap::new(),
            answers: ReturnValue::None,
        };
        let expires_at = Value::Number(expires_at.as_second());
        let set = attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value));
        let set: Vec<String> = set
            .chain([(EXPIRES_AT, &expires_at)])
            .map(|(name, value)| {
                let name = expression.name(name);
                let value = expression.value(value);
                format!("{name} = {value}")
            })
            .collect();
        expression.update = format!("SET {}", set.join(", "));
        expression.condition = match condition {
            Condition::Always => None,
            Condition::Version(None) => {
                let key = expression.name(KEY);
                Some(format!("attribute_not_exists({key})"))
            }
            Condition::Version(Some(version)) => {
                let name = expression.name("version");
                let value = expression.value(&Value::Number(version));
                Some(format!("{name} = {value}"))
            }
            Condition::LeaseFree(holder, now) => {
                expression.answers = ReturnValue::AllOld;
                let until = expression.name("until");
                let now = expression.value(&Value::Number(now.as_millisecond()));
                let held = expression.is_held_by(holder);
                Some(format!(
                    "attribute_not_exists({until}) OR {until} <= {now} OR {held}"
                ))
            }
            Condition::LeaseHeld(holder) => Some(expression.is_held_by(holder)),
        };
        expression
    }

    fn is_held_by(&mut self, holder: &str) -> String {
        let name = self.name("holder");
        let value = self.value(&Value::Text(holder.to_owned()));
        format!("{name} = {value}")
    }

    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#{name}");
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: &Value) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), attribute(value));
        placeholder
    }
}

pub(crate) fn item(attributes: HashMap<String, AttributeValue>) -> Item {
    let own = |name: &String| name != KEY && name != EXPIRES_AT;
    let attributes = attributes.into_iter().filter(|(name, _)| own(name));
    attributes
        .map(|(name, value)| (name, self::value(value)))
        .collect()
}

fn value(attribute: AttributeValue) -> Value {
    let read = match attribute {
        AttributeValue::S(text) => Some(Value::Text(text)),
        AttributeValue::N(number) => number.parse().ok().map(Value::Number),
        AttributeValue::L(items) => {
            let texts = items.into_iter().map(|item| match item {
                AttributeValue::S(text) => Some(text),
                _ => None,
            });
            texts.collect::<Option<_>>().map(Value::Texts)
        }
        AttributeValue::M(map) => {
            let numbers = map.into_iter().map(|(key, value)| match value {
                AttributeValue::N(number) => Some((key, number.parse().ok()?)),
                _ => None,
            });
            numbers.collect::<Option<_>>().map(Value::Numbers)
        }
        _ => None,
    };
    read.unwrap_or(Value::Other)
}

fn attribute(value: &Value) -> AttributeValue {
    let number = |number: &i64| AttributeValue::N(number.to_string());
    match value {
        Value::Text(text) => AttributeValue::S(text.clone()),
        Value::Number(value) => number(value),
        Value::Texts(texts) => {
            let texts = texts.iter().cloned().map(AttributeValue::S);
            AttributeValue::L(texts.collect())
        }
        Value::Numbers(numbers) => {
            let numbers = numbers
                .iter()
                .map(|(key, value)| (key.clone(), number(value)));
            AttributeValue::M(numbers.collect())
        }
        Value::Other => AttributeValue::Null(true),
    }
}
