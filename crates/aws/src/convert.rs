//! Converts the SDK's instances to ours.

use aws_sdk_ec2::operation::describe_instances::DescribeInstancesOutput;
use aws_sdk_ec2::types;
use aws_smithy_types::DateTime;
use imds_core::instance::{Instance, InstanceId, State};
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
        state: state.and_then(|state| State::from_word(state.as_str())),
        launched_at: described.launch_time.and_then(timestamp),
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

pub(crate) fn timestamp(time: DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}
