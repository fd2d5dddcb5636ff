//! Launch templates and their versions.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::FakeAws;
use super::api_error::ApiError;
use super::filter::launch_time;
use super::managed::shows_managed;
use super::page::{next, page};
use super::request::ApiRequest;
use super::state::{FakeRegion, FakeState};
use super::template_data::TemplateData;
use super::xml::Xml;
use crate::clock::now;

/// A launch template; version 1 is its default until another is chosen.
#[derive(Clone, Debug)]
pub(super) struct Template {
    id: String,
    name: String,
    created: Timestamp,
    default: usize,
    versions: Vec<TemplateData>,
    /// The service that manages it.
    operator: Option<String>,
}

impl Template {
    pub(super) fn new(id: String, name: &str) -> Self {
        Template {
            id,
            name: name.to_owned(),
            created: now(),
            default: 1,
            versions: Vec::new(),
            operator: None,
        }
    }

    pub(super) fn managed_by(mut self, service: &str) -> Self {
        self.operator = Some(service.to_owned());
        self
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Adds a version and returns its number, counted from 1.
    pub(super) fn add(&mut self, data: TemplateData) -> u64 {
        self.versions.push(data);
        self.versions.len() as u64
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.id == id
    }

    /// Sets the version of launches that name none.
    ///
    /// # Panics
    /// When there is no such version.
    pub(super) fn set_default(&mut self, number: u64) {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        assert!(
            (1..=self.versions.len()).contains(&number),
            "`{}` has no version {number}",
            self.id
        );
        self.default = number;
    }

    fn version(&self, name: &str) -> Result<TemplateVersion<'_>, ApiError> {
        let number = match name {
            "$Default" => Some(self.default),
            "$Latest" => Some(self.versions.len()),
            _ => name.parse::<usize>().ok(),
        };
        number
            .and_then(|number| {
                let data = self.versions.get(number.checked_sub(1)?)?;
                Some(self.numbered(number, data))
            })
            .ok_or_else(|| {
                let message = format!(
                    "Could not find version '{name}' of launch template '{}'.",
                    self.id
                );
                ApiError::new("InvalidLaunchTemplateId.VersionNotFound", message)
            })
    }

    fn numbered<'a>(&'a self, number: usize, data: &'a TemplateData) -> TemplateVersion<'a> {
        TemplateVersion {
            template: self,
            number,
            data,
        }
    }
}

impl FakeAws {
    /// Creates a launch template that an AWS service manages, without versions, and returns its id.
    pub fn managed_template(&self, region: &str, name: &str, service: &str) -> String {
        let mut fake = self.shared.lock();
        let id = format!("lt-0{}", fake.digits());
        let template = Template::new(id.clone(), name).managed_by(service);
        fake.region(region).templates.push(template);
        id
    }

    /// Sets the Systems Manager parameter that holds the id of an image.
    pub fn set_parameter(&self, region: &str, name: &str, image: &str) {
        let mut fake = self.shared.lock();
        let parameters = &mut fake.region(region).parameters;
        parameters.insert(name.to_owned(), image.to_owned());
    }

    /// Denies the caller to read Systems Manager parameters.
    pub fn deny_parameters(&self, region: &str) {
        self.shared.lock().region(region).denies_parameters = true;
    }
}

/// One version of a template.
#[derive(Debug)]
struct TemplateVersion<'a> {
    template: &'a Template,
    number: usize,
    data: &'a TemplateData,
}

impl TemplateVersion<'_> {
    fn write(&self, xml: &mut Xml, account: &str, aliases: &BTreeMap<String, String>) {
        let mut data = self.data.clone();
        data.image = data
            .image
            .map(|image| aliases.get(&image).cloned().unwrap_or(image));
        let template = self.template;
        xml.text("launchTemplateId", &template.id)
            .text("launchTemplateName", &template.name)
            .plain("versionNumber", self.number)
            .plain("createTime", launch_time(template.created))
            .text("createdBy", format!("arn:aws:iam::{account}:root"))
            .plain("defaultVersion", self.number == template.default)
            .within("launchTemplateData", |xml| data.write(xml));
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html>
pub(super) fn describe_templates(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let page = page(request, &fake.settings, 1..=200)?;
    let (ids, names) = (
        request.list("LaunchTemplateId"),
        request.list("LaunchTemplateName"),
    );
    let templates = visible(fake.region(&request.region), request)?;
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
                .text("createdBy", format!("arn:aws:iam::{}:root", fake.account))
                .plain("defaultVersionNumber", template.default)
                .plain("latestVersionNumber", template.versions.len());
            if let Some(service) = &template.operator {
                xml.within("operator", |xml| {
                    xml.plain("managed", true).text("principal", service);
                });
            }
        },
    );
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut fake.settings, following);
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html>
pub(super) fn describe_versions(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let page = page(request, &fake.settings, 1..=200)?;
    let templates = visible(fake.region(&request.region), request)?;
    let named = request.list("LaunchTemplateVersion");
    let found = match (
        request.get("LaunchTemplateId"),
        request.get("LaunchTemplateName"),
    ) {
        (Some(id), None) => versions_of(by_id(&templates, id)?, &named)?,
        (None, Some(name)) => versions_of(by_name(&templates, name)?, &named)?,
        (Some(_), Some(_)) => {
            let message = "Name the launch template by its id or by its name.";
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
        (None, None) => versions_of_all(&templates, &named)?,
    };
    let aliases = aliases(fake.region(&request.region), request, &found)?;
    xml.items(
        "launchTemplateVersionSet",
        found.iter().skip(page.from).take(page.most),
        |xml, version| version.write(xml, &fake.account, &aliases),
    );
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut fake.settings, following);
    Ok(())
}

