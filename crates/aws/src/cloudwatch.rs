//! How often IMDSv1 was called, from CloudWatch.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use std::collections::BTreeMap;

use imds_core::instance::InstanceId;
use imds_core::usage::Datapoint;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::client::{Client, Request, Service};
use crate::error::CallError;

/// A metric of an instance, in the namespace `AWS/EC2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Calls without a token that were answered.
    NoToken,
    /// Calls without a token that were refused.
    NoTokenRejected,
}

impl Metric {
    fn name(self) -> &'static str {
        match self {
            Metric::NoToken => "MetadataNoToken",
            Metric::NoTokenRejected => "MetadataNoTokenRejected",
        }
    }
}

/// The most metrics that one call asks for.
const METRICS: usize = 500;

/// The most periods of one metric, so that 500 of them stay below a call's 100,800 datapoints.
const PERIODS: i64 = 200;

impl Client {
    /// The datapoints of a metric of instances of a region, 500 instances with a call. Instances
    /// without any are left out.
    ///
    /// # Errors
    /// When CloudWatch does not answer, or refuses.
    pub async fn datapoints(
        &self,
        region: &str,
        metric: Metric,
        ids: &[&InstanceId],
        (begin, end): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<InstanceId, Vec<Datapoint>>, CallError> {
        let mut found: BTreeMap<InstanceId, Vec<Datapoint>> = BTreeMap::new();
        for ids in ids.chunks(METRICS) {
            let mut token: Option<String> = None;
            loop {
                let request =
                    request(metric, ids, begin, end).with_some("NextToken", token.as_ref());
                let answer: Answer = self.read(Service::CloudWatch, region, request).await?;
                for series in answer.result.series.member {
                    let unreadable = || {
                        let what = format!("unexpected series `{}`", series.id);
                        CallError::unreadable("GetMetricData", region, what)
                    };
                    let place = series
                        .id
                        .strip_prefix('m')
                        .and_then(|n| n.parse::<usize>().ok());
                    let id = place
                        .and_then(|place| ids.get(place))
                        .ok_or_else(unreadable)?;
                    let times = series.timestamps.member.iter();
                    let points: Option<Vec<Datapoint>> = times
                        .zip(series.values.member)
                        .map(|(time, value)| Some((time.parse().ok()?, value)))
                        .collect();
                    let points = points.ok_or_else(unreadable)?;
                    if !points.is_empty() {
                        found.entry((*id).clone()).or_default().extend(points);
                    }
                }
                let next = answer.result.next_token.filter(|token| !token.is_empty());
                if next.is_none() || next == token {
                    break;
                }
                token = next;
            }
        }
        Ok(found)
    }
}

/// Sums over periods of whole hours, as long as needed to cover the window with 200 of them.
fn request(metric: Metric, ids: &[&InstanceId], begin: Timestamp, end: Timestamp) -> Request {
    // CloudWatch refuses an empty window.
    let hour_ago = end
        .checked_sub(SignedDuration::from_hours(1))
        .unwrap_or(begin);
    let begin = begin.min(hour_ago);
    let window = end.duration_since(begin).as_hours();
    let period = SignedDuration::from_hours(window.div_euclid(PERIODS) + 1);
    let mut request = Request::new("GetMetricData")
        .with("StartTime", begin.to_string())
        .with("EndTime", end.to_string());
    for (n, id) in ids.iter().enumerate() {
        let query = format!("MetricDataQueries.member.{}", n + 1);
        let stat = format!("{query}.MetricStat");
        request = request
            .with(&format!("{query}.Id"), format!("m{n}"))
            .with(&format!("{stat}.Metric.Namespace"), "AWS/EC2")
            .with(&format!("{stat}.Metric.MetricName"), metric.name())
            .with(
                &format!("{stat}.Metric.Dimensions.member.1.Name"),
                "InstanceId",
            )
            .with(
                &format!("{stat}.Metric.Dimensions.member.1.Value"),
                id.as_str(),
            )
            .with(&format!("{stat}.Period"), period.as_secs().to_string())
            .with(&format!("{stat}.Stat"), "Sum");
    }
    request
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(rename = "GetMetricDataResult")]
    result: Results,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    #[serde(rename = "MetricDataResults", default)]
    series: Members<Series>,
    #[serde(default)]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Series {
    id: String,
    #[serde(default)]
    timestamps: Members<String>,
    #[serde(default)]
    values: Members<f64>,
}

/// A list, as the Query protocol writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Members<T> {
    #[serde(default = "Vec::new")]
    pub(crate) member: Vec<T>,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Members { member: Vec::new() }
    }
}
