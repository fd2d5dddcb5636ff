//! EC2's operations on instances, as far as they concern metadata options.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html>

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_types::body::SdkBody;

use imds_core::instance::{HopLimit, HttpTokens, Instance, InstanceId, MetadataOptions, Toggle};
use serde::Deserialize;

use crate::client::{Client, Request, Service, text_of};
use crate::described::Described;
use crate::error::CallError;

/// The most values that a filter takes.
pub(crate) const FILTER_VALUES: usize = 200;

/// The most ids that `TerminateInstances` and `StopInstances` take.
pub(crate) const ENDED_AT_ONCE: usize = 1000;

/// The most resources that `CreateTags` takes.
const TAGGED_AT_ONCE: usize = 1000;

const DESCRIBE: &str = "DescribeInstances";

/// The largest page of `DescribeInstances`: the fewest calls, where all are looked at.
const LARGEST_PAGE: &str = "1000";

/// A page for a launch: one call for nearly all of them, and a quarter of the memory for the rest.
const PAGE_OF_A_LAUNCH: &str = "250";

/// A filter of `DescribeInstances`; it leaves out what it does not know, where `InstanceId` would
/// fail the whole call.
#[derive(Debug, Clone)]
pub struct Filter<'a> {
    /// Such as `instance-state-name` or `tag:app`.
    pub name: &'a str,
    /// Any of these, at most 200; `*` and `?` are wildcards.
    pub values: Vec<&'a str>,
}

/// The pages of `DescribeInstances`, one at a time.
#[derive(Debug)]
pub struct Pages<'a> {
    client: &'a Client,
    region: &'a str,
    filters: &'a [Filter<'a>],
    size: &'static str,
    token: Option<String>,
    ended: bool,
}

impl Client {
    /// All instances that pass the filter, from all pages.
    pub(crate) async fn describe(
        &self,
        region: &str,
        filter: &Filter<'_>,
    ) -> Result<Vec<Instance>, CallError> {
        let filters = [filter.clone()];
        let mut pages = Pages {
            size: PAGE_OF_A_LAUNCH,
            ..self.pages(region, &filters)
        };
        let mut instances = Vec::new();
        while let Some(page) = pages.next().await? {
            instances.extend(page.instances()?);
        }
        Ok(instances)
    }

    /// The instances that pass all filters, page by page, so that memory holds but one.
    pub fn pages<'a>(&'a self, region: &'a str, filters: &'a [Filter<'a>]) -> Pages<'a> {
        Pages {
            client: self,
            region,
            filters,
            size: LARGEST_PAGE,
            token: None,
            ended: false,
        }
    }

    /// The regions that are enabled for the account, as the given region tells.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn enabled_regions(&self, from: &str) -> Result<Vec<String>, CallError> {
        let request = Request::new("DescribeRegions");
        let answer: DescribedRegions = self.read(Service::Ec2, from, request).await?;
        let mut regions: Vec<String> = answer
            .region_info
            .item
            .into_iter()
            .map(|region| region.region_name)
            .collect();
        regions.sort_unstable();
        Ok(regions)
    }

    /// Sets one tag on instances of a region; one that is not known fails the whole call.
    pub(crate) async fn tag(
        &self,
        region: &str,
        ids: &[&InstanceId],
        key: &str,
        value: &str,
    ) -> Result<(), CallError> {
        for ids in ids.chunks(TAGGED_AT_ONCE) {
            let mut request = Request::new("CreateTags")
                .with("Tag.1.Key", key)
                .with("Tag.1.Value", value);
            for (n, id) in ids.iter().enumerate() {
                request = request.with(&format!("ResourceId.{}", n + 1), id.as_str());
            }
            self.call(Service::Ec2, region, request).await?;
        }
        Ok(())
    }

    /// Sets the given options and returns all options as EC2 answers them.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn set_options(
        &self,
        instance: &Instance,
        send: &MetadataOptions,
    ) -> Result<MetadataOptions, CallError> {
        let request = Request::new("ModifyInstanceMetadataOptions")
            .with("InstanceId", instance.id.as_str())
            .with_some("HttpTokens", send.http_tokens)
            .with_some("HttpEndpoint", send.http_endpoint)
            .with_some("HttpPutResponseHopLimit", send.hop_limit)
            .with_some("HttpProtocolIpv6", send.http_protocol_ipv6)
            .with_some("InstanceMetadataTags", send.instance_metadata_tags);
        let answer: Modified = self.read(Service::Ec2, &instance.region, request).await?;
        Ok(answer.instance_metadata_options.into_options())
    }

    /// Stops instances: all, or none where one id is bad.
    pub(crate) async fn stop(&self, region: &str, ids: &[&InstanceId]) -> Result<(), CallError> {
        self.end(region, "StopInstances", ids).await
    }

    /// Terminates instances. One bad id and none is terminated; a protected one keeps those of its
    /// availability zone.
    pub(crate) async fn terminate(
        &self,
        region: &str,
        ids: &[&InstanceId],
    ) -> Result<(), CallError> {
        self.end(region, "TerminateInstances", ids).await
    }

    async fn end(
        &self,
        region: &str,
        action: &'static str,
        ids: &[&InstanceId],
    ) -> Result<(), CallError> {
        let mut request = Request::new(action);
        for (n, id) in ids.iter().enumerate() {
            request = request.with(&format!("InstanceId.{}", n + 1), id.as_str());
        }
        self.call(Service::Ec2, region, request).await.map(drop)
    }
}

