//! What a policy requires of the metadata options.

use std::fmt;

use crate::options::{MetadataOption, MetadataOptions, OptionSetting, for_each_metadata_option};
use crate::requirement::{HopRange, RequiredEndpoint, RequiredTokens, Requirement};
use crate::values::Toggle;
use crate::violation::Violation;

macro_rules! define {
    ($($(#[doc = $doc:literal])+ $option:ident $field:ident: $value:ident, $requirement:ident, $parameter:literal;)+) => {
        /// The metadata options that a policy requires, at least one. An option that is left out is
        /// not evaluated.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(deny_unknown_fields, extend("minProperties" = 1)))]
        pub struct Require { $($(#[doc = $doc])+ pub $field: Option<$requirement>),+ }

        impl Require {
            /// These requirements, overridden by those of a rule, option by option. `hop_limit` is
            /// one option: a rule replaces both ends of the range.
            #[must_use]
            pub fn overridden_by(&self, rule: &Require) -> Require {
                Require { $($field: rule.$field.or(self.$field)),+ }
            }

            /// Every option that is required, with what is required of it.
            pub fn requirements(&self) -> impl Iterator<Item = (MetadataOption, Requirement)> {
                let all = [$((MetadataOption::$option, self.$field.map(Requirement::from))),+];
                all.into_iter()
                    .filter_map(|(option, requirement)| Some((option, requirement?)))
            }

            /// Whether the option is required, and this value satisfies it.
            pub fn allows(&self, setting: OptionSetting) -> bool {
                match setting {
                    $(OptionSetting::$option(value) => {
                        self.$field.is_some_and(|required| required.allows(value))
                    }),+
                }
            }

            /// Every required option that these options do not satisfy. A value that is not known
            /// satisfies nothing.
            pub fn violations(&self, options: &MetadataOptions) -> Vec<Violation> {
                let mut violations = Vec::new();
                $(if let Some(required) = self.$field
                    && !options.$field.is_some_and(|value| required.allows(value))
                {
                    violations.push(Violation {
                        found: options.get(MetadataOption::$option),
                        required: required.into(),
                        remediation: OptionSetting::$option(required.nearest(options.$field)),
                    });
                })+
                violations
            }
        }
    };
}

for_each_metadata_option!(define);

impl fmt::Display for Require {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (option, requirement)) in self.requirements().enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            write!(f, "{comma}{} {requirement}", option.name())?;
        }
        Ok(())
    }
}
