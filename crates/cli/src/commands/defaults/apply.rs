//! Sets the defaults of all regions, each change in the journal, and looks whether they are there.

use std::fmt;
use std::time::Duration;

use imds_aws::Client;
use imds_core::defaults::MetadataDefaults;
use imds_core::plain::Plain;
use serde::Serialize;

use super::plan::{Step, words};
use crate::journal::Writer;

/// How long each further look waits, for EC2 may still show what was before.
const LOOKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// What became of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Done {
    pub(super) region: String,
    pub(super) outcome: Outcome,
    pub(super) before: MetadataDefaults,
    /// As planned, or as they are since; `None`: not known, or not changed.
    pub(super) after: Option<MetadataDefaults>,
    pub(super) reason: String,
}

/// In a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// It is to be set; nothing was done.
    Planned,
    /// It is set, and was seen to be.
    Set,
    /// It was so before.
    Unchanged,
    /// It may or may not be set.
    Failed,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Outcome::Planned => "planned",
            Outcome::Set => "set",
            Outcome::Unchanged => "unchanged",
            Outcome::Failed => "failed",
        }
    }
}

impl Done {
    /// Of a region where nothing was done.
    pub(super) fn nothing(step: &Step) -> Self {
        let outcome = if step.changes() {
            Outcome::Planned
        } else {
            Outcome::Unchanged
        };
        Done::of(step, outcome, Some(step.to.clone()), step.to_string())
    }

    fn failed(step: &Step, why: &str) -> Self {
        let governed = if step.is_governed() {
            " (a declarative policy of the organisation manages them, and only it can change them)"
        } else {
            ""
        };
        let reason = format!("{step}; failed: {}{governed}", Plain(why));
        Done::of(step, Outcome::Failed, None, reason)
    }

    fn of(step: &Step, outcome: Outcome, after: Option<MetadataDefaults>, reason: String) -> Self {
        Done {
            region: step.region.clone(),
            outcome,
            before: step.from.clone(),
            after,
            reason,
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.outcome.as_str(), self.reason)
    }
}

pub(super) async fn apply(client: &Client, step: &Step, journal: &Writer) -> Done {
    if !step.changes() {
        return Done::nothing(step);
    }
    if client.is_halted() {
        return Done::failed(step, "interrupted before it was sent");
    }
    let Step { region, from, to } = step;
    if let Err(error) = journal.before_defaults(region, from, to) {
        return Done::failed(step, &format!("the journal cannot be written: {error}"));
    }
    if let Err(error) = client.set_metadata_defaults(region, from, to).await {
        let why = error.cause();
        journal.after_defaults(region, Err(&why));
        return Done::failed(step, &why);
    }
    let seen = look(client, step).await;
    journal.after_defaults(region, seen.as_ref().map_err(String::as_str));
    match seen {
        Ok(seen) if is(&seen, to) => Done::of(step, Outcome::Set, Some(seen), step.to_string()),
        Ok(seen) => {
            let differs = words(&seen).into_iter().zip(words(to));
            let differs = differs.filter(|(seen, to)| seen != to);
            let differs: Vec<String> = differs
                .map(|((name, seen), _)| format!("{name} is {seen}"))
                .collect();
            let why = format!("EC2 took it, but {}", differs.join(", "));
            Done {
                after: Some(seen),
                ..Done::failed(step, &why)
            }
        }
        Err(why) => Done::failed(step, &format!("EC2 took it, but does not show it: {why}")),
    }
}

/// The defaults as they are, once they are as they should be or there is no more patience.
async fn look(client: &Client, step: &Step) -> Result<MetadataDefaults, String> {
    let mut seen = Err("nobody looked".to_owned());
    for pause in LOOKS {
        tokio::time::sleep(pause).await;
        let answer = client.metadata_defaults(&step.region).await;
        seen = answer.map_err(|error| error.cause());
        if seen.as_ref().is_ok_and(|seen| is(seen, &step.to)) || client.is_halted() {
            break;
        }
    }
    seen
}

fn is(seen: &MetadataDefaults, to: &MetadataDefaults) -> bool {
    words(seen) == words(to)
}
