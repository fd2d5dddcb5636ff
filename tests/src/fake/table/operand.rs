//! What conditions and updates have in common: paths and operands.

use super::invalid;
use super::number::Number;
use super::path::{Path, Step};
use super::placeholders::{Placeholders, is_reserved};
use super::token::{TokenKind, Tokens};
use super::value::{AttributeValue, Item};
use crate::fake::api_error::ApiError;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Path(Path),
    Value(AttributeValue),
    Size(Box<Operand>),
    IfNotExists(Path, Box<Operand>),
    ListAppend(Box<Operand>, Box<Operand>),
}

/// An expression that is being read.
pub(crate) struct Reader<'a> {
    pub(crate) tokens: Tokens<'a>,
    pub(crate) placeholders: &'a mut Placeholders,
}

impl Reader<'_> {
    pub(crate) fn path(&mut self) -> Result<Path, ApiError> {
        let attribute = self.name()?;
        let mut steps = Vec::new();
        loop {
            if self.tokens.take_sign(".") {
                steps.push(Step::Name(self.name()?));
            } else if self.tokens.take_sign("[") {
                steps.push(Step::Index(self.index()?));
                self.tokens.expect_sign("]")?;
            } else {
                return Ok(Path { attribute, steps });
            }
        }
    }

    pub(crate) fn value(&mut self) -> Result<AttributeValue, ApiError> {
        if self.tokens.peek().kind != TokenKind::Value {
            return Err(self.tokens.unexpected());
        }
        let name = self.tokens.next().text;
        self.placeholders.value(&self.tokens, &name)
    }

    /// A path or a value.
    pub(crate) fn plain_operand(&mut self) -> Result<Operand, ApiError> {
        if self.tokens.peek().kind == TokenKind::Value {
            self.value().map(Operand::Value)
        } else {
            self.path().map(Operand::Path)
        }
    }

    /// The operands of a function, between parentheses, as many as it has.
    pub(crate) fn arguments<const N: usize>(
        &mut self,
        function: &str,
        mut operand: impl FnMut(&mut Self) -> Result<Operand, ApiError>,
    ) -> Result<[Operand; N], ApiError> {
        self.tokens.expect_sign("(")?;
        let mut operands = vec![operand(self)?];
        while self.tokens.take_sign(",") {
            operands.push(operand(self)?);
        }
        self.tokens.expect_sign(")")?;
        operands.try_into().map_err(|operands: Vec<_>| {
            self.tokens.invalid(format!(
                "Incorrect number of operands for operator or function; operator or function: {function}, number of operands: {}",
                operands.len()
            ))
        })
    }

    pub(crate) fn needs_path(&self, function: &str, operand: Operand) -> Result<Path, ApiError> {
        match operand {
            Operand::Path(path) => Ok(path),
            _ => Err(self.tokens.invalid(format!(
                "Operator or function requires a document path; operator or function: {function}"
            ))),
        }
    }

    /// Rejects a value that the operator could never take.
    pub(crate) fn check_type(
        &self,
        operator: &str,
        operand: &Operand,
        takes: impl Fn(&AttributeValue) -> bool,
    ) -> Result<(), ApiError> {
        match operand {
            Operand::Value(value) if !takes(value) => Err(self.tokens.invalid(format!(
                "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {}",
                value.kind()
            ))),
            _ => Ok(()),
        }
    }

    fn name(&mut self) -> Result<String, ApiError> {
        let token = self.tokens.peek().clone();
        match token.kind {
            TokenKind::Name => {
                self.tokens.next();
                self.placeholders.name(&self.tokens, &token.text)
            }
            TokenKind::Word if is_reserved(&token.text) => Err(self.tokens.invalid(format!(
                "Attribute name is a reserved keyword; reserved keyword: {}",
                token.text
            ))),
            TokenKind::Word => {
                self.tokens.next();
                Ok(token.text)
            }
            _ => Err(self.tokens.unexpected()),
        }
    }

    fn index(&mut self) -> Result<usize, ApiError> {
        let token = self.tokens.peek();
        let index = token.text.parse().ok();
        let index = index.filter(|_| token.kind == TokenKind::Number);
        let index = index.ok_or_else(|| self.tokens.unexpected())?;
        self.tokens.next();
        Ok(index)
    }
}

impl Operand {
    /// Its value in this item; `None` where the item has no such attribute, or one without a size.
    pub(crate) fn find(&self, item: &Item) -> Result<Option<AttributeValue>, ApiError> {
        Ok(match self {
            Operand::Path(path) => path.get(item).cloned(),
            Operand::Value(value) => Some(value.clone()),
            Operand::Size(operand) => {
                let length = operand.find(item)?.and_then(|value| value.length());
                let number = length.map(|length| Number::parse(&length.to_string()));
                number.transpose()?.map(AttributeValue::N)
            }
            Operand::IfNotExists(path, otherwise) => match path.get(item) {
                Some(value) => Some(value.clone()),
                None => otherwise.find(item)?,
            },
            Operand::ListAppend(first, second) => {
                match (first.require(item)?, second.require(item)?) {
                    (AttributeValue::L(mut first), AttributeValue::L(second)) => {
                        first.extend(second);
                        Some(AttributeValue::L(first))
                    }
                    _ => return Err(wrong_type()),
                }
            }
        })
    }

    /// Its value, which must exist.
    pub(crate) fn require(&self, item: &Item) -> Result<AttributeValue, ApiError> {
        self.find(item)?.ok_or_else(|| {
            invalid(
                "The provided expression refers to an attribute that does not exist in the item",
            )
        })
    }
}

/// An attribute of the item has a type that the operator does not take.
pub(crate) fn wrong_type() -> ApiError {
    invalid("An operand in the update expression has an incorrect data type")
}
