//! EC2's operations on instances, as far as they concern metadata options.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html>

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use aws_sdk_ec2::operation::describe_instances::DescribeInstancesOutput;
use aws_sdk_ec2::types;
use imds_core::instance::{Instance, InstanceId};
use imds_core::options::MetadataOptions;

use crate::client::Client;
use crate::convert;
use crate::error::{CallError, Fault};
use crate::options;
use crate::page::{DescribedPage, UnreadableInstance};
use crate::whole::Outline;

/// The maximum number of values in a filter.
pub const FILTER_VALUES: usize = 200;

const DESCRIBE: &str = "DescribeInstances";

/// The largest page of `DescribeInstances`: the fewest calls for a whole region.
const LARGEST_PAGE: i32 = 1000;

/// The page size for a launch: one call is enough for nearly all launches, and takes a quarter of the
/// memory.
const PAGE_OF_A_LAUNCH: i32 = 250;

/// A filter of `DescribeInstances`. Unlike the parameter `InstanceId`, a filter omits instances that
/// EC2 does not know instead of failing the whole call.
#[derive(Debug, Clone)]
pub struct Filter<'a> {
    /// The filter's name, for example `instance-state-name` or `tag:app`.
    pub name: Cow<'a, str>,
    /// The values, at most 200, of which any may match; `*` and `?` are wildcards.
    pub values: Vec<&'a str>,
}

impl Filter<'_> {
    /// The filter for these instances.
    pub fn by_ids<'a>(ids: &[&'a str]) -> Filter<'a> {
        Filter {
            name: Cow::Borrowed("instance-id"),
            values: ids.to_vec(),
        }
    }
}

impl From<&Filter<'_>> for types::Filter {
    fn from(filter: &Filter<'_>) -> Self {
        let values = filter.values.iter().map(|value| (*value).to_owned());
        types::Filter::builder()
            .name(filter.name.as_ref())
            .set_values(Some(values.collect()))
            .build()
    }
}

/// The pages of `DescribeInstances`, one at a time.
#[derive(Debug)]
pub struct Pages<'a> {
    client: &'a Client,
    region: &'a str,
    filters: &'a [Filter<'a>],
    size: i32,
    token: Option<String>,
    ended: bool,
}

