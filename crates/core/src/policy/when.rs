//! The conditions of a rule.

use std::collections::BTreeMap;
use std::slice;

use super::Pattern;
#[cfg(feature = "schema")]
use super::schema;
use crate::instance::Instance;

/// Which instances a rule applies to: all conditions given must hold, and at least one must be given.
/// Each is one pattern or a list of which any may match; `*` and `?` are wildcards.
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
    /// Tags that the instance must have, all of them. Both keys and values are patterns; `*`
    /// matches any value, also an empty one.
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
    /// Who launched the instance: the caller's ARN, its role's ARN, or the AWS service that made
    /// the call. Only the launch event shows it.
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

/// One condition of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// The account is one of these.
    Accounts(&'a [Pattern]),
    /// The region is one of these.
    Regions(&'a [Pattern]),
    /// The AMI is one of these.
    Images(&'a [Pattern]),
    /// The instance type is one of these.
    InstanceTypes(&'a [Pattern]),
    /// One of those who launched it is one of these.
    Principals(&'a [Pattern]),
    /// The launch template is one of these.
    LaunchTemplates(&'a [Pattern]),
    /// Whether an Auto Scaling group owns it.
    AutoScaling(bool),
    /// A tag whose key matches has one of these values.
    Tag(&'a Pattern, &'a [Pattern]),
}

impl When {
    /// Evaluates an instance by what is known of it. Its tags and region always are known.
    pub fn matches(&self, instance: &Instance) -> Match {
        let held = self.conditions().map(|condition| condition.holds(instance));
        held.max().unwrap_or(Match::Yes)
    }

    /// The conditions that are given.
    pub fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        let lists = [
            self.accounts.as_deref().map(Condition::Accounts),
            self.regions.as_deref().map(Condition::Regions),
            self.images.as_deref().map(Condition::Images),
            self.instance_types.as_deref().map(Condition::InstanceTypes),
            self.principals.as_deref().map(Condition::Principals),
            self.launch_templates
                .as_deref()
                .map(Condition::LaunchTemplates),
            self.auto_scaling.map(Condition::AutoScaling),
        ];
        let tags = self.tags.iter();
        let tags = tags.map(|(key, values)| Condition::Tag(key, values));
        lists.into_iter().flatten().chain(tags)
    }

    /// Whether every instance that `later` matches is matched here too. May be `false` where it is
    /// so, because several patterns together may cover one; is never `true` where it is not.
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

impl Condition<'_> {
    /// Whether it holds for an instance, by what is known of it.
    pub fn holds(&self, instance: &Instance) -> Match {
        match *self {
            Condition::Accounts(patterns) => any_of(patterns, instance.account.as_slice()),
            Condition::Regions(patterns) => any_of(patterns, slice::from_ref(&instance.region)),
            Condition::Images(patterns) => any_of(patterns, instance.image.as_slice()),
            Condition::InstanceTypes(patterns) => {
                any_of(patterns, instance.instance_type.as_slice())
            }
            Condition::Principals(patterns) => any_of(patterns, &instance.principals),
            Condition::LaunchTemplates(patterns) => match instance.launch_template() {
                Some(template) => any_of(patterns, &[template.id]),
                None => Match::No,
            },
            Condition::AutoScaling(wanted) => {
                Match::from(wanted == instance.auto_scaling_group().is_some())
            }
            Condition::Tag(key, values) => {
                let mut tags = instance.tags.iter();
                Match::from(tags.any(|(tag, value)| key.matches(tag) && any_fits(values, value)))
            }
        }
    }

    /// Its name in the policy, with a tag's key appended.
    pub fn name(&self) -> String {
        match self {
            Condition::Accounts(_) => "accounts".to_owned(),
            Condition::Regions(_) => "regions".to_owned(),
            Condition::Images(_) => "images".to_owned(),
            Condition::InstanceTypes(_) => "instance_types".to_owned(),
            Condition::Principals(_) => "principals".to_owned(),
            Condition::LaunchTemplates(_) => "launch_templates".to_owned(),
            Condition::AutoScaling(_) => "auto_scaling".to_owned(),
            Condition::Tag(key, _) => format!("tags.{key}"),
        }
    }

    /// What it asks for: patterns of which any may match, or `true` or `false`.
    pub fn wanted(&self) -> Vec<String> {
        match self {
            Condition::Accounts(patterns)
            | Condition::Regions(patterns)
            | Condition::Images(patterns)
            | Condition::InstanceTypes(patterns)
            | Condition::Principals(patterns)
            | Condition::LaunchTemplates(patterns)
            | Condition::Tag(_, patterns) => patterns.iter().map(Pattern::to_string).collect(),
            Condition::AutoScaling(wanted) => vec![wanted.to_string()],
        }
    }

    /// What the instance has; empty where it has nothing, or nothing is known.
    pub fn found(&self, instance: &Instance) -> Vec<String> {
        match self {
            Condition::Accounts(_) => instance.account.iter().cloned().collect(),
            Condition::Regions(_) => vec![instance.region.clone()],
            Condition::Images(_) => instance.image.iter().cloned().collect(),
            Condition::InstanceTypes(_) => instance.instance_type.iter().cloned().collect(),
            Condition::Principals(_) => instance.principals.clone(),
            Condition::LaunchTemplates(_) => {
                let template = instance.launch_template();
                template.into_iter().map(|template| template.id).collect()
            }
            Condition::AutoScaling(_) => vec![instance.auto_scaling_group().is_some().to_string()],
            Condition::Tag(key, _) => {
                let tags = instance.tags.iter().filter(|(tag, _)| key.matches(tag));
                tags.map(|(_, value)| value.clone()).collect()
            }
        }
    }

    /// Whether it depends on tags, which are not known of an instance that was not described.
    pub fn is_by_tags(&self) -> bool {
        match self {
            Condition::LaunchTemplates(_) | Condition::AutoScaling(_) | Condition::Tag(..) => true,
            Condition::Accounts(_)
            | Condition::Regions(_)
            | Condition::Images(_)
            | Condition::InstanceTypes(_)
            | Condition::Principals(_) => false,
        }
    }
}

impl From<bool> for Match {
    fn from(holds: bool) -> Self {
        if holds { Match::Yes } else { Match::No }
    }
}

/// Any of the facts may match; none means that they are not known.
fn any_of(patterns: &[Pattern], facts: &[String]) -> Match {
    if facts.is_empty() {
        return Match::Unknown;
    }
    Match::from(facts.iter().any(|fact| any_fits(patterns, fact)))
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
