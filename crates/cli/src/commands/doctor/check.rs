//! What was checked, and what was found.

use serde::Serialize;

use super::need::Need;

/// One requirement of the other commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// The region; `None` if the result is the same in all regions, or is not about one.
    pub(super) region: Option<String>,
    /// The commands that need it; `None` if all do.
    pub(super) needed_for: Option<Need>,
    /// What was checked: for example `credentials`, or a permission.
    pub(super) what: String,
    pub(super) verdict: CheckVerdict,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) next: Option<String>,
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CheckVerdict {
    Fine,
    /// A limitation that does not prevent the rest from working.
    Note,
    /// A permission that only some commands or options need.
    Missing,
    Failed,
}

impl Check {
    pub(super) fn fine(what: impl Into<String>, found: String) -> Self {
        Check {
            region: None,
            needed_for: None,
            what: what.into(),
            verdict: CheckVerdict::Fine,
            found,
            next: None,
        }
    }

    pub(super) fn note(what: impl Into<String>, found: String) -> Self {
        Check {
            verdict: CheckVerdict::Note,
            ..Check::fine(what, found)
        }
    }

    pub(super) fn failed(what: impl Into<String>, found: String, next: &str) -> Self {
        Check {
            verdict: CheckVerdict::Failed,
            next: Some(next.to_owned()),
            ..Check::fine(what, found)
        }
    }

    /// In a region, if there is one, for these commands. What fails there is only missing if it is optional.
    pub(super) fn of(self, region: Option<&str>, need: Need) -> Self {
        let verdict = match self.verdict {
            CheckVerdict::Failed if need.is_optional() => CheckVerdict::Missing,
            verdict => verdict,
        };
        Check {
            region: region.map(str::to_owned),
            needed_for: Some(need),
            verdict,
            ..self
        }
    }

    pub(super) fn is_fine(&self) -> bool {
        self.verdict == CheckVerdict::Fine
    }

    pub(super) fn is_failed(&self) -> bool {
        self.verdict == CheckVerdict::Failed
    }
}
