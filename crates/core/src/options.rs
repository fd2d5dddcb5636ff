//! The metadata options of an instance: one table.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceMetadataOptionsResponse.html>

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crate::values::{HopLimit, HttpTokens, OutOfRange, Toggle};

/// Calls a macro with a row for each option: documentation, `Variant field: value type, requirement
/// type, "EC2's parameter";`.
macro_rules! for_each_metadata_option {
    ($callback:ident) => {
        $callback! {
            /// Whether a session token (IMDSv2) is required.
            HttpTokens http_tokens: HttpTokens, RequiredTokens, "HttpTokens";
            /// Whether the metadata service answers. An instance with a disabled endpoint is compliant,
            /// because there is nothing to attack, and nothing ever enables it.
            HttpEndpoint http_endpoint: Toggle, RequiredEndpoint, "HttpEndpoint";
            /// How many network hops an answer may travel. Containers on a bridge network need 2,
            /// some overlay networks 3; with fewer they lose their credentials.
            HopLimit hop_limit: HopLimit, HopRange, "HttpPutResponseHopLimit";
            /// Whether the service also answers on its IPv6 address.
            HttpProtocolIpv6 http_protocol_ipv6: Toggle, Toggle, "HttpProtocolIpv6";
            /// Whether the service shows the instance's tags.
            InstanceMetadataTags instance_metadata_tags: Toggle, Toggle, "InstanceMetadataTags";
        }
    };
}
pub(crate) use for_each_metadata_option;

macro_rules! define {
    ($($(#[doc = $doc:literal])+ $option:ident $field:ident: $value:ident, $requirement:ident, $parameter:literal;)+) => {
        /// The metadata options of an instance. `None` is not known, or in a change, left as it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub struct MetadataOptions { $($(#[doc = $doc])+ pub $field: Option<$value>),+ }

        /// A metadata option.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum MetadataOption { $($(#[doc = $doc])+ $option),+ }

        /// A metadata option with a value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum OptionSetting { $($(#[doc = $doc])+ $option($value)),+ }

        impl MetadataOption {
            /// All options.
            pub const ALL: &[MetadataOption] = &[$(MetadataOption::$option),+];

            /// The name in the policy and in reports.
            pub fn name(self) -> &'static str {
                match self { $(MetadataOption::$option => stringify!($field)),+ }
            }

            /// The parameter of `ModifyInstanceMetadataOptions`.
            pub fn parameter(self) -> &'static str {
                match self { $(MetadataOption::$option => $parameter),+ }
            }

            /// Reads a value as EC2 writes it; `None`: not known.
            pub fn setting(self, word: &str) -> Option<OptionSetting> {
                match self {
                    $(MetadataOption::$option => $value::from_word(word).map(OptionSetting::$option)),+
                }
            }
        }

        impl MetadataOptions {
            /// The value of an option.
            pub fn get(&self, option: MetadataOption) -> Option<OptionSetting> {
                match option {
                    $(MetadataOption::$option => self.$field.map(OptionSetting::$option)),+
                }
            }

            /// Sets an option.
            pub fn set(&mut self, setting: OptionSetting) {
                match setting { $(OptionSetting::$option(value) => self.$field = Some(value)),+ }
            }

            /// These options, and those of `other` where they are not known.
            #[must_use]
            pub fn or(&self, other: &MetadataOptions) -> MetadataOptions {
                MetadataOptions { $($field: self.$field.or(other.$field)),+ }
            }
        }

        impl OptionSetting {
            /// Which option this is.
            pub fn option(self) -> MetadataOption {
                match self { $(OptionSetting::$option(_) => MetadataOption::$option),+ }
            }

            /// The value as EC2 writes it.
            pub fn value(self) -> String {
                match self { $(OptionSetting::$option(value) => value.to_string()),+ }
            }
        }
    };
}

for_each_metadata_option!(define);

impl MetadataOptions {
    /// The options that are known, or in a change, set.
    pub fn settings(&self) -> impl Iterator<Item = OptionSetting> + '_ {
        MetadataOption::ALL
            .iter()
            .filter_map(|&option| self.get(option))
    }

    /// Those of these options whose values differ from `other`.
    #[must_use]
    pub fn differing_from(&self, other: &MetadataOptions) -> MetadataOptions {
        self.retaining(|option| other.get(option) != self.get(option))
    }

    /// Some of these options.
    #[must_use]
    pub fn retaining(&self, keep: impl Fn(MetadataOption) -> bool) -> MetadataOptions {
        let mut retained = MetadataOptions::default();
        for setting in self.settings().filter(|it| keep(it.option())) {
            retained.set(setting);
        }
        retained
    }

    /// Whether `other` has every value that is known here.
    pub fn are_in(&self, other: &MetadataOptions) -> bool {
        self.differing_from(other) == MetadataOptions::default()
    }
}

impl fmt::Display for MetadataOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, setting) in self.settings().enumerate() {
            let space = if n > 0 { " " } else { "" };
            write!(f, "{space}{setting}")?;
        }
        Ok(())
    }
}

impl fmt::Display for OptionSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.option().name(), self.value())
    }
}
