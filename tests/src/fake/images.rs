//! AMIs: their builder and DescribeImages.

use super::api_error::ApiError;
use super::filter::{is_like, named_values};
use super::page::{next, page};
use super::request::ApiRequest;
use super::state::{FakeState, is_id};
use super::xml::Xml;

/// An AMI. By default it belongs to the account and has no `ImdsSupport`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Image {
    id: String,
    name: String,
    owner: Option<String>,
    state: String,
    imds_v2: bool,
    deprecated: bool,
}

/// An AMI with this id.
pub fn image(id: &str) -> Image {
    Image {
        id: id.to_owned(),
        name: id.to_owned(),
        owner: None,
        state: "available".to_owned(),
        imds_v2: false,
        deprecated: false,
    }
}

#[allow(missing_docs, reason = "each sets the field of its name")]
impl Image {
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// An owner other than the fake's account.
    pub fn owner(mut self, account: &str) -> Self {
        self.owner = Some(account.to_owned());
        self
    }

    /// Such as `available`, `disabled` or `deregistered`.
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// `ImdsSupport=v2.0`: its instances require tokens and have a hop limit of 2.
    pub fn imds_v2(mut self) -> Self {
        self.imds_v2 = true;
        self
    }

    /// Visible to others than its owner only by its id or with `IncludeDeprecated`.
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.id == id
    }

    pub(super) fn requires_tokens(&self) -> bool {
        self.imds_v2
    }

    fn write(&self, xml: &mut Xml, account: &str) {
        let owner = self.owner.as_deref().unwrap_or(account);
        xml.text("imageId", &self.id)
            .text("imageLocation", format!("{owner}/{}", self.name))
            .text("imageState", &self.state)
            .text("imageOwnerId", owner)
            .plain("creationDate", "2024-01-15T08:00:00.000Z")
            .plain("isPublic", owner != account)
            .plain("architecture", "x86_64")
            .plain("imageType", "machine")
            .text("name", &self.name)
            .plain("rootDeviceType", "ebs")
            .plain("rootDeviceName", "/dev/xvda")
            .plain("virtualizationType", "hvm")
            .plain("hypervisor", "xen")
            .maybe("imdsSupport", self.imds_v2.then_some("v2.0"));
    }
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImages.html>
///
/// An unknown `ImageId` fails the call; the filter `image-id` leaves it out.
pub(super) fn describe(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let page = page(request, &fake.settings, 1..=1000)?;
    let deprecated_too = request.flag("IncludeDeprecated")?;
    let disabled_too = request.flag("IncludeDisabled")?;
    let filters = named_values(request)?;
    if let Some((name, _)) = filters.iter().find(|(name, _)| *name != "image-id") {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!("The filter '{name}' is invalid"),
        ));
    }
    let named = request.list("ImageId");
    let account = fake.account.clone();
    let images = &fake.region(&request.region).images;
    for id in &named {
        if !images.iter().any(|image| image.is(id)) {
            return Err(unknown(id));
        }
    }
    let shown = |image: &&Image| {
        let own = image.owner.as_ref().is_none_or(|owner| *owner == account);
        let asked = named.contains(&image.id.as_str());
        (named.is_empty() || asked)
            && (own || asked || deprecated_too || !image.deprecated)
            && (disabled_too || image.state != "disabled")
            && filters.iter().all(|(_, values)| {
                values
                    .iter()
                    .any(|value| is_like(value.as_bytes(), image.id.as_bytes()))
            })
    };
    let found: Vec<_> = images.iter().filter(shown).collect();
    xml.items(
        "imagesSet",
        found.iter().skip(page.from).take(page.most),
        |xml, image| image.write(xml, &account),
    );
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut fake.settings, following);
    Ok(())
}

fn unknown(id: &str) -> ApiError {
    if is_id("ami-", id) {
        ApiError::new(
            "InvalidAMIID.NotFound",
            format!("The image id '[{id}]' does not exist"),
        )
    } else {
        ApiError::new("InvalidAMIID.Malformed", format!("Invalid id: \"{id}\""))
    }
}
