//! What launches the next instances: launch templates, launch configurations, images, user data.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::InstanceAttributeName;
use aws_sdk_ec2::types::{Filter, LaunchTemplate, LaunchTemplateVersion};
use futures_util::{StreamExt, TryStreamExt, stream};
use imds_core::instance::InstanceId;
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
    /// For example `3 (default, latest)`; `None`: a launch configuration.
    pub version: Option<String>,
    /// The options that it sets.
    pub options: MetadataOptions,
    /// The image as given: an id, or `resolve:ssm:…`.
    pub image: Option<String>,
    /// Decoded.
    pub user_data: Option<Vec<u8>>,
}

/// How many templates are described concurrently, one per call, if EC2 rejects one call for all.
const AT_ONCE: usize = 8;

/// The maximum page size.
const PAGE: i32 = 200;

/// The maximum page size for launch configurations.
const CONFIGURATIONS: i32 = 100;

const VERSIONS: &str = "DescribeLaunchTemplateVersions";

impl Client {
    /// Describes the default and the latest version of every launch template in a region.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn launch_templates(&self, region: &str) -> Result<Vec<Launcher>, CallError> {
        let templates = self.templates(region).await?;
        if templates.is_empty() {
            return Ok(Vec::new());
        }
        let versions = match self.versions(region, None).await {
            Err(error) if matches!(error.fault, Fault::Unsupported | Fault::Refused) => {
                let ids = templates.iter();
                let ids: Vec<String> = ids.filter_map(|it| it.launch_template_id.clone()).collect();
                let each = ids
                    .into_iter()
                    .map(|id| async move { self.versions(region, Some(&id)).await });
                stream::iter(each).buffered(AT_ONCE).try_concat().await?
            }
            all => all?,
        };
        let mut found = BTreeMap::new();
        for version in versions {
            let latest = templates
                .iter()
                .find(|it| it.launch_template_id == version.launch_template_id)
                .is_some_and(|it| it.latest_version_number == version.version_number);
            let word = match (version.default_version == Some(true), latest) {
                (true, true) => "default, latest",
                (true, false) => "default",
                (false, true) => "latest",
                (false, false) => continue,
            };
            let (Some(id), Some(name), Some(number)) = (
                version.launch_template_id,
                version.launch_template_name,
                version.version_number,
            ) else {
                let why = "a version without id, name or number";
                return Err(CallError::unreadable(VERSIONS, region, why));
            };
            let key = (name.clone(), id.clone(), number);
            let data = version.launch_template_data;
            let options = data
                .as_ref()
                .and_then(|data| data.metadata_options.as_ref());
            let launcher = Launcher {
                template: Some(id),
                name,
                version: Some(format!("{number} ({word})")),
                options: options.map(options::of_template).unwrap_or_default(),
                image: data.as_ref().and_then(|data| given(data.image_id.as_ref())),
                user_data: decoded(VERSIONS, region, data.and_then(|data| data.user_data))?,
            };
            found.insert(key, launcher);
        }
        Ok(found.into_values().collect())
    }

    async fn templates(&self, region: &str) -> Result<Vec<LaunchTemplate>, CallError> {
        let mut templates = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = self.call("DescribeLaunchTemplates", region, |services| {
                services
                    .ec2()
                    .describe_launch_templates()
                    .max_results(PAGE)
                    .set_next_token(next.clone())
                    .send()
            });
            let page = page.await?;
            templates.extend(page.launch_templates.unwrap_or_default());
            if !advance(&mut next, page.next_token) {
                return Ok(templates);
            }
        }
    }

    async fn versions(
        &self,
        region: &str,
        template: Option<&str>,
    ) -> Result<Vec<LaunchTemplateVersion>, CallError> {
        let mut versions = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let page = self.call(VERSIONS, region, |services| {
                services
                    .ec2()
                    .describe_launch_template_versions()
                    .set_launch_template_id(template.map(str::to_owned))
                    .versions("$Default")
                    .versions("$Latest")
                    .max_results(PAGE)
                    .set_next_token(next.clone())
                    .send()
            });
            let page = page.await?;
            versions.extend(page.launch_template_versions.unwrap_or_default());
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
                    version: None,
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
