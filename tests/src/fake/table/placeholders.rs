//! `ExpressionAttributeNames` and `ExpressionAttributeValues`; each entry must be used.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::token::Tokens;
use super::value::AttributeValue;
use super::{invalid, wire};
use crate::fake::api_error::ApiError;

const NAMES: &str = "ExpressionAttributeNames";
const VALUES: &str = "ExpressionAttributeValues";

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>
const RESERVED_WORDS: &str = include_str!("reserved_words.txt");

/// The placeholders of a call.
#[derive(Debug, Default)]
pub(crate) struct Placeholders {
    names: BTreeMap<String, String>,
    values: BTreeMap<String, AttributeValue>,
    used: BTreeSet<String>,
}

impl Placeholders {
    /// `expressions` are the parameters that may use them, and whether the call has one.
    pub(crate) fn read(input: &Value, expressions: &[&str]) -> Result<Placeholders, ApiError> {
        let given = |name: &str| input.get(name).filter(|value| !value.is_null());
        let has_expression = expressions.iter().any(|name| given(name).is_some());
        let mut placeholders = Placeholders::default();
        if let Some(names) = given(NAMES) {
            if !has_expression {
                return Err(invalid(format!(
                    "{NAMES} can only be specified when using expressions"
                )));
            }
            for (name, attribute) in entries(NAMES, '#', names)? {
                let attribute = wire::text(attribute)?.to_owned();
                placeholders.names.insert(name.clone(), attribute);
            }
        }
        if let Some(values) = given(VALUES) {
            if !has_expression {
                let absent = match expressions {
                    [one] => format!("{one} is null"),
                    _ => format!("{} are null", expressions.join(" and ")),
                };
                return Err(invalid(format!(
                    "{VALUES} can only be specified when using expressions: {absent}"
                )));
            }
            for (name, value) in entries(VALUES, ':', values)? {
                let value = wire::read(value).map_err(|mut error| {
                    if error.code == "ValidationException" {
                        error.message = format!(
                            "{VALUES} contains invalid value: {} for key {name}",
                            error.message
                        );
                    }
                    error
                })?;
                placeholders.values.insert(name.clone(), value);
            }
        }
        Ok(placeholders)
    }

    pub(crate) fn name(&mut self, tokens: &Tokens<'_>, name: &str) -> Result<String, ApiError> {
        self.used.insert(name.to_owned());
        self.names.get(name).cloned().ok_or_else(|| {
            tokens.invalid(format!(
                "An expression attribute name used in the document path is not defined; attribute name: {name}"
            ))
        })
    }

    pub(crate) fn value(
        &mut self,
        tokens: &Tokens<'_>,
        name: &str,
    ) -> Result<AttributeValue, ApiError> {
        self.used.insert(name.to_owned());
        self.values.get(name).cloned().ok_or_else(|| {
            tokens.invalid(format!(
                "An expression attribute value used in expression is not defined; attribute value: {name}"
            ))
        })
    }

    /// Fails if a placeholder has not been used.
    pub(crate) fn finish(&self) -> Result<(), ApiError> {
        self.all_used(NAMES, self.names.keys())?;
        self.all_used(VALUES, self.values.keys())
    }

    fn all_used<'a>(
        &self,
        parameter: &str,
        given: impl Iterator<Item = &'a String>,
    ) -> Result<(), ApiError> {
        let unused: Vec<_> = given
            .filter(|name| !self.used.contains(*name))
            .map(String::as_str)
            .collect();
        if unused.is_empty() {
            return Ok(());
        }
        Err(invalid(format!(
            "Value provided in {parameter} unused in expressions: keys: {{{}}}",
            unused.join(", ")
        )))
    }
}

pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED_WORDS
        .lines()
        .any(|reserved| reserved.eq_ignore_ascii_case(word))
}

fn entries<'a>(
    parameter: &str,
    first: char,
    value: &'a Value,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, ApiError> {
    let members = wire::object(value)?;
    if members.is_empty() {
        return Err(invalid(format!("{parameter} must not be empty")));
    }
    let is_word = |rest: &str| {
        let mut bytes = rest.bytes();
        !rest.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let strange = members
        .keys()
        .find(|name| !name.strip_prefix(first).is_some_and(is_word));
    match strange {
        Some(name) => Err(invalid(format!(
            "{parameter} contains invalid key: Syntax error; key: \"{name}\""
        ))),
        None => Ok(members.iter()),
    }
}
