//! `UpdateExpression`:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html>.

use super::invalid;
use super::operand::{Operand, Reader, wrong_type};
use super::path::Path;
use super::placeholders::Placeholders;
use super::token::Tokens;
use super::value::{AttributeValue, Item};
use super::{KEY, sets};
use crate::fake::api_error::ApiError;

/// The changes of an item.
#[derive(Debug, Default)]
pub(crate) struct Update {
    set: Vec<(Path, NewValue)>,
    remove: Vec<Path>,
    add: Vec<(Path, AttributeValue)>,
    delete: Vec<(Path, AttributeValue)>,
}

#[derive(Debug)]
enum NewValue {
    Just(Operand),
    Plus(Operand, Operand),
    Minus(Operand, Operand),
}

impl Update {
    pub(crate) fn read(
        expression: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Update, ApiError> {
        let tokens = Tokens::read("UpdateExpression", expression)?;
        let mut reader = Reader {
            tokens,
            placeholders,
        };
        let mut update = Update::default();
        let mut sections = Vec::new();
        while sections.is_empty() || reader.tokens.expect_end().is_err() {
            let section = ["SET", "REMOVE", "ADD", "DELETE"]
                .into_iter()
                .find(|section| reader.tokens.at_keyword(section))
                .ok_or_else(|| reader.tokens.unexpected())?;
            if sections.contains(&section) {
                return Err(reader.tokens.invalid(format!(
                    "The \"{section}\" section can only be used once in an update expression;"
                )));
            }
            sections.push(section);
            reader.tokens.next();
            update.read_clause(section, &mut reader)?;
            while reader.tokens.take_sign(",") {
                update.read_clause(section, &mut reader)?;
            }
        }
        update.check_paths(&reader)?;
        Ok(update)
    }

    /// The paths that it changes.
    pub(crate) fn paths(&self) -> Vec<&Path> {
        let set = self.set.iter().map(|(path, _)| path);
        let others = self.add.iter().chain(&self.delete).map(|(path, _)| path);
        set.chain(&self.remove).chain(others).collect()
    }

    /// The key is no attribute to change.
    pub(crate) fn check_key(&self) -> Result<(), ApiError> {
        if self.paths().iter().any(|path| path.attribute == KEY) {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Cannot update attribute {KEY}. This attribute is part of the key"
            )));
        }
        Ok(())
    }

    /// The item after all changes; each reads the item as it was before.
    pub(crate) fn apply(&self, before: &Item) -> Result<Item, ApiError> {
        let mut item = before.clone();
        let mut set: Vec<_> = self.set.iter().collect();
        set.sort_by_key(|(path, _)| path);
        for (path, value) in set {
            path.set(&mut item, value.find(before)?)?;
        }
        for (path, value) in &self.add {
            let sum = match path.get(before) {
                None => value.clone(),
                Some(AttributeValue::N(number)) => match value {
                    AttributeValue::N(more) => AttributeValue::N(number.plus(*more)?),
                    _ => return Err(wrong_type()),
                },
                Some(old) => sets::union(old, value).ok_or_else(wrong_type)?,
            };
            path.set(&mut item, sum)?;
        }
        for (path, value) in &self.delete {
            match path.get(before) {
                None => path.remove(&mut item)?,
                Some(old) => match sets::difference(old, value).ok_or_else(wrong_type)? {
                    Some(rest) => path.set(&mut item, rest)?,
                    None => path.remove(&mut item)?,
                },
            }
        }
        let mut remove: Vec<_> = self.remove.iter().collect();
        remove.sort();
        for path in remove.into_iter().rev() {
            path.remove(&mut item)?;
        }
        Ok(item)
    }

    fn read_clause(&mut self, section: &str, reader: &mut Reader<'_>) -> Result<(), ApiError> {
        let path = reader.path()?;
        match section {
            "SET" => {
                reader.tokens.expect_sign("=")?;
                let value = new_value(reader)?;
                self.set.push((path, value));
            }
            "REMOVE" => self.remove.push(path),
            "ADD" => {
                let value = operand_of(reader, section, |value| {
                    matches!(value, AttributeValue::N(_)) || sets::is_set(value)
                })?;
                self.add.push((path, value));
            }
            _ => {
                let value = operand_of(reader, section, sets::is_set)?;
                self.delete.push((path, value));
            }
        }
        Ok(())
    }

    fn check_paths(&self, reader: &Reader<'_>) -> Result<(), ApiError> {
        let paths = self.paths();
        for (position, path) in paths.iter().enumerate() {
            for other in &paths[..position] {
                let fault = if other.overlaps(path) {
                    "overlap"
                } else if other.conflicts(path) {
                    "conflict"
                } else {
                    continue;
                };
                return Err(reader.tokens.invalid(format!(
                    "Two document paths {fault} with each other; must remove or rewrite one of these paths; path one: {other}, path two: {path}"
                )));
            }
        }
        Ok(())
    }
}

