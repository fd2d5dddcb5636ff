//! The builder of a version of a launch template.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::modify::TemplateOptions;
use super::xml::Xml;

/// The data of a version. By default it has an image, an instance type and no metadata options.
#[derive(Clone, Debug)]
#[must_use]
pub struct TemplateData {
    pub(super) image: Option<String>,
    pub(super) user_data: Option<Vec<u8>>,
    pub(super) options: TemplateOptions,
}

/// The data of a version.
pub fn template_data() -> TemplateData {
    TemplateData::from(TemplateOptions::default())
}

impl From<TemplateOptions> for TemplateData {
    fn from(options: TemplateOptions) -> Self {
        TemplateData {
            image: Some("ami-0abcdef1234567890".to_owned()),
            user_data: None,
            options,
        }
    }
}

#[allow(missing_docs, reason = "each sets the field of its name")]
impl TemplateData {
    /// An AMI's id, or `resolve:ssm:` and a parameter's name.
    pub fn image(mut self, image: &str) -> Self {
        self.image = Some(image.to_owned());
        self
    }

    /// Without an image: the launch names it.
    pub fn no_image(mut self) -> Self {
        self.image = None;
        self
    }

    /// Text, or any bytes; base64 on the wire.
    pub fn user_data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.user_data = Some(data.as_ref().to_vec());
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

    pub(super) fn write(&self, xml: &mut Xml) {
        xml.maybe("imageId", self.image.as_ref())
            .plain("instanceType", "t3.micro");
        if self.options != TemplateOptions::default() {
            let options = &self.options;
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
        xml.maybe(
            "userData",
            self.user_data.as_ref().map(|data| STANDARD.encode(data)),
        );
    }
}