impl Pages<'_> {
    /// The next page of up to 1,000 instances; `None` after the last.
    ///
    /// # Errors
    /// When EC2 does not answer, or refuses.
    pub async fn next(&mut self) -> Result<Option<Page>, CallError> {
        if self.ended {
            return Ok(None);
        }
        let region = self.region;
        let mut request = Request::new(DESCRIBE)
            .with("MaxResults", self.size)
            .with_some("NextToken", self.token.as_ref());
        for (n, filter) in self.filters.iter().enumerate() {
            let place = format!("Filter.{}", n + 1);
            request = request.with(&format!("{place}.Name"), filter.name);
            for (n, value) in filter.values.iter().enumerate() {
                request = request.with(&format!("{place}.Value.{}", n + 1), value);
            }
        }
        let body = self.client.call(Service::Ec2, region, request).await?;
        let unreadable = |why: BoxError| CallError::unreadable(DESCRIBE, region, why);
        let next = next_token(&body).map_err(unreadable)?;
        if next.is_some() && next == self.token {
            return Err(unreadable("the same page token came twice".into()));
        }
        self.ended = next.is_none();
        self.token.clone_from(&next);
        let region = region.to_owned();
        Ok(Some(Page { region, body, next }))
    }
}

/// A page as it came: the next one can be on its way while this one is read.
#[derive(Debug)]
pub struct Page {
    region: String,
    body: SdkBody,
    next: Option<String>,
}

impl Page {
    /// The page's instances.
    ///
    /// # Errors
    /// When EC2's answer is not understood.
    pub fn instances(self) -> Result<Vec<Instance>, CallError> {
        let Page { region, body, next } = self;
        let unreadable = |why: BoxError| CallError::unreadable(DESCRIBE, &region, why);
        let text = text_of(&body).map_err(|e| unreadable(e.into()))?;
        let page = Described::read(text, &region).map_err(unreadable)?;
        if page.next_token != next {
            return Err(unreadable("its page token is not where it belongs".into()));
        }
        Ok(page.instances)
    }
}

/// Found without reading the page. The last page carries an empty token, or none.
fn next_token(body: &SdkBody) -> Result<Option<String>, BoxError> {
    let text = text_of(body)?;
    let token = text
        .rsplit_once("<nextToken>")
        .and_then(|(_, rest)| rest.split_once("</nextToken>"))
        .map_or("", |(token, _)| token);
    let token = quick_xml::escape::unescape(token.trim())?;
    Ok(Some(token.into_owned()).filter(|token| !token.is_empty()))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedRegions {
    region_info: Items<DescribedRegion>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DescribedRegion {
    region_name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Items<T> {
    #[serde(default = "Vec::new")]
    pub(crate) item: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Items { item: Vec::new() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Modified {
    instance_metadata_options: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Options {
    #[serde(default)]
    pub(crate) http_tokens: Option<String>,
    #[serde(default)]
    pub(crate) http_endpoint: Option<String>,
    #[serde(default)]
    pub(crate) http_put_response_hop_limit: Option<i64>,
    #[serde(default)]
    pub(crate) http_protocol_ipv6: Option<String>,
    #[serde(default)]
    pub(crate) instance_metadata_tags: Option<String>,
    #[serde(default)]
    pub(crate) state: Option<String>,
}

impl Options {
    /// A word or number that is not known leaves the option unknown, and so never compliant.
    pub(crate) fn into_options(self) -> MetadataOptions {
        let toggle = |word: Option<String>| word.and_then(|word| Toggle::from_word(&word));
        MetadataOptions {
            http_tokens: self
                .http_tokens
                .and_then(|word| HttpTokens::from_word(&word)),
            http_endpoint: toggle(self.http_endpoint),
            hop_limit: self
                .http_put_response_hop_limit
                .and_then(|n| HopLimit::try_from(n).ok()),
            http_protocol_ipv6: toggle(self.http_protocol_ipv6),
            instance_metadata_tags: toggle(self.instance_metadata_tags),
        }
    }
}