impl NewValue {
    fn find(&self, item: &Item) -> Result<AttributeValue, ApiError> {
        let numbers =
            |left: &Operand, right: &Operand| match (left.require(item)?, right.require(item)?) {
                (AttributeValue::N(left), AttributeValue::N(right)) => Ok((left, right)),
                _ => Err(wrong_type()),
            };
        match self {
            NewValue::Just(operand) => operand.require(item),
            NewValue::Plus(left, right) => {
                let (left, right) = numbers(left, right)?;
                left.plus(right).map(AttributeValue::N)
            }
            NewValue::Minus(left, right) => {
                let (left, right) = numbers(left, right)?;
                left.minus(right).map(AttributeValue::N)
            }
        }
    }
}

fn new_value(reader: &mut Reader<'_>) -> Result<NewValue, ApiError> {
    let left = operand(reader)?;
    let sign = ["+", "-"]
        .into_iter()
        .find(|sign| reader.tokens.at_sign(sign));
    let Some(sign) = sign else {
        return Ok(NewValue::Just(left));
    };
    reader.tokens.next();
    let right = operand(reader)?;
    for operand in [&left, &right] {
        reader.check_type(sign, operand, |value| matches!(value, AttributeValue::N(_)))?;
    }
    Ok(if sign == "+" {
        NewValue::Plus(left, right)
    } else {
        NewValue::Minus(left, right)
    })
}

fn operand(reader: &mut Reader<'_>) -> Result<Operand, ApiError> {
    if !reader.tokens.at_function() {
        return reader.plain_operand();
    }
    let name = reader.tokens.next().text;
    match name.as_str() {
        "if_not_exists" => {
            let [first, second] = reader.arguments(&name, operand)?;
            let path = reader.needs_path(&name, first)?;
            Ok(Operand::IfNotExists(path, second.into()))
        }
        "list_append" => {
            let [first, second] = reader.arguments(&name, operand)?;
            for operand in [&first, &second] {
                let is_list = |value: &AttributeValue| matches!(value, AttributeValue::L(_));
                reader.check_type(&name, operand, is_list)?;
            }
            Ok(Operand::ListAppend(first.into(), second.into()))
        }
        "size"
        | "attribute_exists"
        | "attribute_not_exists"
        | "attribute_type"
        | "begins_with"
        | "contains" => Err(reader.tokens.invalid(format!(
            "The function is not allowed in an update expression; function: {name}"
        ))),
        _ => Err(reader
            .tokens
            .invalid(format!("Invalid function name; function: {name}"))),
    }
}

fn operand_of(
    reader: &mut Reader<'_>,
    section: &str,
    takes: impl Fn(&AttributeValue) -> bool,
) -> Result<AttributeValue, ApiError> {
    let value = reader.value()?;
    if takes(&value) {
        return Ok(value);
    }
    Err(reader.tokens.invalid(format!(
        "Incorrect operand type for operator or function; operator: {section}, operand type: {}, typeSet: ALLOWED_FOR_{section}_OPERAND",
        value.kind()
    )))
}
