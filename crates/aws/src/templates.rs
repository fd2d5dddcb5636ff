//! What launches the next instances: launch templates, launch configurations, images, user data.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::InstanceAttributeName;
use aws_sdk_ec2::types::{Filter, LaunchTemplate, LaunchTemplateVersion};
use futures_util::{StreamExt, TryStreamExt, stream};
use imds_core::instance::InstanceId;
use imds_core::launcher_use::LaunchTemplateSummary;
use imds_core::options::MetadataOptions;

use crate::client::Client;
use crate::convert::advance;
use crate::ec2::FILTER_VALUES;
use crate::error::{CallError, Fault};
use crate::options;

/// A version of a launch template, or a launch configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// `lt-…`; `None`: a launch configuration.
    pub template: Option<String>,
    /// The template's or the configuration's name.
    pub name: String,
    /// The version's number; `None`: a launch configuration.
    pub number: Option<i64>,
    /// The options that it sets.
    pub options: MetadataOptions,
    /// The image as given: an id, or `resolve:ssm:…`.
    pub image: Option<String>,
    /// Decoded.
    pub user_data: Option<Vec<u8>>,
}

/// How many calls for one template each are in flight at once.
const AT_ONCE: usize = 8;

/// The maximum page size.
const PAGE: i32 = 200;

/// The maximum page size for launch configurations.
const CONFIGURATIONS: i32 = 100;

const TEMPLATES: &str = "DescribeLaunchTemplates";
const VERSIONS: &str = "DescribeLaunchTemplateVersions";
const NO_SUCH_VERSION: &str = "InvalidLaunchTemplateId.VersionNotFound";

/// Which versions are described.
#[derive(Debug, Default)]
struct VersionQuery {
    /// `None`: of all templates, where only aliases are allowed.
    template: Option<String>,
    /// Numbers, `$Default` or `$Latest`.
    versions: Vec<String>,
    /// Whether `resolve:ssm:` images are answered as ids.
    resolves: bool,
}

