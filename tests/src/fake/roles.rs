//! The roles of the account and their MFA devices.

use jiff::SignedDuration;

use super::api_error::ApiError;
use super::request::ApiRequest;
use super::state::FakeState;
use super::xml::Xml;
use crate::clock::now;

/// A role that can be assumed.
#[derive(Clone, Debug)]
pub struct AssumableRole {
    /// Its name; the ARN is `arn:aws:iam::ACCOUNT:role/NAME`.
    pub name: String,
    /// The device whose code it requires, and the code that the device shows. A code is valid once.
    pub mfa: Option<(String, String)>,
    /// The external id that it requires.
    pub external_id: Option<String>,
    /// The longest session, in seconds.
    pub longest_session: i64,
}

/// The access key of a session is `ASIA` and the name of the role in capital letters.
///
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub(super) fn assume(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let arn = request.require("RoleArn")?;
    let session = request.require("RoleSessionName")?;
    if let Some(code) = request.get("TokenCode").filter(|code| code.len() < 6) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{code}' at 'tokenCode' failed to satisfy constraint: \
             Member must have length greater than or equal to 6"
        )));
    }
    let seconds = request.number("DurationSeconds")?.unwrap_or(3600);
    let (account, name) = (
        fake.account.clone(),
        arn.rsplit('/').next().unwrap_or_default(),
    );
    let denied = || {
        denial(format!(
            "User: arn:aws:iam::{account}:user/ada is not authorized to perform: sts:AssumeRole on resource: {arn}"
        ))
    };
    let roles = fake.roles.iter_mut();
    let role = roles.filter(|role| arn == format!("arn:aws:iam::{account}:role/{}", role.name));
    let role = role.last().ok_or_else(denied)?;
    if request.get("ExternalId") != role.external_id.as_deref() {
        return Err(denied());
    }
    if let Some((serial, code)) = &mut role.mfa {
        let given = (request.get("SerialNumber"), request.get("TokenCode"));
        match given {
            (Some(device), Some(given)) if device == serial && given == code => code.clear(),
            (Some(_), Some(_)) => {
                let message =
                    "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
                return Err(denial(message.to_owned()));
            }
            _ => return Err(denied()),
        }
    }
    if seconds > role.longest_session {
        let message =
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(invalid(message.to_owned()));
    }
    let end = now() + SignedDuration::from_secs(seconds);
    xml.within("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", format!("AROAEXAMPLEEXAMPLEEXA:{session}"))
            .text(
                "Arn",
                format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            );
    })
    .within("Credentials", |xml| {
        xml.text("AccessKeyId", format!("ASIA{}", name.to_uppercase()))
            .text("SecretAccessKey", format!("secret of {session}"))
            .text("SessionToken", format!("token of {session}"))
            .plain("Expiration", end.strftime("%Y-%m-%dT%H:%M:%SZ"));
    });
    Ok(())
}

fn denial(message: String) -> ApiError {
    ApiError {
        status: 403,
        ..ApiError::new("AccessDenied", message)
    }
}

fn invalid(message: String) -> ApiError {
    ApiError::new("ValidationError", message)
}
