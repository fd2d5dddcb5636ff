//! The words and signs of an expression.

use std::iter::Peekable;
use std::str::CharIndices;

use super::invalid;
use crate::fake::api_error::ApiError;

/// A word or a sign, with its text and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) text: String,
    /// In bytes.
    start: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword, a function or an attribute.
    Word,
    /// `#name`
    Name,
    /// `:value`
    Value,
    Number,
    Sign,
    End,
}

/// One expression: which parameter it is, and its tokens.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    /// `UpdateExpression` or `ConditionExpression`.
    parameter: &'static str,
    expression: &'a str,
    tokens: Vec<Token>,
    position: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn read(parameter: &'static str, expression: &'a str) -> Result<Self, ApiError> {
        let mut tokens = Vec::new();
        let mut characters = expression.char_indices().peekable();
        while let Some((start, first)) = characters.next() {
            if first.is_ascii_whitespace() {
                continue;
            }
            let mut text = first.to_string();
            let kind = match first {
                'a'..='z' | 'A'..='Z' => {
                    take_word(&mut characters, &mut text);
                    TokenKind::Word
                }
                '0'..='9' => {
                    take_word(&mut characters, &mut text);
                    TokenKind::Number
                }
                '#' | ':' => {
                    take_word(&mut characters, &mut text);
                    if first == '#' {
                        TokenKind::Name
                    } else {
                        TokenKind::Value
                    }
                }
                '<' | '>' => {
                    let pairs =
                        |next: &(usize, char)| next.1 == '=' || (first == '<' && next.1 == '>');
                    text.extend(characters.next_if(pairs).map(|(_, second)| second));
                    TokenKind::Sign
                }
                '=' | '+' | '-' | '(' | ')' | '[' | ']' | ',' | '.' => TokenKind::Sign,
                other => {
                    return Err(invalid(format!(
                        "Invalid {parameter}: Syntax error; token: \"{other}\", near: \"{expression}\""
                    )));
                }
            };
            tokens.push(Token { kind, text, start });
        }
        if tokens.is_empty() {
            return Err(invalid(format!(
                "Invalid {parameter}: The expression can not be empty;"
            )));
        }
        tokens.push(Token {
            kind: TokenKind::End,
            text: "<EOF>".to_owned(),
            start: expression.len(),
        });
        Ok(Tokens {
            parameter,
            expression,
            tokens,
            position: 0,
        })
    }

    pub(crate) fn peek(&self) -> &Token {
        &self.tokens[self.position]
    }

    /// The one after the next; the last token stands for all that would follow.
    pub(crate) fn peek_second(&self) -> &Token {
        &self.tokens[(self.position + 1).min(self.tokens.len() - 1)]
    }

    pub(crate) fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.position = (self.position + 1).min(self.tokens.len() - 1);
        token
    }

    /// Whether a keyword comes next.
    pub(crate) fn at_keyword(&self, keyword: &str) -> bool {
        let token = self.peek();
        token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(keyword)
    }

    pub(crate) fn at_sign(&self, sign: &str) -> bool {
        is_sign(self.peek(), sign)
    }

    /// Whether the call of a function comes next.
    pub(crate) fn at_function(&self) -> bool {
        self.peek().kind == TokenKind::Word && is_sign(self.peek_second(), "(")
    }

    pub(crate) fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        if found {
            self.next();
        }
        found
    }

    pub(crate) fn take_sign(&mut self, sign: &str) -> bool {
        let found = self.at_sign(sign);
        if found {
            self.next();
        }
        found
    }

    pub(crate) fn expect_sign(&mut self, sign: &str) -> Result<(), ApiError> {
        if self.take_sign(sign) {
            return Ok(());
        }
        Err(self.unexpected())
    }

    pub(crate) fn expect_end(&self) -> Result<(), ApiError> {
        match self.peek().kind {
            TokenKind::End => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    /// The next token has no place where it is.
    pub(crate) fn unexpected(&self) -> ApiError {
        let token = self.peek();
        let first = &self.tokens[self.position.saturating_sub(1)];
        let last = self.peek_second();
        let end = last.start
            + if last.kind == TokenKind::End {
                0
            } else {
                last.text.len()
            };
        let near = self.expression.get(first.start..end).unwrap_or_default();
        self.invalid(format!(
            "Syntax error; token: \"{}\", near: \"{near}\"",
            token.text
        ))
    }

    pub(crate) fn invalid(&self, what: impl std::fmt::Display) -> ApiError {
        invalid(format!("Invalid {}: {what}", self.parameter))
    }
}

fn is_sign(token: &Token, sign: &str) -> bool {
    token.kind == TokenKind::Sign && token.text == sign
}

fn take_word(characters: &mut Peekable<CharIndices<'_>>, text: &mut String) {
    let in_word = |next: &(usize, char)| next.1.is_ascii_alphanumeric() || next.1 == '_';
    while let Some((_, next)) = characters.next_if(in_word) {
        text.push(next);
    }
}
