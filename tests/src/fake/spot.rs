//! Spot instances and their requests.

use super::api_error::ApiError;
use super::filter::{is_like, launch_time, named_values};
use super::instance::{FakeInstance, FakeMachine};
use super::page::{next, page};
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;

/// The filters of DescribeSpotInstanceRequests.
const FILTERS: [&str; 4] = ["spot-instance-request-id", "instance-id", "type", "state"];

/// `instanceLifecycle`; an On-Demand instance has none.
pub(super) fn lifecycle(instance: &FakeInstance) -> Option<&'static str> {
    if instance.spot {
        Some("spot")
    } else {
        instance.capacity_block.then_some("capacity-block")
    }
}

/// The id of the request that launched a Spot instance: `sir-` and eight characters.
pub(super) fn request_id(machine: &FakeMachine) -> Option<String> {
    // An odd factor keeps the ids of all numbers apart.
    let digits = (machine.number as u32).wrapping_mul(0x9e37_79b9);
    let spot = machine.instance.spot;
    spot.then(|| format!("sir-{digits:08x}"))
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotInstanceRequests.html>
pub(super) fn describe_requests(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let page = page(request, &fake.settings, 5..=1000)?;
    let filters = named_values(request)?;
    if let Some((name, _)) = filters.iter().find(|(name, _)| !FILTERS.contains(name)) {
        let message = format!("The filter '{name}' is invalid");
        return Err(ApiError::new("InvalidParameterValue", message));
    }
    let machines = fake.region(&request.region).machines.iter_mut();
    let all: Vec<_> = machines
        .filter_map(|machine| {
            machine.settle();
            SpotRequest::of(machine)
        })
        .collect();
    let ids = request.list("SpotInstanceRequestId");
    for id in &ids {
        refuse_unknown(id, &all)?;
    }
    let found: Vec<_> = all
        .iter()
        .filter(|one| ids.is_empty() || ids.contains(&one.id.as_str()))
        .filter(|one| {
            filters
                .iter()
                .all(|(name, values)| one.is_like(name, values))
        })
        .collect();
    let shown = found.iter().skip(page.from).take(page.most);
    xml.items("spotInstanceRequestSet", shown, |xml, one| one.write(xml));
    let following =
        Some(page.from.saturating_add(page.most)).filter(|position| *position < found.len());
    next(xml, request, &mut fake.settings, following);
    Ok(())
}

/// The request of one Spot instance.
struct SpotRequest<'a> {
    id: String,
    kind: &'static str,
    state: &'static str,
    instance: &'a FakeInstance,
}

impl<'a> SpotRequest<'a> {
    fn of(machine: &'a FakeMachine) -> Option<Self> {
        let instance = &machine.instance;
        let kind = match instance.persistent_spot {
            true => "persistent",
            false => "one-time",
        };
        let state = match (instance.state.as_str(), instance.persistent_spot) {
            ("stopping" | "stopped", _) => "disabled",
            ("shutting-down" | "terminated", true) => "open",
            ("shutting-down" | "terminated", false) => "closed",
            _ => "active",
        };
        Some(SpotRequest {
            id: request_id(machine)?,
            kind,
            state,
            instance,
        })
    }

    fn is_like(&self, filter: &str, values: &[&str]) -> bool {
        let text = match filter {
            "spot-instance-request-id" => self.id.as_str(),
            "instance-id" => self.instance.id.as_str(),
            "type" => self.kind,
            _ => self.state,
        };
        values
            .iter()
            .any(|pattern| is_like(pattern.as_bytes(), text.as_bytes()))
    }

    fn write(&self, xml: &mut Xml) {
        // An open request waits for its next instance.
        let instance = Some(&self.instance.id).filter(|_| self.state != "open");
        xml.text("spotInstanceRequestId", &self.id)
            .plain("type", self.kind)
            .plain("state", self.state)
            .maybe("instanceId", instance)
            .plain("createTime", launch_time(self.instance.first_launched))
            .plain("productDescription", "Linux/UNIX")
            .text("launchedAvailabilityZone", &self.instance.az);
    }
}

fn refuse_unknown(id: &str, all: &[SpotRequest<'_>]) -> Result<(), ApiError> {
    let is_id = id.strip_prefix("sir-").is_some_and(|rest| {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        rest.len() == 8 && rest.bytes().all(word)
    });
    if !is_id {
        let message = format!("Invalid id: \"{id}\"");
        return Err(ApiError::new(
            "InvalidSpotInstanceRequestID.Malformed",
            message,
        ));
    }
    if all.iter().any(|one| one.id == id) {
        return Ok(());
    }
    let message = format!("The spot instance request ID '{id}' does not exist");
    Err(ApiError::new(
        "InvalidSpotInstanceRequestID.NotFound",
        message,
    ))
}
