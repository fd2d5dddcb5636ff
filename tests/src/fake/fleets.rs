//! EC2 Fleets and Spot Fleets: their builder, DescribeFleets and DescribeSpotFleetRequests.

use jiff::Timestamp;

use super::FakeAws;
use super::api_error::ApiError;
use super::filter::launch_time;
use super::groups::TemplateChoice;
use super::page::{next, page};
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;
use crate::clock::now;

/// The templates of an EC2 Fleet or a Spot Fleet. By default it is active and maintains its capacity.
#[derive(Clone, Debug)]
#[must_use]
pub struct Fleet {
    id: String,
    state: String,
    kind: String,
    configs: Vec<(TemplateChoice, Vec<String>)>,
    created: Timestamp,
}

/// A fleet that launches from a version of a launch template.
pub fn fleet(template: &str, version: &str) -> Fleet {
    Fleet {
        id: String::new(),
        state: "active".to_owned(),
        kind: "maintain".to_owned(),
        configs: vec![(TemplateChoice::new(template, version), Vec::new())],
        created: now(),
    }
}

impl Fleet {
    /// Launches from another version too.
    pub fn template(mut self, template: &str, version: &str) -> Self {
        let choice = TemplateChoice::new(template, version);
        self.configs.push((choice, Vec::new()));
        self
    }

    /// Overrides the image of the last template; a Spot Fleet cannot.
    pub fn image_override(mut self, image: &str) -> Self {
        if let Some((_, images)) = self.configs.last_mut() {
            images.push(image.to_owned());
        }
        self
    }

    /// Such as `deleted_running`, of a Spot Fleet `cancelled_running`.
    pub fn state(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// `instant`, `request` or `maintain`.
    pub fn kind(mut self, kind: &str) -> Self {
        kind.clone_into(&mut self.kind);
        self
    }

    fn configs(&self, xml: &mut Xml) {
        xml.items(
            "launchTemplateConfigs",
            &self.configs,
            |xml, (choice, images)| {
                xml.within("launchTemplateSpecification", |xml| {
                    let element = match choice.template.starts_with("lt-") {
                        true => "launchTemplateId",
                        false => "launchTemplateName",
                    };
                    xml.text(element, &choice.template)
                        .maybe("version", choice.version.as_ref());
                });
                xml.items("overrides", images, |xml, image| {
                    xml.text("imageId", image);
                });
            },
        );
    }
}

impl FakeAws {
    /// Creates an EC2 Fleet and returns its id.
    pub fn add_fleet(&self, region: &str, fleet: Fleet) -> String {
        let mut fake = self.shared.lock();
        let id = format!("fleet-{}", uuid(&mut fake));
        let fleet = Fleet {
            id: id.clone(),
            ..fleet
        };
        fake.region(region).fleets.push(fleet);
        id
    }

    /// Creates a Spot Fleet request and returns its id.
    pub fn add_spot_fleet(&self, region: &str, fleet: Fleet) -> String {
        let mut fake = self.shared.lock();
        let id = format!("sfr-{}", uuid(&mut fake));
        let fleet = Fleet {
            id: id.clone(),
            ..fleet
        };
        fake.region(region).spot_fleets.push(fleet);
        id
    }
}

fn uuid(fake: &mut FakeState) -> String {
    let digits = fake.digits() + &fake.digits();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32]
        .map(|part| digits.get(part).unwrap_or_default().to_owned());
    parts.join("-")
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFleets.html>
///
/// A fleet of the type `instant` is shown only by its id.
pub(super) fn describe_fleets(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let page = page(request, &fake.settings, 1..=1000)?;
    let ids = request.list("FleetId");
    let fleets = fake.region(&request.region).fleets.clone();
    let found = named(&fleets, &ids, "InvalidFleetId.NotFound")?;
    let found: Vec<_> = found
        .into_iter()
        .filter(|fleet| !ids.is_empty() || fleet.kind != "instant")
        .collect();
    let shown = found.iter().skip(page.from).take(page.most);
    xml.items("fleetSet", shown, |xml, fleet| {
        xml.text("fleetId", &fleet.id)
            .text("fleetState", &fleet.state)
            .text("type", &fleet.kind)
            .plain("createTime", launch_time(fleet.created));
        fleet.configs(xml);
    });
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut fake.settings, following);
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotFleetRequests.html>
pub(super) fn describe_spot_fleets(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let page = page(request, &fake.settings, 1..=1000)?;
    let ids = request.list("SpotFleetRequestId");
    let fleets = fake.region(&request.region).spot_fleets.clone();
    let found = named(&fleets, &ids, "InvalidSpotFleetRequestId.NotFound")?;
    let role = format!("arn:aws:iam::{}:role/spot-fleet", fake.account);
    let shown = found.iter().skip(page.from).take(page.most);
    xml.items("spotFleetRequestConfigSet", shown, |xml, fleet| {
        xml.text("spotFleetRequestId", &fleet.id)
            .text("spotFleetRequestState", &fleet.state)
            .plain("createTime", launch_time(fleet.created))
            .within("spotFleetRequestConfig", |xml| {
                xml.text("iamFleetRole", &role)
                    .plain("targetCapacity", 1)
                    .text("type", &fleet.kind);
                fleet.configs(xml);
            });
    });
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut fake.settings, following);
    Ok(())
}

fn named<'a>(fleets: &'a [Fleet], ids: &[&str], code: &str) -> Result<Vec<&'a Fleet>, ApiError> {
    for id in ids {
        if !fleets.iter().any(|fleet| fleet.id == *id) {
            let message = format!("The fleet ID '{id}' does not exist");
            return Err(ApiError::new(code, message));
        }
    }
    let wanted = |fleet: &&Fleet| ids.is_empty() || ids.contains(&fleet.id.as_str());
    Ok(fleets.iter().filter(wanted).collect())
}
