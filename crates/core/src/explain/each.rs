//! The events of a text, each explained.

use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{Explanation, NOTHING_DONE, explain};
use crate::count::count;
use crate::event::{Malformed, delivered};
use crate::plain::Plain;
use crate::policy::Policy;
use crate::report::Trigger;

/// All events of a text, in its order, and what the function would do with each; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ExplainedEvents(pub Vec<ExplainedEvent>);

/// One event of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedEvent {
    /// Where it is in the text; empty: the text is the event.
    pub path: String,
    /// What the function would do with it, or why that cannot be said.
    #[serde(flatten, serialize_with = "serialized")]
    pub explained: Result<Explanation, Malformed>,
}

/// Explains each event of a text, which may be within the messages, logs or answers of the services
/// that passed it on.
pub fn explain_each(text: &str, policy: &Policy, now: Timestamp) -> ExplainedEvents {
    let events = delivered(text).into_iter().map(|event| {
        let explained = event.json.and_then(|json| {
            explain(&json, policy, now).map_err(|malformed| malformed.under(&event.path))
        });
        ExplainedEvent {
            path: event.path,
            explained,
        }
    });
    ExplainedEvents(events.collect())
}

impl ExplainedEvent {
    fn is_ignored(&self) -> bool {
        let explained = self.explained.as_ref();
        explained.is_ok_and(|it| it.trigger == Trigger::Ignored)
    }
}

impl ExplainedEvents {
    /// Whether any event shows an instance that is not compliant.
    pub fn has_violations(&self) -> bool {
        let mut explanations = self.0.iter().filter_map(|it| it.explained.as_ref().ok());
        explanations.any(Explanation::has_violations)
    }

    /// What is malformed, in the text's order.
    pub fn malformed(&self) -> impl Iterator<Item = &Malformed> {
        self.0.iter().filter_map(|it| it.explained.as_ref().err())
    }
}

/// For the terminal: a line for each event that is ignored or malformed, a block for each other, and
/// how many there are of each.
impl fmt::Display for ExplainedEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_line = |event: &ExplainedEvent| event.is_ignored() || event.explained.is_err();
        let mut before: Option<&ExplainedEvent> = None;
        for event in &self.0 {
            if before.is_some_and(|before| !(is_line(before) && is_line(event))) {
                writeln!(f)?;
            }
            write!(f, "{event}")?;
            before = Some(event);
        }
        let (all, malformed) = (self.0.len(), self.malformed().count());
        let ignored = self.0.iter().filter(|event| event.is_ignored()).count();
        let explained = all - ignored - malformed;
        writeln!(
            f,
            "\n{}: {explained} explained, {ignored} ignored, {malformed} malformed",
            count(all, "event")
        )
    }
}

impl fmt::Display for ExplainedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = Plain(&self.path);
        match &self.explained {
            Ok(explanation) if self.is_ignored() => {
                let note = explanation.notes.join("; ");
                let reason = note.strip_prefix(NOTHING_DONE).unwrap_or(&note);
                writeln!(f, "{path}: ignored: {}", Plain(reason))
            }
            Ok(explanation) => write!(f, "{path}: {explanation}"),
            Err(malformed) => writeln!(f, "{path}: {malformed}"),
        }
    }
}

fn serialized<S: Serializer>(
    explained: &Result<Explanation, Malformed>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct NotExplained {
        error: String,
    }
    match explained {
        Ok(explanation) => explanation.serialize(serializer),
        Err(malformed) => NotExplained {
            error: malformed.to_string(),
        }
        .serialize(serializer),
    }
}
