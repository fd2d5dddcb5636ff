//! Reads what a policy requires of the metadata options.

use super::super::reader::{Node, Read};
use crate::options::{HopLimit, MetadataOption, Toggle, for_each_metadata_option};
use crate::require::Require;
use crate::requirement::{HopRange, RequiredEndpoint, RequiredTokens};

pub(super) const EXPECTED: &str = "an object with at least one metadata option";

macro_rules! define_read {
    ($($(#[doc = $doc:literal])+ $option:ident $field:ident: $value:ident, $requirement:ident, $parameter:literal;)+) => {
        pub(super) fn read(node: &Node) -> Read<Require> {
            let known: Vec<&str> = MetadataOption::ALL.iter().map(|option| option.name()).collect();
            let object = node.filled_object(EXPECTED, &known)?;
            $(let $field = object.read(stringify!($field), $requirement::read);)+
            Ok(Require { $($field: $field?),+ })
        }
    };
}

for_each_metadata_option!(define_read);

impl RequiredTokens {
    fn read(node: &Node) -> Read<Self> {
        node.word(&[("required", RequiredTokens::Required)])
    }
}

impl RequiredEndpoint {
    fn read(node: &Node) -> Read<Self> {
        let expected = "`disabled`: a policy cannot enable the metadata endpoint of an instance";
        node.text(expected, |text| text == Toggle::Disabled.as_str())?;
        Ok(RequiredEndpoint::Disabled)
    }
}

impl Toggle {
    fn read(node: &Node) -> Read<Self> {
        node.word(&[Toggle::Enabled, Toggle::Disabled].map(|toggle| (toggle.as_str(), toggle)))
    }
}

impl HopRange {
    fn read(node: &Node) -> Read<Self> {
        let object = node.filled_object(
            "an object with `at_least`, `at_most` or both",
            &["at_least", "at_most"],
        )?;
        let at_least = object.read("at_least", hops);
        let at_most = object.read("at_most", hops);
        let range = HopRange {
            at_least: at_least?,
            at_most: at_most?,
        };
        match range {
            HopRange {
                at_least: Some(least),
                at_most: Some(most),
            } if least > most => Err(node.refuse("`at_least` to be no more than `at_most`")),
            _ => Ok(range),
        }
    }
}

fn hops(node: &Node) -> Read<HopLimit> {
    node.number(
        u8::from(HopLimit::MIN).into(),
        u8::from(HopLimit::MAX).into(),
    )
}
