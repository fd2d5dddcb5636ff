//! TerminateInstances, StopInstances, StartInstances.

use std::collections::BTreeSet;

use super::instance::{Instance, Machine};
use super::instance_xml::write_state;
use super::launch::{Launch, launch};
use super::refusal::Refusal;
use super::request::Request;
use super::settle::Waiting;
use super::world::World;
use super::xml::Xml;
use crate::clock::now;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>
///
/// A protected instance keeps the others of its zone, while those of other zones go and the call fails.
pub(super) fn terminate(
    world: &mut World,
    request: &Request,
    xml: &mut Xml,
) -> Result<(), Refusal> {
    let settings = &world.settings;
    let (transitions, replaces) = (settings.transitions, settings.replaces_in_groups);
    let region = world
        .regions
        .get_mut(&request.region)
        .expect("calls go to known regions");
    let positions = region.all_of(&ids(request)?)?;
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
        if replaces && !machine.is(&["shutting-down", "terminated"]) {
            replacements.extend(replacement(machine));
        }
        let before = machine.instance.state.clone();
        if !machine.is(&["shutting-down", "terminated"]) {
            move_to(machine, "shutting-down", "terminated", transitions.begin());
        }
        changes.push(Change::of(machine, before));
    }
    for replacement in replacements {
        world.launch(&replacement, 1);
    }
    refusal.map_or(Ok(()), Err)?;
    write_changes(xml, &changes);
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StopInstances.html>: all or none.
pub(super) fn stop(world: &mut World, request: &Request, xml: &mut Xml) -> Result<(), Refusal> {
    each(
        world,
        request,
        xml,
        refusal_to_stop,
        |machine, transitions| {
            if machine.is(&["running"]) {
                move_to(machine, "stopping", "stopped", transitions);
            }
        },
    )
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StartInstances.html>: all or none.
pub(super) fn start(world: &mut World, request: &Request, xml: &mut Xml) -> Result<(), Refusal> {
    let startable = |machine: &Machine| {
        let id = &machine.instance.id;
        (!machine.is(&["stopped", "pending", "running"])).then(|| Refusal::state(id))
    };
    each(world, request, xml, startable, |machine, transitions| {
        if machine.is(&["stopped"]) {
            move_to(machine, "pending", "running", transitions);
        }
    })
}

fn each(
    world: &mut World,
    request: &Request,
    xml: &mut Xml,
    refusal: impl Fn(&Machine) -> Option<Refusal>,
    act: impl Fn(&mut Machine, Waiting),
) -> Result<(), Refusal> {
    let transitions = world.settings.transitions;
    let region = world.region(&request.region);
    let positions = region.all_of(&ids(request)?)?;
    if let Some(refusal) = positions
        .iter()
        .find_map(|position| refusal(&region.machines[*position]))
    {
        return Err(refusal);
    }
    let changes: Vec<_> = positions
        .into_iter()
        .map(|position| {
            let machine = &mut region.machines[position];
            let before = machine.instance.state.clone();
            act(machine, transitions.begin());
            Change::of(machine, before)
        })
        .collect();
    write_changes(xml, &changes);
    Ok(())
}

fn refusal_to_terminate(machine: &Machine) -> Option<Refusal> {
    let id = &machine.instance.id;
    if machine.is(&["shutting-down", "terminated"]) {
        None
    } else if machine.instance.protected {
        Some(Refusal::not_permitted(format!(
            "The instance '{id}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
        )))
    } else {
        managed(machine)
    }
}

fn refusal_to_stop(machine: &Machine) -> Option<Refusal> {
    let id = &machine.instance.id;
    if machine.is(&["pending", "shutting-down", "terminated"]) {
        Some(Refusal::state(id))
    } else if machine.instance.instance_store {
        Some(Refusal::unsupported(format!(
            "The instance '{id}' does not have an 'ebs' root device type and cannot be stopped"
        )))
    } else if machine.instance.spot {
        Some(Refusal::unsupported(format!(
            "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request."
        )))
    } else if machine.instance.stop_protected && machine.is(&["running"]) {
        Some(Refusal::not_permitted(format!(
            "The instance '{id}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again."
        )))
    } else {
        managed(machine)
    }
}

fn managed(machine: &Machine) -> Option<Refusal> {
    let id = &machine.instance.id;
    machine
        .refuses_changes
        .then(|| Refusal::not_permitted(format!("The instance '{id}' is managed by a service.")))
}

fn ids(request: &Request) -> Result<Vec<&str>, Refusal> {
    let ids = request.list("InstanceId");
    match ids.len() {
        0 => Err(Refusal::missing("InstanceId")),
        1..=1000 => Ok(ids),
        count => Err(Refusal::value(
            "InstanceId",
            count,
            "Expecting at most 1000.",
        )),
    }
}

fn move_to(machine: &mut Machine, state: &str, then: &'static str, when: Waiting) {
    state.clone_into(&mut machine.instance.state);
    machine.next_state = Some((then, when));
}

/// What an Auto Scaling group launches for one that goes: just the same.
fn replacement(machine: &Machine) -> Option<Launch> {
    let group = machine.instance.tags.get("aws:autoscaling:groupName")?;
    let mut replacement = launch(&machine.instance.region).in_group(group);
    replacement.instance = Instance {
        id: String::new(),
        state: "running".to_owned(),
        launched: now(),
        ..machine.instance.clone()
    };
    replacement.user_data.clone_from(&machine.user_data);
    Some(replacement)
}

struct Change {
    id: String,
    before: String,
    after: String,
}

impl Change {
    fn of(machine: &Machine, before: String) -> Self {
        Change {
            id: machine.instance.id.clone(),
            before,
            after: machine.instance.state.clone(),
        }
    }
}

fn write_changes(xml: &mut Xml, changes: &[Change]) {
    xml.items("instancesSet", changes, |xml, change| {
        xml.text("instanceId", &change.id)
            .within("currentState", |xml| write_state(xml, &change.after))
            .within("previousState", |xml| write_state(xml, &change.before));
    });
}
