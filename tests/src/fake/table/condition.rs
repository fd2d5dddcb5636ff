//! `ConditionExpression`:
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>.

use std::cmp::Ordering;

use super::operand::{Operand, Reader};
use super::path::Path;
use super::placeholders::Placeholders;
use super::token::Tokens;
use super::value::{AttributeValue, Item};
use crate::fake::api_error::ApiError;

const MOST_IN_LIST: usize = 100;
const TYPES: [&str; 10] = ["S", "SS", "N", "NS", "B", "BS", "BOOL", "NULL", "L", "M"];

/// What must hold for a write.
#[derive(Debug)]
pub(crate) enum Condition {
    Compare(Operand, Comparator, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path),
    HasType(Path, String),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Parentheses(Box<Condition>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparator {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

const COMPARATORS: [(&str, Comparator); 6] = [
    ("=", Comparator::Equal),
    ("<>", Comparator::NotEqual),
    ("<", Comparator::Less),
    ("<=", Comparator::AtMost),
    (">", Comparator::Greater),
    (">=", Comparator::AtLeast),
];

impl Condition {
    /// `parameter`: `ConditionExpression` or `FilterExpression`, which have the same grammar.
    pub(crate) fn read(
        parameter: &'static str,
        expression: &str,
        placeholders: &mut Placeholders,
    ) -> Result<Condition, ApiError> {
        let tokens = Tokens::read(parameter, expression)?;
        let mut reader = Reader {
            tokens,
            placeholders,
        };
        let condition = any(&mut reader)?;
        reader.tokens.expect_end()?;
        Ok(condition)
    }

    pub(crate) fn holds(&self, item: &Item) -> Result<bool, ApiError> {
        Ok(match self {
            Condition::Compare(left, comparator, right) => {
                comparator.holds(left.find(item)?.as_ref(), right.find(item)?.as_ref())
            }
            Condition::Between(operand, lower, upper) => {
                let value = operand.find(item)?;
                Comparator::AtLeast.holds(value.as_ref(), lower.find(item)?.as_ref())
                    && Comparator::AtMost.holds(value.as_ref(), upper.find(item)?.as_ref())
            }
            Condition::In(operand, list) => {
                let value = operand.find(item)?;
                let others = list.iter().map(|other| other.find(item));
                let others = others.collect::<Result<Vec<_>, _>>()?;
                value.is_some() && others.contains(&value)
            }
            Condition::Exists(path) => path.get(item).is_some(),
            Condition::HasType(path, kind) => {
                path.get(item).is_some_and(|value| value.kind() == kind)
            }
            Condition::BeginsWith(text, start) => text
                .find(item)?
                .zip(start.find(item)?)
                .is_some_and(|(text, start)| text.begins_with(&start)),
            Condition::Contains(whole, part) => whole
                .find(item)?
                .zip(part.find(item)?)
                .is_some_and(|(whole, part)| whole.contains(&part)),
            Condition::Not(condition) => !condition.holds(item)?,
            Condition::And(left, right) => left.holds(item)? && right.holds(item)?,
            Condition::Or(left, right) => left.holds(item)? || right.holds(item)?,
            Condition::Parentheses(condition) => condition.holds(item)?,
        })
    }
}

impl Comparator {
    /// What is missing equals nothing, and has no order.
    fn holds(self, left: Option<&AttributeValue>, right: Option<&AttributeValue>) -> bool {
        let equal = left.is_some() && left == right;
        let order = left
            .zip(right)
            .and_then(|(left, right)| left.compare(right));
        match self {
            Comparator::Equal => equal,
            Comparator::NotEqual => !equal,
            Comparator::Less => order == Some(Ordering::Less),
            Comparator::AtMost => order.is_some_and(Ordering::is_le),
            Comparator::Greater => order == Some(Ordering::Greater),
            Comparator::AtLeast => order.is_some_and(Ordering::is_ge),
        }
    }

    fn orders(self) -> bool {
        !matches!(self, Comparator::Equal | Comparator::NotEqual)
    }
}

fn any(reader: &mut Reader<'_>) -> Result<Condition, ApiError> {
    let mut left = all(reader)?;
    while reader.tokens.take_keyword("OR") {
        left = Condition::Or(left.into(), all(reader)?.into());
    }
    Ok(left)
}

fn all(reader: &mut Reader<'_>) -> Result<Condition, ApiError> {
    let mut left = negated(reader)?;
    while reader.tokens.take_keyword("AND") {
        left = Condition::And(left.into(), negated(reader)?.into());
    }
    Ok(left)
}

fn negated(reader: &mut Reader<'_>) -> Result<Condition, ApiError> {
    if reader.tokens.take_keyword("NOT") {
        return Ok(Condition::Not(negated(reader)?.into()));
    }
    if !reader.tokens.take_sign("(") {
        return single(reader);
    }
    let inner = any(reader)?;
    reader.tokens.expect_sign(")")?;
    if matches!(inner, Condition::Parentheses(_)) {
        return Err(reader
            .tokens
            .invalid("The expression has redundant parentheses;"));
    }
    Ok(Condition::Parentheses(inner.into()))
}

fn single(reader: &mut Reader<'_>) -> Result<Condition, ApiError> {
    if reader.tokens.at_function() && reader.tokens.peek().text != "size" {
        return function(reader);
    }
    let left = operand(reader)?;
    if reader.tokens.take_keyword("BETWEEN") {
        let lower = operand(reader)?;
        if !reader.tokens.take_keyword("AND") {
            return Err(reader.tokens.unexpected());
        }
        let upper = operand(reader)?;
        return between(reader, left, lower, upper);
    }
    if reader.tokens.take_keyword("IN") {
        return listed(reader, left);
    }
    let sign = reader.tokens.peek().text.clone();
    let comparator = COMPARATORS.iter().find(|(text, _)| *text == sign);
    let Some((sign, comparator)) = comparator else {
        return Err(reader.tokens.unexpected());
    };
    reader.tokens.next();
    let right = operand(reader)?;
    if comparator.orders() {
        for operand in [&left, &right] {
            reader.check_type(sign, operand, AttributeValue::has_order)?;
        }
    }
    distinct(reader, sign, &left, &right)?;
    Ok(Condition::Compare(left, *comparator, right))
}

fn operand(reader: &mut Reader<'_>) -> Result<Operand, ApiError> {
    if !reader.tokens.at_function() {
        return reader.plain_operand();
    }
    let name = reader.tokens.next().text;
    if name != "size" {
        return Err(misplaced(reader, &name));
    }
    let [operand] = reader.arguments("size", Reader::plain_operand)?;
    reader.check_type("size", &operand, |value| value.length().is_some())?;
    Ok(Operand::Size(operand.into()))
}

fn between(
    reader: &Reader<'_>,
    operand: Operand,
    lower: Operand,
    upper: Operand,
) -> Result<Condition, ApiError> {
    for operand in [&operand, &lower, &upper] {
        reader.check_type("BETWEEN", operand, AttributeValue::has_order)?;
    }
    if let (Operand::Value(low), Operand::Value(high)) = (&lower, &upper) {
        let fault = match low.compare(high) {
            None => "same data type for lower and upper bounds",
            Some(Ordering::Greater) => "upper bound to be greater than or equal to lower bound",
            Some(_) => "",
        };
        if !fault.is_empty() {
            let shown = |value: &AttributeValue| format!("{{{}:{}}}", value.kind(), value.plain());
            return Err(reader.tokens.invalid(format!(
                "The BETWEEN operator requires {fault}; lower bound operand: AttributeValue: {}, upper bound operand: AttributeValue: {}",
                shown(low),
                shown(high)
            )));
        }
    }
    Ok(Condition::Between(operand, lower, upper))
}

fn listed(reader: &mut Reader<'_>, left: Operand) -> Result<Condition, ApiError> {
    reader.tokens.expect_sign("(")?;
    let mut list = vec![operand(reader)?];
    while reader.tokens.take_sign(",") {
        list.push(operand(reader)?);
    }
    reader.tokens.expect_sign(")")?;
    if list.len() > MOST_IN_LIST {
        return Err(reader.tokens.invalid(format!(
            "The IN operator is provided with too many operands; number of operands: {}",
            list.len()
        )));
    }
    for other in &list {
        distinct(reader, "IN", &left, other)?;
    }
    Ok(Condition::In(left, list))
}

fn function(reader: &mut Reader<'_>) -> Result<Condition, ApiError> {
    let name = reader.tokens.next().text;
    match name.as_str() {
        "attribute_exists" | "attribute_not_exists" => {
            let [operand] = reader.arguments(&name, operand)?;
            let exists = Condition::Exists(reader.needs_path(&name, operand)?);
            Ok(match name.as_str() {
                "attribute_exists" => exists,
                _ => Condition::Not(exists.into()),
            })
        }
        "attribute_type" | "begins_with" | "contains" => {
            let [first, second] = reader.arguments(&name, operand)?;
            function_of_two(reader, &name, first, second)
        }
        _ => Err(misplaced(reader, &name)),
    }
}

fn function_of_two(
    reader: &Reader<'_>,
    name: &str,
    first: Operand,
    second: Operand,
) -> Result<Condition, ApiError> {
    distinct(reader, name, &first, &second)?;
    match name {
        "attribute_type" => {
            let path = reader.needs_path(name, first)?;
            let kind = match second {
                Operand::Value(AttributeValue::S(kind)) if TYPES.contains(&kind.as_str()) => kind,
                other => {
                    return Err(reader.tokens.invalid(format!(
                        "Invalid attribute type name found; type: {other:?}, valid types: {{{}}}",
                        TYPES.join(",")
                    )));
                }
            };
            Ok(Condition::HasType(path, kind))
        }
        "begins_with" => {
            let takes = |value: &AttributeValue| {
                matches!(value, AttributeValue::S(_) | AttributeValue::B(_))
            };
            reader.check_type(name, &first, takes)?;
            reader.check_type(name, &second, takes)?;
            Ok(Condition::BeginsWith(first, second))
        }
        _ => Ok(Condition::Contains(first, second)),
    }
}

/// Two operands must not be the same path.
fn distinct(
    reader: &Reader<'_>,
    operator: &str,
    left: &Operand,
    right: &Operand,
) -> Result<(), ApiError> {
    match (left, right) {
        (Operand::Path(path), Operand::Path(other)) if path == other => {
            Err(reader.tokens.invalid(format!(
                "The first operand must be distinct from the remaining operands for this operator or function; operator: {operator}, first operand: {path}"
            )))
        }
        _ => Ok(()),
    }
}

/// The call of a function that does not exist, or not here.
fn misplaced(reader: &Reader<'_>, name: &str) -> ApiError {
    reader.tokens.invalid(match name {
        "if_not_exists" | "list_append" => {
            format!("The function is not allowed in a condition expression; function: {name}")
        }
        "size"
        | "attribute_exists"
        | "attribute_not_exists"
        | "attribute_type"
        | "begins_with"
        | "contains" => {
            format!(
                "The function is not allowed to be used this way in an expression; function: {name}"
            )
        }
        _ => format!("Invalid function name; function: {name}"),
    })
}
