//! What was checked, and what was found.

use serde::Serialize;

/// One requirement of the other commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// The region; `None` if the result is the same in all regions.
    pub(super) region: Option<String>,
    /// What was checked: for example `credentials`, or an API action.
    pub(super) what: &'static str,
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
    Failed,
}

impl Check {
    pub(super) fn fine(what: &'static str, found: String) -> Self {
        Check {
            region: None,
            what,
            verdict: CheckVerdict::Fine,
            found,
            next: None,
        }
    }

    pub(super) fn note(what: &'static str, found: String) -> Self {
        Check {
            verdict: CheckVerdict::Note,
            ..Check::fine(what, found)
        }
    }

    pub(super) fn failed(what: &'static str, found: String, next: &str) -> Self {
        Check {
            verdict: CheckVerdict::Failed,
            next: Some(next.to_owned()),
            ..Check::fine(what, found)
        }
    }

    pub(super) fn in_region(self, region: &str) -> Self {
        Check {
            region: Some(region.to_owned()),
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
