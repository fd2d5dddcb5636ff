//! Metadata options as CloudTrail records them: `httpTokens` in an answer, `HttpTokens` in a request.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::lenient::{Number, Text};
use crate::options::{HopLimit, MetadataOption, MetadataOptions, OptionSetting};

/// The options of an instance, or those that a request sets.
#[derive(Debug, Default)]
pub(super) struct RecordedOptions {
    /// In a request.
    pub(super) instance_id: Option<Text>,
    pub(super) options: MetadataOptions,
}

impl<'de> Deserialize<'de> for RecordedOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordedOptionsVisitor)
    }
}

struct RecordedOptionsVisitor;

impl<'de> Visitor<'de> for RecordedOptionsVisitor {
    type Value = RecordedOptions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata options")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecordedOptions, A::Error> {
        let mut recorded = RecordedOptions::default();
        while let Some(key) = map.next_key::<String>()? {
            let names = |option: &MetadataOption| option.parameter().eq_ignore_ascii_case(&key);
            match MetadataOption::ALL.iter().copied().find(names) {
                Some(MetadataOption::HopLimit) => {
                    if let Some(RecordedHopLimit(hops)) = map.next_value()? {
                        recorded.options.set(OptionSetting::HopLimit(hops));
                    }
                }
                // With an unknown word the option is not known, and the instance is described.
                Some(option) => {
                    let word: Option<Text> = map.next_value()?;
                    if let Some(setting) = word.and_then(|word| option.setting(&word)) {
                        recorded.options.set(setting);
                    }
                }
                None if key.eq_ignore_ascii_case("InstanceId") => {
                    recorded.instance_id = map.next_value()?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(recorded)
    }
}

struct RecordedHopLimit(HopLimit);

impl<'de> Deserialize<'de> for RecordedHopLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Number(hops) = Number::deserialize(deserializer)?;
        let hops = HopLimit::try_from(hops).map_err(D::Error::custom)?;
        Ok(RecordedHopLimit(hops))
    }
}
