//! RunInstances, for trying things by hand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api_error::ApiError;
use super::images::Image;
use super::instance_xml::write_instance;
use super::launch::{LaunchBuilder, launch};
use super::modify::named_options;
use super::request::ApiRequest;
use super::state::FakeState;
use super::tags::tags;
use super::templates::asked_version;
use super::xml::Xml;
use crate::clock::now;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>
///
/// The launch decides the options, then its template, then the account's defaults, then the image.
pub(super) fn run(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let (least, most) = counts(request)?;
    let launch = planned(fake, request)?;
    let token = launch.instance.client_token.clone();
    let region = fake.region(&request.region);
    if !token.is_empty()
        && let Some((earlier, reservation)) = region.launches.get(&token)
    {
        if earlier.params != request.params {
            let message = "The client token was used by a launch with other parameters.";
            return Err(ApiError::new("IdempotentParameterMismatch", message));
        }
        let reservation = reservation.clone();
        write_reservation(fake, request, xml, &reservation);
        return Ok(());
    }
    if region.defaults.enforces_tokens() && launch.instance.options.tokens != "required" {
        return Err(ApiError::unsupported(
            "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account.",
        ));
    }
    let launch = launch
        .becomes_running(fake.settings.transitions)
        .visible(fake.settings.launches_visible);
    let ids = fake.launch(&launch, most.max(least));
    let reservation = fake.machine(&ids[0]).instance.reservation.clone();
    if !token.is_empty() {
        let region = fake.region(&request.region);
        region
            .launches
            .insert(token, (request.clone(), reservation.clone()));
    }
    write_reservation(fake, request, xml, &reservation);
    Ok(())
}

fn planned(fake: &mut FakeState, request: &ApiRequest) -> Result<LaunchBuilder, ApiError> {
    let mut plan = launch(&request.region).launched_at(now());
    let region = fake.region(&request.region);
    let template = asked_version(region, request)?;
    if let Some(image) = template.as_ref().and_then(|(.., data)| data.image.as_ref()) {
        plan = plan.image(image);
    }
    if let Some(image) = request.get("ImageId") {
        plan = plan.image(image);
    }
    let requires_tokens = |image: &Image| image.is(&plan.instance.image) && image.requires_tokens();
    if region.images.iter().any(requires_tokens) {
        plan = plan.tokens("required").hop_limit(2);
    }
    region
        .defaults
        .named_options()
        .apply_to(&mut plan.instance.options);
    if let Some((template, number, data)) = template {
        data.options.apply_to(&mut plan.instance.options);
        plan.user_data = data.user_data;
        plan = plan.from_template(&template, &number.to_string());
    }
    if let Some(text) = request.get("UserData") {
        let refusal = || ApiError::value("UserData", text, "Expecting base64.");
        plan = plan.user_data(STANDARD.decode(text).map_err(|_| refusal())?);
    }
    named_options(request, "MetadataOptions.")?.apply_to(&mut plan.instance.options);
    for number in 1..=request.groups("TagSpecification") {
        let prefix = format!("TagSpecification.{number}");
        if request.get(&format!("{prefix}.ResourceType")) == Some("instance") {
            let tags = tags(request, &format!("{prefix}.Tag"))?;
            plan = tags.into_iter().fold(plan, |plan, (key, value)| {
                plan.tag(&key, value.as_deref().unwrap_or(""))
            });
        }
    }
    let texts = [
        ("InstanceType", &mut plan.instance.instance_type),
        ("ClientToken", &mut plan.instance.client_token),
        ("Placement.AvailabilityZone", &mut plan.instance.az),
    ];
    for (name, text) in texts {
        if let Some(given) = request.get(name) {
            given.clone_into(text);
        }
    }
    plan.instance.protected = request.flag("DisableApiTermination")?;
    plan.instance.stop_protected = request.flag("DisableApiStop")?;
    Ok(plan)
}

fn counts(request: &ApiRequest) -> Result<(usize, usize), ApiError> {
    let count = |name| request.number(name)?.ok_or_else(|| ApiError::missing(name));
    let (least, most) = (count("MinCount")?, count("MaxCount")?);
    if least == 0 || most < least {
        return Err(ApiError::value(
            "MinCount",
            least,
            "Expecting 1 to MaxCount.",
        ));
    }
    Ok((least, most))
}

fn write_reservation(fake: &mut FakeState, request: &ApiRequest, xml: &mut Xml, reservation: &str) {
    let account = fake.account.clone();
    let machines = &mut fake.region(&request.region).machines;
    let launched = machines
        .iter()
        .filter(|machine| machine.instance.reservation == reservation);
    xml.text("reservationId", reservation)
        .text("ownerId", &account)
        .empty("groupSet")
        .items("instancesSet", launched, |xml, machine| {
            write_instance(xml, machine, &account)
        });
}
