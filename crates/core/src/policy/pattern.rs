//! Patterns with the wildcards `*` and `?`.

use std::fmt;

/// `*` matches any characters, also none; `?` matches one character; everything else matches itself,
/// and case matters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern {
    text: String,
    tokens: Box<[Token]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Token {
    This(char),
    One,
    Many,
}

impl Pattern {
    /// Every text is a pattern; the empty one matches only the empty text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Pattern {
            tokens: tokens(&text),
            text,
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole text matches. Takes at most the text's length times the pattern's.
    pub fn matches(&self, text: &str) -> bool {
        fits(&self.tokens, text.chars(), |token, sign| match token {
            Token::This(own) => own == sign,
            Token::One => true,
            Token::Many => false,
        })
    }

    /// Whether every text that matches `other` matches this pattern too. Exact, because there is
    /// always a character that neither pattern contains.
    pub fn covers(&self, other: &Pattern) -> bool {
        fits(
            &self.tokens,
            other.tokens.iter().copied(),
            |token, sign| match token {
                Token::This(_) => token == sign,
                Token::One => sign != Token::Many,
                Token::Many => false,
            },
        )
    }
}

/// In a run of wildcards that contains a `*`, a `*` is put on both sides of every `?`. That changes
/// nothing for texts; to `covers` it shows that the run requires only a minimum length.
fn tokens(text: &str) -> Box<[Token]> {
    let written: Vec<Token> = text
        .chars()
        .map(|sign| match sign {
            '*' => Token::Many,
            '?' => Token::One,
            own => Token::This(own),
        })
        .collect();
    let is_wildcard = |token: &Token| !matches!(token, Token::This(_));
    let mut tokens = Vec::with_capacity(written.len());
    for run in written.chunk_by(|a, b| is_wildcard(a) == is_wildcard(b)) {
        if run.contains(&Token::Many) {
            tokens.push(Token::Many);
            for _ in run.iter().filter(|token| **token == Token::One) {
                tokens.extend([Token::One, Token::Many]);
            }
        } else {
            tokens.extend_from_slice(run);
        }
    }
    tokens.into()
}

/// Goes back only to the latest `*`: what an earlier one could take, the latest can take as well.
fn fits<S: Copy, T: Iterator<Item = S> + Clone>(
    mut pattern: &[Token],
    mut text: T,
    one: impl Fn(Token, S) -> bool,
) -> bool {
    let mut latest: Option<(&[Token], T)> = None;
    loop {
        if let [Token::Many, after @ ..] = pattern {
            pattern = after;
            latest = Some((after, text.clone()));
        }
        match (pattern, text.next()) {
            ([], None) => return true,
            (_, None) => return false,
            ([token, after @ ..], Some(sign)) if one(*token, sign) => pattern = after,
            _ => {
                let Some((after, from)) = &mut latest else {
                    return false;
                };
                from.next();
                (pattern, text) = (*after, from.clone());
            }
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
