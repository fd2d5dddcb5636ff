//! How often IMDSv1 was called, from CloudWatch.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{
    self, Dimension, MetricDataQuery, MetricDataResult, MetricStat, StatusCode,
};
use aws_smithy_types::DateTime;
use imds_core::instance::InstanceId;
use imds_core::usage::{CallData, Datapoint, whole_hour};
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
    /// Whose sum is the use of IMDSv1.
    pub const USAGE: &[Metric] = &[Metric::NoToken, Metric::NoTokenRejected];

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

/// The maximum number of datapoints in one call.
const DATAPOINTS: i64 = 100_800;

/// The length of a period; the hours with data are counted.
const PERIOD: SignedDuration = SignedDuration::from_hours(1);

/// The shortest period, of an instance with detailed monitoring; others have data every five minutes.
#[cfg(feature = "command")]
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// What CloudWatch returned for a query that it did not answer.
const NO_RESULT: &str = "no result";

impl Client {
    /// Gets metrics of instances in one region, in periods of one hour. Every instance is in the result.
    ///
    /// # Errors
    /// If CloudWatch does not answer or rejects the call.
    pub async fn call_data(
        &self,
        region: &str,
        metrics: &[Metric],
        ids: &[&InstanceId],
        (begin, end): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<InstanceId, CallData>, CallError> {
        // CloudWatch refuses an empty window.
        let begin = begin.min(whole_hour(end.checked_sub(PERIOD).unwrap_or(begin)));
        self.call_data_by(region, (metrics, PERIOD), ids, (begin, end))
            .await
    }

    /// Gets the calls of instances in one region, answered and rejected, in periods of one minute. Every instance
    /// is in the result.
    ///
    /// # Errors
    /// If CloudWatch does not answer or rejects the call.
    #[cfg(feature = "command")]
    pub async fn calls_by_minute(
        &self,
        region: &str,
        ids: &[&InstanceId],
        window: (Timestamp, Timestamp),
    ) -> Result<BTreeMap<InstanceId, CallData>, CallError> {
        self.call_data_by(region, (Metric::USAGE, MINUTE), ids, window)
            .await
    }

    async fn call_data_by(
        &self,
        region: &str,
        (metrics, period): (&[Metric], SignedDuration),
        ids: &[&InstanceId],
        (begin, end): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<InstanceId, CallData>, CallError> {
        let periods = end.duration_since(begin).as_secs() / period.as_secs();
        let mut all = BTreeMap::new();
        for ids in ids.chunks(instances_at_once(metrics, periods)) {
            let batch = Batch {
                metrics,
                ids,
                period,
            };
            all.extend(self.call_data_of(region, batch, (begin, end)).await?);
        }
        Ok(all)
    }

    async fn call_data_of(
        &self,
        region: &str,
        batch: Batch<'_>,
        (begin, end): (Timestamp, Timestamp),
    ) -> Result<BTreeMap<InstanceId, CallData>, CallError> {
        let queries = batch.queries();
        let mut series: Vec<Series> = vec![Series::default(); queries.len()];
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
            for result in answer.metric_data_results.unwrap_or_default() {
                let name = result.id.clone().unwrap_or_default();
                let place = place(&name).and_then(|place| series.get_mut(place));
                if place.and_then(|series| series.add(result)).is_none() {
                    let what = format!("unexpected series `{name}`");
                    return Err(CallError::unreadable(ACTION, region, what));
                }
            }
            if !convert::advance(&mut token, answer.next_token) {
                break;
            }
        }
        Ok(batch.data(series))
    }
}

/// How many instances fit into one call, by the number of its metrics and of its datapoints.
fn instances_at_once(metrics: &[Metric], periods: i64) -> usize {
    let periods = periods.saturating_add(2).max(1);
    let by_points = usize::try_from(DATAPOINTS.div_euclid(periods)).unwrap_or(METRICS);
    (by_points.min(METRICS) / metrics.len().max(1)).max(1)
}

/// The metrics of one call.
#[derive(Clone, Copy)]
struct Batch<'a> {
    metrics: &'a [Metric],
    ids: &'a [&'a InstanceId],
    period: SignedDuration,
}

impl Batch<'_> {
    /// All metrics of the first instance, then those of the next.
    fn queries(&self) -> Vec<MetricDataQuery> {
        let each = |id| self.metrics.iter().map(move |metric| (id, *metric));
        let queries = self.ids.iter().flat_map(each).enumerate();
        queries
            .map(|(n, (id, metric))| query(n, id, metric, self.period))
            .collect()
    }

    fn data(&self, series: Vec<Series>) -> BTreeMap<InstanceId, CallData> {
        let mut series = series.into_iter();
        let mut all = BTreeMap::new();
        for id in self.ids {
            let mut data = CallData::default();
            for metric in self.metrics {
                let Series { points, status } = series.next().unwrap_or_default();
                match metric {
                    Metric::NoToken => data.accepted = points,
                    Metric::NoTokenRejected => data.rejected = points,
                }
                let status = status.unwrap_or_else(|| NO_RESULT.to_owned());
                let incomplete = (status != StatusCode::Complete.as_str()).then_some(status);
                data.incomplete = data.incomplete.or(incomplete);
            }
            all.insert((*id).clone(), data);
        }
        all
    }
}

/// The datapoints of one metric, and the status of the last page that had some.
#[derive(Debug, Clone, Default)]
struct Series {
    points: Vec<Datapoint>,
    status: Option<String>,
}

impl Series {
    /// `None` if a time cannot be read.
    fn add(&mut self, result: MetricDataResult) -> Option<()> {
        let times = result.timestamps.unwrap_or_default().into_iter();
        for (time, value) in times.zip(result.values.unwrap_or_default()) {
            self.points.push((convert::timestamp(time)?, value));
        }
        self.status = result.status_code.map(|code| code.as_str().to_owned());
        Some(())
    }
}

fn place(query: &str) -> Option<usize> {
    query.strip_prefix('m')?.parse().ok()
}

fn query(n: usize, id: &InstanceId, metric: Metric, period: SignedDuration) -> MetricDataQuery {
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
        .period(i32::try_from(period.as_secs()).unwrap_or(i32::MAX))
        .stat("Sum")
        .build();
    MetricDataQuery::builder()
        .id(format!("m{n}"))
        .metric_stat(sum)
        .build()
}

fn date_time(time: Timestamp) -> DateTime {
    DateTime::from_secs_and_nanos(time.as_second(), time.subsec_nanosecond().unsigned_abs())
}