impl Client {
    /// Describes every launch template in a region.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn launch_templates(
        &self,
        region: &str,
    ) -> Result<Vec<LaunchTemplateSummary>, CallError> {
        let mut templates = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let token = &next;
            let describe = |include_managed: Option<bool>| {
                self.call(TEMPLATES, region, move |services| {
                    services
                        .ec2()
                        .describe_launch_templates()
                        .set_include_managed_resources(include_managed)
                        .max_results(PAGE)
                        .set_next_token(token.clone())
                        .send()
                })
            };
            let page = self.with_managed(region, describe).await?;
            for template in page.launch_templates.unwrap_or_default() {
                templates.push(summary(template).ok_or_else(|| {
                    let why = "a launch template without id, name or version";
                    CallError::unreadable(TEMPLATES, region, why)
                })?);
            }
            if !advance(&mut next, page.next_token) {
                return Ok(templates);
            }
        }
    }

    /// Describes the default and the latest version of each of a region's templates.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn default_and_latest_versions(
        &self,
        region: &str,
        templates: &[LaunchTemplateSummary],
    ) -> Result<Vec<Launcher>, CallError> {
        if templates.is_empty() {
            return Ok(Vec::new());
        }
        let versions = || vec!["$Default".to_owned(), "$Latest".to_owned()];
        let all = VersionQuery {
            versions: versions(),
            ..VersionQuery::default()
        };
        match self.versions(region, all).await {
            Err(error) if matches!(error.fault, Fault::Unsupported | Fault::Refused) => {
                let ids: Vec<String> = templates.iter().map(|it| it.id.clone()).collect();
                let each = ids.into_iter().map(|id| {
                    let query = VersionQuery {
                        template: Some(id),
                        versions: versions(),
                        resolves: false,
                    };
                    self.versions(region, query)
                });
                stream::iter(each).buffered(AT_ONCE).try_concat().await
            }
            all => all,
        }
    }

    /// Describes versions of one template by their numbers. Versions that do not exist are omitted.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn numbered_versions(
        &self,
        region: &str,
        template: &str,
        numbers: &[i64],
    ) -> Result<Vec<Launcher>, CallError> {
        let versions = |numbers: &[i64]| {
            let query = VersionQuery {
                template: Some(template.to_owned()),
                versions: numbers.iter().map(ToString::to_string).collect(),
                resolves: false,
            };
            self.versions(region, query)
        };
        match versions(numbers).await {
            // One that does not exist fails the call for all.
            Err(error) if error.has_code(NO_SUCH_VERSION) => {
                let each = numbers.iter().copied().map(|number| {
                    let found = versions(&[number]);
                    async move {
                        match found.await {
                            Err(error) if error.has_code(NO_SUCH_VERSION) => Ok(Vec::new()),
                            answer => answer,
                        }
                    }
                });
                stream::iter(each).buffered(AT_ONCE).try_concat().await
            }
            all => all,
        }
    }

    /// The id of the image that a version names by a Systems Manager parameter. EC2 reads the parameter
    /// with the caller's permissions, for one version a call.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call, for example because the parameter must not be read.
    pub async fn resolved_image(
        &self,
        region: &str,
        template: &str,
        number: i64,
    ) -> Result<Option<String>, CallError> {
        let query = VersionQuery {
            template: Some(template.to_owned()),
            versions: vec![number.to_string()],
            resolves: true,
        };
        let versions = self.versions(region, query).await?;
        Ok(versions.into_iter().find_map(|version| version.image))
    }

    async fn versions(
        &self,
        region: &str,
        query: VersionQuery,
    ) -> Result<Vec<Launcher>, CallError> {
        let mut versions = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let (token, query) = (&next, &query);
            let describe = |include_managed: Option<bool>| {
                self.call(VERSIONS, region, move |services| {
                    services
                        .ec2()
                        .describe_launch_template_versions()
                        .set_launch_template_id(query.template.clone())
                        .set_versions(Some(query.versions.clone()))
                        .set_resolve_alias(query.resolves.then_some(true))
                        .set_include_managed_resources(include_managed)
                        .max_results(PAGE)
                        .set_next_token(token.clone())
                        .send()
                })
            };
            let page = self.with_managed(region, describe).await?;
            for version in page.launch_template_versions.unwrap_or_default() {
                versions.push(launcher(region, version)?);
            }
            if !advance(&mut next, page.next_token) {
                return Ok(versions);
            }
        }
    }

    /// Describes the launch configurations in a region. New accounts can no longer create them.
    ///
    /// # Errors
    /// If Auto Scaling does not answer or rejects the call.
    pub async fn launch_configurations(&self, region: &str) -> Result<Vec<Launcher>, CallError> {
        const ACTION: &str = "DescribeLaunchConfigurations";
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = self.call(ACTION, region, |services| {
                services
                    .auto_scaling()
                    .describe_launch_configurations()
                    .max_records(CONFIGURATIONS)
                    .set_next_token(next.clone())
                    .send()
            });
            let page = page.await?;
            for configuration in page.launch_configurations.unwrap_or_default() {
                let Some(name) = configuration.launch_configuration_name else {
                    let why = "a launch configuration without a name";
                    return Err(CallError::unreadable(ACTION, region, why));
                };
                let options = configuration.metadata_options;
                found.push(Launcher {
                    template: None,
                    name,
                    number: None,
                    options: options
                        .as_ref()
                        .map(options::of_launch_configuration)
                        .unwrap_or_default(),
                    image: given(configuration.image_id.as_ref()),
                    user_data: decoded(ACTION, region, configuration.user_data)?,
                });
            }
            if !advance(&mut next, page.next_token) {
                return Ok(found);
            }
        }
    }

    /// Finds which of these images have `ImdsSupport=v2.0`. Images that cannot be described are omitted.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn images_requiring_tokens(
        &self,
        region: &str,
        ids: &[&str],
    ) -> Result<BTreeMap<String, bool>, CallError> {
        let mut found = BTreeMap::new();
        for ids in ids.chunks(FILTER_VALUES) {
            let values = ids.iter().map(|id| (*id).to_owned()).collect();
            let by_id = Filter::builder()
                .name("image-id")
                .set_values(Some(values))
                .build();
            let answer = self.call("DescribeImages", region, |services| {
                services
                    .ec2()
                    .describe_images()
                    .include_deprecated(true)
                    .include_disabled(true)
                    .filters(by_id.clone())
                    .send()
            });
            let images = answer.await?.images.unwrap_or_default();
            found.extend(images.into_iter().filter_map(|image| {
                let requires = image
                    .imds_support
                    .is_some_and(|word| word.as_str() == "v2.0");
                Some((image.image_id?, requires))
            }));
        }
        Ok(found)
    }

    /// An instance's user data, as it was given; `None` if it has none.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn user_data(
        &self,
        region: &str,
        id: &InstanceId,
    ) -> Result<Option<Vec<u8>>, CallError> {
        const ACTION: &str = "DescribeInstanceAttribute";
        let answer = self.call(ACTION, region, |services| {
            services
                .ec2()
                .describe_instance_attribute()
                .instance_id(id.as_str())
                .attribute(InstanceAttributeName::UserData)
                .send()
        });
        let data = answer.await?.user_data.and_then(|data| data.value);
        decoded(ACTION, region, data)
    }
}

fn summary(template: LaunchTemplate) -> Option<LaunchTemplateSummary> {
    Some(LaunchTemplateSummary {
        id: template.launch_template_id?,
        name: template.launch_template_name?,
        default: template.default_version_number?,
        latest: template.latest_version_number?,
    })
}

fn launcher(region: &str, version: LaunchTemplateVersion) -> Result<Launcher, CallError> {
    let (Some(id), Some(name), Some(number)) = (
        version.launch_template_id,
        version.launch_template_name,
        version.version_number,
    ) else {
        let why = "a version without id, name or number";
        return Err(CallError::unreadable(VERSIONS, region, why));
    };
    let data = version.launch_template_data;
    let options = data
        .as_ref()
        .and_then(|data| data.metadata_options.as_ref());
    Ok(Launcher {
        template: Some(id),
        name,
        number: Some(number),
        options: options.map(options::of_template).unwrap_or_default(),
        image: data.as_ref().and_then(|data| given(data.image_id.as_ref())),
        user_data: decoded(VERSIONS, region, data.and_then(|data| data.user_data))?,
    })
}

fn given(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn decoded(
    action: &'static str,
    region: &str,
    text: Option<String>,
) -> Result<Option<Vec<u8>>, CallError> {
    let text = text.map(|text| text.trim().to_owned());
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match aws_smithy_types::base64::decode(text) {
        Ok(data) => Ok(Some(data)),
        Err(error) => Err(CallError::unreadable(action, region, error)),
    }
}
