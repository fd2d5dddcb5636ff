//! Launch templates, as far as metadata options go.

use jiff::Timestamp;

use super::filter::launch_time;
use super::modify::Wish;
use super::page::{next, page};
use super::refusal::Refusal;
use super::request::Request;
use super::world::{Region, World};
use super::xml::Xml;
use crate::clock::now;

/// A launch template; version 1 is its default.
#[derive(Clone, Debug)]
pub(super) struct Template {
    id: String,
    name: String,
    created: Timestamp,
    versions: Vec<Wish>,
}

impl Template {
    pub(super) fn new(id: String, name: &str) -> Self {
        Template {
            id,
            name: name.to_owned(),
            created: now(),
            versions: Vec::new(),
        }
    }

    /// The number of the new version, counted from 1.
    pub(super) fn add(&mut self, options: Wish) -> u64 {
        self.versions.push(options);
        self.versions.len() as u64
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.id == id
    }

    fn version(&self, name: &str) -> Result<(usize, &Wish), Refusal> {
        let number = match name {
            "$Default" => Some(1),
            "$Latest" => Some(self.versions.len()),
            _ => name.parse::<usize>().ok(),
        };
        number
            .and_then(|number| Some((number, self.versions.get(number.checked_sub(1)?)?)))
            .ok_or_else(|| {
                let message = format!(
                    "Could not find version '{name}' of launch template '{}'.",
                    self.id
                );
                Refusal::new("InvalidLaunchTemplateId.VersionNotFound", message)
            })
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html>
pub(super) fn describe_templates(
    world: &mut World,
    request: &Request,
    xml: &mut Xml,
) -> Result<(), Refusal> {
    let page = page(request, &world.settings, 1..=200)?;
    let (ids, names) = (
        request.list("LaunchTemplateId"),
        request.list("LaunchTemplateName"),
    );
    let templates = world.region(&request.region).templates.clone();
    for id in &ids {
        by_id(&templates, id)?;
    }
    for name in &names {
        by_name(&templates, name)?;
    }
    let wanted = |template: &&Template| {
        ids.is_empty() && names.is_empty()
            || ids.contains(&template.id.as_str())
            || names.contains(&template.name.as_str())
    };
    let found: Vec<_> = templates.iter().filter(wanted).collect();
    xml.items(
        "launchTemplates",
        found.iter().skip(page.from).take(page.most),
        |xml, template| {
            xml.text("launchTemplateId", &template.id)
                .text("launchTemplateName", &template.name)
                .plain("createTime", launch_time(template.created))
                .text("createdBy", format!("arn:aws:iam::{}:root", world.account))
                .plain("defaultVersionNumber", 1)
                .plain("latestVersionNumber", template.versions.len());
        },
    );
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut world.settings, following);
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html>
pub(super) fn describe_versions(
    world: &mut World,
    request: &Request,
    xml: &mut Xml,
) -> Result<(), Refusal> {
    let page = page(request, &world.settings, 1..=200)?;
    let templates = world.region(&request.region).templates.clone();
    let template = match (
        request.get("LaunchTemplateId"),
        request.get("LaunchTemplateName"),
    ) {
        (Some(id), None) => by_id(&templates, id)?,
        (None, Some(name)) => by_name(&templates, name)?,
        (Some(_), Some(_)) => {
            let message = "Name the launch template by its id or by its name.";
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
        (None, None) => return Err(Refusal::missing("LaunchTemplateId")),
    };
    let named = request.list("LaunchTemplateVersion");
    let found: Vec<(usize, &Wish)> = if named.is_empty() {
        (1..).zip(&template.versions).collect()
    } else {
        named
            .iter()
            .map(|name| template.version(name))
            .collect::<Result<_, _>>()?
    };
    xml.items(
        "launchTemplateVersionSet",
        found.iter().skip(page.from).take(page.most),
        |xml, (number, options)| {
            xml.text("launchTemplateId", &template.id)
                .text("launchTemplateName", &template.name)
                .plain("versionNumber", number)
                .plain("createTime", launch_time(template.created))
                .text("createdBy", format!("arn:aws:iam::{}:root", world.account))
                .plain("defaultVersion", *number == 1)
                .within("launchTemplateData", |xml| write_data(xml, options));
        },
    );
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut world.settings, following);
    Ok(())
}

/// The template and version that a launch asks for: id, number, options.
pub(super) fn asked_version(
    region: &Region,
    request: &Request,
) -> Result<Option<(String, usize, Wish)>, Refusal> {
    let id = request
        .get("LaunchTemplate.LaunchTemplateId")
        .map(|id| by_id(&region.templates, id));
    let name = || {
        request
            .get("LaunchTemplate.LaunchTemplateName")
            .map(|name| by_name(&region.templates, name))
    };
    let Some(template) = id.or_else(name).transpose()? else {
        return Ok(None);
    };
    let version = request.get("LaunchTemplate.Version").unwrap_or("$Default");
    let (number, options) = template.version(version)?;
    Ok(Some((template.id.clone(), number, options.clone())))
}

fn by_id<'a>(templates: &'a [Template], id: &str) -> Result<&'a Template, Refusal> {
    templates
        .iter()
        .find(|template| template.is(id))
        .ok_or_else(|| {
            let message =
                format!("The specified launch template, with template ID {id}, does not exist.");
            Refusal::new("InvalidLaunchTemplateId.NotFound", message)
        })
}

fn by_name<'a>(templates: &'a [Template], name: &str) -> Result<&'a Template, Refusal> {
    templates
        .iter()
        .find(|template| template.name == name)
        .ok_or_else(|| {
            let message = format!(
                "The specified launch template, with template name {name}, does not exist."
            );
            Refusal::new("InvalidLaunchTemplateName.NotFoundException", message)
        })
}

fn write_data(xml: &mut Xml, options: &Wish) {
    xml.plain("imageId", "ami-0abcdef1234567890")
        .plain("instanceType", "t3.micro");
    if *options != Wish::default() {
        xml.within("metadataOptions", |xml| {
            xml.maybe("httpTokens", options.tokens.as_ref())
                .maybe(
                    "httpPutResponseHopLimit",
                    options.hop_limit.map(|hops| hops.to_string()),
                )
                .maybe("httpEndpoint", options.endpoint.as_ref())
                .maybe("httpProtocolIpv6", options.ipv6.as_ref())
                .maybe("instanceMetadataTags", options.metadata_tags.as_ref());
        });
    }
}
