//! Instances that an AWS service operates: DescribeInstances hides them, and the service may keep others
//! from changing them.

use super::api_error::ApiError;
use super::instance::FakeMachine;
use super::launch::digits;
use super::request::ApiRequest;
use super::state::FakeRegion;

/// Whether a call shows managed instances. An endpoint that does not know the parameter of this is older
/// than the hiding, and shows them.
pub(super) fn shows_managed(region: &FakeRegion, request: &ApiRequest) -> Result<bool, ApiError> {
    const PARAMETER: &str = "IncludeManagedResources";
    let asked = request.flag(PARAMETER)?;
    if region.knows_no_managed_resources && request.get(PARAMETER).is_some() {
        return Err(ApiError::unknown_parameter(PARAMETER));
    }
    Ok(asked || region.knows_no_managed_resources)
}

/// The denial of a call by a policy of the service, which comes before all other checks.
pub(super) fn denial(
    machine: &FakeMachine,
    request: &ApiRequest,
    account: &str,
) -> Option<ApiError> {
    if !machine.denies_changes {
        return None;
    }
    let (action, region, id) = (&request.action, &request.region, &machine.instance.id);
    let user = format!("arn:aws:sts::{account}:assumed-role/enforcer/session");
    let resource = format!("arn:aws:ec2:{region}:{account}:instance/{id}");
    let encoded: String = (0..44).map(digits).collect();
    let encoded: String = encoded.chars().take(700).collect();
    Some(ApiError::new(
        "UnauthorizedOperation",
        format!(
            "You are not authorized to perform this operation. User: {user} is not authorized to perform: ec2:{action} on resource: {resource} with an explicit deny in a resource-based policy. Encoded authorization failure message: {encoded}"
        ),
    ))
}

/// The rejection of a change that the service does not allow.
pub(super) fn refusal(machine: &FakeMachine) -> Option<ApiError> {
    let id = &machine.instance.id;
    machine
        .refuses_changes
        .then(|| ApiError::not_permitted(format!("The instance '{id}' is managed by a service.")))
}