/// The templates that a call shows.
fn visible(region: &FakeRegion, request: &ApiRequest) -> Result<Vec<Template>, ApiError> {
    let shows_managed = shows_managed(region, request)?;
    let templates = region.templates.iter();
    Ok(templates
        .filter(|template| shows_managed || template.operator.is_none())
        .cloned()
        .collect())
}

/// The ids of images that versions name by a parameter, where `ResolveAlias` asks for them: for one
/// version of a template, with the caller's permission to read the parameter.
fn aliases(
    region: &FakeRegion,
    request: &ApiRequest,
    found: &[TemplateVersion<'_>],
) -> Result<BTreeMap<String, String>, ApiError> {
    if !request.flag("ResolveAlias")? {
        return Ok(BTreeMap::new());
    }
    let [version] = found else {
        let message = "ResolveAlias requires one version of one launch template.";
        return Err(ApiError::new("InvalidParameterCombination", message));
    };
    let image = version.data.image.clone().unwrap_or_default();
    let Some(name) = image.strip_prefix("resolve:ssm:") else {
        return Ok(BTreeMap::new());
    };
    if region.denies_parameters {
        let message = format!(
            "You are not authorized to perform: ssm:GetParameters on resource: parameter{name} because no identity-based policy allows the ssm:GetParameters action"
        );
        return Err(ApiError::new("UnauthorizedOperation", message));
    }
    let Some(id) = region.parameters.get(name) else {
        let message = format!("The parameter {name} does not exist.");
        return Err(ApiError::new("InvalidParameterValue", message));
    };
    Ok(BTreeMap::from([(image.clone(), id.clone())]))
}

fn versions_of<'a>(
    template: &'a Template,
    named: &[&str],
) -> Result<Vec<TemplateVersion<'a>>, ApiError> {
    if named.is_empty() {
        let all = (1..).zip(&template.versions);
        return Ok(all
            .map(|(number, data)| template.numbered(number, data))
            .collect());
    }
    named.iter().map(|name| template.version(name)).collect()
}

/// The latest or the default versions of all templates, or both; a version that is both is listed twice.
fn versions_of_all<'a>(
    templates: &'a [Template],
    named: &[&str],
) -> Result<Vec<TemplateVersion<'a>>, ApiError> {
    if named.is_empty()
        || named
            .iter()
            .any(|name| !["$Latest", "$Default"].contains(name))
    {
        return Err(ApiError::missing("LaunchTemplateId"));
    }
    let whole = templates
        .iter()
        .filter(|template| !template.versions.is_empty());
    whole
        .flat_map(|template| named.iter().map(|name| template.version(name)))
        .collect()
}

/// The template and version that a launch names: id, number, data.
pub(super) fn asked_version(
    region: &FakeRegion,
    request: &ApiRequest,
) -> Result<Option<(String, usize, TemplateData)>, ApiError> {
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
    let version = template.version(version)?;
    Ok(Some((
        template.id.clone(),
        version.number,
        version.data.clone(),
    )))
}

fn by_id<'a>(templates: &'a [Template], id: &str) -> Result<&'a Template, ApiError> {
    templates
        .iter()
        .find(|template| template.is(id))
        .ok_or_else(|| {
            let message =
                format!("The specified launch template, with template ID {id}, does not exist.");
            ApiError::new("InvalidLaunchTemplateId.NotFound", message)
        })
}

fn by_name<'a>(templates: &'a [Template], name: &str) -> Result<&'a Template, ApiError> {
    templates
        .iter()
        .find(|template| template.name == name)
        .ok_or_else(|| {
            let message = format!(
                "The specified launch template, with template name {name}, does not exist."
            );
            ApiError::new("InvalidLaunchTemplateName.NotFoundException", message)
        })
}
