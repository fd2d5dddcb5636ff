//! The account: its regions and its identity.

use super::api_error::ApiError;
use super::request::ApiRequest;
use super::state::{FakeRegion, FakeState};
use super::xml::Xml;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html>
pub(super) fn describe_regions(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let all = request.flag("AllRegions")?;
    let named = request.list("RegionName");
    if let Some(name) = named.iter().find(|name| !fake.regions.contains_key(**name)) {
        return Err(ApiError::value("region", name, "Invalid region name."));
    }
    let filters = (1..=request.groups("Filter"))
        .map(|number| {
            let name = request.require(&format!("Filter.{number}.Name"))?;
            if !["opt-in-status", "region-name"].contains(&name) {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("The filter '{name}' is invalid"),
                ));
            }
            Ok((name, request.list(&format!("Filter.{number}.Value"))))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let found = fake.regions.iter().filter(|(name, region)| {
        (all || region.opted_out.is_none())
            && (named.is_empty() || named.contains(&name.as_str()))
            && filters.iter().all(|(field, values)| {
                values.contains(&if *field == "region-name" {
                    name.as_str()
                } else {
                    opt_in_status(region)
                })
            })
    });
    xml.items("regionInfo", found, |xml, (name, region)| {
        xml.text("regionName", name)
            .text("regionEndpoint", format!("ec2.{name}.amazonaws.com"))
            .plain("optInStatus", opt_in_status(region));
    });
    Ok(())
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
pub(super) fn caller_identity(
    fake: &mut FakeState,
    _: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let account = &fake.account;
    xml.text(
        "Arn",
        format!("arn:aws:sts::{account}:assumed-role/enforcer/session"),
    )
    .plain("UserId", "AROAEXAMPLEEXAMPLEEXA:session")
    .text("Account", account);
    Ok(())
}

fn opt_in_status(region: &FakeRegion) -> &'static str {
    if region.opted_out.is_some() {
        "not-opted-in"
    } else {
        "opt-in-not-required"
    }
}
