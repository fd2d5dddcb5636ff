//! The conditions of a rule.

use std::collections::BTreeMap;
use std::slice;

use super::Pattern;
#[cfg(feature = "schema")]
use super::schema;
use crate::instance::Instance;

/// Which instances a rule is for: all conditions given must hold, and at least one must be given.
/// Each is one pattern or a list of which any may fit; `*` and `?` are wildcards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields, extend("minProperties" = 1)))]
pub struct When {
    /// The account that owns the instance.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<schema::OneOrMany<schema::Account>>")
    )]
    pub accounts: Option<Vec<Pattern>>,
    /// The region that the instance is in.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<schema::OneOrMany<schema::Region>>")
    )]
    pub regions: Option<Vec<Pattern>>,
    /// Tags that the instance must have, all of them. Both keys and values are patterns; `*` fits
    /// any value, also an empty one.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Tags>"))]
    pub tags: BTreeMap<Pattern, Vec<Pattern>>,
    /// The AMI's id.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<schema::OneOrMany<schema::Image>>")
    )]
    pub images: Option<Vec<Pattern>>,
    /// The instance type, for example `m7g.*`.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<schema::OneOrMany<schema::InstanceType>>")
    )]
    pub instance_types: Option<Vec<Pattern>>,
    /// Who launched the instance: the caller's ARN, its role's ARN, or the AWS service that called
    /// for it. Only the launch event tells.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<schema::OneOrMany<schema::Principal>>")
    )]
    pub principals: Option<Vec<Pattern>>,
    /// Whether an Auto Scaling group owns the instance (tag `aws:autoscaling:groupName`).
    pub auto_scaling: Option<bool>,
    /// The id of the launch template (tag `aws:ec2launchtemplate:id`).
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<schema::OneOrMany<schema::LaunchTemplate>>")
    )]
    pub launch_templates: Option<Vec<Pattern>>,
}

/// Whether conditions hold for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// All hold.
    Yes,
    /// None is known to fail, but a fact that one asks for is not known.
    Unknown,
    /// At least one fails, whatever the unknown facts may be.
    No,
}

impl When {
    /// Judges an instance by what is known of it. Its tags and region always are.
    pub fn matches(&self, instance: &Instance) -> Match {
        let template = instance.launch_template().map(|template| template.id);
        let scaled = instance.auto_scaling_group().is_some();
        let conditions = [
            judge(&self.accounts, instance.account.as_slice()),
            judge(&self.regions, slice::from_ref(&instance.region)),
            judge(&self.images, instance.image.as_slice()),
            judge(&self.instance_types, instance.instance_type.as_slice()),
            judge(&self.principals, &instance.principals),
            match &template {
                Some(id) => judge(&self.launch_templates, slice::from_ref(id)),
                None => Match::from(self.launch_templates.is_none()),
            },
            Match::from(self.auto_scaling.is_none_or(|wanted| wanted == scaled)),
            Match::from(
                self.tags
                    .iter()
                    .all(|(key, values)| has_tag(instance, key, values)),
            ),
        ];
        conditions.into_iter().max().unwrap_or(Match::Yes)
    }

    /// Whether every instance that `later` matches is matched here too. Never claims it falsely;
    /// does not see it where several patterns cover one only together.
    pub fn covers(&self, later: &When) -> bool {
        let any = Some(vec![Pattern::new("*")]);
        // Every instance has a region, so no condition says the same as `*`.
        let later_regions = if later.regions.is_some() {
            &later.regions
        } else {
            &any
        };
        let tag_is_implied = |(key, values): (&Pattern, &Vec<Pattern>)| {
            let mut later_tags = later.tags.iter();
            later_tags.any(|(later_key, later_values)| {
                key.covers(later_key) && all_covered(values, later_values)
            })
        };
        is_implied(&self.accounts, &later.accounts)
            && is_implied(&self.regions, later_regions)
            && is_implied(&self.images, &later.images)
            && is_implied(&self.instance_types, &later.instance_types)
            && is_implied(&self.principals, &later.principals)
            && is_implied(&self.launch_templates, &later.launch_templates)
            && (self.auto_scaling.is_none() || self.auto_scaling == later.auto_scaling)
            && self.tags.iter().all(tag_is_implied)
    }
}

impl From<bool> for Match {
    fn from(holds: bool) -> Self {
        if holds { Match::Yes } else { Match::No }
    }
}

/// Any of the facts may fit; none means that they are not known.
fn judge(condition: &Option<Vec<Pattern>>, facts: &[String]) -> Match {
    match condition {
        None => Match::Yes,
        Some(_) if facts.is_empty() => Match::Unknown,
        Some(patterns) => Match::from(facts.iter().any(|fact| any_fits(patterns, fact))),
    }
}

fn has_tag(instance: &Instance, key: &Pattern, values: &[Pattern]) -> bool {
    let mut tags = instance.tags.iter();
    tags.any(|(tag, value)| key.matches(tag) && any_fits(values, value))
}

fn any_fits(patterns: &[Pattern], text: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(text))
}

fn is_implied(earlier: &Option<Vec<Pattern>>, later: &Option<Vec<Pattern>>) -> bool {
    match (earlier, later) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(earlier), Some(later)) => all_covered(earlier, later),
    }
}

fn all_covered(earlier: &[Pattern], later: &[Pattern]) -> bool {
    later
        .iter()
        .all(|later| earlier.iter().any(|earlier| earlier.covers(later)))
}
