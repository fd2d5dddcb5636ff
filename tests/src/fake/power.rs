//! TerminateInstances, StopInstances, StartInstances.

use std::collections::BTreeSet;

use super::api_error::ApiError;
use super::instance::{FakeInstance, FakeMachine};
use super::instance_xml::write_state;
use super::launch::{LaunchBuilder, launch};
use super::ledger::Disruption;
use super::managed;
use super::request::ApiRequest;
use super::settle::PendingChange;
use super::state::FakeState;
use super::xml::Xml;
use crate::clock::now;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>
///
/// A protected instance protects the others of its zone; those of other zones terminate, and the call
/// fails.
pub(super) fn terminate(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let positions = permitted(fake, request)?;
    let settings = &fake.settings;
    let (transitions, replaces) = (settings.transitions, settings.replaces_in_groups);
    let region = fake
        .regions
        .get_mut(&request.region)
        .expect("calls go to known regions");
    let machines = &mut region.machines;
    let refusal = positions
        .iter()
        .find_map(|position| refusal_to_terminate(&machines[*position]));
    let shielded: BTreeSet<String> = positions
        .iter()
        .map(|position| &machines[*position])
        .filter(|machine| refusal_to_terminate(machine).is_some())
        .map(|machine| machine.instance.az.clone())
        .collect();

    let mut changes = Vec::new();
    let mut replacements = Vec::new();
    for position in positions {
        let machine = &mut machines[position];
        if shielded.contains(&machine.instance.az) {
            continue;
        }
        let before = machine.instance.state.clone();
        if !machine.is_terminated() {
            let disruption = Disruption::of(machine, "TerminateInstances");
            fake.disruptions.push(disruption);
            replacements.extend(replacement(machine).filter(|_| replaces));
            shut_down(machine, transitions.begin());
        }
        changes.push(StateChange::since(before, machine));
    }
    for replacement in replacements {
        fake.launch(&replacement, 1);
    }
    refusal.map_or(Ok(()), Err)?;
    write_changes(xml, &changes);
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html>: all or none.
pub(super) fn stop(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let mut disruptions = Vec::new();
    let act = |machine: &mut FakeMachine, transitions| {
        if machine.is(&["running"]) {
            disruptions.push(Disruption::of(machine, "StopInstances"));
            move_to(machine, "stopping", "stopped", transitions);
        }
    };
    let positions = permitted(fake, request)?;
    each(fake, request, xml, &positions, refusal_to_stop, act)?;
    fake.disruptions.extend(disruptions);
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html>: all or none.
pub(super) fn start(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let startable = |machine: &FakeMachine| {
        let id = &machine.instance.id;
        (!machine.is(&["stopped", "pending", "running"])).then(|| ApiError::state(id))
    };
    let act = |machine: &mut FakeMachine, transitions| {
        if machine.is(&["stopped"]) {
            machine.instance.started = now();
            move_to(machine, "pending", "running", transitions);
        }
    };
    let positions = fake.region(&request.region).all_of(&ids(request)?)?;
    each(fake, request, xml, &positions, startable, act)
}

/// Moves an instance on its way to `terminated`.
pub(super) fn shut_down(machine: &mut FakeMachine, when: PendingChange) {
    move_to(machine, "shutting-down", "terminated", when);
}

/// The instances of `InstanceId.N`, if no policy keeps the caller from them; ends a dry run.
fn permitted(fake: &mut FakeState, request: &ApiRequest) -> Result<Vec<usize>, ApiError> {
    let account = fake.account.clone();
    let region = fake.region(&request.region);
    let positions = region.all_of(&ids(request)?)?;
    let mut named = positions.iter().map(|position| &region.machines[*position]);
    if let Some(denial) = named.find_map(|machine| managed::denial(machine, request, &account)) {
        return Err(denial);
    }
    request.end_rehearsal()?;
    Ok(positions)
}

fn each(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
    positions: &[usize],
    refusal: impl Fn(&FakeMachine) -> Option<ApiError>,
    mut act: impl FnMut(&mut FakeMachine, PendingChange),
) -> Result<(), ApiError> {
    let transitions = fake.settings.transitions;
    let region = fake.region(&request.region);
    if let Some(refusal) = positions
        .iter()
        .find_map(|position| refusal(&region.machines[*position]))
    {
        return Err(refusal);
    }
    let changes: Vec<_> = positions
        .iter()
        .map(|position| {
            let machine = &mut region.machines[*position];
            let before = machine.instance.state.clone();
            act(machine, transitions.begin());
            StateChange::since(before, machine)
        })
        .collect();
    write_changes(xml, &changes);
    Ok(())
}

fn refusal_to_terminate(machine: &FakeMachine) -> Option<ApiError> {
    let id = &machine.instance.id;
    if machine.is_terminated() {
        None
    } else if machine.instance.protected {
        Some(ApiError::not_permitted(format!(
            "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
        )))
    } else {
        managed::refusal(machine)
    }
}

fn refusal_to_stop(machine: &FakeMachine) -> Option<ApiError> {
    let id = &machine.instance.id;
    if machine.never_ran() {
        Some(ApiError::new(
            "IncorrectInstanceState",
            format!(
                "The instance '{id}' has never reached the 'running' state and cannot be stopped"
            ),
        ))
    } else if machine.is(&["pending", "shutting-down", "terminated"]) {
        Some(ApiError::state(id))
    } else if machine.instance.instance_store {
        Some(ApiError::unsupported(format!(
            "The instance '{id}' does not have an 'ebs' root device type and cannot be stopped"
        )))
    } else if machine.instance.spot && !machine.instance.persistent_spot {
        Some(ApiError::unsupported(format!(
            "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request."
        )))
    } else if machine.instance.stop_protected && machine.is(&["running"]) {
        Some(ApiError::not_permitted(format!(
            "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
        )))
    } else {
        managed::refusal(machine)
    }
}

fn ids(request: &ApiRequest) -> Result<Vec<&str>, ApiError> {
    let ids = request.list("InstanceId");
    match ids.len() {
        0 => Err(ApiError::missing("InstanceId")),
        1..=1000 => Ok(ids),
        count => Err(ApiError::value(
            "InstanceId",
            count,
            "Expecting at most 1000.",
        )),
    }
}

fn move_to(machine: &mut FakeMachine, state: &str, then: &'static str, when: PendingChange) {
    state.clone_into(&mut machine.instance.state);
    machine.next_state = Some((then, when));
}

/// What an Auto Scaling group launches to replace an instance: an identical one.
pub(super) fn replacement(machine: &FakeMachine) -> Option<LaunchBuilder> {
    let group = machine.instance.tags.get("aws:autoscaling:groupName")?;
    let mut replacement = launch(&machine.instance.region).in_group(group);
    let launched = now();
    replacement.instance = FakeInstance {
        id: String::new(),
        state: "running".to_owned(),
        first_launched: launched,
        started: launched,
        ..machine.instance.clone()
    };
    replacement.user_data.clone_from(&machine.user_data);
    Some(replacement)
}

struct StateChange {
    id: String,
    before: String,
    after: String,
}

impl StateChange {
    fn since(before: String, machine: &FakeMachine) -> Self {
        StateChange {
            id: machine.instance.id.clone(),
            before,
            after: machine.instance.state.clone(),
        }
    }
}

fn write_changes(xml: &mut Xml, changes: &[StateChange]) {
    xml.items("instancesSet", changes, |xml, change| {
        xml.text("instanceId", &change.id)
            .within("currentState", |xml| write_state(xml, &change.after))
            .within("previousState", |xml| write_state(xml, &change.before));
    });
}
