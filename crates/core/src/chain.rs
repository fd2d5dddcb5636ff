//! Errors with their causes.

use std::error::Error;
use std::iter::successors;

/// An error and its causes in one line. A cause that the text already contains is left out.
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    for cause in successors(error.source(), |&cause| cause.source()) {
        let cause = cause.to_string();
        if !words.contains(&cause) {
            words.push_str(": ");
            words.push_str(&cause);
        }
    }
    words
}

/// An error and its causes, the outermost first.
pub fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    successors(Some(error), |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct NestedError {
        words: &'static str,
        source: Option<Box<NestedError>>,
    }

    fn fault(words: &'static str, source: Option<NestedError>) -> NestedError {
        let source = source.map(Box::new);
        NestedError { words, source }
    }

    #[test]
    fn causes_follow_in_their_order_and_none_is_repeated() {
        let cut = fault("the file was cut", None);
        let twice = fault("no policy: the file was cut", Some(cut));
        let error = fault("could not start", Some(twice));
        assert_eq!(
            chain(&error),
            "could not start: no policy: the file was cut"
        );
        assert_eq!(causes(&error).count(), 3);
    }
}
