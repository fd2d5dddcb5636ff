//! The filters of DescribeInstances, and how filters are read.

use jiff::Timestamp;

use super::instance::Machine;
use super::refusal::Refusal;
use super::request::Request;

/// `Filter.N`: any of its values will do.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    field: Field<'a>,
    values: Vec<&'a str>,
}

#[derive(Debug)]
enum Field<'a> {
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

/// Of a call, over all of its filters.
const MOST_VALUES: usize = 200;

/// All filters of a call.
pub(super) fn filters(request: &Request) -> Result<Vec<Filter<'_>>, Refusal> {
    named_values(request)?
        .into_iter()
        .map(|(name, values)| {
            let field = field(name)?;
            Ok(Filter { field, values })
        })
        .collect()
}

/// Name and values of each `Filter.N`.
pub(super) fn named_values(request: &Request) -> Result<Vec<(&str, Vec<&str>)>, Refusal> {
    let count = request.groups("Filter");
    let mut filters = Vec::with_capacity(count);
    for number in 1..=count {
        let name = request.require(&format!("Filter.{number}.Name"))?;
        let values = request.list(&format!("Filter.{number}.Value"));
        if values.is_empty() {
            return Err(Refusal::missing(&format!("Filter.{number}.Value")));
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
        return Err(Refusal::new("FilterLimitExceeded", message));
    }
    Ok(filters)
}

impl<'a> Filter<'a> {
    /// The ids, where it asks for whole ids.
    pub(super) fn ids(&self) -> Option<&[&'a str]> {
        let plain = |value: &&str| !value.contains(['*', '?', '\\']);
        (matches!(self.field, Field::InstanceId) && self.values.iter().all(plain))
            .then_some(&self.values)
    }

    pub(super) fn admits(&self, machine: &Machine) -> bool {
        let instance = &machine.instance;
        let options = machine.shows_options.then_some(&instance.options);
        match &self.field {
            Field::InstanceId => self.any(&instance.id),
            Field::ClientToken => self.any(&instance.client_token),
            Field::LaunchTime => self.any(&launch_time(instance.launched)),
            Field::State => self.any(&instance.state),
            Field::Tag(key) => instance.tags.get(*key).is_some_and(|value| self.any(value)),
            Field::TagKey => instance.tags.keys().any(|key| self.any(key)),
            Field::Image => self.any(&instance.image),
            Field::InstanceType => self.any(&instance.instance_type),
            Field::HttpTokens => options.is_some_and(|options| self.any(&options.tokens)),
            Field::HttpEndpoint => options.is_some_and(|options| self.any(&options.endpoint)),
            Field::HopLimit => {
                options.is_some_and(|options| self.any(&options.hop_limit.to_string()))
            }
            Field::OptionsState => options.is_some_and(|options| self.any(&options.state)),
            Field::MetadataTags => options.is_some_and(|options| self.any(&options.metadata_tags)),
        }
    }

    fn any(&self, text: &str) -> bool {
        self.values
            .iter()
            .any(|pattern| is_like(pattern.as_bytes(), text.as_bytes()))
    }
}

/// In EC2's form, such as `2021-09-29T11:04:43.000Z`: whole seconds.
pub(super) fn launch_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

fn field(name: &str) -> Result<Field<'_>, Refusal> {
    Ok(match name {
        "instance-id" => Field::InstanceId,
        "client-token" => Field::ClientToken,
        "launch-time" => Field::LaunchTime,
        "instance-state-name" => Field::State,
        "tag-key" => Field::TagKey,
        "image-id" => Field::Image,
        "instance-type" => Field::InstanceType,
        "metadata-options.http-tokens" => Field::HttpTokens,
        "metadata-options.http-endpoint" => Field::HttpEndpoint,
        "metadata-options.http-put-response-hop-limit" => Field::HopLimit,
        "metadata-options.state" => Field::OptionsState,
        "metadata-options.instance-metadata-tags" => Field::MetadataTags,
        _ => match name.strip_prefix("tag:") {
            Some(key) => Field::Tag(key),
            None => {
                let message = format!("The filter '{name}' is invalid");
                return Err(Refusal::new("InvalidParameterValue", message));
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
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(
            is_like(pattern.as_bytes(), text.as_bytes()),
            expected,
            "`{pattern}` on `{text}`"
        );
    }

    #[test]
    fn patterns_match_as_ec2_matches_them() {
        check("", "", true);
        check("*", "", true);
        check("a*c", "abbc", true);
        check("a*c", "abbcd", false);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("2021-09-29T*", "2021-09-29T11:04:43.000Z", true);
        check(r"a\*c", "a*c", true);
        check(r"a\*c", "abc", false);
    }
}
