//! DescribeInstanceAttribute.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::api_error::ApiError;
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html>
pub(super) fn attribute(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let id = request.require("InstanceId")?;
    let name = request.require("Attribute")?;
    let machine = fake.region(&request.region).one(id)?;
    let instance = &machine.instance;
    xml.text("instanceId", id);
    let value = match name {
        "userData" => machine.user_data.as_ref().map(|data| STANDARD.encode(data)),
        "disableApiTermination" => Some(instance.protected.to_string()),
        "disableApiStop" => Some(instance.stop_protected.to_string()),
        "instanceType" => Some(instance.instance_type.clone()),
        _ => return Err(ApiError::value("attribute", name, "Unknown attribute.")),
    };
    match value {
        Some(value) => xml.within(name, |xml| {
            xml.text("value", value);
        }),
        None => xml.empty(name),
    };
    Ok(())
}
