//! What was looked at, and what was found.

use serde::Serialize;

/// One thing that the other commands need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// `None`: it is the same everywhere.
    pub(super) region: Option<String>,
    /// Such as `credentials`, or the API action.
    pub(super) what: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) next: Option<String>,
}

/// Whether it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Fine,
    /// It is to be known, and keeps nothing from working but what it names.
    Note,
    Wrong,
}

impl Check {
    pub(super) fn fine(what: &'static str, found: String) -> Self {
        Check {
            region: None,
            what,
            verdict: Verdict::Fine,
            found,
            next: None,
        }
    }

    pub(super) fn note(what: &'static str, found: String) -> Self {
        Check {
            verdict: Verdict::Note,
            ..Check::fine(what, found)
        }
    }

    pub(super) fn wrong(what: &'static str, found: String, next: &str) -> Self {
        Check {
            verdict: Verdict::Wrong,
            next: Some(next.to_owned()),
            ..Check::fine(what, found)
        }
    }

    pub(super) fn of(self, region: &str) -> Self {
        Check {
            region: Some(region.to_owned()),
            ..self
        }
    }

    pub(super) fn is_fine(&self) -> bool {
        self.verdict == Verdict::Fine
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.verdict == Verdict::Wrong
    }
}
