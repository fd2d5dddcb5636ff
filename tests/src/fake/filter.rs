//! The filters of DescribeInstances, and how filters are read.

use jiff::Timestamp;

use super::api_error::ApiError;
use super::instance::FakeMachine;
use super::request::ApiRequest;

/// `Filter.N`; one matching value is enough.
#[derive(Debug)]
pub(super) struct DescribeFilter<'a> {
    field: FilterField<'a>,
    values: Vec<&'a str>,
}

#[derive(Debug)]
enum FilterField<'a> {
    InstanceId,
    ClientToken,
    LaunchTime,
    State,
    Tag(&'a str),
    TagKey,
    Image,
    InstanceType,
    HttpTokens,
    HttpEndpoint,
    HopLimit,
    OptionsState,
    MetadataTags,
}

/// The most values over all filters of a call.
const MOST_VALUES: usize = 200;

/// All filters of a call.
pub(super) fn filters(request: &ApiRequest) -> Result<Vec<DescribeFilter<'_>>, ApiError> {
    named_values(request)?
        .into_iter()
        .map(|(name, values)| {
            let field = field(name)?;
            Ok(DescribeFilter { field, values })
        })
        .collect()
}

/// Name and values of each `Filter.N`.
pub(super) fn named_values(request: &ApiRequest) -> Result<Vec<(&str, Vec<&str>)>, ApiError> {
    let count = request.groups("Filter");
    let mut filters = Vec::with_capacity(count);
    for number in 1..=count {
        let name = request.require(&format!("Filter.{number}.Name"))?;
        let values = request.list(&format!("Filter.{number}.Value"));
        if values.is_empty() {
            return Err(ApiError::missing(&format!("Filter.{number}.Value")));
        }
        filters.push((name, values));
    }
    if filters
        .iter()
        .map(|(_, values)| values.len())
        .sum::<usize>()
        > MOST_VALUES
    {
        let message = format!(
            "The maximum number of filter values specified on a single call is {MOST_VALUES}"
        );
        return Err(ApiError::new("FilterLimitExceeded", message));
    }
    Ok(filters)
}

impl<'a> DescribeFilter<'a> {
    /// The ids, if it filters by ids without wildcards.
    pub(super) fn ids(&self) -> Option<&[&'a str]> {
        let plain = |value: &&str| !value.contains(['*', '?', '\\']);
        (matches!(self.field, FilterField::InstanceId) && self.values.iter().all(plain))
            .then_some(&self.values)
    }

    pub(super) fn admits(&self, machine: &FakeMachine) -> bool {
        let instance = &machine.instance;
        let options = machine.shows_options.then_some(&instance.options);
        match &self.field {
            FilterField::InstanceId => self.any(&instance.id),
            FilterField::ClientToken => self.any(&instance.client_token),
            FilterField::LaunchTime => self.any(&launch_time(instance.started)),
            FilterField::State => self.any(&instance.state),
            FilterField::Tag(key) => instance.tags.get(*key).is_some_and(|value| self.any(value)),
            FilterField::TagKey => instance.tags.keys().any(|key| self.any(key)),
            FilterField::Image => self.any(&instance.image),
            FilterField::InstanceType => self.any(&instance.instance_type),
            FilterField::HttpTokens => options.is_some_and(|options| self.any(&options.tokens)),
            FilterField::HttpEndpoint => options.is_some_and(|options| self.any(&options.endpoint)),
            FilterField::HopLimit => {
                options.is_some_and(|options| self.any(&options.hop_limit.to_string()))
            }
            FilterField::OptionsState => options.is_some_and(|options| self.any(&options.state)),
            FilterField::MetadataTags => {
                options.is_some_and(|options| self.any(&options.metadata_tags))
            }
        }
    }

    fn any(&self, text: &str) -> bool {
        self.values
            .iter()
            .any(|pattern| is_like(pattern.as_bytes(), text.as_bytes()))
    }
}

/// In EC2's format, such as `2021-09-29T11:04:43.000Z`: whole seconds.
pub(super) fn launch_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn field(name: &str) -> Result<FilterField<'_>, ApiError> {
    Ok(match name {
        "instance-id" => FilterField::InstanceId,
        "client-token" => FilterField::ClientToken,
        "launch-time" => FilterField::LaunchTime,
        "instance-state-name" => FilterField::State,
        "tag-key" => FilterField::TagKey,
        "image-id" => FilterField::Image,
        "instance-type" => FilterField::InstanceType,
        "metadata-options.http-tokens" => FilterField::HttpTokens,
        "metadata-options.http-endpoint" => FilterField::HttpEndpoint,
        "metadata-options.http-put-response-hop-limit" => FilterField::HopLimit,
        "metadata-options.state" => FilterField::OptionsState,
        "metadata-options.instance-metadata-tags" => FilterField::MetadataTags,
        _ => match name.strip_prefix("tag:") {
            Some(key) => FilterField::Tag(key),
            None => {
                let message = format!("The filter '{name}' is invalid");
                return Err(ApiError::new("InvalidParameterValue", message));
            }
        },
    })
}

/// `*` any text, `?` any character, `\` takes the next one literally.
pub(super) fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|from| is_like(rest, &text[from..])),
        ([b'?', pattern @ ..], [_, text @ ..]) => is_like(pattern, text),
        ([b'\\', wanted, pattern @ ..] | [wanted, pattern @ ..], [given, text @ ..]) => {
            wanted == given && is_like(pattern, text)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[track_caller]
    fn check(pattern: &str, texts: &[&str], others: &[&str]) {
        let matches = |text: &str| is_like(pattern.as_bytes(), text.as_bytes());
        for text in texts {
            assert!(matches(text), "`{pattern}` on `{text}`");
        }
        for text in others {
            assert!(!matches(text), "`{pattern}` on `{text}`");
        }
    }

    #[test]
    fn patterns_match_as_ec2_matches_them() {
        check("", &[""], &["a"]);
        check("*", &["", "a"], &[]);
        check("a*c", &["abbc"], &["abbcd"]);
        check("a?c", &["abc"], &["ac"]);
        check("2021-09-29T*", &["2021-09-29T11:04:43.000Z"], &[]);
        check(r"a\*c", &["a*c"], &["abc"]);
    }
}
