//! The values of metadata options.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a session token is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum HttpTokens {
    /// The service answers IMDSv1 and IMDSv2.
    Optional,
    /// The service answers IMDSv2 only.
    Required,
}

/// An option that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Toggle {
    /// On.
    Enabled,
    /// Off.
    Disabled,
}

/// A hop limit, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("minimum" = 1, "maximum" = 64)))]
#[serde(into = "u8", try_from = "i64")]
pub struct HopLimit(u8);

impl HopLimit {
    /// The smallest that EC2 accepts.
    pub const MIN: HopLimit = HopLimit(1);
    /// The largest that EC2 accepts.
    pub const MAX: HopLimit = HopLimit(64);

    /// Reads a number; `None` where EC2 accepts no such hop limit.
    pub fn from_word(word: &str) -> Option<Self> {
        let hops: i64 = word.trim().parse().ok()?;
        HopLimit::try_from(hops).ok()
    }
}

impl TryFrom<i64> for HopLimit {
    type Error = OutOfRange;
    fn try_from(value: i64) -> Result<Self, OutOfRange> {
        match u8::try_from(value) {
            Ok(hops @ 1..=64) => Ok(HopLimit(hops)),
            _ => Err(OutOfRange(value)),
        }
    }
}

impl From<HopLimit> for u8 {
    fn from(value: HopLimit) -> u8 {
        value.0
    }
}

impl fmt::Display for HopLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that is not a hop limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hop limit `{0}` is not between 1 and 64")]
pub struct OutOfRange(i64);

/// Converts an enum from and to EC2's words.
macro_rules! ec2_words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word that EC2 uses, in lowercase.
            pub fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }
            /// Reads EC2's word in any case; `None` for a word that is not known.
            pub fn from_word(word: &str) -> Option<Self> {
                let word = word.trim();
                $(if word.eq_ignore_ascii_case($word) { return Some($type::$variant); })+
                None
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use ec2_words;

ec2_words!(HttpTokens { Optional = "optional", Required = "required" });
ec2_words!(Toggle { Enabled = "enabled", Disabled = "disabled" });
