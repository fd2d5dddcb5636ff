//! RunInstances, so that a person can try things by hand.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::images::Image;
use super::instance_xml::write_instance;
use super::launch::{Launch, launch};
use super::modify::wish;
use super::refusal::Refusal;
use super::request::Request;
use super::tags::{refuse_reserved, tags};
use super::templates::asked_version;
use super::world::World;
use super::xml::Xml;
use crate::clock::now;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>
///
/// Options are decided by the launch, then its template, then the account's defaults, then the image.
pub(super) fn run(world: &mut World, request: &Request, xml: &mut Xml) -> Result<(), Refusal> {
    let (least, most) = counts(request)?;
    let launch = planned(world, request)?;
    let token = launch.instance.client_token.clone();
    let region = world.region(&request.region);
    if !token.is_empty()
        && let Some((earlier, reservation)) = region.launches.get(&token)
    {
        if earlier.params != request.params {
            let message = "The client token was used by a launch with other parameters.";
            return Err(Refusal::new("IdempotentParameterMismatch", message));
        }
        let reservation = reservation.clone();
        write_reservation(world, request, xml, &reservation);
        return Ok(());
    }
    if region.defaults.enforces_tokens() && launch.instance.options.tokens != "required" {
        return Err(Refusal::unsupported(
            "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account.",
        ));
    }
    let transitions = world.settings.transitions;
    let ids = world.launch(&launch.becomes_running(transitions), most.max(least));
    let reservation = world.machine(&ids[0]).instance.reservation.clone();
    if !token.is_empty() {
        let region = world.region(&request.region);
        region
            .launches
            .insert(token, (request.clone(), reservation.clone()));
    }
    write_reservation(world, request, xml, &reservation);
    Ok(())
}

fn planned(world: &mut World, request: &Request) -> Result<Launch, Refusal> {
    let mut plan = launch(&request.region).launched_at(now());
    let region = world.region(&request.region);
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
    region.defaults.wish().fulfil(&mut plan.instance.options);
    if let Some((template, number, data)) = template {
        data.options.fulfil(&mut plan.instance.options);
        plan.user_data = data.user_data;
        plan = plan.from_template(&template, &number.to_string());
    }
    if let Some(text) = request.get("UserData") {
        let refusal = || Refusal::value("UserData", text, "Expecting base64.");
        plan = plan.user_data(STANDARD.decode(text).map_err(|_| refusal())?);
    }
    wish(request, "MetadataOptions.")?.fulfil(&mut plan.instance.options);
    for number in 1..=request.groups("TagSpecification") {
        let prefix = format!("TagSpecification.{number}");
        if request.get(&format!("{prefix}.ResourceType")) == Some("instance") {
            let tags = tags(request, &format!("{prefix}.Tag"))?;
            refuse_reserved(&tags)?;
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
        request
            .get(name)
            .unwrap_or(text)
            .to_owned()
            .clone_into(text);
    }
    plan.instance.protected = request.flag("DisableApiTermination")?;
    plan.instance.stop_protected = request.flag("DisableApiStop")?;
    Ok(plan)
}

fn counts(request: &Request) -> Result<(usize, usize), Refusal> {
    let count = |name| request.number(name)?.ok_or_else(|| Refusal::missing(name));
    let (least, most) = (count("MinCount")?, count("MaxCount")?);
    if least == 0 || most < least {
        return Err(Refusal::value(
            "MinCount",
            least,
            "Expecting 1 to MaxCount.",
        ));
    }
    Ok((least, most))
}

fn write_reservation(world: &mut World, request: &Request, xml: &mut Xml, reservation: &str) {
    let account = world.account.clone();
    let machines = &mut world.region(&request.region).machines;
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
