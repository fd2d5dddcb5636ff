//! Auto Scaling's launch configurations: their builder and DescribeLaunchConfigurations.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::api_error::ApiError;
use super::modify::TemplateOptions;
use super::page::{PageRange, position, token};
use super::request::ApiRequest;
use super::state::{FakeSettings, FakeState};
use super::xml::Xml;
use crate::clock::now;

/// The default of `MaxRecords`.
const RECORDS: usize = 50;
const MOST_RECORDS: usize = 100;

/// A launch configuration. By default it has an image and no metadata options.
#[derive(Clone, Debug)]
#[must_use]
pub struct LaunchConfiguration {
    pub(super) name: String,
    image: String,
    user_data: Vec<u8>,
    options: TemplateOptions,
    created: Timestamp,
}

/// A launch configuration with this name.
pub fn launch_configuration(name: &str) -> LaunchConfiguration {
    LaunchConfiguration {
        name: name.to_owned(),
        image: "ami-0abcdef1234567890".to_owned(),
        user_data: Vec::new(),
        options: TemplateOptions::default(),
        created: now(),
    }
}

#[allow(missing_docs, reason = "each sets the field of its name")]
impl LaunchConfiguration {
    pub fn image(mut self, image: &str) -> Self {
        image.clone_into(&mut self.image);
        self
    }

    /// Text, or any bytes; base64 on the wire.
    pub fn user_data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.user_data = data.as_ref().to_vec();
        self
    }

    pub fn tokens(mut self, tokens: &str) -> Self {
        self.options.tokens = Some(tokens.to_owned());
        self
    }

    pub fn endpoint(mut self, endpoint: &str) -> Self {
        self.options.endpoint = Some(endpoint.to_owned());
        self
    }

    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.options.hop_limit = Some(hop_limit);
        self
    }
}

/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLaunchConfigurations.html>
///
/// The answer leaves out unknown names.
pub(super) fn describe(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let PageRange { from, most } = page(request, &fake.settings)?;
    let names = request.list("LaunchConfigurationNames.member");
    let account = fake.account.clone();
    let region = fake.region(&request.region);
    let found: Vec<_> = region
        .launch_configurations
        .iter()
        .filter(|found| names.is_empty() || names.contains(&found.name.as_str()))
        .collect();
    xml.members(
        "LaunchConfigurations",
        found.iter().skip(from).take(most),
        |xml, found| found.write(xml, &request.region, &account),
    );
    let following = from.saturating_add(most);
    if following < found.len() {
        xml.text("NextToken", token(request, following));
    }
    Ok(())
}

/// The page of Auto Scaling that a call requests.
pub(super) fn page(request: &ApiRequest, settings: &FakeSettings) -> Result<PageRange, ApiError> {
    let most = match request.number("MaxRecords")? {
        Some(most) if !(1..=MOST_RECORDS).contains(&most) => {
            return Err(ApiError::new(
                "ValidationError",
                format!("MaxRecords is {most}: expecting 1 to {MOST_RECORDS}."),
            ));
        }
        most => most.unwrap_or(RECORDS).min(settings.page_size),
    };
    let from = match request.get("NextToken") {
        None => 0,
        Some(token) => position(request, token)
            .map_err(|_| ApiError::new("InvalidNextToken", "The NextToken value is not valid."))?,
    };
    Ok(PageRange { from, most })
}

impl LaunchConfiguration {
    fn write(&self, xml: &mut Xml, region: &str, account: &str) {
        let options = &self.options;
        xml.text("LaunchConfigurationName", &self.name)
            .text(
                "LaunchConfigurationARN",
                format!(
                    "arn:aws:autoscaling:{region}:{account}:launchConfiguration:8d2c5a1e-3b6f-4c70-9e21-5f0a7b3c4d6e:launchConfigurationName/{}",
                    self.name
                ),
            )
            .text("ImageId", &self.image)
            .empty("KeyName")
            .empty("SecurityGroups")
            .text("UserData", STANDARD.encode(&self.user_data))
            .plain("InstanceType", "t3.micro")
            .empty("KernelId")
            .empty("RamdiskId")
            .empty("BlockDeviceMappings")
            .within("InstanceMonitoring", |xml| {
                xml.plain("Enabled", true);
            })
            .plain("CreatedTime", self.created)
            .plain("EbsOptimized", false);
        if *options != TemplateOptions::default() {
            xml.within("MetadataOptions", |xml| {
                xml.maybe("HttpTokens", options.tokens.as_ref())
                    .maybe(
                        "HttpPutResponseHopLimit",
                        options.hop_limit.map(|hops| hops.to_string()),
                    )
                    .maybe("HttpEndpoint", options.endpoint.as_ref());
            });
        }
    }
}
