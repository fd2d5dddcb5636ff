//! CreateTags and DeleteTags.

use super::api_error::ApiError;
use super::request::ApiRequest;
use super::state::{FakeRegion, FakeState};
use super::xml::Xml;

/// The most tags of a resource.
const MOST_TAGS: usize = 50;

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html>
pub(super) fn create_tags(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let tags = tags(request, "Tag")?;
    let region = fake.region(&request.region);
    for position in resources(region, request)? {
        let machine = &mut region.machines[position];
        let new = tags
            .iter()
            .filter(|(key, _)| !machine.instance.tags.contains_key(key))
            .count();
        let own = machine
            .instance
            .tags
            .keys()
            .filter(|key| !key.starts_with("aws:"))
            .count();
        if own + new > MOST_TAGS {
            return Err(ApiError::new(
                "TagLimitExceeded",
                format!("More than {MOST_TAGS} tags."),
            ));
        }
        for (key, value) in &tags {
            machine
                .instance
                .tags
                .insert(key.clone(), value.clone().unwrap_or_default());
        }
    }
    xml.plain("return", true);
    Ok(())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html>
pub(super) fn delete_tags(
    fake: &mut FakeState,
    request: &ApiRequest,
    xml: &mut Xml,
) -> Result<(), ApiError> {
    let tags = tags(request, "Tag")?;
    let region = fake.region(&request.region);
    for position in resources(region, request)? {
        let own = &mut region.machines[position].instance.tags;
        own.retain(|key, value| {
            let named = tags
                .iter()
                .any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value));
            let all = tags.is_empty() && !key.starts_with("aws:");
            !(named || all)
        });
    }
    xml.plain("return", true);
    Ok(())
}

/// `prefix.N.Key` and `prefix.N.Value`.
pub(super) fn tags(
    request: &ApiRequest,
    prefix: &str,
) -> Result<Vec<(String, Option<String>)>, ApiError> {
    let tags: Result<Vec<_>, ApiError> = (1..=request.groups(prefix))
        .map(|number| {
            let key = request.require(&format!("{prefix}.{number}.Key"))?;
            let value = request.get(&format!("{prefix}.{number}.Value"));
            if key.is_empty() || key.chars().count() > 128 {
                return Err(ApiError::value(
                    "key",
                    key,
                    "Expecting 1 to 128 characters.",
                ));
            }
            if let Some(value) = value.filter(|value| value.chars().count() > 256) {
                return Err(ApiError::value(
                    "value",
                    value,
                    "Expecting at most 256 characters.",
                ));
            }
            Ok((key.to_owned(), value.map(str::to_owned)))
        })
        .collect();
    let tags = tags?;
    refuse_reserved(&tags)?;
    Ok(tags)
}

fn refuse_reserved(tags: &[(String, Option<String>)]) -> Result<(), ApiError> {
    match tags
        .iter()
        .find(|(key, _)| key.to_ascii_lowercase().starts_with("aws:"))
    {
        Some((key, _)) => Err(ApiError::value(
            "key",
            key,
            "Tag keys starting with 'aws:' are reserved for internal use",
        )),
        None => Ok(()),
    }
}

fn resources(region: &mut FakeRegion, request: &ApiRequest) -> Result<Vec<usize>, ApiError> {
    let ids = request.list("ResourceId");
    if ids.is_empty() {
        return Err(ApiError::missing("ResourceId"));
    }
    region.all_of(&ids)
}
