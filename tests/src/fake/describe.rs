//! DescribeInstances: which instances are visible, page by page.

use std::collections::BTreeSet;

use super::api_error::ApiError;
use super::filter::filters;
use super::instance_xml::write_described;
use super::managed::shows_managed;
use super::page::{next, page};
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
pub(super) fn describe_instances(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let filters = filters(request)?;
    let page = page(request, &fake.settings, 5..=1000)?;
    let shows_managed = shows_managed(fake.region(&request.region), request)?;
    let named = named(fake, request)?;
    request.end_rehearsal()?;
    let region = fake
        .regions
        .get_mut(&request.region)
        .expect("calls go to known regions");
    let filtered = filters.iter().find_map(|filter| filter.ids()).map(|ids| {
        let positions = ids
            .iter()
            .filter_map(|id| region.positions.get(*id).copied());
        positions.collect::<BTreeSet<_>>()
    });
    let candidates: Vec<usize> = match (named, filtered) {
        (Some(some), _) | (None, Some(some)) => some.into_iter().collect(),
        (None, None) => (0..region.machines.len()).collect(),
    };

    let mut shown = Vec::new();
    let mut following = None;
    for position in candidates
        .into_iter()
        .filter(|position| *position >= page.from)
    {
        let machine = &mut region.machines[position];
        machine.settle();
        let hidden = machine.instance.managed_by.is_some() && !shows_managed;
        if hidden || !filters.iter().all(|filter| filter.admits(machine)) {
            continue;
        }
        if shown.len() == page.most {
            following = Some(position);
            break;
        }
        if !machine.visible.is_over() {
            machine.visible.described();
            continue;
        }
        shown.push(position);
    }

    let machines = &region.machines;
    let same = |a: &usize, b: &usize| {
        machines[*a].instance.reservation == machines[*b].instance.reservation
    };
    xml.items("reservationSet", shown.chunk_by(same), |xml, together| {
        xml.text("reservationId", &machines[together[0]].instance.reservation)
            .text("ownerId", &fake.account)
            .empty("groupSet")
            .items("instancesSet", together, |xml, position| {
                write_described(xml, &machines[*position], &fake.account)
            });
    });
    for position in shown {
        region.machines[position].described();
    }
    next(xml, request, &mut fake.settings, following);
    Ok(())
}

/// The instances of `InstanceId.N`; an unknown id fails the call.
fn named(fake: &mut FakeState, request: &ApiRequest) -> Result<Option<BTreeSet<usize>>, ApiError> {
    let ids = request.list("InstanceId");
    if ids.is_empty() {
        return Ok(None);
    }
    for name in ["MaxResults", "NextToken"] {
        if request.get(name).is_some() {
            let message =
                format!("The parameter instancesSet cannot be used with the parameter {name}");
            return Err(ApiError::new("InvalidParameterCombination", message));
        }
    }
    let region = fake.region(&request.region);
    let found = region.all_of(&ids);
    if found.is_err() {
        for position in ids
            .iter()
            .filter_map(|id| region.positions.get(*id).copied())
        {
            region.machines[position].visible.described();
        }
    }
    Ok(Some(found?.into_iter().collect()))
}
