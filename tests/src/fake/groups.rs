//! Auto Scaling groups: their builder and DescribeAutoScalingGroups.

use jiff::Timestamp;

use super::FakeAws;
use super::api_error::ApiError;
use super::launch_configurations::page;
use super::page::token;
use super::request::ApiRequest;
use super::state::FakeState;
use super::templates::Template;
use super::xml::Xml;
use crate::clock::now;

/// A launch template and a version, as something that launches instances names them.
#[derive(Clone, Debug)]
pub(super) struct TemplateChoice {
    /// The id or the name.
    pub(super) template: String,
    /// A number or an alias.
    pub(super) version: Option<String>,
}

impl TemplateChoice {
    pub(super) fn new(template: &str, version: &str) -> Self {
        TemplateChoice {
            template: template.to_owned(),
            version: Some(version.to_owned()).filter(|version| !version.is_empty()),
        }
    }

    /// The id and the name; of a template that was deleted, only what was given.
    pub(super) fn names<'a>(
        &'a self,
        templates: &'a [Template],
    ) -> (Option<&'a str>, Option<&'a str>) {
        let found = templates
            .iter()
            .find(|it| it.is(&self.template) || it.name() == self.template);
        match found {
            Some(found) => (Some(found.id()), Some(found.name())),
            None if self.template.starts_with("lt-") => (Some(&self.template), None),
            None => (None, Some(&self.template)),
        }
    }
}

/// An Auto Scaling group.
#[derive(Clone, Debug)]
#[must_use]
pub struct Group {
    name: String,
    configuration: Option<String>,
    template: Option<TemplateChoice>,
    mixed: bool,
    overrides: Vec<(Option<TemplateChoice>, Option<String>)>,
    created: Timestamp,
}

/// A group with this name, which launches nothing yet.
pub fn group(name: &str) -> Group {
    Group {
        name: name.to_owned(),
        configuration: None,
        template: None,
        mixed: false,
        overrides: Vec::new(),
        created: now(),
    }
}

impl Group {
    /// Launches from a launch configuration.
    pub fn configuration(mut self, name: &str) -> Self {
        self.configuration = Some(name.to_owned());
        self
    }

    /// Launches from a version of a launch template; an empty version is left out.
    pub fn template(mut self, template: &str, version: &str) -> Self {
        self.template = Some(TemplateChoice::new(template, version));
        self
    }

    /// Has a mixed instances policy.
    pub fn mixed(mut self) -> Self {
        self.mixed = true;
        self
    }

    /// Adds an override of the mixed instances policy with a launch template of its own.
    pub fn template_override(mut self, template: &str, version: &str) -> Self {
        let choice = TemplateChoice::new(template, version);
        self.overrides.push((Some(choice), None));
        self.mixed()
    }

    /// Adds an override of the mixed instances policy with an image of its own.
    pub fn image_override(mut self, image: &str) -> Self {
        self.overrides.push((None, Some(image.to_owned())));
        self.mixed()
    }

    fn write(&self, xml: &mut Xml, templates: &[Template], place: &str) {
        let Group { name, .. } = self;
        xml.text("AutoScalingGroupName", name)
            .text(
                "AutoScalingGroupARN",
                format!(
                    "arn:aws:autoscaling:{place}:autoScalingGroup:0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0:autoScalingGroupName/{name}"
                ),
            )
            .maybe("LaunchConfigurationName", self.configuration.as_ref())
            .plain("MinSize", 0)
            .plain("MaxSize", 1)
            .plain("DesiredCapacity", 0)
            .plain("DefaultCooldown", 300)
            .empty("AvailabilityZones")
            .plain("HealthCheckType", "EC2")
            .plain("CreatedTime", self.created)
            .empty("Instances");
        let Some(template) = &self.template else {
            return;
        };
        if !self.mixed {
            specification(xml, "LaunchTemplate", template, templates);
            return;
        }
        xml.within("MixedInstancesPolicy", |xml| {
            xml.within("LaunchTemplate", |xml| {
                specification(xml, "LaunchTemplateSpecification", template, templates);
                xml.members("Overrides", &self.overrides, |xml, (template, image)| {
                    if let Some(template) = template {
                        specification(xml, "LaunchTemplateSpecification", template, templates);
                    }
                    xml.maybe("ImageId", image.as_ref());
                });
            });
        });
    }
}

fn specification(xml: &mut Xml, element: &str, choice: &TemplateChoice, templates: &[Template]) {
    let (id, name) = choice.names(templates);
    xml.within(element, |xml| {
        xml.maybe("LaunchTemplateId", id)
            .maybe("LaunchTemplateName", name)
            .maybe("Version", choice.version.as_ref());
    });
}

impl FakeAws {
    /// Adds an Auto Scaling group to a region.
    pub fn add_group(&self, region: &str, group: Group) {
        self.shared.lock().region(region).groups.push(group);
    }
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
///
/// The answer leaves out unknown names.
pub(super) fn describe(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let page = page(request, &fake.settings)?;
    let names = request.list("AutoScalingGroupNames.member");
    let place = format!("{}:{}", request.region, fake.account);
    let region = fake.region(&request.region);
    let found: Vec<_> = region
        .groups
        .iter()
        .filter(|found| names.is_empty() || names.contains(&found.name.as_str()))
        .collect();
    xml.members(
        "AutoScalingGroups",
        found.iter().skip(page.from).take(page.most),
        |xml, found| found.write(xml, &region.templates, &place),
    );
    let following = page.from.saturating_add(page.most);
    if following < found.len() {
        xml.text("NextToken", token(request, following));
    }
    Ok(())
}
