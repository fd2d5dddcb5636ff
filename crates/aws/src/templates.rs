//! What launches the next instances: launch templates, launch configurations, images, user data.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use imds_core::instance::{InstanceId, MetadataOptions};
use serde::Deserialize;

use crate::client::{Client, Request, Service};
use crate::cloudwatch::Members;
use crate::ec2::{FILTER_VALUES, Items, Options};
use crate::error::{CallError, Fault};

/// A version of a launch template, or a launch configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launcher {
    /// `lt-…`; `None`: a launch configuration.
    pub template: Option<String>,
    /// The template's or the configuration's name.
    pub name: String,
    /// For example `3 (default, latest)`; `None`: a launch configuration.
    pub version: Option<String>,
    /// The options that it says; `None`: it leaves them open.
    pub options: MetadataOptions,
    /// The image as it is named: an id, or `resolve:ssm:…`.
    pub image: Option<String>,
    /// As it is given to the instance.
    pub user_data: Option<Vec<u8>>,
}

/// Templates asked one by one, where EC2 does not tell of all at once.
const AT_ONCE: usize = 8;

impl Client {
    /// The default and the latest version of every launch template of a region.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn launch_templates(&self, region: &str) -> Result<Vec<Launcher>, CallError> {
        let mut templates: Vec<Template> = Vec::new();
        let request = Request::new("DescribeLaunchTemplates").with("MaxResults", "200");
        self.each(Service::Ec2, region, request, |page: Templates| {
            templates.extend(page.launch_templates.item);
            page.next_token
        })
        .await?;
        if templates.is_empty() {
            return Ok(Vec::new());
        }
        let versions = match self.versions(region, None).await {
            Err(error) if error.fault == Fault::Refused => {
                let ids: Vec<String> = templates
                    .iter()
                    .map(|template| template.launch_template_id.clone())
                    .collect();
                let each = ids
                    .into_iter()
                    .map(|id| async move { self.versions(region, Some(&id)).await });
                stream::iter(each).buffered(AT_ONCE).try_concat().await?
            }
            all => all?,
        };
        let mut found = BTreeMap::new();
        for version in versions {
            let of =
                |template: &&Template| template.launch_template_id == version.launch_template_id;
            let number = version.version_number;
            let latest = templates
                .iter()
                .find(of)
                .is_some_and(|template| template.latest_version_number == number);
            let word = match (version.default_version, latest) {
                (true, true) => "default, latest",
                (true, false) => "default",
                (false, true) => "latest",
                (false, false) => continue,
            };
            let key = (
                version.launch_template_name.clone(),
                version.launch_template_id.clone(),
                number,
            );
            let data = version.launch_template_data;
            found.insert(
                key,
                Launcher {
                    template: Some(version.launch_template_id),
                    name: version.launch_template_name,
                    version: Some(format!("{number} ({word})")),
                    options: data.metadata_options.unwrap_or_default().into_options(),
                    image: data.image_id.filter(|id| !id.is_empty()),
                    user_data: decoded("DescribeLaunchTemplateVersions", region, data.user_data)?,
                },
            );
        }
        Ok(found.into_values().collect())
    }

    async fn versions(
        &self,
        region: &str,
        template: Option<&str>,
    ) -> Result<Vec<Version>, CallError> {
        let request = Request::new("DescribeLaunchTemplateVersions")
            .with_some("LaunchTemplateId", template)
            .with("LaunchTemplateVersion.1", "$Default")
            .with("LaunchTemplateVersion.2", "$Latest")
            .with("MaxResults", "200");
        let mut versions = Vec::new();
        self.each(Service::Ec2, region, request, |page: Versions| {
            versions.extend(page.launch_template_version_set.item);
            page.next_token
        })
        .await?;
        Ok(versions)
    }

    /// The launch configurations of a region, which new accounts cannot make any more.
    ///
    /// # Errors
    /// When Auto Scaling does not answer, or refuses.
    pub async fn launch_configurations(&self, region: &str) -> Result<Vec<Launcher>, CallError> {
        const ACTION: &str = "DescribeLaunchConfigurations";
        let request = Request::new(ACTION).with("MaxRecords", "100");
        let mut configurations = Vec::new();
        self.each(Service::AutoScaling, region, request, |page: Configured| {
            configurations.extend(page.result.launch_configurations.member);
            page.result.next_token
        })
        .await?;
        let found = configurations.into_iter().map(|configuration| {
            let options = configuration.metadata_options.unwrap_or_default();
            Ok(Launcher {
                template: None,
                name: configuration.launch_configuration_name,
                version: None,
                options: Options::from(options).into_options(),
                image: configuration.image_id.filter(|id| !id.is_empty()),
                user_data: decoded(ACTION, region, configuration.user_data)?,
            })
        });
        found.collect()
    }

    /// Which of these images have `ImdsSupport=v2.0`; those that cannot be seen are left out.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn images_demanding_tokens(
        &self,
        region: &str,
        ids: &[&str],
    ) -> Result<BTreeMap<String, bool>, CallError> {
        let mut found = BTreeMap::new();
        for ids in ids.chunks(FILTER_VALUES) {
            let mut request = Request::new("DescribeImages")
                .with("IncludeDeprecated", "true")
                .with("IncludeDisabled", "true")
                .with("Filter.1.Name", "image-id");
            for (n, id) in ids.iter().enumerate() {
                request = request.with(&format!("Filter.1.Value.{}", n + 1), id);
            }
            let answer: Images = self.read(Service::Ec2, region, request).await?;
            found.extend(answer.images_set.item.into_iter().map(|image| {
                let demands = image.imds_support.is_some_and(|word| word == "v2.0");
                (image.image_id, demands)
            }));
        }
        Ok(found)
    }

    /// An instance's user data, as it was given; `None` where there is none.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn user_data(
        &self,
        region: &str,
        id: &InstanceId,
    ) -> Result<Option<Vec<u8>>, CallError> {
        const ACTION: &str = "DescribeInstanceAttribute";
        let request = Request::new(ACTION)
            .with("InstanceId", id.as_str())
            .with("Attribute", "userData");
        let answer: Attribute = self.read(Service::Ec2, region, request).await?;
        decoded(ACTION, region, answer.user_data.and_then(|data| data.value))
    }

    /// Hands over the pages, each of which tells the token of the next.
    async fn each<T: serde::de::DeserializeOwned>(
        &self,
        service: Service,
        region: &str,
        request: Request,
        mut page: impl FnMut(T) -> Option<String>,
    ) -> Result<(), CallError> {
        let mut token: Option<String> = None;
        loop {
            let request = request.clone().with_some("NextToken", token.as_ref());
            let next = page(self.read(service, region, request).await?);
            let next = next.filter(|next| !next.is_empty());
            if next.is_none() || next == token {
                return Ok(());
            }
            token = next;
        }
    }
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Templates {
    #[serde(default)]
    launch_templates: Items<Template>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Template {
    launch_template_id: String,
    latest_version_number: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    #[serde(default)]
    launch_template_version_set: Items<Version>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    launch_template_id: String,
    launch_template_name: String,
    version_number: u64,
    #[serde(default)]
    default_version: bool,
    #[serde(default)]
    launch_template_data: TemplateData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TemplateData {
    #[serde(default)]
    image_id: Option<String>,
    #[serde(default)]
    user_data: Option<String>,
    #[serde(default)]
    metadata_options: Option<Options>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Images {
    #[serde(default)]
    images_set: Items<Image>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    image_id: String,
    #[serde(default)]
    imds_support: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    #[serde(default)]
    user_data: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Value {
    #[serde(default)]
    value: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Configured {
    #[serde(rename = "DescribeLaunchConfigurationsResult")]
    result: Configurations,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configurations {
    #[serde(default)]
    launch_configurations: Members<Configuration>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Configuration {
    launch_configuration_name: String,
    #[serde(default)]
    image_id: Option<String>,
    #[serde(default)]
    user_data: Option<String>,
    #[serde(default)]
    metadata_options: Option<ConfiguredOptions>,
}

/// Auto Scaling writes in capitals what EC2 writes small.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfiguredOptions {
    #[serde(default)]
    http_tokens: Option<String>,
    #[serde(default)]
    http_endpoint: Option<String>,
    #[serde(default)]
    http_put_response_hop_limit: Option<i64>,
}

impl From<ConfiguredOptions> for Options {
    fn from(options: ConfiguredOptions) -> Self {
        Options {
            http_tokens: options.http_tokens,
            http_endpoint: options.http_endpoint,
            http_put_response_hop_limit: options.http_put_response_hop_limit,
            ..Options::default()
        }
    }
}
