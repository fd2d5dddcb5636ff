//! One instance as the command shows it.

use imds_core::instance::State;
use imds_core::report::InstanceReport;
use imds_user_data::Finding;
use serde::{Deserialize, Serialize};

/// One instance of a scan, or what became of it. As JSON it is the report's instance with a few
/// fields more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// As the function reports it.
    #[serde(flatten)]
    pub(crate) report: InstanceReport,
    /// The account that owns it.
    pub(crate) account: Option<String>,
    /// The tag `Name`.
    pub(crate) name: Option<String>,
    /// Where it is in its life.
    pub(crate) state: Option<State>,
    /// What is to be done about it.
    pub(crate) decision: Verdict,
    /// The Auto Scaling group that would launch the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) auto_scaling_group: Option<String>,
    /// Calls to the metadata service without a token in its user data, where that was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) user_data: Vec<Finding>,
}

/// What is to be done about an instance, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Nothing: it is as required.
    Compliant,
    /// Nothing: a rule exempts it.
    Exempt,
    /// Nothing: it ends or has ended.
    Gone,
    /// It is wrong, and nothing may be done but to tell.
    Report,
    /// Its options are to be set.
    Enforce,
}

impl Verdict {
    /// The word in reports.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Verdict::Compliant => "compliant",
            Verdict::Exempt => "exempt",
            Verdict::Gone => "gone",
            Verdict::Report => "report",
            Verdict::Enforce => "enforce",
        }
    }
}

impl Row {
    /// Whether something is wrong with it.
    pub(crate) fn is_wrong(&self) -> bool {
        match self.decision {
            Verdict::Report | Verdict::Enforce => true,
            Verdict::Compliant | Verdict::Exempt | Verdict::Gone => false,
        }
    }
}
