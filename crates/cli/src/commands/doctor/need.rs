//! What permissions are for.

use serde::{Serialize, Serializer};

/// The commands and options that need the same permissions, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Scan,
    Usage,
    UserData,
    Templates,
    Defaults,
    Enforce,
    SetDefaults,
    StateTable,
    Watched,
    ListEntries,
    WriteEntries,
}

impl Need {
    /// All of them.
    pub(super) const ALL: [Need; 11] = [
        Need::Scan,
        Need::Usage,
        Need::UserData,
        Need::Templates,
        Need::Defaults,
        Need::Enforce,
        Need::SetDefaults,
        Need::StateTable,
        Need::Watched,
        Need::ListEntries,
        Need::WriteEntries,
    ];

    /// The commands and options.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Need::Scan => "scan",
            Need::Usage => "usage, scan --usage",
            Need::UserData => "scan --user-data",
            Need::Templates => "scan --templates, scan --user-data",
            Need::Defaults => "defaults show, scan --defaults",
            Need::Enforce => "enforce, rollback",
            Need::SetDefaults => "defaults set",
            Need::StateTable => "--state-table",
            Need::Watched => "enforce --policy",
            Need::ListEntries => "exempt list, pause list",
            Need::WriteEntries => "exempt, pause",
        }
    }

    /// Whether the other commands work without it.
    pub(super) fn is_optional(self) -> bool {
        // A table that is named and cannot be read ends the others: an exemption may hold.
        !matches!(self, Need::Scan | Need::StateTable)
    }
}

impl Serialize for Need {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