impl Client {
    /// Describes all instances that match the filter, from all pages.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn describe(
        &self,
        region: &str,
        filter: &Filter<'_>,
    ) -> Result<DescribedPage, CallError> {
        let filters = [filter.clone()];
        let mut pages = Pages {
            size: PAGE_OF_A_LAUNCH,
            ..self.pages(region, &filters)
        };
        let mut all = DescribedPage::default();
        while let Some(page) = pages.next().await? {
            all.instances.extend(page.instances);
            all.unreadable.extend(page.unreadable);
        }
        Ok(all)
    }

    /// The instances that match all filters, page by page, so that only one page is in memory.
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

    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
    async fn describe_page(
        &self,
        region: &str,
        filters: &[Filter<'_>],
        size: i32,
        token: Option<&str>,
    ) -> Result<DescribeInstancesOutput, CallError> {
        let filters: Vec<types::Filter> = filters.iter().map(types::Filter::from).collect();
        let describe = |include_managed: Option<bool>| {
            let filters = &filters;
            self.call(DESCRIBE, region, move |services| {
                services
                    .ec2()
                    .describe_instances()
                    .set_filters(Some(filters.clone()))
                    .max_results(size)
                    .set_next_token(token.map(str::to_owned))
                    .set_include_managed_resources(include_managed)
                    .send()
            })
        };
        self.with_managed(region, describe).await
    }

    /// Sends a call that also shows what AWS services manage: EC2 hides it unless it is asked for it.
    pub(crate) async fn with_managed<T, F>(
        &self,
        region: &str,
        call: impl Fn(Option<bool>) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let (services, _) = self.services(region);
        let hides_managed = services.hides_managed();
        match call(hides_managed.load(Ordering::Relaxed).then_some(true)).await {
            // An endpoint that does not know the parameter hides nothing.
            Err(error) if error.has_code("UnknownParameter") => {
                hides_managed.store(false, Ordering::Relaxed);
                call(None).await
            }
            answer => answer,
        }
    }

    /// Describes instances, some of which cannot be read, in smaller and smaller batches until those are
    /// isolated.
    async fn describe_apart(
        &self,
        region: &str,
        ids: Vec<String>,
    ) -> Result<DescribedPage, CallError> {
        let mut page = DescribedPage::default();
        let (known, odd): (Vec<String>, Vec<String>) = ids
            .into_iter()
            .partition(|id| InstanceId::try_from(id.as_str()).is_ok());
        let malformed = |id| UnreadableInstance {
            id,
            why: "its id is malformed".to_owned(),
        };
        page.unreadable.extend(odd.into_iter().map(malformed));
        let ids: Vec<&str> = known.iter().map(String::as_str).collect();
        let mut parts: Vec<&[&str]> = ids.chunks(FILTER_VALUES).collect();
        while let Some(part) = parts.pop() {
            let filters = [Filter::by_ids(part)];
            let answer = self
                .describe_page(region, &filters, LARGEST_PAGE, None)
                .await
                .and_then(|answer| convert::page(answer, region));
            match (answer, part) {
                (Ok((read, None)), _) => {
                    page.instances.extend(read.instances);
                    page.unreadable.extend(read.unreadable);
                }
                (Ok((_, Some(_))), _) => {
                    let why = "200 instances came on more than one page";
                    return Err(CallError::unreadable(DESCRIBE, region, why));
                }
                (Err(error), [id]) if error.fault == Fault::Unreadable => {
                    page.unreadable.push(UnreadableInstance {
                        id: (*id).to_owned(),
                        why: error.cause(),
                    });
                }
                (Err(error), _) if error.fault == Fault::Unreadable => {
                    let (left, right) = part.split_at(part.len().div_ceil(2));
                    parts.extend([left, right]);
                }
                (Err(error), _) => return Err(error),
            }
        }
        Ok(page)
    }

    /// Those of the Spot requests that are persistent, and of which EC2 therefore launches another
    /// instance.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn persistent_spot_requests(
        &self,
        region: &str,
        ids: &[&str],
    ) -> Result<BTreeSet<String>, CallError> {
        let mut persistent = BTreeSet::new();
        for ids in ids.chunks(FILTER_VALUES) {
            let filter = Filter {
                name: Cow::Borrowed("spot-instance-request-id"),
                values: ids.to_vec(),
            };
            let answer = self
                .call("DescribeSpotInstanceRequests", region, |services| {
                    services
                        .ec2()
                        .describe_spot_instance_requests()
                        .filters(types::Filter::from(&filter))
                        .send()
                })
                .await?;
            let requests = answer.spot_instance_requests.unwrap_or_default();
            let one_time = requests.into_iter().filter_map(|request| {
                let id = request.spot_instance_request_id?;
                (request.r#type == Some(types::SpotInstanceType::OneTime)).then_some(id)
            });
            let one_time: BTreeSet<String> = one_time.collect();
            // A request that EC2 does not show may be persistent.
            let others = ids.iter().filter(|id| !one_time.contains(**id));
            persistent.extend(others.map(|id| (*id).to_owned()));
        }
        Ok(persistent)
    }

    /// Lists the regions that are enabled for the account, by a call to the given region.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn enabled_regions(&self, from: &str) -> Result<Vec<String>, CallError> {
        const ACTION: &str = "DescribeRegions";
        let answer = self
            .call(ACTION, from, |services| {
                services.ec2().describe_regions().send()
            })
            .await?;
        let regions = answer
            .regions
            .ok_or_else(|| CallError::unreadable(ACTION, from, "no `regionInfo`"))?;
        let mut names: Vec<String> = regions
            .into_iter()
            .map(|region| region.region_name)
            .collect::<Option<_>>()
            .ok_or_else(|| CallError::unreadable(ACTION, from, "a region without a name"))?;
        names.sort_unstable();
        Ok(names)
    }

    /// Sets the given options and returns all options from EC2's response.
    ///
    /// # Errors
    /// If EC2 does not answer or rejects the call.
    pub async fn set_options(
        &self,
        instance: &Instance,
        send: &MetadataOptions,
    ) -> Result<MetadataOptions, CallError> {
        const ACTION: &str = "ModifyInstanceMetadataOptions";
        let answer = self
            .call(ACTION, &instance.region, |services| {
                let call = services.ec2().modify_instance_metadata_options();
                let call = call.instance_id(instance.id.as_str());
                options::send(call, send).send()
            })
            .await?;
        match answer.instance_metadata_options {
            Some(answer) => Ok(options::of_instance(&answer)),
            None => {
                let why = "no `instanceMetadataOptions`";
                Err(CallError::unreadable(ACTION, &instance.region, why))
            }
        }
    }
}

pub(crate) fn texts(ids: &[&InstanceId]) -> Vec<String> {
    ids.iter().map(|id| id.as_str().to_owned()).collect()
}

impl Pages<'_> {
    /// The next page of up to 1,000 instances; `None` after the last.
    ///
    /// One invalid value does not hide the rest of a page: a page that the SDK cannot read is described
    /// again in batches.
    ///
    /// # Errors
    /// If EC2 does not answer, rejects the call, or sends an incomplete response.
    pub async fn next(&mut self) -> Result<Option<DescribedPage>, CallError> {
        if self.ended {
            return Ok(None);
        }
        let region = self.region;
        let token = self.token.as_deref();
        let answer = self
            .client
            .describe_page(region, self.filters, self.size, token)
            .await
            .and_then(|answer| convert::page(answer, region));
        let (page, next) = match answer {
            Ok(read) => read,
            Err(error) => match error.body.as_deref().and_then(Outline::read) {
                Some(Outline { ids, next_token }) => {
                    let page = self.client.describe_apart(region, ids).await?;
                    (page, convert::token(next_token))
                }
                None => return Err(error),
            },
        };
        if next.is_some() && next == self.token {
            let why = "the same page token came twice";
            return Err(CallError::unreadable(DESCRIBE, region, why));
        }
        self.ended = next.is_none();
        self.token = next;
        Ok(Some(page))
    }
}
