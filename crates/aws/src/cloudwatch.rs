//! How often IMDSv1 was called, from CloudWatch.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{self, Dimension, MetricDataQuery, MetricDataResult, MetricStat};
use aws_smithy_types::DateTime;
use imds_core::instance::InstanceId;
use imds_core::usage::Datapoint;
use jiff::{SignedDuration, Timestamp};

use crate::client::Client;
use crate::convert;
use crate::error::CallError;

const ACTION: &str = "GetMetricData";

/// A metric of an instance, in the namespace `AWS/EC2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Calls without a token that were answered.
    NoToken,
    /// Calls without a token that were rejected.
    NoTokenRejected,
}

impl Metric {
    /// The metric's name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Metric::NoToken => "MetadataNoToken",
            Metric::NoTokenRejected => "MetadataNoTokenRejected",
        }
    }
}

/// The maximum number of metrics in one call.
const METRICS: usize = 500;

/// The maximum number of periods per metric: 500 metrics then stay below the limit of 100,800
/// datapoints per call.
const PERIODS: i64 = 200;

impl Client {
    /// Gets a metric's datapoints for instances in one region, 500 instances per call. Instances
    /// without datapoints are omitted.
    ///
    /// # Errors
    /// If CloudWatch does not answer or rejects the call.
    pub async fn datapoints(
        &self,
        region: &str,
        metric: Metric,
        ids: &[&InstanceId],
        (begin, end): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<InstanceId, Vec<Datapoint>>, CallError> {
        let mut found: BTreeMap<InstanceId, Vec<Datapoint>> = BTreeMap::new();
        // CloudWatch refuses an empty window.
        let hour_ago = end
            .checked_sub(SignedDuration::from_hours(1))
            .unwrap_or(begin);
        let begin = begin.min(hour_ago);
        for ids in ids.chunks(METRICS) {
            let queries = queries(metric, ids, end.duration_since(begin));
            let mut token: Option<String> = None;
            loop {
                let answer = self
                    .call(ACTION, region, |services| {
                        services
                            .cloudwatch()
                            .get_metric_data()
                            .set_metric_data_queries(Some(queries.clone()))
                            .start_time(date_time(begin))
                            .end_time(date_time(end))
                            .set_next_token(token.clone())
                            .send()
                    })
                    .await?;
                for series in answer.metric_data_results.unwrap_or_default() {
                    let name = series.id.clone().unwrap_or_default();
                    let Some((id, points)) = read(series, ids) else {
                        let what = format!("unexpected series `{name}`");
                        return Err(CallError::unreadable(ACTION, region, what));
                    };
                    if !points.is_empty() {
                        found.entry(id.clone()).or_default().extend(points);
                    }
                }
                if !convert::advance(&mut token, answer.next_token) {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Queries for sums over periods of whole hours, long enough that `PERIODS` cover the window.
fn queries(metric: Metric, ids: &[&InstanceId], window: SignedDuration) -> Vec<MetricDataQuery> {
    let hours = window.as_hours().div_euclid(PERIODS) + 1;
    let period = i32::try_from(SignedDuration::from_hours(hours).as_secs()).unwrap_or(i32::MAX);
    let query = |(n, id): (usize, &&InstanceId)| {
        let instance = Dimension::builder()
            .name("InstanceId")
            .value(id.as_str())
            .build();
        let metric = types::Metric::builder()
            .namespace("AWS/EC2")
            .metric_name(metric.name())
            .dimensions(instance)
            .build();
        let sum = MetricStat::builder()
            .metric(metric)
            .period(period)
            .stat("Sum")
            .build();
        MetricDataQuery::builder()
            .id(format!("m{n}"))
            .metric_stat(sum)
            .build()
    };
    ids.iter().enumerate().map(query).collect()
}

/// The instance of a series and its datapoints; `None` if the series was not requested or cannot be
/// read.
fn read<'a>(
    series: MetricDataResult,
    ids: &[&'a InstanceId],
) -> Option<(&'a InstanceId, Vec<Datapoint>)> {
    let place: usize = series.id?.strip_prefix('m')?.parse().ok()?;
    let times = series.timestamps.unwrap_or_default().into_iter();
    let values = series.values.unwrap_or_default();
    let points = times
        .zip(values)
        .map(|(time, value)| Some((convert::timestamp(time)?, value)));
    Some((ids.get(place)?, points.collect::<Option<_>>()?))
}

fn date_time(time: Timestamp) -> DateTime {
    DateTime::from_secs_and_nanos(time.as_second(), time.subsec_nanosecond().unsigned_abs())
}
