//! Malformed events, with the JSON paths of their faults.

use std::fmt;

use serde::Deserialize;

use crate::plain::Plain;

/// An event that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Malformed {
    /// The JSON path, for example `detail.responseElements.instancesSet.items[0].instanceId`; empty:
    /// the event itself.
    pub path: String,
    /// What is there and what was expected.
    pub problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, problem) = (Plain(&self.path), Plain(&self.problem));
        match self.path.as_str() {
            "" => write!(f, "malformed event: {problem}"),
            _ => write!(f, "malformed event: `{path}`: {problem}"),
        }
    }
}

impl Malformed {
    pub(super) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Malformed {
            path: path.into(),
            problem: problem.into(),
        }
    }

    /// Puts the path below `parent`.
    pub(crate) fn under(mut self, parent: &str) -> Self {
        if !parent.is_empty() {
            self.path = if self.path.is_empty() {
                parent.to_owned()
            } else {
                format!("{parent}.{}", self.path)
            };
        }
        self
    }
}

/// Reads JSON; the fault has its path.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(json).map_err(|error| {
        // Tracking the path doubles the time to read, so only a fault is read again for it.
        let mut reader = serde_json::Deserializer::from_str(json);
        match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Ok(_) => Malformed::new("", error.to_string()),
            Err(error) => {
                let path = error.path().to_string();
                let path = if path == "." { "" } else { &path };
                Malformed::new(path, problem(error.inner()))
            }
        }
    })
}

/// The message; with its position in the text only where the JSON itself is broken, because it
/// would count from the start of the part that was read.
fn problem(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    match message.strip_suffix(&position) {
        Some(message) if error.is_data() => message.to_owned(),
        _ => message,
    }
}
