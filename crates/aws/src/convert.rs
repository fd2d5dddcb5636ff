//! Converts the SDK's instances to ours.

use std::collections::BTreeSet;
use std::net::IpAddr;

use aws_sdk_ec2::operation::describe_instances::DescribeInstancesOutput;
use aws_sdk_ec2::types::{self, InstanceLifecycleType};
use aws_smithy_types::DateTime;
use imds_core::age::Attachments;
use imds_core::instance::{DedicatedCapacity, Instance, InstanceId, SpotRequest, State};
use jiff::Timestamp;

use crate::error::CallError;
use crate::options;
use crate::page::{DescribedPage, UnreadableInstance};

/// A page and the token of the next.
pub(crate) fn page(
    answer: DescribeInstancesOutput,
    region: &str,
) -> Result<(DescribedPage, Option<String>), CallError> {
    let reservations = answer
        .reservations
        .ok_or_else(|| CallError::unreadable("DescribeInstances", region, "no `reservationSet`"))?;
    let mut page = DescribedPage::default();
    for reservation in reservations {
        for described in reservation.instances.unwrap_or_default() {
            match instance(described, reservation.owner_id.as_deref(), region) {
                Ok(instance) => page.instances.push(instance),
                Err(unreadable) => page.unreadable.push(unreadable),
            }
        }
    }
    Ok((page, token(answer.next_token)))
}

/// The last page has an empty token, or none.
pub(crate) fn token(token: Option<String>) -> Option<String> {
    token.filter(|token| !token.trim().is_empty())
}

/// Whether there is another page. A repeated token would lead to the same page.
pub(crate) fn advance(next: &mut Option<String>, answered: Option<String>) -> bool {
    let answered = token(answered);
    let more = answered.is_some() && answered != *next;
    *next = answered;
    more
}

fn instance(
    described: types::Instance,
    owner: Option<&str>,
    region: &str,
) -> Result<Instance, UnreadableInstance> {
    let dedicated = dedicated(&described);
    let public_addresses = public_addresses(&described);
    let text = described.instance_id.unwrap_or_default();
    let id = match InstanceId::try_from(text.as_str()) {
        Ok(id) => id,
        Err(error) => {
            let why = error.to_string();
            return Err(UnreadableInstance { id: text, why });
        }
    };
    let tags = described.tags.unwrap_or_default().into_iter();
    let tags = tags.map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
    let Some(tags) = tags.collect() else {
        let why = "one of its tags has no key".to_owned();
        return Err(UnreadableInstance { id: text, why });
    };
    let state = described.state.and_then(|state| state.name);
    let answered = described.metadata_options;
    let applied = answered.as_ref().and_then(|options| options.state.as_ref());
    let operator = described.operator.filter(|it| it.managed == Some(true));
    let an_aws_service = || "an AWS service".to_owned();
    Ok(Instance {
        account: owner.map(str::to_owned),
        image: described.image_id,
        instance_type: described.instance_type.map(|it| it.as_str().to_owned()),
        instance_profile: described.iam_instance_profile.and_then(|it| it.arn),
        public_addresses,
        state: state.and_then(|state| State::from_word(state.as_str())),
        started_at: described.launch_time.and_then(timestamp),
        attachments: attachments(
            described.network_interfaces.as_deref().unwrap_or_default(),
            described
                .block_device_mappings
                .as_deref()
                .unwrap_or_default(),
        ),
        client_token: described.client_token.filter(|token| !token.is_empty()),
        spot: (described.instance_lifecycle == Some(InstanceLifecycleType::Spot)).then_some(
            SpotRequest {
                id: described.spot_instance_request_id,
                is_persistent: None,
            },
        ),
        dedicated,
        tags,
        applied: applied.map(|state| state.as_str() == "applied"),
        options: answered
            .as_ref()
            .map(options::of_instance)
            .unwrap_or_default(),
        managed_by: operator.map(|it| it.principal.unwrap_or_else(an_aws_service)),
        ..Instance::unknown(id, region)
    })
}

fn attachments(
    interfaces: &[types::InstanceNetworkInterface],
    volumes: &[types::InstanceBlockDeviceMapping],
) -> Attachments {
    let mut attachments = Attachments::default();
    for interface in interfaces.iter().filter_map(|it| it.attachment.as_ref()) {
        // Every network card has an interface 0; only that of the first card cannot be detached.
        let card = interface.network_card_index.unwrap_or_default();
        if let Some(time) = interface.attach_time.and_then(timestamp) {
            attachments.add_interface(interface.device_index.unwrap_or(-1).max(card), time);
        }
    }
    for volume in volumes.iter().filter_map(|it| it.ebs.as_ref()) {
        if let Some(time) = volume.attach_time.and_then(timestamp) {
            attachments.add_volume(time);
        }
    }
    attachments
}

/// EC2 shows an address of the primary interface in several places.
fn public_addresses(described: &types::Instance) -> Vec<IpAddr> {
    let interfaces = || described.network_interfaces.iter().flatten();
    let private = || interfaces().flat_map(|it| it.private_ip_addresses.iter().flatten());
    let of_interfaces = interfaces().filter_map(|it| it.association.as_ref());
    let of_private = private().filter_map(|it| it.association.as_ref());
    let associated = of_interfaces.chain(of_private);
    let ipv4 = associated.filter_map(|it| it.public_ip.as_ref());
    let ipv6 = interfaces().flat_map(|it| it.ipv6_addresses.iter().flatten());
    let ipv6 = ipv6.filter_map(|it| it.ipv6_address.as_ref());
    let own = [&described.public_ip_address, &described.ipv6_address];
    let texts = own.into_iter().flatten().chain(ipv4).chain(ipv6);
    let addresses: BTreeSet<IpAddr> = texts.filter_map(|text| text.parse().ok()).collect();
    let is_local = |address: &IpAddr| matches!(address, IpAddr::V6(it) if it.is_unique_local());
    addresses.into_iter().filter(|it| !is_local(it)).collect()
}

fn dedicated(described: &types::Instance) -> Option<DedicatedCapacity> {
    let tenancy = described
        .placement
        .as_ref()
        .and_then(|it| it.tenancy.as_ref());
    let is_mac = |kind: &types::InstanceType| kind.as_str().starts_with("mac");
    if described.instance_lifecycle == Some(InstanceLifecycleType::CapacityBlock) {
        Some(DedicatedCapacity::CapacityBlock)
    } else if tenancy == Some(&types::Tenancy::Host)
        || described.instance_type.as_ref().is_some_and(is_mac)
    {
        Some(DedicatedCapacity::DedicatedHost)
    } else {
        None
    }
}

pub(crate) fn timestamp(time: DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
